#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/rpc/core/batcher.h"
#include "common/rpc/core/correlation.h"
#include "common/rpc/core/peer_health.h"

namespace hy::rpc {
namespace {

using IntBatcher = Batcher<std::vector<int>>;

IntBatcher batcher(BatcherLimits limits) {
  return {limits, [] { return std::vector<int>{}; }};
}

void add(IntBatcher& b, int value, std::size_t bytes = 1) {
  b.open().push_back(value);
  b.count(bytes);
}

TEST(RpcBatcher, SealsAtTheEnvelopeBound) {
  IntBatcher b = batcher({.batch_envelopes_max = 3});
  for (int i = 1; i <= 7; ++i) add(b, i);
  EXPECT_EQ(b.take(), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(b.take(), (std::vector<int>{4, 5, 6}));
  EXPECT_EQ(b.take(), (std::vector<int>{7}));
  EXPECT_TRUE(b.empty());
}

TEST(RpcBatcher, SealsAtTheByteBound) {
  IntBatcher b = batcher({.batch_bytes_max = 100});
  add(b, 1, 60);
  add(b, 2, 60);
  add(b, 3, 1);
  EXPECT_EQ(b.take().size(), 2U);
  EXPECT_EQ(b.take().size(), 1U);
}

TEST(RpcBatcher, IsFullByEnvelopesOrBytesAndHasRoomAfterATake) {
  IntBatcher by_count = batcher({.batch_envelopes_max = 2, .queue_envelopes_max = 4});
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(by_count.has_room());
    add(by_count, i);
  }
  EXPECT_FALSE(by_count.has_room());
  static_cast<void>(by_count.take());
  EXPECT_TRUE(by_count.has_room());
  EXPECT_EQ(by_count.envelopes(), 2U);

  IntBatcher by_bytes = batcher({.queue_bytes_max = 10});
  add(by_bytes, 1, 10);
  EXPECT_FALSE(by_bytes.has_room());
  by_bytes.clear();
  EXPECT_TRUE(by_bytes.has_room());
  EXPECT_EQ(by_bytes.bytes(), 0U);
}

TEST(RpcBatcher, ATakenOpenBatchIsNotWrittenInto) {
  IntBatcher b = batcher({});
  add(b, 1);
  const std::vector<int> first = b.take();
  add(b, 2);
  EXPECT_EQ(first, (std::vector<int>{1}));
  EXPECT_EQ(b.take(), (std::vector<int>{2}));
}

TEST(RpcBatcher, WhatOneTurnFillsIsMadeOnceAndABoundedNumberIsKept) {
  int made = 0;
  IntBatcher b({.batch_envelopes_max = 1}, [&made] {
    ++made;
    return std::vector<int>{};
  });
  const auto turn = [&b](int batches) {
    for (int i = 0; i < batches; ++i) add(b, i);
    while (!b.empty()) {
      std::vector<int> written = b.take();
      written.clear();
      b.recycle(std::move(written));
    }
  };
  turn(8);
  EXPECT_EQ(made, 8);
  for (int i = 0; i < 10; ++i) turn(8);
  EXPECT_EQ(made, 8);
  turn(20);
  EXPECT_EQ(made, 20);
  turn(20);
  EXPECT_EQ(made, 32) << "eight are kept";
}

MonoTime at(int ms) {
  return MonoTime{} + Millis{ms};
}

TEST(RpcCorrelation, AnswersOnceAndNeverReusesAnId) {
  Correlation<std::string> waiting;
  const auto a = waiting.add(at(10), "a");
  const auto b = waiting.add(at(10), "b");
  EXPECT_NE(a, 0U);
  EXPECT_NE(a, b);
  EXPECT_EQ(waiting.take(a), "a");
  EXPECT_EQ(waiting.take(a), std::nullopt);
  EXPECT_GT(waiting.add(at(10), "c"), b);
  EXPECT_EQ(waiting.size(), 2U);
}

TEST(RpcCorrelation, ExpiresInOrderOfDeadlineAndSkipsAnswered) {
  Correlation<int> waiting;
  static_cast<void>(waiting.add(at(30), 3));
  const auto answered = waiting.add(at(10), 1);
  static_cast<void>(waiting.add(at(20), 2));
  static_cast<void>(waiting.add(at(40), 4));
  EXPECT_EQ(waiting.next_deadline(), at(10));
  static_cast<void>(waiting.take(answered));
  EXPECT_EQ(waiting.next_deadline(), at(20));
  std::vector<int> expired;
  for (const auto& [id, value] : waiting.expire(at(30))) expired.push_back(value);
  EXPECT_EQ(expired, (std::vector<int>{2, 3}));
  EXPECT_EQ(waiting.size(), 1U);
}

TEST(RpcCorrelation, FailAllGivesEverythingBack) {
  Correlation<int> waiting;
  for (int i = 1; i <= 3; ++i) static_cast<void>(waiting.add(at(i), i));
  std::vector<int> failed;
  for (const auto& [id, value] : waiting.fail_all()) failed.push_back(value);
  EXPECT_EQ(failed, (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(waiting.empty());
  EXPECT_TRUE(waiting.expire(at(100)).empty());
}

TEST(RpcPeerHealth, MissesAndSilenceMakeItSuspectAndAnAnswerMendsIt) {
  PeerHealth peer({.misses_max = 2, .silence_max = Millis{100}});
  EXPECT_EQ(peer.judge(at(0)), Health::kDown);
  peer.on_up(at(0));
  EXPECT_EQ(peer.judge(at(1'000)), Health::kUp) << "silence counts only while something waits";
  peer.on_asked(at(1'000));
  EXPECT_EQ(peer.judge(at(1'100)), Health::kUp);
  EXPECT_EQ(peer.judge(at(1'101)), Health::kSuspect);
  peer.on_heard(at(1'102));
  EXPECT_EQ(peer.judge(at(1'102)), Health::kUp);
  peer.on_missed();
  peer.on_missed();
  EXPECT_EQ(peer.judge(at(1'102)), Health::kSuspect);
  peer.on_down();
  EXPECT_EQ(peer.judge(at(1'102)), Health::kDown);
}

}  // namespace
}  // namespace hy::rpc
