#include "das/storage/login_rules.h"

#include <gtest/gtest.h>

namespace hy::das {
namespace {

constexpr std::int64_t kStart = 1'000'000'000;

TEST(LoginRules, ABurstOfTenThenFiveAMinute) {
  LoginGuard guard;
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(count_attempt(guard, kAccountLoginLimits, kStart).count(), 0);
  const auto wait = count_attempt(guard, kAccountLoginLimits, kStart).count();
  EXPECT_GE(wait, 11'999);
  EXPECT_LE(wait, 12'001);
  EXPECT_EQ(count_attempt(guard, kAccountLoginLimits, kStart + wait).count(), 0);
  EXPECT_GT(count_attempt(guard, kAccountLoginLimits, kStart + wait).count(), 0);
}

TEST(LoginRules, NeverMoreThanBurstPlusRateOverAnyTime) {
  LoginGuard guard;
  int taken = 0;
  for (std::int64_t ms = 0; ms < 600'000; ms += 100)
    taken += count_attempt(guard, kAccountLoginLimits, kStart + ms).count() == 0 ? 1 : 0;
  EXPECT_LE(taken, 10 + 50);
  EXPECT_GE(taken, 10 + 49);
}

TEST(LoginRules, LocksDoubleUpToAnHourAndASuccessForgivesAll) {
  LoginGuard guard;
  std::int64_t now = kStart;
  for (const std::int64_t minutes : {1, 2, 4, 8, 16, 32, 60, 60}) {
    for (int i = 0; i < 9; ++i) count_failure(guard, kAccountLoginLimits, now);
    EXPECT_LE(guard.locked_until_ms, now);
    count_failure(guard, kAccountLoginLimits, now);
    EXPECT_EQ(guard.locked_until_ms, now + minutes * 60'000);
    EXPECT_EQ(count_attempt(guard, kAccountLoginLimits, now).count(), minutes * 60'000);
    now = guard.locked_until_ms;
  }
  count_success(guard);
  for (int i = 0; i < 10; ++i) count_failure(guard, kAccountLoginLimits, now);
  EXPECT_EQ(guard.locked_until_ms, now + 60'000);
}

TEST(LoginRules, AnAddressIsNeverLockedByFailures) {
  LoginGuard guard;
  for (int i = 0; i < 1'000; ++i) count_failure(guard, kAddressLoginLimits, kStart);
  EXPECT_EQ(count_attempt(guard, kAddressLoginLimits, kStart).count(), 0);
}

TEST(LoginRules, AClockThatStepsBackFillsNoBucketAndLocksNobodyForDays) {
  LoginGuard guard;
  for (int i = 0; i < 10; ++i) count_attempt(guard, kAccountLoginLimits, kStart);
  EXPECT_GT(count_attempt(guard, kAccountLoginLimits, kStart - 900'000).count(), 0);
  guard.locked_until_ms = kStart + 60'000;
  EXPECT_LE(count_attempt(guard, kAccountLoginLimits, kStart - 864'000'000), kLongestLock);
}

}  // namespace
}  // namespace hy::das
