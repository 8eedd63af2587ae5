#include "common/base/turn_pacer.h"

#include <gtest/gtest.h>

namespace hy {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr MonoTime kStart{std::chrono::seconds(1'000)};

/// A pacer whose thread used `share` of a CPU in the window before `kStart + 2 windows`.
TurnPacer busy(double share, std::size_t work = 0,
               std::chrono::nanoseconds distance_max = TurnPacer::kDistanceMax) {
  TurnPacer pacer(distance_max);
  const MonoTime first = kStart + TurnPacer::kWindow;
  const MonoTime second = first + TurnPacer::kWindow;
  pacer.begin_window(first, milliseconds(500), 0);
  pacer.begin_window(
      second,
      milliseconds(500) + std::chrono::duration_cast<nanoseconds>(share * TurnPacer::kWindow),
      work);
  return pacer;
}

TEST(TurnPacer, AThreadWithNothingToDoLooksAtOnce) {
  const TurnPacer fresh;
  EXPECT_EQ(fresh.pause(kStart, kStart).count(), 0);
  EXPECT_EQ(busy(0).pause(kStart, kStart).count(), 0);
}

TEST(TurnPacer, ABusyThreadKeepsTheWholeDistanceAndNoMore) {
  EXPECT_EQ(busy(TurnPacer::kFullShare).pause(kStart, kStart), TurnPacer::kDistanceMax);
  EXPECT_EQ(busy(1.0).pause(kStart, kStart), TurnPacer::kDistanceMax);
}

TEST(TurnPacer, BetweenTheTwoTheDistanceGrowsWithTheShare) {
  const nanoseconds half = busy(TurnPacer::kFullShare / 2).pause(kStart, kStart);
  EXPECT_NEAR(static_cast<double>(half.count()), TurnPacer::kDistanceMax.count() / 2.0, 1'000);
}

TEST(TurnPacer, WhatTheTurnTookCountsSoThatAFullThreadNeverWaits) {
  const TurnPacer pacer = busy(1.0);
  EXPECT_EQ(pacer.pause(kStart, kStart + microseconds(500)),
            TurnPacer::kDistanceMax - microseconds(500));
  EXPECT_EQ(pacer.pause(kStart, kStart + TurnPacer::kDistanceMax).count(), 0);
  EXPECT_EQ(pacer.pause(kStart, kStart + milliseconds(50)).count(), 0);
}

TEST(TurnPacer, WhatIsEnoughForATurnIsNotWaitedBeyond) {
  using Window = decltype(TurnPacer::kWindow);
  const auto of_rate = [](double per_ms) {
    return static_cast<std::size_t>(per_ms *
                                    static_cast<double>(Window(TurnPacer::kWindow).count()));
  };
  const nanoseconds full = busy(1.0, of_rate(24)).pause(kStart, kStart);
  EXPECT_NEAR(static_cast<double>(full.count()), TurnPacer::kEnough / 24 * 1e6, 1'000);
  EXPECT_EQ(busy(1.0, of_rate(5)).pause(kStart, kStart), TurnPacer::kDistanceMax)
      << "enough would take longer than the whole distance";
  const nanoseconds calm = busy(TurnPacer::kFullShare / 10, of_rate(24)).pause(kStart, kStart);
  EXPECT_NEAR(static_cast<double>(calm.count()), TurnPacer::kDistanceMax.count() / 10.0, 1'000);
}

TEST(TurnPacer, KeepsTheDistanceThatItIsGiven) {
  EXPECT_EQ(busy(1.0, 0, microseconds(250)).pause(kStart, kStart), microseconds(250));
}

TEST(TurnPacer, AfterAQuietWindowTheThreadIsAwakeAgain) {
  TurnPacer pacer = busy(1.0);
  const MonoTime later = kStart + 10 * TurnPacer::kWindow;
  EXPECT_TRUE(pacer.is_window_over(later));
  pacer.begin_window(later, milliseconds(500) + TurnPacer::kWindow, 0);
  EXPECT_FALSE(pacer.is_window_over(later + milliseconds(1)));
  EXPECT_EQ(pacer.pause(later, later).count(), 0);
}

}  // namespace
}  // namespace hy
