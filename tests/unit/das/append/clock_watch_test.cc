#include "das/append/clock_watch.h"

#include <gtest/gtest.h>

namespace hy::das {
namespace {

MonoTime at(int seconds) {
  return MonoTime{} + std::chrono::seconds(seconds);
}

TEST(ClockWatch, ASteadyClockIsNoStep) {
  ClockWatch watch(Millis{30'000});
  for (int s = 0; s < 100; s += 5) EXPECT_FALSE(watch.look(at(s), 1'000'000 + s * 1'000));
}

TEST(ClockWatch, AStepBackBeyondTheBoundIsSeenOnce) {
  ClockWatch watch(Millis{30'000});
  EXPECT_FALSE(watch.look(at(0), 1'000'000));
  EXPECT_FALSE(watch.look(at(5), 1'005'000 - 29'999));
  EXPECT_TRUE(watch.look(at(10), 1'010'000 - 29'999 - 30'001));
  EXPECT_FALSE(watch.look(at(15), 1'015'000 - 60'000));
}

TEST(ClockWatch, AClockThatStandsStillWhileDasRunsHasSteppedBack) {
  ClockWatch watch(Millis{30'000});
  EXPECT_FALSE(watch.look(at(0), 1'000'000));
  EXPECT_TRUE(watch.look(at(31), 1'000'000));
}

TEST(ClockWatch, AJumpForwardDoesNoHarm) {
  ClockWatch watch(Millis{30'000});
  EXPECT_FALSE(watch.look(at(0), 1'000'000));
  EXPECT_FALSE(watch.look(at(5), 9'000'000));
}

TEST(ClockWatch, AtStartTheBeatRowDecides) {
  const ClockWatch watch(Millis{30'000});
  EXPECT_FALSE(watch.stepped_back_at_start(1'000'000, 0)) << "a new store";
  EXPECT_FALSE(watch.stepped_back_at_start(1'000'000, 1'030'000));
  EXPECT_TRUE(watch.stepped_back_at_start(1'000'000, 1'030'001));
}

}  // namespace
}  // namespace hy::das
