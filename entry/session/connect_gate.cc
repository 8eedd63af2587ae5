#include "entry/session/connect_gate.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "common/base/ids.h"

namespace hy::entry {

std::size_t ConnectGate::Hash::operator()(const IpAddress& address) const {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address.bytes.data(), sizeof high);
  std::memcpy(&low, address.bytes.data() + sizeof high, sizeof low);
  return mix64(high ^ mix64(low));
}

Errc ConnectGate::accept(const IpAddress& address, std::uint32_t now_ms) {
  if (connections() >= limits_.connections_max) return Errc::kTooManyConnections;
  if (unauthenticated_ >= limits_.unauthenticated_max) return Errc::kTooManyConnections;
  if (peers_.size() >= sweep_at_) forget_idle(now_ms);
  const auto [at, is_new] = peers_.try_emplace(address.peer_prefix());
  Peer& peer = at->second;
  if (is_new) peer.rate.reset(now_ms, limits_.connects_per_peer);
  if (peer.unauthenticated >= limits_.unauthenticated_per_peer_max) return Errc::kConnectRate;
  if (!peer.rate.take(now_ms, limits_.connects_per_peer)) return Errc::kConnectRate;
  ++peer.unauthenticated;
  ++unauthenticated_;
  return Errc::kOk;
}

bool ConnectGate::login(const IpAddress& address) {
  const auto at = peers_.find(address.peer_prefix());
  HY_CHECK(at != peers_.end() && at->second.unauthenticated > 0);
  if (at->second.logged_in >= limits_.logged_in_per_peer_max) return false;
  --at->second.unauthenticated;
  --unauthenticated_;
  ++at->second.logged_in;
  ++logged_in_;
  return true;
}

void ConnectGate::leave(const IpAddress& address, bool was_logged_in) {
  const auto at = peers_.find(address.peer_prefix());
  HY_CHECK(at != peers_.end());
  std::uint32_t& held = was_logged_in ? at->second.logged_in : at->second.unauthenticated;
  HY_CHECK(held > 0);
  --held;
  --(was_logged_in ? logged_in_ : unauthenticated_);
}

void ConnectGate::forget_idle(std::uint32_t now_ms) {
  absl::erase_if(peers_, [&](const auto& item) {
    const Peer& peer = item.second;
    return peer.unauthenticated == 0 && peer.logged_in == 0 &&
           peer.rate.is_full(now_ms, limits_.connects_per_peer);
  });
  // Swept again only after the table has doubled: amortised O(1) for each connection.
  static constexpr std::size_t kSweepMin = 1'024;
  sweep_at_ = std::max(kSweepMin, peers_.size() * 2);
}

}  // namespace hy::entry
