#include "common/rpc/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
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

/// Runs `f` on a thread of its own, which has the loop's turns meanwhile.
void as_guest(Loop& loop, const std::function<void()>& f) {
  std::jthread([&] {
    ASSERT_TRUE(loop.take_over());
    f();
    loop.give_back();
  }).join();
}

TEST(RpcLoop, AGuestRunsTheTurnsAndTheLoopsOwnThreadStandsAside) {
  LoopThread thread;
  const auto whose = [&thread] {
    std::thread::id id;
    thread.run([&id] { id = std::this_thread::get_id(); });
    return id;
  };
  const std::thread::id own = whose();
  std::thread::id ran_by;
  as_guest(thread.loop, [&] {
    EXPECT_TRUE(thread.loop.on_loop_thread());
    std::jthread([&] { thread.loop.post([&] { ran_by = std::this_thread::get_id(); }); }).join();
    EXPECT_EQ(ran_by, std::thread::id{}) << "nobody else runs it";
    EXPECT_TRUE(thread.loop.turn_without_waiting(1));
    EXPECT_EQ(ran_by, std::this_thread::get_id());
    EXPECT_FALSE(thread.loop.turn_without_waiting(4)) << "nothing is left";
  });
  EXPECT_EQ(whose(), own);
}

TEST(RpcLoop, TimersOfAGuestsTurnAreTheLoops) {
  LoopThread thread;
  std::atomic<int> fired = 0;
  thread.run([&] { thread.loop.every(Millis{5}, [&] { ++fired; }); });
  as_guest(thread.loop, [&] {
    const int before = fired;
    std::this_thread::sleep_for(Millis{30});
    EXPECT_EQ(fired, before);
    thread.loop.turn_without_waiting(1);
    EXPECT_EQ(fired, before + 1) << "late calls are not made up";
  });
  const int before = fired;
  EXPECT_TRUE(eventually([&] { return fired > before; }));
}

TEST(RpcLoop, AStopDuringAVisitTakesEffectWhenTheGuestLeaves) {
  Loop loop;
  std::jthread runner([&] { loop.run(); });
  as_guest(loop, [&] {
    EXPECT_FALSE(loop.is_stopping());
    loop.stop();
    EXPECT_TRUE(loop.is_stopping());
  });
  runner.join();
  EXPECT_TRUE(loop.take_over()) << "what runs no more can be had at once";
  loop.give_back();
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
