#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/test_hooks.h"
#include "common/obs/log.h"
#include "tests/sim/cluster/runner.h"

namespace hy::sim {
namespace {

class ClusterSeeds : public ::testing::Test {
 protected:
  ClusterSeeds() { log::set_level(log::Level::kError); }

  static Options small() {
    Options options;
    options.limits.devices_max = 6;
    options.limits.faults_for = Millis{15'000};
    return options;
  }
  static void without_faults(Options& options) {
    for (std::size_t i = 0; i < kFaults; ++i) {
      options.limits.left_out.push_back(static_cast<Fault>(i));
    }
  }
  static std::string text(const Report& report) {
    std::string out;
    for (const std::string& violation : report.violations) out += violation + "\n";
    return out;
  }
};

TEST_F(ClusterSeeds, TheSameSeedIsTheSameRun) {
  const Options options = small();
  for (const std::uint64_t seed : {3U, 4U}) {
    const Report first = run_seed(seed, options);
    const Report second = run_seed(seed, options);
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events);
    EXPECT_GT(first.events, 1'000U);
  }
  EXPECT_NE(run_seed(3, options).hash, run_seed(4, options).hash);
}

TEST_F(ClusterSeeds, WithoutFaultsEverythingWrittenIsStored) {
  Options options = small();
  options.limits.has_groups = false;
  without_faults(options);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Report report = run_seed(seed, options);
    EXPECT_EQ(report.outcome, Outcome::kClean) << "seed " << seed << "\n" << text(report);
    EXPECT_GT(report.submitted, 0U);
    // What goes to somebody who blocks is refused, and not lost.
    const bool has_blocks = draw_plan(seed, options.limits).blocks_per_mille > 0;
    if (!has_blocks) EXPECT_GE(report.stored, report.submitted);
    EXPECT_GT(report.stored, 0U);
    EXPECT_EQ(report.relayed, 0U);
    EXPECT_FALSE(report.sync_points.empty());
  }
}

TEST_F(ClusterSeeds, PeopleMakeGroupsAndComeAndGo) {
  Options options = small();
  without_faults(options);
  std::uint64_t in_groups = 0;
  std::uint64_t changes = 0;
  options.limits.faults_for = Millis{25'000};
  for (const std::uint64_t seed : {3U, 4U, 9U}) {
    const Report report = run_seed(seed, options);
    EXPECT_EQ(report.outcome, Outcome::kClean) << "seed " << seed << "\n" << text(report);
    in_groups += report.in_groups;
    changes += report.group_changes;
  }
  EXPECT_GT(in_groups, 60U);
  EXPECT_GT(changes, 8U);
}

/// Seeds that found something once.
TEST_F(ClusterSeeds, KeptSeedsAreClean) {
  for (const std::uint64_t seed : {5U, 11U, 15U, 21U, 40U}) {
    const Report report = run_seed(seed, Options{});
    EXPECT_EQ(report.outcome, Outcome::kClean) << replay_command(seed, Options{}) << "\n"
                                               << text(report);
  }
}

#if defined(HY_TEST_HOOKS)
TEST_F(ClusterSeeds, PlantedBugsOfGroupsAreFound) {
  for (const Mutant mutant :
       {Mutant::kGroupSendUnjudged, Mutant::kLeaveSeqIgnored, Mutant::kJoinSeqForgotten}) {
    set_mutant(mutant);
    bool found = false;
    for (std::uint64_t seed = 2; seed <= 20 && !found; ++seed) {
      found = run_seed(seed, Options{}).outcome == Outcome::kSafety;
    }
    set_mutant(Mutant::kNone);
    EXPECT_TRUE(found) << "mutant " << static_cast<int>(mutant);
  }
}

/// A simulator that finds nothing is not worth its green light.
TEST_F(ClusterSeeds, PlantedBugsAreFound) {
  for (const Mutant mutant : {Mutant::kAckBeforeCommit, Mutant::kNoDeduplication}) {
    set_mutant(mutant);
    bool found = false;
    for (std::uint64_t seed = 1; seed <= 20 && !found; ++seed) {
      found = run_seed(seed, Options{}).outcome == Outcome::kSafety;
    }
    set_mutant(Mutant::kNone);
    EXPECT_TRUE(found) << "mutant " << static_cast<int>(mutant);
  }
}
#endif

}  // namespace
}  // namespace hy::sim
