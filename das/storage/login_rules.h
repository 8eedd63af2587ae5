#pragma once

#include <chrono>
#include <cstdint>

namespace hy::das {

/// Limits of password logins (security.md §3), as pure arithmetic over one row of `login_guard`, so
/// that both engines count alike: read the row under its lock, apply, write it back.
struct LoginGuard {
  std::int64_t tokens_milli = 0;  ///< thousandths of an attempt that are left at filled_ms
  std::int64_t filled_ms = 0;     ///< store clock; 0: a new row, full bucket
  std::uint32_t failures = 0;     ///< in a row
  std::uint32_t locks = 0;        ///< how often it was locked since the last success
  std::int64_t locked_until_ms = 0;
};

struct LoginLimits {
  std::uint32_t per_minute;
  std::uint32_t burst;
  std::uint32_t failures_to_lock;  ///< 0: never locked
};
inline constexpr LoginLimits kAccountLoginLimits{5, 10, 10};
inline constexpr LoginLimits kAddressLoginLimits{20, 60, 0};
inline constexpr std::chrono::milliseconds kFirstLock{60'000};
inline constexpr std::chrono::milliseconds kLongestLock{3'600'000};

/// Takes one attempt. 0: go on; else how long to wait (nothing is taken then). A clock that stepped
/// back never fills a bucket nor shortens a lock below what the rules give.
std::chrono::milliseconds count_attempt(LoginGuard& guard, const LoginLimits& limits,
                                        std::int64_t now_ms);
/// One more failure; locks after limits.failures_to_lock in a row for 1, 2, 4 … 60 minutes.
void count_failure(LoginGuard& guard, const LoginLimits& limits, std::int64_t now_ms);
/// A proven sign-in: failures and locks start again; the bucket stays.
void count_success(LoginGuard& guard);

}  // namespace hy::das
