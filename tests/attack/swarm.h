#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"

namespace hy::attack {

/// Many hostile connections, driven by one thread, from many local addresses (127.16.0.0 and up),
/// so that limits for one address are not what stops them. A connection that the server ends is
/// made again, as fast as `pause` allows.
class Swarm {
 public:
  struct Options {
    std::string address;  ///< "127.0.0.1:14000"
    std::size_t connections = 100;
    std::size_t per_address = 25;
    /// What a connection says, whole; made anew for each connection.
    std::function<Bytes()> says;
    /// > 0: one byte of it at a time with this pause; 0: all at once.
    Millis one_byte_every{0};
    /// A connection that has said everything: hangs up and comes again (true), or stays silent.
    bool hangs_up = false;
    Millis pause{0};  ///< before a connection is made again
  };
  explicit Swarm(Options options);
  ~Swarm();
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  /// Connections that were made, and that the server ended.
  [[nodiscard]] std::uint64_t made() const { return made_; }
  [[nodiscard]] std::uint64_t ended() const { return ended_; }
  /// Connections that stand now.
  [[nodiscard]] std::size_t standing() const { return standing_; }
  /// Bytes that the server said to all of them.
  [[nodiscard]] std::uint64_t heard() const { return heard_; }
  /// Waits until `n` connections stand. False: they do not within the time.
  [[nodiscard]] bool wait_standing(std::size_t n, Millis within) const;

 private:
  struct One;
  void run();
  void open(One& one, std::size_t index);
  void drop(One& one, MonoTime now);
  void speak(One& one, MonoTime now);
  bool listen(One& one);

  Options options_;
  int epoll_ = -1;
  std::atomic<bool> ends_{false};
  std::atomic<std::uint64_t> made_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::uint64_t> heard_{0};
  std::atomic<std::size_t> standing_{0};
  std::vector<One> ones_;
  std::thread thread_;
};

/// Raises this process's descriptors to the hard limit; how many it may have then.
std::size_t raise_descriptors();

}  // namespace hy::attack
