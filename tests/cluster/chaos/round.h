#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/cluster/chaos/nemesis.h"
#include "tests/cluster/chaos/report.h"
#include "tests/cluster/journal.h"

namespace hy::chaos {

struct RoundOptions {
  cli::StoreKind store = cli::StoreKind::kEmbedded;
  std::filesystem::path programs;
  PlanOptions plan;
  std::uint64_t seed = 1;
  double rate = 60;  ///< messages a second of all together
  int pairs = 5;     ///< of people
  int mutant = 0;
  bool keep = false;                   ///< the folder of a clean round too
  bool points = false;                 ///< every named place with every deed, instead of a plan
  std::size_t points_max = 0;          ///< only so many of them, drawn from the seed; 0: all
  std::vector<std::string> points_at;  ///< only these; empty: all
};

/// How a round ended; the values are exit codes.
enum class Verdict : std::uint8_t {
  kClean = 0,
  kRunFailed = 1,
  kViolated = 4,
  kNoVerdict = 8,  ///< evidence is missing, or a fault did nothing
};

struct RoundResult {
  Verdict verdict = Verdict::kRunFailed;
  std::vector<std::string> lines;  ///< what is wrong
  std::filesystem::path folder;    ///< kept when the verdict is not clean
  Report report;
};

/// Prints the schedule of options.seed. Returns 0.
int say_plan(const RoundOptions& options, bool mysql);

/// One round: stores and daemons start, people talk, faults strike, everything heals, all is
/// judged. Prints progress about once a second.
RoundResult run_round(const RoundOptions& options);

}  // namespace hy::chaos
