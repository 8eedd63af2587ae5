#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/clock.h"

namespace hy::flow {

/// The time by which work is worth doing, on this process's monotonic clock. Between processes only
/// the remaining milliseconds travel, so clocks need not agree.
class Deadline {
 public:
  constexpr Deadline() = default;
  constexpr explicit Deadline(MonoTime at) : at_(at) {}
  static constexpr Deadline in(MonoTime now, Millis remaining) { return Deadline(now + remaining); }

  [[nodiscard]] constexpr MonoTime at() const { return at_; }
  [[nodiscard]] constexpr bool expired(MonoTime now) const { return now >= at_; }
  /// ≥ 0, rounded down: the next hop never gets more than is left.
  [[nodiscard]] constexpr Millis remaining(MonoTime now) const {
    return expired(now) ? Millis(0) : std::chrono::floor<Millis>(at_ - now);
  }
  [[nodiscard]] constexpr std::uint32_t remaining_ms(MonoTime now) const {
    return static_cast<std::uint32_t>(std::min<std::int64_t>(remaining(now).count(), UINT32_MAX));
  }
  /// The own limit of a step inside: never later than the whole.
  [[nodiscard]] constexpr Deadline capped(MonoTime now, Millis own) const {
    return Deadline(std::min(at_, now + own));
  }

 private:
  MonoTime at_ = MonoTime::max();
};

/// Deadlines of one client request, outermost first (security.md §3): each tier's own work is
/// capped here, whatever remains of the caller's time.
inline constexpr Millis kEntryWithin{5'000};
inline constexpr Millis kLogicWithin{3'000};
inline constexpr Millis kDasWithin{2'000};
inline constexpr Millis kSqlWithin{1'000};
static_assert(kEntryWithin > kLogicWithin && kLogicWithin > kDasWithin && kDasWithin > kSqlWithin);

}  // namespace hy::flow
