#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "tests/sim/cluster/runner.h"

namespace hy::sim {
namespace {

/// Tries one change; keeps it when the seed still fails in the same way.
class Shrinker {
 public:
  Shrinker(std::uint64_t seed, Options options, Outcome outcome)
      : seed_(seed), options_(std::move(options)), outcome_(outcome) {
    options_.verbose = false;
    options_.twice_one_in = 0;
  }

  bool attempt(const std::function<void(Options&)>& change) {
    Options candidate = options_;
    change(candidate);
    ++tries_;
    if (run_seed(seed_, candidate).outcome != outcome_) return false;
    options_ = std::move(candidate);
    fmt::print("  still fails: {}\n", replay_command(seed_, options_));
    std::fflush(stdout);
    return true;
  }

  void drop_faults() {
    const Plan plan = draw_plan(seed_, options_.limits);
    std::vector<Fault> kept;
    for (std::size_t i = 0; i < kFaults; ++i) {
      if (plan.faults[i]) kept.push_back(static_cast<Fault>(i));
    }
    if (attempt([](Options& o) { set_kept(o, {}); })) return;
    for (std::size_t i = 0; i < kept.size();) {
      std::vector<Fault> fewer = kept;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      if (attempt([&fewer](Options& o) { set_kept(o, fewer); })) {
        kept = fewer;
      } else {
        ++i;
      }
    }
  }

  void make_smaller() {
    for (const std::uint32_t devices : {2U, 3U, 4U, 6U, 8U, 12U}) {
      if (attempt([devices](Options& o) { o.limits.devices_max = devices; })) break;
    }
    const auto lower = [this](std::uint32_t Limits::* field) {
      for (const std::uint32_t count : {1U, 2U}) {
        if (attempt([field, count](Options& o) { o.limits.*field = count; })) return;
      }
    };
    lower(&Limits::entries_max);
    lower(&Limits::logics_max);
    lower(&Limits::das_max);
    for (const int ms : {2'000, 5'000, 10'000, 20'000, 40'000}) {
      if (attempt([ms](Options& o) { o.limits.faults_for = Millis{ms}; })) break;
    }
    for (const std::uint32_t part : {10U, 30U, 60U}) {
      if (attempt([part](Options& o) { o.limits.part = part; })) break;
    }
  }

  void say_end() const {
    fmt::print("smallest found in {} runs: {}\n", tries_, replay_command(seed_, options_));
  }

 private:
  static void set_kept(Options& o, const std::vector<Fault>& kept) {
    o.keep_faults = kept;
    o.limits.left_out.clear();
    for (std::size_t i = 0; i < kFaults; ++i) {
      const auto fault = static_cast<Fault>(i);
      if (std::ranges::find(kept, fault) == kept.end()) o.limits.left_out.push_back(fault);
    }
  }

  std::uint64_t seed_;
  Options options_;
  Outcome outcome_;
  int tries_ = 0;
};

}  // namespace

void shrink(std::uint64_t seed, Options options, Outcome outcome) {
  fmt::print("shrinking\n");
  Shrinker shrinker(seed, std::move(options), outcome);
  shrinker.make_smaller();
  shrinker.drop_faults();
  shrinker.make_smaller();
  shrinker.say_end();
}

}  // namespace hy::sim
