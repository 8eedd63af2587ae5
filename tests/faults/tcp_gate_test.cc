#include "tests/faults/tcp_gate.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "client/cli/unique_fd.h"
#include "common/base/bytes.h"
#include "common/wire/header.h"

namespace hy::faults {
namespace {

using cli::UniqueFd;
using Clock = std::chrono::steady_clock;
constexpr int kWithinMs = 5'000;
constexpr int kQuietMs = 150;  // how long "nothing comes" is watched

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

/// The far end: accepts on a port of its own.
class Server {
 public:
  Server() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at = loopback(0);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(fd_.get(), 64), 0);
    socklen_t size = sizeof at;
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] bool has_caller(int within_ms) const {
    pollfd p{fd_.get(), POLLIN, 0};
    return ::poll(&p, 1, within_ms) == 1;
  }
  [[nodiscard]] UniqueFd accept() const {
    EXPECT_TRUE(has_caller(kWithinMs));
    return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

UniqueFd dial(const Gate& gate) {
  const std::string& address = gate.address();
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in at = loopback(port);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  const int one = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

void say(const UniqueFd& fd, const std::string& text) {
  ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

/// Reads until `bytes` came, the stream ended or time is over; "<end>" and "<reset>" are appended.
std::string hear(const UniqueFd& fd, std::size_t bytes, int within_ms = kWithinMs) {
  std::string out;
  const auto until = Clock::now() + Millis(within_ms);
  while (out.size() < bytes) {
    const auto left = std::chrono::duration_cast<Millis>(until - Clock::now()).count();
    pollfd p{fd.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0) break;
    char buffer[65'536];
    const ssize_t n = ::recv(fd.get(), buffer, std::min(sizeof buffer, bytes - out.size()), 0);
    if (n == 0) return out + "<end>";
    if (n < 0) return out + "<reset>";
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}
std::string hear_nothing(const UniqueFd& fd) {
  return hear(fd, 1, kQuietMs);
}
std::string hear_end(const UniqueFd& fd) {
  return hear(fd, 1'000'000);
}

struct Pair {
  UniqueFd client;
  UniqueFd server;
};

class TcpGate : public testing::Test {
 protected:
  Gate& open(GateProtocol protocol = GateProtocol::kBytes, std::size_t buffer = 64 * 1'024) {
    auto gate = gates.open(
        {.name = "test", .target = server.address(), .protocol = protocol, .buffer_bytes = buffer});
    EXPECT_TRUE(gate.has_value());
    gate_ = std::move(*gate);
    return *gate_;
  }
  Pair connect() {
    Pair p;
    p.client = dial(*gate_);
    p.server = server.accept();
    return p;
  }

  Server server;
  Gates gates;
  std::unique_ptr<Gate> gate_;
};

TEST_F(TcpGate, PassesBytesBothWaysAndFin) {
  Gate& gate = open();
  const Pair p = connect();
  say(p.client, "question");
  EXPECT_EQ(hear(p.server, 8), "question");
  say(p.server, "answer");
  EXPECT_EQ(hear(p.client, 6), "answer");
  ::shutdown(p.client.get(), SHUT_WR);
  EXPECT_EQ(hear_end(p.server), "<end>");
  say(p.server, "late");
  EXPECT_EQ(hear(p.client, 4), "late");
  ::shutdown(p.server.get(), SHUT_WR);
  EXPECT_EQ(hear_end(p.client), "<end>");
  const GateCounters c = gate.counters();
  EXPECT_EQ(c[Direction::kToServer].bytes, 8U);
  EXPECT_EQ(c[Direction::kToClient].bytes, 10U);
  EXPECT_EQ(c.accepted, 1U);
  EXPECT_EQ(c.felt(), 0U);
}

TEST_F(TcpGate, ResetOfOneEndReachesTheOther) {
  open();
  Pair p = connect();
  say(p.client, "x");
  EXPECT_EQ(hear(p.server, 1), "x");
  const linger now{1, 0};
  ::setsockopt(p.server.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  p.server.reset();
  EXPECT_EQ(hear_end(p.client), "<reset>");
}

TEST_F(TcpGate, WorksOnUnixSockets) {
  char pattern[] = "/tmp/hy-gate-XXXXXX";
  const std::string folder = ::mkdtemp(pattern);
  const std::string path = folder + "/g.sock";
  {
    auto gate = gates.open({.listen = "unix:" + path, .target = server.address()});
    ASSERT_TRUE(gate.has_value());
    EXPECT_EQ((*gate)->address(), "unix:" + path);
    const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path.c_str(), path.size());
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    const UniqueFd far = server.accept();
    say(client, "by path");
    EXPECT_EQ(hear(far, 7), "by path");
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the gate takes its socket away";
  ::rmdir(folder.c_str());
}

/// What the two ends wrote, not what a fault made of it.
TEST_F(TcpGate, RecordsTheFirstConnectionsUpToABound) {
  Gate& gate = open();
  gate.record(2, 6);
  const Pair first = connect();
  gate.set(Direction::kToServer, {.latency = Millis(100)});
  say(first.client, "to the server");
  EXPECT_EQ(hear(first.server, 13), "to the server");
  say(first.server, "back");
  EXPECT_EQ(hear(first.client, 4), "back");
  const Pair second = connect();
  const Pair third = connect();
  say(third.client, "not kept");
  EXPECT_EQ(hear(third.server, 8), "not kept");
  const auto kept = gate.recordings();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0][Direction::kToServer], "to the");
  EXPECT_EQ(kept[0][Direction::kToClient], "back");
  EXPECT_EQ(kept[1][Direction::kToServer], "");
}

TEST_F(TcpGate, AddressesThatCannotBeReadAreRefused) {
  EXPECT_EQ(gates.open({.target = "nowhere"}).error().code, Errc::kUsage);
  EXPECT_EQ(gates.open({.target = "127.0.0.1:70000"}).error().code, Errc::kUsage);
  EXPECT_EQ(gates.open({.listen = "unix:", .target = "127.0.0.1:1"}).error().code, Errc::kUsage);
}

TEST_F(TcpGate, AServerThatIsNotThereIsAReset) {
  auto gate = gates.open({.target = "127.0.0.1:1"});
  ASSERT_TRUE(gate.has_value());
  EXPECT_EQ(hear_end(dial(**gate)), "<reset>");
  EXPECT_EQ((*gate)->counters().dial_failures, 1U);
}

TEST_F(TcpGate, LatencyDelaysOneWayAndKeepsOrder) {
  Gate& gate = open();
  const Pair p = connect();
  gate.set(Direction::kToServer, {.latency = Millis(120), .jitter = Millis(80)});
  const auto begin = Clock::now();
  say(p.client, "one");
  EXPECT_EQ(hear(p.server, 3), "one");
  EXPECT_GE(Clock::now() - begin, Millis(120));
  std::string sent;
  for (int i = 0; i < 50; ++i) {
    const std::string piece = std::to_string(i) + ",";
    say(p.client, piece);
    sent += piece;
  }
  EXPECT_EQ(hear(p.server, sent.size()), sent);
  say(p.server, "now");
  EXPECT_EQ(hear(p.client, 3), "now");
  EXPECT_GT(gate.counters()[Direction::kToServer].delayed, 1U);
  EXPECT_EQ(gate.counters()[Direction::kToClient].delayed, 0U);
}

TEST_F(TcpGate, HealSendsAtOnceWhatWaited) {
  Gate& gate = open();
  const Pair p = connect();
  gate.set_both({.latency = Millis(60'000)});
  say(p.client, "patient");
  EXPECT_EQ(hear_nothing(p.server), "");
  gate.heal();
  EXPECT_EQ(hear(p.server, 7), "patient");
}

TEST_F(TcpGate, RateIsKept) {
  Gate& gate = open();
  const Pair p = connect();
  gate.set(Direction::kToServer, {.bytes_per_second = 50'000});
  const auto begin = Clock::now();
  say(p.client, std::string(20'000, 'r'));
  EXPECT_EQ(hear(p.server, 20'000).size(), 20'000U);
  EXPECT_GE(Clock::now() - begin, Millis(390));
}

TEST_F(TcpGate, LossArrivesLate) {
  Gate& gate = open();
  const Pair p = connect();
  gate.set(Direction::kToServer, {.loss = 1, .retransmit = Millis(100)});
  const auto begin = Clock::now();
  say(p.client, "again");
  EXPECT_EQ(hear(p.server, 5), "again");
  EXPECT_GE(Clock::now() - begin, Millis(100));
}

TEST_F(TcpGate, StallIsBackPressureAndLosesNothing) {
  constexpr std::size_t kBuffer = 16 * 1'024;
  Gate& gate = open(GateProtocol::kBytes, kBuffer);
  const Pair p = connect();
  gate.set(Direction::kToServer, {.stall = true});
  ::fcntl(p.client.get(), F_SETFL, O_NONBLOCK);
  const std::string piece(64 * 1'024, 's');
  std::size_t sent = 0;
  for (pollfd w{p.client.get(), POLLOUT, 0}; ::poll(&w, 1, kQuietMs) == 1;) {
    const ssize_t n = ::send(p.client.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    ASSERT_GT(n, 0);
    sent += static_cast<std::size_t>(n);
    ASSERT_LT(sent, 64'000'000U) << "no back-pressure";
  }
  EXPECT_EQ(hear_nothing(p.server), "");
  EXPECT_GT(gate.counters()[Direction::kToServer].stalled, 0U);
  gate.heal();
  EXPECT_EQ(hear(p.server, sent).size(), sent);
}

TEST_F(TcpGate, BufferIsBounded) {
  constexpr std::size_t kBuffer = 32 * 1'024;
  Gate& gate = open(GateProtocol::kBytes, kBuffer);
  const Pair p = connect();
  gate.set(Direction::kToServer, {.latency = Millis(60'000)});
  ::fcntl(p.client.get(), F_SETFL, O_NONBLOCK);
  const std::string piece(64 * 1'024, 'b');
  std::size_t sent = 0;
  for (pollfd w{p.client.get(), POLLOUT, 0}; ::poll(&w, 1, kQuietMs) == 1;) {
    const ssize_t n = ::send(p.client.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    ASSERT_GT(n, 0);
    sent += static_cast<std::size_t>(n);
    ASSERT_LT(sent, 64'000'000U) << "the gate has no bound";
  }
  gate.heal();
  EXPECT_EQ(hear(p.server, sent).size(), sent);
}

TEST_F(TcpGate, PulledCableSwallowsBytesAndFinAndForgetsConnections) {
  Gate& gate = open();
  Pair p = connect();
  say(p.client, "before");
  EXPECT_EQ(hear(p.server, 6), "before");
  gate.pull(true);
  say(p.client, "lost");
  say(p.server, "lost too");
  EXPECT_EQ(hear_nothing(p.server), "");
  EXPECT_EQ(hear_nothing(p.client), "");
  const UniqueFd during = dial(gate);
  EXPECT_FALSE(server.has_caller(kQuietMs)) << "no connection comes through a pulled cable";
  say(during, "hello?");
  EXPECT_EQ(hear_nothing(during), "");
  p.client.reset();
  EXPECT_EQ(hear_nothing(p.server), "") << "half-open: the server does not learn of the end";
  gate.heal();
  EXPECT_EQ(hear_nothing(p.server), "");
  say(p.server, "anybody there?");
  EXPECT_EQ(hear_end(p.server), "<reset>");
  say(during, "hello again");
  EXPECT_EQ(hear_end(during), "<reset>");
  EXPECT_EQ(gate.counters()[Direction::kToServer].vanished, 10U);
  EXPECT_EQ(gate.counters()[Direction::kToClient].vanished, 8U);
  const Pair after = connect();
  say(after.client, "after");
  EXPECT_EQ(hear(after.server, 5), "after");
}

TEST_F(TcpGate, OneWayPartition) {
  Gate& gate = open();
  const Pair p = connect();
  gate.set(Direction::kToServer, {.vanish = true});
  say(p.server, "still heard");
  EXPECT_EQ(hear(p.client, 11), "still heard");
  say(p.client, "not heard");
  EXPECT_EQ(hear_nothing(p.server), "");
  EXPECT_EQ(gate.counters()[Direction::kToServer].vanished, 9U);
}

TEST_F(TcpGate, ResetAllAndRefuseNew) {
  Gate& gate = open();
  const Pair a = connect();
  const Pair b = connect();
  gate.refuse_new(true);
  gate.reset_all();
  for (const Pair* p : {&a, &b}) {
    EXPECT_EQ(hear_end(p->client), "<reset>");
    EXPECT_EQ(hear_end(p->server), "<reset>");
  }
  EXPECT_EQ(hear_end(dial(gate)), "<reset>");
  EXPECT_EQ(gate.counters().resets, 2U);
  EXPECT_EQ(gate.counters().refused, 1U);
  EXPECT_EQ(gate.counters().open, 0U);
  gate.heal();
  const Pair c = connect();
  say(c.client, "in");
  EXPECT_EQ(hear(c.server, 2), "in");
}

TEST_F(TcpGate, CutAfterExactlySoManyBytes) {
  Gate& gate = open();
  const Pair p = connect();
  gate.cut_after(Direction::kToServer, 10);
  say(p.client, "0123");
  EXPECT_EQ(hear(p.server, 4), "0123");
  say(p.client, "456789ABC");
  EXPECT_EQ(hear(p.server, 6), "456789");
  EXPECT_EQ(hear_end(p.server), "<reset>");
  EXPECT_EQ(gate.counters().cuts, 1U);
}

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
