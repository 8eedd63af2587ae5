#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "common/base/clock.h"

namespace hy::entry {

struct Rate {
  double per_second = 30;
  double burst = 60;
};

/// A token bucket in eight bytes: one per connection. Time is a 32-bit millisecond count of the
/// owner's choice; it may wrap.
class RateMeter {
 public:
  /// A full bucket at `now_ms`.
  void reset(std::uint32_t now_ms, const Rate& rate) {
    at_ms_ = now_ms;
    tokens_ = static_cast<float>(rate.burst);
  }
  /// True: within the rate, one token is gone.
  bool take(std::uint32_t now_ms, const Rate& rate) {
    const std::uint32_t passed = now_ms - at_ms_;
    if (passed != 0) {
      at_ms_ = now_ms;
      const double filled = static_cast<double>(tokens_) + passed * rate.per_second / 1'000.0;
      tokens_ = static_cast<float>(std::min(filled, rate.burst));
    }
    if (tokens_ < 1.0F) return false;
    tokens_ -= 1.0F;
    return true;
  }
  /// How long until one token is there.
  [[nodiscard]] Millis wait(const Rate& rate) const {
    if (tokens_ >= 1.0F || rate.per_second <= 0) return Millis{0};
    const double seconds = (1.0 - static_cast<double>(tokens_)) / rate.per_second;
    return Millis{static_cast<std::int64_t>(std::ceil(seconds * 1'000))};
  }
  /// True when nothing would be lost by forgetting this meter.
  [[nodiscard]] bool is_full(std::uint32_t now_ms, const Rate& rate) const {
    return static_cast<double>(tokens_) + (now_ms - at_ms_) * rate.per_second / 1'000.0 >=
           rate.burst;
  }

 private:
  std::uint32_t at_ms_ = 0;
  float tokens_ = 0;
};

}  // namespace hy::entry
