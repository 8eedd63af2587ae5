#pragma once

#include <chrono>
#include <cstdint>

namespace hy {

using Millis = std::chrono::milliseconds;
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// Time as an argument: cores get it from their driver, tests from a hand-set clock.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic; for every lease, deadline and back-off.
  [[nodiscard]] virtual MonoTime now() const = 0;
  /// Unix milliseconds; for display and token times alone.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
};

/// The machine's clocks. Any thread.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] std::int64_t wall_ms() const override {
    return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace hy
