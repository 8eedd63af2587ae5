#include "common/flow/retry.h"
#include "common/base/test_hooks.h"

#include <algorithm>

#include "common/base/check.h"

namespace hy::flow {
namespace {
constexpr std::uint32_t kOneRetry = 100;
}

Millis Backoff::ceiling(std::uint32_t attempt) const {
  // 2^30 × 1 ms is 12 days: above any cap, so the shift never overflows.
  const auto factor = std::int64_t{1} << std::min<std::uint32_t>(attempt, 30);
  if (base.count() > cap.count() / factor) return cap;
  return std::min(cap, Millis(base.count() * factor));
}

Millis Backoff::delay(std::uint32_t attempt, Random& random) const {
  const auto top = std::max<std::int64_t>(ceiling(attempt).count(), 0);
  return std::max(
      floor, Millis(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(top) + 1))));
}

RetryBudget::RetryBudget(std::uint32_t percent, std::uint32_t credit_max)
    : percent_(percent), max_(credit_max * kOneRetry), credit_(max_ / 10) {
  HY_CHECK(percent <= 100 && credit_max >= 10 && credit_max <= 1'000'000);
}

void RetryBudget::on_request() {
  credit_ = std::min(max_, credit_ + percent_);
}

bool RetryBudget::take() {
  if (mutant(Mutant::kRetryWithoutBudget)) return true;
  if (credit_ < kOneRetry) {
    ++refused_;
    return false;
  }
  credit_ -= kOneRetry;
  return true;
}

}  // namespace hy::flow
