#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "common/base/clock.h"
#include "entry/session/access_list.h"
#include "entry/session/connect_gate.h"

namespace hy::entry {

/// Connect limits and access lists, shared by all I/O threads. Touched at accept, login and close,
/// never per frame. Any thread.
class Gatekeeper {
 public:
  explicit Gatekeeper(GateLimits limits)
      : gate_(limits), list_(std::make_shared<const AccessList>()) {}

  /// kOk: counted as unauthenticated until login() or leave().
  Errc accept(const IpAddress& address, std::uint32_t now_ms) {
    const std::lock_guard lock(mutex_);
    if (refuse_all_) return Errc::kDraining;
    if (!list_->admits(address)) return Errc::kDenied;
    return gate_.accept(address, now_ms);
  }
  /// kOk, kDenied (the list) or kTooManyConnections (of that peer).
  Errc login(const IpAddress& address, Uid uid) {
    const std::lock_guard lock(mutex_);
    if (!list_->admits(uid)) return Errc::kDenied;
    return gate_.login(address) ? Errc::kOk : Errc::kTooManyConnections;
  }
  void leave(const IpAddress& address, bool was_logged_in) {
    const std::lock_guard lock(mutex_);
    gate_.leave(address, was_logged_in);
  }
  void set_list(std::shared_ptr<const AccessList> list) {
    const std::lock_guard lock(mutex_);
    list_ = std::move(list);
  }
  [[nodiscard]] std::shared_ptr<const AccessList> list() {
    const std::lock_guard lock(mutex_);
    return list_;
  }
  void set_limits(const GateLimits& limits) {
    const std::lock_guard lock(mutex_);
    gate_.set_limits(limits);
  }
  /// Draining: nobody new.
  void refuse_all() {
    const std::lock_guard lock(mutex_);
    refuse_all_ = true;
  }
  [[nodiscard]] std::uint32_t connections() {
    const std::lock_guard lock(mutex_);
    return gate_.connections();
  }

 private:
  std::mutex mutex_;
  ConnectGate gate_;
  std::shared_ptr<const AccessList> list_;
  bool refuse_all_ = false;
};

}  // namespace hy::entry
