#include "logic/session/rates.h"

#include <algorithm>

namespace hy::logic {
namespace {

constexpr double kNanosPerSecond = 1e9;

}  // namespace

Rates::Rates(const Limits& limits, std::size_t users_max) : next_(users_max) {
  const auto set = [this](RateClass rate_class, RateLimit limit) {
    if (limit.per_second <= 0) return;
    const std::chrono::nanoseconds interval{
        static_cast<std::int64_t>(kNanosPerSecond / limit.per_second)};
    const auto spare = static_cast<std::int64_t>(std::max(limit.burst, 1U)) - 1;
    limits_[static_cast<std::size_t>(rate_class)] = {interval, interval * spare};
  };
  set(RateClass::kSend, limits.send);
  set(RateClass::kRead, limits.read);
  set(RateClass::kSync, limits.sync);
  set(RateClass::kPull, limits.pull);
  set(RateClass::kQuery, limits.query);
  set(RateClass::kRelay, limits.relay);
}

Status Rates::take(RateClass rate_class, Uid uid, MonoTime now) {
  const Limit& limit = limits_[static_cast<std::size_t>(rate_class)];
  if (limit.interval.count() == 0) return {};
  std::array<MonoTime, kRateClasses>* budgets = next_.find(uid);
  if (budgets == nullptr) budgets = &next_.put(uid, {});
  MonoTime& next = (*budgets)[static_cast<std::size_t>(rate_class)];
  const MonoTime from = std::max(next, now);
  if (from - now > limit.tolerance) {
    const auto wait = std::chrono::ceil<Millis>(from - now - limit.tolerance);
    return fail(Errc::kRateLimited, {}, wait);
  }
  next = from + limit.interval;
  return {};
}

}  // namespace hy::logic
