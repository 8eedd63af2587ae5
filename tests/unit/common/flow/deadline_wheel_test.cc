#include "common/flow/deadline_wheel.h"

#include <gtest/gtest.h>

#include <map>

#include "common/base/random.h"

namespace hy::flow {
namespace {

TEST(DeadlineWheelTest, NothingEarlyNothingLateNothingLost) {
  MonoTime now{Millis{1'000}};
  DeadlineWheel wheel(now);
  SeededRandom random(7);
  std::map<std::uint64_t, MonoTime> open;
  std::vector<std::uint64_t> due;
  for (std::uint64_t id = 1; id <= 5'000; ++id) {
    const MonoTime deadline = now + Millis{random.below(10'000)};
    wheel.add(id, deadline);
    open[id] = deadline;
    if (id % 3 != 0) continue;
    now += Millis{random.below(90)};
    due.clear();
    wheel.due(now, due);
    for (const std::uint64_t d : due) {
      ASSERT_TRUE(open.contains(d)) << "twice: " << d;
      EXPECT_LE(open[d], now);
      open.erase(d);
    }
    for (const auto& [other, at] : open) ASSERT_GT(at, now) << other;
  }
}

TEST(DeadlineWheelTest, ADeadlineInThePastIsDueAtOnce) {
  const MonoTime now{Millis{5'000}};
  DeadlineWheel wheel(now);
  wheel.add(1, now - Millis{100});
  wheel.add(2, now + Millis{1});
  std::vector<std::uint64_t> due;
  wheel.due(now, due);
  EXPECT_EQ(due, (std::vector<std::uint64_t>{1}));
}

}  // namespace
}  // namespace hy::flow
