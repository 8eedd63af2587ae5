#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"

namespace hy::das {

/// Watches the store's clock, which SYNC filters by (guarantees.md §6): head_ms of new messages
/// must not fall below what devices hold as `since` by more than the overlap allows. A step back of
/// more than `step_max` between two looks, as measured against das's own monotonic clock, or below
/// the last beat at start, must raise clock_steps. A clock that jumps forward does no harm.
class ClockWatch {
 public:
  explicit ClockWatch(Millis step_max) : step_max_(step_max) {}

  /// The first look after a start or after the store was away: against the beat row.
  [[nodiscard]] bool stepped_back_at_start(std::int64_t store_ms, std::int64_t beat_ms) const;
  /// Each later look; true: stepped back since the one before.
  bool look(MonoTime now, std::int64_t store_ms);
  /// The session was replaced: the next look compares with the beat row alone.
  void reset() { last_.reset(); }

 private:
  struct Look {
    MonoTime at;
    std::int64_t store_ms;
  };
  Millis step_max_;
  std::optional<Look> last_;
};

}  // namespace hy::das
