#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/flat/flat_map.h"
#include "entry/session/ip_address.h"
#include "entry/session/rate_meter.h"

namespace hy::entry {

struct GateLimits {
  std::uint32_t connections_max = 200'000;
  std::uint32_t unauthenticated_max = 20'000;
  std::uint32_t unauthenticated_per_peer_max = 32;
  std::uint32_t logged_in_per_peer_max = 5'000;
  Rate connects_per_peer{.per_second = 20, .burst = 50};
};

/// Who may connect: totals, and for each peer (an IPv4 address or an IPv6 /64) its rate and how
/// many connections it holds. Bounded memory: a peer that holds nothing and whose bucket is full
/// again tells nothing and is forgotten. No clock; the owner locks.
class ConnectGate {
 public:
  explicit ConnectGate(GateLimits limits) : limits_(limits) {}

  /// kOk: counted as unauthenticated until login() or leave(). Else the reason.
  Errc accept(const IpAddress& address, std::uint32_t now_ms);
  /// The connection has logged in. False: too many of this peer are; it stays unauthenticated and
  /// has to be closed.
  [[nodiscard]] bool login(const IpAddress& address);
  void leave(const IpAddress& address, bool was_logged_in);

  [[nodiscard]] std::uint32_t connections() const { return unauthenticated_ + logged_in_; }
  [[nodiscard]] std::uint32_t unauthenticated() const { return unauthenticated_; }
  [[nodiscard]] std::size_t peers() const { return peers_.size(); }
  void set_limits(const GateLimits& limits) { limits_ = limits; }

 private:
  struct Peer {
    RateMeter rate;
    std::uint32_t unauthenticated = 0;
    std::uint32_t logged_in = 0;
  };
  struct Hash {
    std::size_t operator()(const IpAddress& address) const;
  };
  void forget_idle(std::uint32_t now_ms);

  GateLimits limits_;
  FlatMap<IpAddress, Peer, Hash> peers_;
  std::uint32_t unauthenticated_ = 0;
  std::uint32_t logged_in_ = 0;
  std::size_t sweep_at_ = 1'024;
};

}  // namespace hy::entry
