#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "common/base/random.h"

namespace hy::flow {

/// Exponential back-off with full jitter: a wait drawn evenly from 0 … min(cap, base × 2^attempt)
/// (AWS Architecture Blog 2015, "Exponential Backoff And Jitter").
struct Backoff {
  Millis base{100};
  Millis cap{10'000};
  Millis floor{0};  ///< never less than this, e.g. a refusal's retry_after

  /// attempt: 0 for the first retry.
  [[nodiscard]] Millis delay(std::uint32_t attempt, Random& random) const;
  /// The upper end of the interval.
  [[nodiscard]] Millis ceiling(std::uint32_t attempt) const;
};

/// Retries are at most `percent` of requests (after a small start credit), so that a neighbour in
/// trouble is not buried under repeats. One per neighbour; thread of its owner.
class RetryBudget {
 public:
  explicit RetryBudget(std::uint32_t percent = 10, std::uint32_t credit_max = 100);
  /// A first attempt was made.
  void on_request();
  /// May one retry be made now? Takes it when it may.
  [[nodiscard]] bool take();
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  std::uint32_t percent_;
  std::uint32_t max_;     // in hundredths of a retry
  std::uint32_t credit_;  // in hundredths of a retry
  std::uint64_t refused_ = 0;
};

}  // namespace hy::flow
