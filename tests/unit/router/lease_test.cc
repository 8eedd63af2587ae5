#include "router/lease/lease_table.h"

#include <gtest/gtest.h>

namespace hy::router {
namespace {

constexpr EntryId kA{1};
constexpr EntryId kB{2};

class RouterLease : public ::testing::Test {
 protected:
  void run(Millis span) {
    for (Millis t{0}; t < span; t += Millis{250}) {
      now += Millis{250};
      leases.observe(now);
      const auto changes = leases.tick(now);
      dead += changes.dead.size();
    }
  }
  MonoTime now = MonoTime{} + std::chrono::hours(1);
  LeaseTable leases{{}, {kA, kB}, now};
  std::size_t dead = 0;
};

TEST_F(RouterLease, SuspectAfterThreeSecondsDeadAfterTen) {
  leases.heard(kA, now);
  run(Millis{2'750});
  EXPECT_EQ(leases.state(kA), LeaseState::kAlive);
  run(Millis{250});
  EXPECT_EQ(leases.state(kA), LeaseState::kSuspect);
  run(Millis{6'750});
  EXPECT_EQ(leases.state(kA), LeaseState::kSuspect);
  run(Millis{250});
  EXPECT_EQ(leases.state(kA), LeaseState::kDead);
  leases.heard(kA, now);
  EXPECT_EQ(leases.state(kA), LeaseState::kAlive);
}

TEST_F(RouterLease, ALostStreamIsSuspectAtOnce) {
  leases.heard(kA, now);
  leases.stream_lost(kA, now);
  EXPECT_EQ(leases.state(kA), LeaseState::kSuspect);
}

TEST_F(RouterLease, AnEntryNeverSeenIsDeadAfterTenSecondsOfRunning) {
  run(Millis{9'750});
  EXPECT_EQ(leases.state(kB), LeaseState::kNever);
  run(Millis{250});
  EXPECT_EQ(leases.state(kB), LeaseState::kDead);
}

// I6: DEAD implies 10 s of silence while this process was running.
TEST_F(RouterLease, ASleeperDeclaresNobodyDead) {
  leases.heard(kA, now);
  run(Millis{2'000});
  now += std::chrono::minutes(1);
  EXPECT_TRUE(leases.observe(now));
  EXPECT_TRUE(leases.tick(now).dead.empty());
  EXPECT_EQ(leases.state(kA), LeaseState::kAlive);
  EXPECT_EQ(leases.unheard_since_wake(), std::vector<EntryId>{kA});
  run(Millis{7'500});
  EXPECT_EQ(dead, 0U) << "2 s and 7.5 s of running silence are not 10";
  run(Millis{500});
  EXPECT_EQ(leases.state(kA), LeaseState::kDead);
}

TEST_F(RouterLease, WhatLayInTheSocketIsNoSignOfLifeAfterAWake) {
  leases.heard(kA, now);
  now += std::chrono::minutes(1);
  leases.observe(now);
  leases.heard(kA, now + Millis{5});
  EXPECT_FALSE(leases.unheard_since_wake().empty());
  now += Millis{1'000};
  leases.observe(now);
  leases.heard(kA, now);
  EXPECT_TRUE(leases.unheard_since_wake().empty());
}

TEST_F(RouterLease, ALateTickBelowTheGuardIsNoSleep) {
  leases.heard(kA, now);
  now += Millis{1'250};
  EXPECT_FALSE(leases.observe(now));
  now += Millis{1'251};
  EXPECT_TRUE(leases.observe(now));
  EXPECT_EQ(leases.wakes(), 1U);
}

TEST_F(RouterLease, RecentlyDeadLastsAMinute) {
  leases.heard(kA, now);
  run(Millis{10'000});
  EXPECT_TRUE(leases.is_recently_dead(kA, now));
  run(Millis{60'250});
  EXPECT_FALSE(leases.is_recently_dead(kA, now));
  EXPECT_TRUE(leases.is_dead_since(kA, Millis{60'000}, now));
}

}  // namespace
}  // namespace hy::router
