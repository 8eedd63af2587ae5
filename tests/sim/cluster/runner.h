#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster/cluster.h"

namespace hy::sim {

/// Exit codes of hy_sim, by what the worst seed showed.
inline constexpr int kExitClean = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitSafety = 4;
inline constexpr int kExitLiveness = 5;
inline constexpr int kExitNondeterminism = 6;
inline constexpr int kExitCrash = 70;

struct Options {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  std::optional<std::uint64_t> seed;
  std::uint32_t jobs = 1;
  std::uint32_t seconds = 0;  ///< > 0: stops after so long, whatever `seeds` says
  int mutant = 0;
  bool verbose = false;
  bool shrink = false;
  bool log = false;  ///< the daemons' own log lines
  bool keep_going = false;
  std::uint32_t twice_one_in = 25;  ///< seeds run twice; 0: none
  std::string json;
  std::string evidence;
  std::string trace;  ///< file for every event: what two runs are compared by
  std::optional<std::vector<Fault>> keep_faults;
  Limits limits;
};

/// Sums over seeds.
struct Totals {
  std::uint64_t seeds = 0;
  std::uint64_t events = 0;
  std::uint64_t packets = 0;
  std::uint64_t submitted = 0;
  std::uint64_t stored = 0;
  std::uint64_t relayed = 0;
  std::uint64_t shown = 0;
  std::uint64_t in_groups = 0;
  std::uint64_t group_changes = 0;
  double virtual_seconds = 0;
  double settled_worst = 0;
  std::array<std::uint64_t, kFaults> faults{};
  std::map<std::string, std::uint64_t, std::less<>> sync_points;
  std::map<std::string, std::uint64_t, std::less<>> died_at;
  void add(const Report& report);
};

/// One seed, from its plan to the verdict. The mutant that is on stays on.
Report run_seed(std::uint64_t seed, const Options& options);
/// The command that repeats the seed.
std::string replay_command(std::uint64_t seed, const Options& options);
/// Leaves out what is not needed for the failure; prints what is left.
void shrink(std::uint64_t seed, Options options, Outcome outcome);

int run_program(int argc, char** argv);

}  // namespace hy::sim
