#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/clock.h"

namespace hy::flow {

/// A rate as the bucket uses it: one token every `interval`, `burst` at once. Shared by all buckets
/// of one kind, so that a bucket is 8 bytes.
struct RateLimit {
  std::chrono::nanoseconds interval{0};  ///< 0 = no limit
  std::uint32_t burst = 1;
  /// count tokens per period, count ≥ 1.
  static constexpr RateLimit per(std::uint32_t count, Millis period, std::uint32_t burst) {
    return {std::chrono::nanoseconds(period) / count, burst};
  }
};

/// Token bucket in the form of a virtual scheduling algorithm (ITU-T I.371 GCRA): one time stamp
/// instead of a count and a time. Full when new. Time is an argument and may stand still; a step
/// back only delays.
class TokenBucket {
 public:
  /// Takes n tokens, or none and returns false.
  [[nodiscard]] bool take(MonoTime now, const RateLimit& rate, std::uint32_t n = 1) {
    if (rate.interval.count() == 0) return true;
    const std::int64_t at = now.time_since_epoch().count();
    const std::int64_t empty_at = std::max(full_at_ns_, at) + rate.interval.count() * n;
    if (empty_at - at > rate.interval.count() * rate.burst) return false;
    full_at_ns_ = empty_at;
    return true;
  }
  /// How long until n tokens are there; rounded up to whole milliseconds, 0 = now. n above the
  /// burst will never be there: the answer is then the time to a full bucket.
  [[nodiscard]] Millis wait(MonoTime now, const RateLimit& rate, std::uint32_t n = 1) const {
    if (rate.interval.count() == 0) return Millis(0);
    const std::int64_t at = now.time_since_epoch().count();
    const std::int64_t room = rate.interval.count() * (rate.burst - std::min(n, rate.burst));
    const std::int64_t ns = std::max(full_at_ns_, at) - at - room;
    return ns <= 0 ? Millis(0) : std::chrono::ceil<Millis>(std::chrono::nanoseconds(ns));
  }
  /// A full bucket need not be kept: a new one behaves the same.
  [[nodiscard]] bool is_full(MonoTime now) const {
    return full_at_ns_ <= now.time_since_epoch().count();
  }

 private:
  std::int64_t full_at_ns_ = INT64_MIN / 2;
};
static_assert(sizeof(TokenBucket) == 8);

}  // namespace hy::flow
