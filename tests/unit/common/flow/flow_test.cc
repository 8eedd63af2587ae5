#include <gtest/gtest.h>

#include "common/base/random.h"
#include "common/flow/admission.h"
#include "common/flow/breaker.h"
#include "common/flow/deadline.h"
#include "common/flow/retry.h"
#include "common/flow/token_bucket.h"

namespace hy::flow {
namespace {

using namespace std::chrono_literals;
const MonoTime kT0{1000s};

TEST(TokenBucket, GivesTheBurstThenTheRate) {
  const auto rate = RateLimit::per(20, 1s, 50);
  TokenBucket bucket;
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(bucket.take(kT0, rate)) << i;
  EXPECT_FALSE(bucket.take(kT0, rate));
  EXPECT_EQ(bucket.wait(kT0, rate), 50ms);
  EXPECT_FALSE(bucket.take(kT0 + 49ms, rate));
  EXPECT_TRUE(bucket.take(kT0 + 50ms, rate));
  EXPECT_FALSE(bucket.take(kT0 + 50ms, rate));
}

TEST(TokenBucket, OverAMinuteNobodyGetsMoreThanRateAndBurst) {
  const auto rate = RateLimit::per(5, 1s, 60);
  TokenBucket bucket;
  int got = 0;
  for (auto t = kT0; t < kT0 + 60s; t += 10ms)
    if (bucket.take(t, rate)) ++got;
  EXPECT_GE(got, 5 * 60 + 59);
  EXPECT_LE(got, 5 * 60 + 60);
}

TEST(TokenBucket, TheWaitItNamesIsEnough) {
  const auto rate = RateLimit::per(3, 1s, 7);
  SeededRandom random(7);
  TokenBucket bucket;
  auto now = kT0;
  for (int i = 0; i < 2'000; ++i) {
    const auto n = static_cast<std::uint32_t>(1 + random.below(7));
    if (!bucket.take(now, rate, n)) {
      now += bucket.wait(now, rate, n);
      ASSERT_TRUE(bucket.take(now, rate, n)) << "seed 7 step " << i;
    }
    now += Millis(static_cast<std::int64_t>(random.below(300)));
  }
}

TEST(TokenBucket, RefillsCompletelyAndNotMore) {
  const auto rate = RateLimit::per(1, 1s, 3);
  TokenBucket bucket;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(bucket.take(kT0, rate));
  EXPECT_FALSE(bucket.is_full(kT0 + 2s));
  EXPECT_TRUE(bucket.is_full(kT0 + 3s));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(kT0 + 100s, rate));
  EXPECT_FALSE(bucket.take(kT0 + 100s, rate));
  EXPECT_TRUE(TokenBucket{}.take(kT0, RateLimit{}));  // no limit
}

TEST(Backoff, IsFullJitterUnderTheCap) {
  const Backoff backoff{.base = 100ms, .cap = 2s};
  SeededRandom random(1);
  EXPECT_EQ(backoff.ceiling(0), 100ms);
  EXPECT_EQ(backoff.ceiling(3), 800ms);
  EXPECT_EQ(backoff.ceiling(5), 2s);
  EXPECT_EQ(backoff.ceiling(4'000'000'000U), 2s);
  Millis least = 2s;
  Millis most = 0ms;
  for (int i = 0; i < 1'000; ++i) {
    const auto d = backoff.delay(9, random);
    least = std::min(least, d);
    most = std::max(most, d);
  }
  EXPECT_LT(least, 100ms);  // full jitter: down to nothing
  EXPECT_GT(most, 1'900ms);
  EXPECT_LE(most, 2s);
  const Backoff told{.base = 10ms, .cap = 20ms, .floor = 700ms};
  EXPECT_EQ(told.delay(0, random), 700ms);
}

TEST(RetryBudget, RetriesAreATenthOfRequests) {
  RetryBudget budget(10, 100);
  int retries = 0;
  for (int i = 0; i < 10'000; ++i) {
    budget.on_request();
    if (budget.take()) ++retries;  // everything fails, everything wants a retry
  }
  EXPECT_GE(retries, 1'000);
  EXPECT_LE(retries, 1'011);
  EXPECT_EQ(budget.refused(), 10'000u - static_cast<unsigned>(retries));
}

TEST(Deadline, NeverPassesOnMoreThanIsLeft) {
  const auto whole = Deadline::in(kT0, 5s);
  EXPECT_EQ(whole.remaining(kT0 + 1'500us), 4'998ms);
  EXPECT_EQ(whole.capped(kT0, 3s).remaining(kT0), 3s);
  EXPECT_EQ(whole.capped(kT0 + 4s, 3s).remaining(kT0 + 4s), 1s);
  EXPECT_TRUE(whole.expired(kT0 + 5s));
  EXPECT_EQ(whole.remaining_ms(kT0 + 9s), 0u);
  EXPECT_FALSE(Deadline{}.expired(kT0));
}

TEST(Breaker, OpensProbesAndClosesAgain) {
  Breaker breaker({.failures = 3, .open_for = 500ms, .open_for_max = 1s});
  EXPECT_TRUE(breaker.allow(kT0));
  for (int i = 0; i < 3; ++i) breaker.on_failure(kT0);
  EXPECT_FALSE(breaker.allow(kT0 + 499ms));
  EXPECT_EQ(breaker.retry_after(kT0), 500ms);
  EXPECT_TRUE(breaker.allow(kT0 + 500ms));
  EXPECT_FALSE(breaker.allow(kT0 + 500ms)) << "one probe at a time";
  breaker.on_failure(kT0 + 600ms);
  EXPECT_FALSE(breaker.allow(kT0 + 1'599ms)) << "the second wait is doubled";
  EXPECT_TRUE(breaker.allow(kT0 + 1'600ms));
  breaker.on_success();
  EXPECT_EQ(breaker.state(), Breaker::State::kClosed);
  EXPECT_TRUE(breaker.allow(kT0 + 1'601ms));
}

TEST(Breaker, ALateAnswerDoesNotCloseItAndALostProbeDoesNotLockIt) {
  Breaker breaker({.failures = 1, .open_for = 500ms, .open_for_max = 1s});
  breaker.on_failure(kT0);
  breaker.on_success();
  EXPECT_EQ(breaker.state(), Breaker::State::kOpen);
  EXPECT_TRUE(breaker.allow(kT0 + 500ms));
  EXPECT_TRUE(breaker.allow(kT0 + 1'000ms)) << "the first probe's outcome was never told";
}

TEST(Breaker, SuccessesBetweenFailuresKeepItClosed) {
  Breaker breaker({.failures = 3});
  for (int i = 0; i < 30; ++i) {
    breaker.on_failure(kT0);
    breaker.on_failure(kT0);
    breaker.on_success();
  }
  EXPECT_EQ(breaker.state(), Breaker::State::kClosed);
}

/// A server that serves `capacity` requests a window, fed with `load` a window: work waits 1 ms for
/// each percent that it is over capacity.
struct Plant {
  Admission admission;
  MonoTime now = kT0;
  std::uint64_t key = 0;
  std::array<int, kPriorities> admitted{};

  void window(int load, int capacity) {
    admitted.fill(0);
    int in = 0;
    for (int i = 0; i < load; ++i) {
      const auto p = static_cast<Priority>(i % kPriorities);
      if (admission.admit(now, p, ++key)) {
        ++admitted[static_cast<std::size_t>(p)];
        ++in;
      }
    }
    const int over = std::max(0, in * 100 / capacity - 100);
    for (int i = 0; i < std::min(in, capacity); ++i)
      admission.on_dequeue(now, std::chrono::milliseconds(over));
    now += 1s;
  }
};

TEST(Admission, AdmitsEverythingWhileNothingWaits) {
  Plant plant;
  for (int i = 0; i < 50; ++i) plant.window(900, 1'000);
  for (std::size_t p = 0; p < kPriorities; ++p) EXPECT_EQ(plant.admission.refused(Priority(p)), 0u);
  EXPECT_EQ(plant.admission.shed_level(), 0.0);
}

TEST(Admission, ShedsTheLeastImportantFirstAndNeverControl) {
  Plant plant;
  for (int i = 0; i < 60; ++i) plant.window(1'500, 1'000);
  EXPECT_GT(plant.admission.shed_level(), 0.0);
  EXPECT_EQ(plant.admission.refused(Priority::kControl), 0u);
  EXPECT_EQ(plant.admitted[0], 250);
  EXPECT_EQ(plant.admitted[1], 250) << "logins pass while typing is refused";
  EXPECT_EQ(plant.admitted[2], 250) << "sends pass while typing is refused";
  EXPECT_LT(plant.admitted[5], 100);
  // Twice the load gives at least 0.8 of what is served at the limit, and waits stay bounded.
  int in = 0;
  for (const int n : plant.admitted) in += n;
  EXPECT_GT(in, 800);
  EXPECT_LT(in, 1'350);
}

TEST(Admission, OpensAgainWhenTheLoadGoesDown) {
  Plant plant;
  for (int i = 0; i < 60; ++i) plant.window(3'000, 1'000);
  ASSERT_GT(plant.admission.shed_level(), 0.3);
  for (int i = 0; i < 400; ++i) plant.window(500, 1'000);
  EXPECT_EQ(plant.admission.shed_level(), 0.0);
}

TEST(Admission, AStandstillWithoutTrafficEndsToo) {
  Plant plant;
  for (int i = 0; i < 60; ++i) plant.window(3'000, 1'000);
  const auto before = plant.admission.shed_level();
  plant.now += 10s;
  (void)plant.admission.admit(plant.now, Priority::kBackground, 1);
  EXPECT_LT(plant.admission.shed_level(), before);
}

}  // namespace
}  // namespace hy::flow
