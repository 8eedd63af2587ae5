#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>

#include "common/base/random.h"
#include "common/net/descriptors.h"
#include "common/net/mailbox.h"
#include "common/net/timer_wheel.h"

namespace hy::net {
namespace {

using namespace std::chrono_literals;
const MonoTime kT0{50s};

TEST(TimerWheel, ExpiresNeverEarlyAndWithinATick) {
  TimerWheel wheel(kT0, 100ms, 16);
  wheel.set(3, kT0 + 250ms);
  std::vector<std::uint32_t> out;
  wheel.step(kT0 + 200ms, out);
  EXPECT_TRUE(out.empty());
  wheel.step(kT0 + 249ms, out);
  EXPECT_TRUE(out.empty());
  wheel.step(kT0 + 300ms, out);
  EXPECT_EQ(out, std::vector<std::uint32_t>{3});
  wheel.step(kT0 + 10s, out);
  EXPECT_EQ(out.size(), 1u) << "once";
}

TEST(TimerWheel, MovesAndCancels) {
  TimerWheel wheel(kT0, 100ms, 16);
  wheel.set(0, kT0 + 200ms);
  wheel.set(1, kT0 + 200ms);
  wheel.set(2, kT0 + 200ms);
  wheel.set(1, kT0 + 5s);  // beyond one turn of 1.6 s
  wheel.cancel(2);
  wheel.cancel(77);
  EXPECT_EQ(wheel.size(), 2u);
  std::vector<std::uint32_t> out;
  wheel.step(kT0 + 4'900ms, out);
  EXPECT_EQ(out, std::vector<std::uint32_t>{0});
  wheel.step(kT0 + 5s, out);
  EXPECT_EQ(out.back(), 1u);
  EXPECT_FALSE(wheel.is_set(1));
}

TEST(TimerWheel, ATimeInThePastExpiresAtTheNextTick) {
  TimerWheel wheel(kT0, 100ms, 16);
  std::vector<std::uint32_t> out;
  wheel.step(kT0 + 1s, out);
  wheel.set(5, kT0);
  wheel.step(kT0 + 1'100ms, out);
  EXPECT_EQ(out, std::vector<std::uint32_t>{5});
}

TEST(TimerWheel, AgreesWithASortedMapOverRandomUse) {
  constexpr std::uint64_t kSeed = 42;
  SeededRandom random(kSeed);
  TimerWheel wheel(kT0, 100ms, 64);
  std::map<std::uint32_t, MonoTime> model;
  auto now = kT0;
  for (int i = 0; i < 5'000; ++i) {
    const auto index = static_cast<std::uint32_t>(random.below(200));
    if (random.below(4) == 0) {
      wheel.cancel(index);
      model.erase(index);
    } else {
      const auto when = now + Millis(static_cast<std::int64_t>(random.below(20'000)));
      wheel.set(index, when);
      model[index] = when;
    }
    now += Millis(static_cast<std::int64_t>(random.below(random.below(50) == 0 ? 30'000 : 150)));
    std::vector<std::uint32_t> out;
    wheel.step(now, out);
    for (const auto index_out : out) {
      ASSERT_TRUE(model.contains(index_out)) << "seed " << kSeed << " step " << i;
      ASSERT_LE(model[index_out], now) << "early, seed " << kSeed << " step " << i;
      model.erase(index_out);
    }
    for (const auto& [left, when] : model)
      ASSERT_GT(when + 200ms, now) << "late " << left << ", seed " << kSeed << " step " << i;
    ASSERT_EQ(wheel.size(), model.size());
  }
}

TEST(Mailbox, WakesOncePerBurstAndKeepsOrder) {
  int wakes = 0;
  Mailbox<int> box(10, [&] { ++wakes; });
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(box.push(i));
  std::vector<int> batch{5, 6};
  EXPECT_TRUE(box.push_all(batch));
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(wakes, 1);
  std::vector<int> out;
  box.drain(out);
  EXPECT_EQ(out, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(box.push(7));
  EXPECT_EQ(wakes, 2);
}

TEST(Mailbox, FullRefusesAndCountsAllOrNothing) {
  Mailbox<int> box(3, [] {});
  std::vector<int> four{1, 2, 3, 4};
  EXPECT_FALSE(box.push_all(four));
  EXPECT_EQ(four.size(), 4u) << "the caller still has them";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(box.push(i));
  EXPECT_FALSE(box.push(9));
  EXPECT_EQ(box.refused(), 5u);
  EXPECT_EQ(box.size(), 3u);
}

TEST(Mailbox, LosesNothingBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5'000;
  std::atomic<bool> woken{false};
  Mailbox<std::pair<int, int>> box(kThreads * kEach, [&] {
    woken = true;
    woken.notify_one();
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) ASSERT_TRUE(box.push({t, i}));
    });
  std::vector<int> next(kThreads, 0);
  int total = 0;
  std::vector<std::pair<int, int>> out;
  while (total < kThreads * kEach) {
    woken.wait(false);  // a lost wake-up would hang here: the test's clock ends it
    woken = false;
    box.drain(out);
    for (const auto& [t, i] : out) {
      ASSERT_EQ(i, next[static_cast<std::size_t>(t)]++);
      ++total;
    }
  }
  for (auto& t : threads) t.join();
}

TEST(Descriptors, AsksForTheHardLimitAndReportsWhatItGot) {
  const auto limit = raise_descriptor_limit();
  EXPECT_EQ(limit.now, limit.hard);
  EXPECT_GE(limit.now, limit.before);
  EXPECT_EQ(limit.connections_that_fit(256), limit.now - 256);
  EXPECT_GE(open_descriptors(), 3u);
}

}  // namespace
}  // namespace hy::net
