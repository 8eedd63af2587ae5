#include "das/append/lane_fsm.h"

#include <algorithm>
#include <utility>

namespace hy::das {
namespace {

constexpr Millis kRetryMin{50};
constexpr Millis kRetryMax{2'000};
constexpr std::size_t kRampFrom = 10;  // per cent

std::size_t weight(const AppendRequest& request) {
  return request.pending.item.body.bytes.size();
}

}  // namespace

LaneFsm::Offer LaneFsm::offer(AppendRequest&& request) {
  if (closed_) return Offer::kClosed;
  const std::size_t bytes = weight(request);
  if (queued_appends() >= ramped(limits_.queue_appends_max) ||
      queued_bytes_ + bytes > limits_.queue_bytes_max || expected_wait() > limits_.queue_wait_max)
    return Offer::kFull;
  queued_bytes_ += bytes;
  appends_.push_back(std::move(request));
  return Offer::kQueued;
}

LaneFsm::Offer LaneFsm::offer(std::unique_ptr<StoreCall>&& call) {
  if (closed_) return Offer::kClosed;
  if (calls_.size() >= limits_.queue_calls_max) return Offer::kFull;
  calls_.push_back(std::move(call));
  return Offer::kQueued;
}

std::size_t LaneFsm::ramped(std::size_t limit) const {
  return std::max<std::size_t>(1, limit * percent_ / 100);
}

void LaneFsm::climb(MonoTime now) {
  if (std::exchange(ramp_is_due_, false)) {
    ramp_began_ = now;
    percent_ = kRampFrom;
  }
  if (percent_ >= 100) return;
  const auto span = std::max<std::int64_t>(1, std::chrono::nanoseconds(limits_.ramp).count());
  const auto climbed =
      (now - ramp_began_).count() * static_cast<std::int64_t>(100 - kRampFrom) / span;
  percent_ = std::min<std::size_t>(100, kRampFrom + static_cast<std::size_t>(climbed));
}

LaneBatch LaneFsm::take(MonoTime now) {
  climb(now);
  // From take to take with a backlog: the calls of a turn and whatever else it does are in it.
  if (had_backlog_) batch_ns_ += ((now - last_take_).count() - batch_ns_) / 4;
  last_take_ = now;
  const std::size_t rows_max = ramped(limits_.batch_rows_max);
  LaneBatch batch;
  std::size_t bytes = 0;
  batch.appends.reserve(std::min(rows_max, queued_appends()));
  while (queued_appends() > 0) {
    AppendRequest& next = appends_[first_];
    const std::size_t size = weight(next);
    if (next.pending.deadline <= now) {
      batch.expired_appends.push_back(std::move(next));
    } else {
      const bool full = batch.appends.size() >= rows_max ||
                        (!batch.appends.empty() && bytes + size > limits_.batch_bytes_max);
      if (full) break;
      bytes += size;
      batch.appends.push_back(std::move(next));
    }
    queued_bytes_ -= size;
    ++first_;
  }
  drop_taken();
  while (!calls_.empty() && batch.calls.size() < limits_.batch_calls_max) {
    auto& to = calls_.front()->deadline() <= now ? batch.expired_calls : batch.calls;
    to.push_back(std::move(calls_.front()));
    calls_.pop_front();
  }
  had_backlog_ = queued_appends() > 0;
  return batch;
}

void LaneFsm::drop_taken() {
  // Each request is moved down at most once per as many that were taken.
  if (first_ * 2 < appends_.size()) return;
  appends_.erase(appends_.begin(), appends_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
}

LaneBatch LaneFsm::take_all() {
  LaneBatch batch;
  had_backlog_ = false;
  drop_taken();
  std::move(appends_.begin() + static_cast<std::ptrdiff_t>(first_), appends_.end(),
            std::back_inserter(batch.appends));
  std::ranges::move(calls_, std::back_inserter(batch.calls));
  appends_.clear();
  first_ = 0;
  calls_.clear();
  queued_bytes_ = 0;
  return batch;
}

void LaneFsm::took(std::size_t rows, std::chrono::nanoseconds spent) {
  if (rows == 0) return;
  const std::int64_t one = spent.count() / static_cast<std::int64_t>(rows);
  row_ns_ += (one - row_ns_) / 8;
}

std::chrono::nanoseconds LaneFsm::expected_wait() const {
  const auto batches = static_cast<std::int64_t>(queued_appends() / ramped(limits_.batch_rows_max));
  return std::chrono::nanoseconds{batches * batch_ns_};
}

Millis LaneFsm::retry_after() const {
  const auto waiting = static_cast<std::int64_t>(queued_appends() + calls_.size());
  const Millis needed{waiting * row_ns_ / 1'000'000};
  const auto wait = std::chrono::duration_cast<Millis>(expected_wait());
  return std::clamp(std::max(needed, wait), kRetryMin, kRetryMax);
}

}  // namespace hy::das
