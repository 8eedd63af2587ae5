#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace hy::entry {

struct DrainTimes {
  Millis spread{20'000};  ///< clients leave at a random moment inside this
  Millis flush{5'000};    ///< after the spread: what is queued may still go out
  std::uint32_t told_per_step = 2'000;
};

/// Emptying an entry before it stops: tell every client to go elsewhere, wait while they leave by
/// themselves, close the rest, and all within a bound. No clock.
class DrainPlan {
 public:
  enum class Phase : std::uint8_t { kIdle, kTelling, kWaiting, kClosing, kDone };
  struct Step {
    std::uint32_t tell = 0;   ///< send GOAWAY to that many more connections
    Millis wait_max{0};       ///< wait_max_ms of those GOAWAYs
    bool close_rest = false;  ///< close what is left now
    bool done = false;
  };

  explicit DrainPlan(DrainTimes times) : times_(times) {}
  void start(MonoTime now, std::uint32_t connections);
  /// Every 50 ms or so. `connections`: still open.
  Step step(MonoTime now, std::uint32_t connections);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool is_draining() const { return phase_ != Phase::kIdle; }
  /// The latest moment at which the drain is over.
  [[nodiscard]] MonoTime bound() const { return started_ + times_.spread + times_.flush; }

 private:
  DrainTimes times_;
  Phase phase_ = Phase::kIdle;
  MonoTime started_;
  std::uint32_t left_to_tell_ = 0;
};

}  // namespace hy::entry
