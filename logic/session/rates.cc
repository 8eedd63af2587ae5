#include "logic/session/rates.h"

#include <algorithm>

namespace hy::logic {
namespace {

constexpr double kNanosPerSecond = 1e9;

}  // namespace

Rates::Limit Rates::limit_of(RateLimit limit) {
  if (limit.per_second <= 0) return {};
  const std::chrono::nanoseconds interval{
      static_cast<std::int64_t>(kNanosPerSecond / limit.per_second)};
  const auto spare = static_cast<std::int64_t>(std::max(limit.burst, 1U)) - 1;
  return {interval, interval * spare};
}

Rates::Rates(const Limits& limits, std::size_t users_max, std::size_t groups_max)
    : group_(limit_of(limits.group)), next_(users_max), next_of_group_(groups_max) {
  const auto set = [this](RateClass rate_class, RateLimit limit) {
    limits_[static_cast<std::size_t>(rate_class)] = limit_of(limit);
  };
  set(RateClass::kSend, limits.send);
  set(RateClass::kRead, limits.read);
  set(RateClass::kSync, limits.sync);
  set(RateClass::kPull, limits.pull);
  set(RateClass::kQuery, limits.query);
  set(RateClass::kRelay, limits.relay);
  set(RateClass::kNewGroup, limits.new_group);
}

Status Rates::take(RateClass rate_class, Uid uid, MonoTime now) {
  const Limit& limit = limits_[static_cast<std::size_t>(rate_class)];
  if (limit.interval.count() == 0) return {};
  std::array<MonoTime, kRateClasses>* budgets = next_.find(uid);
  if (budgets == nullptr) {
    forget_full(now);
    budgets = &next_.put(uid, {});
  }
  return take(limit, (*budgets)[static_cast<std::size_t>(rate_class)], now);
}

void Rates::forget_full(MonoTime now) {
  const auto is_full = [now](const std::array<MonoTime, kRateClasses>& budgets) {
    return std::ranges::all_of(budgets, [now](MonoTime next) { return next <= now; });
  };
  if (next_.erase_oldest_if(is_full)) next_.erase_oldest_if(is_full);
}

Status Rates::take_group(Gid gid, MonoTime now) {
  if (group_.interval.count() == 0) return {};
  MonoTime* next = next_of_group_.find(gid);
  if (next == nullptr) next = &next_of_group_.put(gid, {});
  return take(group_, *next, now);
}

Status Rates::take(const Limit& limit, MonoTime& next, MonoTime now) {
  const MonoTime from = std::max(next, now);
  if (from - now > limit.tolerance) {
    const auto wait = std::chrono::ceil<Millis>(from - now - limit.tolerance);
    return fail(Errc::kRateLimited, {}, wait);
  }
  next = from + limit.interval;
  return {};
}

}  // namespace hy::logic
