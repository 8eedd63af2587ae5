#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace hy::das {

/// Whether this das tells its logics that the store is up. A lane that cannot write answers
/// kStoreDown by itself at once; this is the announcement for all. Down: every lane is without the
/// store, or one has been for `down_after` (guarantees.md §7: 2 s of failures). Up again: every
/// lane has written since, which the probe does with a beat. Not thread-safe: lives on the loop.
class StoreHealth {
 public:
  StoreHealth(std::size_t lanes, Millis down_after) : down_after_(down_after), lanes_(lanes) {}

  void lane_failed(std::size_t lane, MonoTime now, const Error& why);
  /// True: it had failed since it last worked.
  bool lane_works(std::size_t lane);
  /// Judges; true: is_up() has changed since the last call.
  bool judge(MonoTime now);
  [[nodiscard]] bool is_up() const { return up_; }
  /// The last failure; kOk while every lane works.
  [[nodiscard]] const Error& why() const { return why_; }

 private:
  struct Lane {
    bool works = false;
    std::optional<MonoTime> failing_since;
  };
  Millis down_after_;
  std::vector<Lane> lanes_;
  bool up_ = false;  ///< until every lane has written once
  Error why_{Errc::kStoreDown, "not yet reached", {}};
};

}  // namespace hy::das
