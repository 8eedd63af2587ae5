#include "das/storage/login_rules.h"

#include <algorithm>

namespace hy::das {
namespace {

constexpr std::int64_t kWhole = 1'000;

void refill(LoginGuard& guard, const LoginLimits& limits, std::int64_t now_ms) {
  const std::int64_t full = limits.burst * kWhole;
  if (guard.filled_ms == 0) {
    guard.tokens_milli = full;
    guard.filled_ms = now_ms;
  } else if (now_ms < guard.filled_ms) {
    guard.filled_ms = now_ms;
  } else {
    // per_minute attempts in 60,000 ms are per_minute / 60 thousandths a millisecond. Only whole
    // thousandths move filled_ms: many attempts in a row must not round the refill away. More than
    // an hour fills any bucket; the cut keeps the product small.
    const std::int64_t elapsed = std::min<std::int64_t>(now_ms - guard.filled_ms, 3'600'000);
    const std::int64_t gained = elapsed * limits.per_minute / 60;
    guard.tokens_milli = std::min(full, guard.tokens_milli + gained);
    guard.filled_ms =
        guard.tokens_milli == full ? now_ms : guard.filled_ms + gained * 60 / limits.per_minute;
  }
}

}  // namespace

std::chrono::milliseconds count_attempt(LoginGuard& guard, const LoginLimits& limits,
                                        std::int64_t now_ms) {
  if (guard.locked_until_ms > now_ms) {
    // A clock that stepped back must not turn a lock of an hour into one of days.
    return std::min(std::chrono::milliseconds{guard.locked_until_ms - now_ms}, kLongestLock);
  }
  refill(guard, limits, now_ms);
  if (guard.tokens_milli < kWhole) {
    const std::int64_t missing = kWhole - guard.tokens_milli;
    return std::chrono::milliseconds{missing * 60 / limits.per_minute + 1};
  }
  guard.tokens_milli -= kWhole;
  return std::chrono::milliseconds{0};
}

void count_failure(LoginGuard& guard, const LoginLimits& limits, std::int64_t now_ms) {
  ++guard.failures;
  if (limits.failures_to_lock == 0 || guard.failures < limits.failures_to_lock) return;
  auto lock = kFirstLock;
  for (std::uint32_t i = 0; i < guard.locks && lock < kLongestLock; ++i) lock *= 2;
  guard.locked_until_ms = now_ms + std::min(lock, kLongestLock).count();
  ++guard.locks;
  guard.failures = 0;
}

void count_success(LoginGuard& guard) {
  guard.failures = 0;
  guard.locks = 0;
  guard.locked_until_ms = 0;
}

}  // namespace hy::das
