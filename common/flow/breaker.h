#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace hy::flow {

/// Stops asking a neighbour that does not answer, and tries it again with one request at a time.
/// Core: one thread, time is an argument. Counts only what says something about the neighbour
/// (time-out, lost stream, unavailable); a refusal for good reason is a success here.
class Breaker {
 public:
  struct Options {
    std::uint32_t failures = 5;  ///< in a row, to open
    Millis open_for{500};        ///< then one probe; doubles with each failed probe
    Millis open_for_max{10'000};
  };
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };

  Breaker() : Breaker(Options{}) {}
  explicit Breaker(Options options) : options_(options), wait_(options.open_for) {}

  /// May a request go out? In half-open state true for exactly one until its outcome is told.
  [[nodiscard]] bool allow(MonoTime now);
  void on_success();
  void on_failure(MonoTime now);
  [[nodiscard]] State state() const { return state_; }
  /// Time until the next probe; 0 unless open.
  [[nodiscard]] Millis retry_after(MonoTime now) const;

 private:
  void open(MonoTime now);
  Options options_;
  State state_ = State::kClosed;
  std::uint32_t failures_ = 0;
  Millis wait_;
  MonoTime probe_at_{};
};

}  // namespace hy::flow
