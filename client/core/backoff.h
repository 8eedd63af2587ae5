#pragma once

#include <algorithm>
#include <string>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/base/test_hooks.h"

namespace hy::client {

/// min(max, base · 2^tries) without overflow. tries: 0, 1, 2 …; base, max > 0.
[[nodiscard]] constexpr Millis backoff_cap(Millis base, Millis max, std::uint32_t tries) {
  Millis cap = base;
  for (std::uint32_t i = 0; i < tries && cap < max; ++i) cap *= 2;
  return std::min(cap, max);
}

/// Even over 0 .. span. span ≥ 0.
[[nodiscard]] inline Millis jitter(Random& random, Millis span) {
  if (mutant(Mutant::kBackoffWithoutJitter)) return std::max(span, Millis{0});
  return Millis(static_cast<std::int64_t>(
      random.below(static_cast<std::uint64_t>(std::max<std::int64_t>(span.count(), 0)) + 1)));
}

/// Full jitter: even over 0 .. min(max, base · 2^tries) (Brooker, "Exponential Backoff And Jitter",
/// 2015). It spreads a herd best.
[[nodiscard]] inline Millis full_jitter(Random& random, Millis base, Millis max,
                                        std::uint32_t tries) {
  return jitter(random, backoff_cap(base, max, tries));
}

/// Refusals after which the same request may be accepted later.
[[nodiscard]] constexpr bool may_pass(RetryRule rule) {
  switch (rule) {
    case RetryRule::kNever:
    case RetryRule::kPersonMends: return false;
    case RetryRule::kLater:
    case RetryRule::kOtherPeer:
    case RetryRule::kInOrder:
    case RetryRule::kReset:
    case RetryRule::kLogin:
    case RetryRule::kReconnect:
    case RetryRule::kStop: return true;
  }
  return true;
}

/// "1.4 s", for the reason of a state.
[[nodiscard]] inline std::string seconds_text(Millis wait) {
  const auto tenths = (wait.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

}  // namespace hy::client
