#pragma once

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>

#include "client/cli/unique_fd.h"
#include "tests/faults/tcp_gate.h"

/// A gate between two sockets of the test's own.
namespace hy::faults::gate_test {

using cli::UniqueFd;
using Clock = std::chrono::steady_clock;
inline constexpr int kWithinMs = 5'000;
inline constexpr int kQuietMs = 150;  // how long "nothing comes" is watched

inline sockaddr_in loopback(std::uint16_t port) {
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

inline UniqueFd dial(const Gate& gate) {
  const std::string& address = gate.address();
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in at = loopback(port);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  const int one = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

inline void say(const UniqueFd& fd, const std::string& text) {
  ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

/// Reads until `bytes` came, the stream ended or time is over; "<end>" and "<reset>" are appended.
inline std::string hear(const UniqueFd& fd, std::size_t bytes, int within_ms = kWithinMs) {
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
inline std::string hear_nothing(const UniqueFd& fd) {
  return hear(fd, 1, kQuietMs);
}
inline std::string hear_end(const UniqueFd& fd) {
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

}  // namespace hy::faults::gate_test
