#include "entry/link/logic_pool.h"

#include <gtest/gtest.h>

#include "tests/unit/entry/fakes.h"

namespace hy::entry::test {
namespace {

const MonoTime kStart{std::chrono::hours{5}};

struct Bench {
  FakeLogic port;
  std::vector<std::pair<std::uint32_t, Errc>> refused;  // request_id, code
  LogicPool pool;

  explicit Bench(std::uint32_t logics = 2, LogicLimits limits = {})
      : pool(port, logics, limits, [this](const Command& command, Errc code) {
          refused.emplace_back(command.request_id, code);
        }) {}

  void submit(std::uint64_t conn, std::uint32_t request, Millis within = Millis{5'000}) {
    Command command;
    command.conn = ConnId{conn};
    command.type = 0x0101;
    command.request_id = request;
    command.body = "body";
    command.deadline = kStart + within;
    pool.submit(std::move(command), kStart);
  }
};

TEST(LogicPool, RefusesAtOnceWhenNobodyIsUp) {
  Bench b;
  b.submit(1, 7);
  ASSERT_EQ(b.refused.size(), 1U);
  EXPECT_EQ(b.refused[0], (std::pair<std::uint32_t, Errc>{7, Errc::kUnavailable}));
  EXPECT_EQ(b.pool.open(), 0U);
}

TEST(LogicPool, OneConnectionKeepsOneLogicAndConnectionsSpread) {
  Bench b(4);
  for (std::uint32_t i = 0; i < 4; ++i) b.pool.on_up(i);
  std::map<std::uint32_t, int> used;
  for (std::uint64_t conn = 1; conn <= 400; ++conn) {
    b.submit(conn, 1);
    b.submit(conn, 2);
    const auto& sent = b.port.forwarded;
    EXPECT_EQ(sent[sent.size() - 1].logic, sent[sent.size() - 2].logic);
    ++used[sent.back().logic];
  }
  EXPECT_EQ(used.size(), 4U);
  for (const auto& [logic, count] : used) EXPECT_GT(count, 60) << logic;
}

TEST(LogicPool, StaysWhileSomethingIsOpenAndMovesWhenIdle) {
  Bench b(2);
  b.pool.on_up(0);
  std::uint64_t conn = 1;
  // A connection whose hash prefers logic 1, which is still down.
  for (;; ++conn) {
    Bench probe(2);
    probe.pool.on_up(0);
    probe.pool.on_up(1);
    probe.submit(conn, 1);
    if (probe.port.forwarded[0].logic == 1) break;
  }
  b.submit(conn, 1);
  b.pool.on_up(1);
  b.submit(conn, 2);
  EXPECT_EQ(b.port.forwarded[1].logic, 0U) << "order within a session beats balance";
  EXPECT_TRUE(b.pool.take(0, b.port.forwarded[0].id));
  EXPECT_TRUE(b.pool.take(0, b.port.forwarded[1].id));
  b.submit(conn, 3);
  EXPECT_EQ(b.port.forwarded[2].logic, 1U);
}

TEST(LogicPool, AnswerOfAnotherStreamOrTwiceIsNotTaken) {
  Bench b;
  b.pool.on_up(0);
  b.submit(1, 1);
  const std::uint64_t id = b.port.forwarded[0].id;
  EXPECT_FALSE(b.pool.take(1, id));
  EXPECT_FALSE(b.pool.take(0, id + 1));
  EXPECT_TRUE(b.pool.take(0, id));
  EXPECT_FALSE(b.pool.take(0, id));
  EXPECT_FALSE(b.pool.take(0, 0));
}

TEST(LogicPool, BoundedPerPeer) {
  Bench b(1, {.in_flight_per_peer_max = 3});
  b.pool.on_up(0);
  for (std::uint32_t i = 0; i < 2; ++i) b.submit(i + 1, i);
  EXPECT_FALSE(b.pool.is_full());
  for (std::uint32_t i = 2; i < 5; ++i) b.submit(i + 1, i);
  EXPECT_TRUE(b.pool.is_full());
  EXPECT_EQ(b.port.forwarded.size(), 3U);
  ASSERT_EQ(b.refused.size(), 2U);
  EXPECT_EQ(b.refused[0].second, Errc::kOverloaded);
  EXPECT_TRUE(b.pool.take(0, b.port.forwarded[0].id));
  EXPECT_FALSE(b.pool.is_full());
  b.submit(9, 9);
  EXPECT_EQ(b.port.forwarded.size(), 4U);
  b.pool.on_down(0, kStart);
  EXPECT_FALSE(b.pool.is_full()) << "nobody is up: another refusal, with another code";
}

TEST(LogicPool, BoundedByTheBytesOfTheBodiesToo) {
  Bench b(1, {.in_flight_bytes_per_peer_max = 12});  // three times "body"
  b.pool.on_up(0);
  for (std::uint32_t i = 0; i < 2; ++i) b.submit(i + 1, i);
  EXPECT_FALSE(b.pool.is_full());
  for (std::uint32_t i = 2; i < 4; ++i) b.submit(i + 1, i);
  EXPECT_TRUE(b.pool.is_full());
  EXPECT_EQ(b.port.forwarded.size(), 3U);
  ASSERT_EQ(b.refused.size(), 1U);
  EXPECT_EQ(b.refused[0].second, Errc::kOverloaded);
  EXPECT_TRUE(b.pool.take(0, b.port.forwarded[0].id));
  EXPECT_FALSE(b.pool.is_full()) << "an answer gives its bytes back";
  b.pool.on_down(0, kStart);
  b.pool.on_up(0);
  for (std::uint32_t i = 0; i < 3; ++i) b.submit(i + 10, i);
  EXPECT_EQ(b.port.forwarded.size(), 6U) << "a logic that comes back owes nothing";
  EXPECT_TRUE(b.pool.is_full());
}

TEST(LogicPool, RetriesOnceAndOnlyWhatWasThere) {
  Bench b;
  b.pool.on_up(0);
  b.submit(1, 1);
  b.submit(2, 2);
  b.pool.on_up(1);
  b.pool.on_down(0, kStart);
  ASSERT_EQ(b.port.forwarded.size(), 4U);
  EXPECT_EQ(b.port.forwarded[2].command.request_id, 1U);
  EXPECT_EQ(b.port.forwarded[2].id, b.port.forwarded[0].id) << "the same correlation";
  EXPECT_EQ(b.port.forwarded[2].logic, 1U);
  b.pool.on_up(0);
  b.pool.on_down(1, kStart);
  ASSERT_EQ(b.refused.size(), 2U) << "twice is enough";
  EXPECT_EQ(b.pool.open(), 0U);
}

/// Not done by whom? The logic that went with its stream may have stored it.
TEST(LogicPool, AfterAFirstTryNobodySaysThatNothingWasDone) {
  Bench b;
  b.pool.on_up(0);
  b.submit(1, 1);
  EXPECT_FALSE(b.port.forwarded[0].command.is_second_try);
  b.pool.on_up(1);
  b.pool.on_down(0, kStart);
  ASSERT_EQ(b.port.forwarded.size(), 2U);
  EXPECT_TRUE(b.port.forwarded[1].command.is_second_try);

  Bench full;
  full.pool.on_up(0);
  full.submit(1, 1);
  full.pool.on_up(1);
  full.port.room = false;
  full.pool.on_down(0, kStart);
  ASSERT_EQ(full.refused.size(), 1U);
  EXPECT_EQ(full.refused[0].second, Errc::kOutcomeUnknown) << "there was no room for a second try";
  EXPECT_EQ(truth_of_second_try(Errc::kUnavailable), Errc::kUnavailable) << "leaves it open anyway";
}

TEST(LogicPool, DeadlinesAndClosedConnections) {
  Bench b;
  b.pool.on_up(0);
  b.submit(1, 1);
  b.submit(2, 2);
  b.pool.closed({.conn = ConnId{1}, .session = std::nullopt});
  EXPECT_FALSE(b.pool.take(0, b.port.forwarded[0].id)) << "nobody is there for the answer";
  b.pool.expire(kStart + Millis{4'999});
  EXPECT_TRUE(b.refused.empty());
  b.pool.expire(kStart + Millis{5'000});
  ASSERT_EQ(b.refused.size(), 1U);
  EXPECT_EQ(b.refused[0], (std::pair<std::uint32_t, Errc>{2, Errc::kDeadlineExceeded}));
  EXPECT_EQ(b.pool.open(), 0U);
  b.submit(3, 3, Millis{0});
  EXPECT_EQ(b.refused.back().second, Errc::kDeadlineExceeded) << "expired work is not sent";
}

}  // namespace
}  // namespace hy::entry::test
