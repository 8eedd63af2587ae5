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

TEST(Rates, WhoseBudgetsAreFullAgainIsForgottenAndNobodyElse) {
  Rates rates({.send = {1, 2}, .sync = {0.1, 1}}, 1'000, 100);
  EXPECT_TRUE(rates.take(RateClass::kSync, Uid{1}, kStart));  // full after ten seconds
  for (std::uint64_t i = 2; i <= 100; ++i)
    EXPECT_TRUE(rates.take(RateClass::kSend, Uid{i}, kStart));
  EXPECT_EQ(rates.users(), 100U);
  const MonoTime later = kStart + Millis{1'000};
  EXPECT_TRUE(rates.take(RateClass::kSend, Uid{101}, later));
  EXPECT_EQ(rates.users(), 101U)
      << "the oldest one's budget is not full: the others wait behind it";
  EXPECT_FALSE(rates.take(RateClass::kSync, Uid{1}, later));
  for (std::uint64_t i = 102; i <= 150; ++i)
    EXPECT_TRUE(rates.take(RateClass::kSend, Uid{i}, later));
  EXPECT_EQ(rates.users(), 150U - 98) << "two for each newcomer";
  EXPECT_FALSE(rates.take(RateClass::kSync, Uid{1}, later)) << "used since: still known";
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
