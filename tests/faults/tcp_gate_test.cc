#include "tests/faults/tcp_gate.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "tests/faults/tcp_gate_fixture.h"

namespace hy::faults {
namespace {

using namespace gate_test;

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

}  // namespace
}  // namespace hy::faults
