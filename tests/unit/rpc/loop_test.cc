#include "common/rpc/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/rpc/rpc_fixture.h"

namespace hy::rpc::testing {
namespace {

TEST(RpcLoop, TasksOfOneThreadRunInOrder) {
  LoopThread thread;
  std::vector<int> seen;
  for (int i = 0; i < 10'000; ++i) {
    thread.loop.post([&seen, i] { seen.push_back(i); });
  }
  thread.run([] {});
  ASSERT_EQ(seen.size(), 10'000U);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(RpcLoop, NoPostIsLostAmongManyThreads) {
  LoopThread thread;
  std::atomic<int> ran = 0;
  {
    std::vector<std::jthread> posters;
    for (int t = 0; t < 4; ++t) {
      posters.emplace_back([&] {
        for (int i = 0; i < 5'000; ++i) thread.loop.post([&ran] { ++ran; });
      });
    }
  }
  EXPECT_TRUE(eventually([&] { return ran == 20'000; }));
}

TEST(RpcLoop, TimersAreNeverEarly) {
  LoopThread thread;
  std::atomic<int> fired = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::int64_t> first_us = 0;
  thread.loop.after(Millis{30}, [&] {
    first_us = std::chrono::duration_cast<std::chrono::microseconds>(
                   std::chrono::steady_clock::now() - begin)
                   .count();
    ++fired;
  });
  ASSERT_TRUE(eventually([&] { return fired == 1; }));
  EXPECT_GE(first_us, 30'000);
}

TEST(RpcLoop, PeriodicTimersRepeat) {
  LoopThread thread;
  std::atomic<int> fired = 0;
  thread.loop.every(Millis{5}, [&] { ++fired; });
  EXPECT_TRUE(eventually([&] { return fired >= 5; }));
}

TEST(RpcLoop, HooksRunAtTheEndOfATurn) {
  Loop loop;
  int tasks = 0;
  int tasks_at_hook = 0;
  loop.at_turn_end([&] { tasks_at_hook = tasks; });
  for (int i = 0; i < 3; ++i) loop.post([&] { ++tasks; });
  loop.stop();
  loop.run();
  EXPECT_EQ(tasks_at_hook, 3);
}

TEST(RpcLoop, StopRunsWhatWasPostedBefore) {
  Loop loop;
  int ran = 0;
  loop.post([&] { loop.post([&] { ++ran; }); });
  loop.stop();
  loop.run();
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace hy::rpc::testing
