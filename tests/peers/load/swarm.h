#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace hy::peers {

/// Many light clients of one protocol in one thread. Client i talks to client i ^ 1. Tells its
/// Meter what happens.
class Swarm {
 public:
  Swarm() = default;
  virtual ~Swarm() = default;
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  /// Dials and logs in; ends in Meter::ready or Meter::failed.
  virtual void begin_login(std::size_t client) = 0;
  /// Sends to the client's peer.
  virtual void send(std::size_t client, std::string_view body) = 0;
  /// One turn of the loop: waits at most `at_most` for something to do, and does it.
  virtual void turn(std::chrono::milliseconds at_most) = 0;
  /// False while deliveries or receipts of finished messages are still under way.
  [[nodiscard]] virtual bool is_settled() const { return true; }
  /// What the protocol's own client counted beside the meter.
  [[nodiscard]] virtual std::vector<std::pair<const char*, std::uint64_t>> checks() const {
    return {};
  }
};

}  // namespace hy::peers
