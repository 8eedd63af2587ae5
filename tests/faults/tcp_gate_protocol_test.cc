#include <cstring>

#include "common/base/bytes.h"
#include "common/wire/header.h"
#include "tests/faults/tcp_gate_fixture.h"

// What a gate does that reads the bytes which it carries: frames of clients, COMMITs of MySQL.
namespace hy::faults {
namespace {

using namespace gate_test;

std::string frame(char mark, std::size_t body = 32, wire::Outer command = wire::Outer::kData) {
  const auto header = wire::pack_header({command, static_cast<std::uint32_t>(body)});
  return std::string(header.begin(), header.end()) + std::string(body, mark);
}

class FrameGate : public TcpGate {
 protected:
  /// Sends frames a, b, c, d in one write and in pieces; what came out.
  std::string through(const std::string& in, std::size_t out_bytes) {
    say(pair_.client, in.substr(0, 20));
    say(pair_.client, in.substr(20));
    return hear(pair_.server, out_bytes, 2'000);
  }
  void SetUp() override {
    open(GateProtocol::kClient);
    pair_ = connect();
  }
  [[nodiscard]] std::uint64_t touched(FrameFault f) const { return gate_->counters().touched(f); }
  Pair pair_;
  const std::string a = frame('a'), b = frame('b'), c = frame('c');
};

TEST_F(FrameGate, PassesFramesAndCountsThem) {
  EXPECT_EQ(through(a + b + c, 3 * a.size()), a + b + c);
  EXPECT_EQ(gate_->counters()[Direction::kToServer].frames, 3U);
  EXPECT_EQ(gate_->counters().felt(), 0U);
}

TEST_F(FrameGate, Duplicates) {
  gate_->strike(Direction::kToServer, FrameFault::kDuplicate, 2);
  EXPECT_EQ(through(a + b + c, 4 * a.size()), a + b + b + c);
  EXPECT_EQ(touched(FrameFault::kDuplicate), 1U);
}

TEST_F(FrameGate, Replays) {
  gate_->strike(Direction::kToServer, FrameFault::kReplay, 2);
  EXPECT_EQ(through(a + b + c, 4 * a.size()), a + b + a + c);
  EXPECT_EQ(touched(FrameFault::kReplay), 1U);
}

TEST_F(FrameGate, ReplaysAcrossConnections) {
  EXPECT_EQ(through(a, a.size()), a);
  const Pair other = connect();
  gate_->strike(Direction::kToServer, FrameFault::kReplay, 1);
  say(other.client, b);
  EXPECT_EQ(hear(other.server, 2 * b.size()), b + a);
}

TEST_F(FrameGate, Swaps) {
  gate_->strike(Direction::kToServer, FrameFault::kSwap, 1);
  EXPECT_EQ(through(a + b + c, 3 * a.size()), b + a + c);
  EXPECT_EQ(touched(FrameFault::kSwap), 1U);
}

TEST_F(FrameGate, AFrameThatWaitsAloneIsSentAlone) {
  gate_->strike(Direction::kToServer, FrameFault::kSwap, 1);
  EXPECT_EQ(through(a, a.size()), a);
  EXPECT_EQ(touched(FrameFault::kSwap), 0U) << "nothing was swapped, so nothing is counted";
}

TEST_F(FrameGate, TruncatesAndGoesOn) {
  gate_->strike(Direction::kToServer, FrameFault::kTruncate, 1);
  const std::string out = through(a + b, 2 * a.size());
  EXPECT_LT(out.size(), 2 * a.size());
  EXPECT_GT(out.size(), b.size());
  EXPECT_TRUE(out.ends_with(b));
  EXPECT_EQ(touched(FrameFault::kTruncate), 1U);
}

TEST_F(FrameGate, FlipsOneBit) {
  gate_->set_frames(Direction::kToServer, {.p = {0, 0, 0, 0, 1}});
  const std::string out = through(a, a.size());
  ASSERT_EQ(out.size(), a.size());
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    bits += __builtin_popcount(static_cast<unsigned char>(a[i] ^ out[i]));
  EXPECT_EQ(bits, 1);
  EXPECT_EQ(touched(FrameFault::kFlip), 1U);
}

TEST_F(FrameGate, HandshakesPassUnlessMeant) {
  gate_->set_frames(Direction::kToServer, {.p = {1, 0, 0, 0, 0}});
  const std::string hello = frame('h', 16, wire::Outer::kHello);
  EXPECT_EQ(through(hello + a, hello.size() + 2 * a.size()), hello + a + a);
  gate_->heal();
  gate_->strike(Direction::kToServer, FrameFault::kDuplicate, 1, false);
  EXPECT_EQ(through(hello + a, 2 * hello.size() + a.size()), hello + hello + a);
}

TEST_F(FrameGate, WhatIsNoFramePassesAsItIs) {
  const std::string text = "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n";
  EXPECT_EQ(through(text + a, text.size() + a.size()), text + a);
}

std::string packet(const std::string& payload, char number = 0) {
  return std::string{static_cast<char>(payload.size()), 0, 0, number} + payload;
}

class MysqlGate : public TcpGate {
 protected:
  void SetUp() override {
    open(GateProtocol::kMysql);
    pair_ = connect();
  }
  Pair pair_;
  const std::string insert = packet("\x03INSERT INTO message VALUES (1)");
  const std::string commit = packet(
      "\x03"
      "COMMIT");
  const std::string ok = packet(std::string("\0\0\0\2\0\0\0", 7), 1);
};

TEST_F(MysqlGate, PassesEverythingByDefault) {
  say(pair_.client, insert + commit);
  EXPECT_EQ(hear(pair_.server, insert.size() + commit.size()), insert + commit);
  say(pair_.server, ok);
  EXPECT_EQ(hear(pair_.client, ok.size()), ok);
  EXPECT_EQ(gate_->counters().commits, 1U);
  EXPECT_EQ(gate_->counters().felt(), 0U);
}

TEST_F(MysqlGate, SwallowsTheOkOfACommit) {
  gate_->set_commits({.swallow_next = 1});
  say(pair_.client, insert);
  EXPECT_EQ(hear(pair_.server, insert.size()), insert);
  say(pair_.server, ok);
  EXPECT_EQ(hear(pair_.client, ok.size()), ok) << "the OK of another statement passes";
  for (const char c : commit) say(pair_.client, std::string(1, c));
  EXPECT_EQ(hear(pair_.server, commit.size()), commit) << "the COMMIT takes effect";
  EXPECT_EQ(gate_->counters().commits_swallowed, 0U);
  say(pair_.server, ok);
  EXPECT_EQ(hear_end(pair_.client), "<reset>");
  EXPECT_EQ(gate_->counters().commits_swallowed, 1U);
  const Pair next = connect();
  say(next.client, commit);
  EXPECT_EQ(hear(next.server, commit.size()), commit);
  say(next.server, ok);
  EXPECT_EQ(hear(next.client, ok.size()), ok) << "one was asked for";
}

TEST_F(MysqlGate, AnErrorThatAnswersACommitPasses) {
  gate_->set_commits({.swallow_p = 1});
  say(pair_.client, commit);
  EXPECT_EQ(hear(pair_.server, commit.size()), commit);
  const std::string error = packet("\xff\x15\x04#08S01no", 1);
  say(pair_.server, error);
  EXPECT_EQ(hear(pair_.client, error.size()), error);
  EXPECT_EQ(gate_->counters().commits_swallowed, 0U);
}

TEST_F(MysqlGate, CutsBeforeTheCommitArrives) {
  gate_->set_commits({.cut_next = 1});
  say(pair_.client, insert + packet("\x03 commit ;"));
  EXPECT_EQ(hear_end(pair_.client), "<reset>");
  EXPECT_EQ(hear_end(pair_.server).find("commit"), std::string::npos);
  EXPECT_EQ(gate_->counters().commits_cut, 1U);
}

TEST_F(MysqlGate, LongPacketsThatSpeakOfCommitPass) {
  gate_->set_commits({.swallow_p = 1});
  const std::string text = packet(
      "\x03"
      "COMMIT AND CHAIN NO RELEASE, or so");
  say(pair_.client, text);
  EXPECT_EQ(hear(pair_.server, text.size()), text);
  EXPECT_EQ(gate_->counters().commits, 0U);
}

}  // namespace
}  // namespace hy::faults
