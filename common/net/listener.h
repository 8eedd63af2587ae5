#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/asio.h"

namespace hy::net {

struct ListenerOptions {
  int backlog = 4'096;
  Millis pause{100};  ///< after EMFILE, ENFILE, ENOBUFS, ENOMEM before the next accept
};

/// Counters of one listener. Any thread may read.
struct ListenerCounts {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> out_of_descriptors{0};  ///< pauses for lack of descriptors or memory
  std::atomic<std::uint64_t> turned_away{0};  ///< accepted with the reserve descriptor and closed
  std::atomic<std::uint64_t> failed{0};       ///< other accept errors (peer gone before accept)
};

/// A connection that was just accepted: non-blocking, in no context yet. Closed when nobody takes
/// it.
class Accepted {
 public:
  Accepted(int fd, const Tcp::endpoint& peer) : fd_(fd), peer_(peer) {}
  Accepted(Accepted&& other) noexcept : fd_(other.release()), peer_(other.peer_) {}
  Accepted& operator=(Accepted&&) = delete;
  Accepted(const Accepted&) = delete;
  ~Accepted();

  [[nodiscard]] const Tcp::endpoint& peer() const { return peer_; }
  /// The descriptor, the caller's from now on.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  /// As a socket of `context`. Errors: kUnavailable (the context could not take it; it is closed).
  [[nodiscard]] Result<Tcp::socket> into(asio::io_context& context);

 private:
  int fd_;
  Tcp::endpoint peer_;
};

/// Accepts TCP connections for ever: running out of descriptors turns the waiting peer away with
/// the one descriptor that is kept for it, pauses, and goes on. Accepted sockets have TCP_NODELAY,
/// keep-alive 60/10/3 and TCP_USER_TIMEOUT 30 s. Thread: that of `context`.
class Listener {
 public:
  /// Runs on the listener's thread.
  using OnAccept = std::function<void(Accepted)>;

  /// address "IP:PORT" or "[v6]:PORT"; port 0 = any. Errors: kPortInUse (also for a port on which
  /// somebody listens already), kConfigWrongType (no IP address), kUnavailable (anything else).
  static Result<Listener> open(asio::io_context& context, std::string_view address,
                               const ListenerOptions& options, OnAccept on_accept);
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) = delete;
  Listener(const Listener&) = delete;
  ~Listener();

  /// Once. Any thread before the context runs, its thread afterwards.
  void start();
  /// Stops accepting and frees the port. Any thread; pending peers are reset by the kernel.
  void close();
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] const ListenerCounts& counts() const;

 private:
  struct Impl;
  explicit Listener(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with its handlers: they may outlive this object
};

/// TCP_NODELAY, keep-alive (60 s idle, every 10 s, 3 probes), TCP_USER_TIMEOUT 30 s. For sockets
/// that dial, and for those that listen: what they accept inherits it. Failures are ignored (the
/// peer may be gone already).
void tune_socket(int fd);

/// "IP:PORT" as an end point. Errors: kConfigWrongType. Never asks a name server.
Result<Tcp::endpoint> parse_endpoint(std::string_view address);

}  // namespace hy::net
