#include "logic/session/rates.h"

#include <gtest/gtest.h>

namespace hy::logic {
namespace {

const MonoTime kStart{std::chrono::hours{1}};

TEST(Rates, BurstThenSteadyWithTheExactWait) {
  Rates rates({.send = {5, 3}}, 100, 100);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart));
  const Status refused = rates.take(RateClass::kSend, Uid{1}, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kRateLimited);
  EXPECT_EQ(refused.error().retry_after, Millis{200});
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart + refused.error().retry_after));
  EXPECT_FALSE(rates.take(RateClass::kSend, Uid{1}, kStart + Millis{201}));
}

TEST(Rates, LongRunKeepsTheRate) {
  Rates rates({.send = {5, 60}}, 100, 100);
  int taken = 0;
  for (int ms = 0; ms < 60'000; ++ms) {
    if (rates.take(RateClass::kSend, Uid{1}, kStart + Millis{ms})) ++taken;
  }
  EXPECT_NEAR(taken, 60 + 300, 2);
}

TEST(Rates, UsersAndClassesAreApart) {
  Rates rates({.send = {1, 1}, .sync = {1, 1}}, 100, 100);
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart));
  EXPECT_FALSE(rates.take(RateClass::kSend, Uid{1}, kStart));
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{2}, kStart));
  EXPECT_TRUE(rates.take(RateClass::kSync, Uid{1}, kStart));
}

TEST(Rates, RefusedTakesCostNothing) {
  Rates rates({.send = {1, 1}}, 100, 100);
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart));
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(rates.take(RateClass::kSend, Uid{1}, kStart + Millis{500}));
  }
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart + Millis{1'000}));
}

TEST(Rates, ZeroIsUnlimited) {
  Rates rates({.send = {0, 0}}, 100, 100);
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart));
  EXPECT_TRUE(rates.take(RateClass::kNone, Uid{1}, kStart));
}

TEST(Rates, TableIsBounded) {
  Rates rates({.send = {1, 1}}, 2, 2);
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart));
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{2}, kStart));
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{3}, kStart));
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{1}, kStart)) << "pushed out: starts anew";
}

}  // namespace
}  // namespace hy::logic
