#include "entry/net/guest_rule.h"

#include <gtest/gtest.h>

namespace hy::entry {
namespace {

/// A thread whose time is spent in the same way for whole windows.
struct Thread {
  GuestRule rule;
  MonoTime now{std::chrono::seconds(1'000)};
  GuestRule::Spent spent{};
  bool is_guest = rule.after_turn(now, spent, true);

  void turn(double cpu, double paused, bool did_something = true) {
    using std::chrono::duration_cast;
    using std::chrono::nanoseconds;
    constexpr std::chrono::milliseconds kTurn{10};
    now += kTurn;
    spent.cpu += duration_cast<nanoseconds>(cpu * kTurn);
    spent.paused += duration_cast<nanoseconds>(paused * kTurn);
    is_guest = rule.after_turn(now, spent, did_something);
  }
  bool for_windows(int windows, double cpu, double paused) {
    const MonoTime end = now + windows * GuestRule::kWindow;
    while (now < end) turn(cpu, paused);
    return is_guest;
  }
};

TEST(GuestRule, ABusyThreadThatSleepsBetweenItsTurnsComes) {
  Thread thread;
  EXPECT_TRUE(thread.for_windows(2, 0.3, 0.5));
}

TEST(GuestRule, WhoHasLittleToDoOrNoTimeStaysAway) {
  Thread quiet;
  EXPECT_FALSE(quiet.for_windows(4, 0.1, 0.6)) << "nobody is to wait for it";
  Thread saturated;
  EXPECT_FALSE(saturated.for_windows(4, 0.8, 0.1)) << "both threads are needed";
}

TEST(GuestRule, WhatTheLoopsWorkTakesSendsNobodyAway) {
  Thread thread;
  ASSERT_TRUE(thread.for_windows(2, 0.3, 0.25));
  EXPECT_TRUE(thread.for_windows(3, 0.42, 0.13)) << "below the bound for coming";
  EXPECT_TRUE(thread.for_windows(3, 0.13, 0.6));
  EXPECT_FALSE(thread.for_windows(2, 0.1, 0.6)) << "little to do";
  ASSERT_TRUE(thread.for_windows(2, 0.3, 0.25));
  EXPECT_FALSE(thread.for_windows(2, 0.6, 0.05)) << "saturated";
}

TEST(GuestRule, WhoFindsNothingForAWhileGoesAtOnceAndComesBackWithAWindow) {
  Thread thread;
  ASSERT_TRUE(thread.for_windows(2, 0.3, 0.5));
  for (int i = 1; i < GuestRule::kIdleTurns; ++i) thread.turn(0.3, 0.5, false);
  EXPECT_TRUE(thread.is_guest);
  thread.turn(0.3, 0.5, false);
  EXPECT_FALSE(thread.is_guest);
  thread.turn(0.3, 0.5);
  EXPECT_FALSE(thread.is_guest) << "one turn is no load";
  EXPECT_TRUE(thread.for_windows(2, 0.3, 0.5));
}

}  // namespace
}  // namespace hy::entry
