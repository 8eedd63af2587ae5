#include "common/flow/admission.h"

#include <algorithm>

#include "common/base/ids.h"

namespace hy::flow {

std::uint32_t Admission::cell_of(Priority priority, std::uint64_t key) {
  const auto rank = std::min<std::uint32_t>(static_cast<std::uint32_t>(priority), kPriorities - 1U);
  return (rank - 1) * kShares + static_cast<std::uint32_t>(mix64(key) % kShares);
}

bool Admission::admit(MonoTime now, Priority priority, std::uint64_t key) {
  if (!started_) {
    started_ = true;
    window_start_ = now;
  }
  if (now - window_start_ >= options_.window) close_window(now);
  if (priority == Priority::kControl) return true;
  const auto cell = cell_of(priority, key);
  ++arrived_[cell];
  if (cell < level_) return true;
  ++refused_[static_cast<std::size_t>(priority)];
  return false;
}

void Admission::on_dequeue(MonoTime now, std::chrono::nanoseconds waited) {
  if (!started_) {
    started_ = true;
    window_start_ = now;
  }
  waited_ns_ += std::max<std::int64_t>(waited.count(), 0);
  ++dequeued_;
  if (dequeued_ >= options_.window_requests || now - window_start_ >= options_.window)
    close_window(now);
}

void Admission::close_window(MonoTime now) {
  // An empty window says that nothing waits: the level may rise.
  const std::int64_t mean = dequeued_ == 0 ? 0 : waited_ns_ / dequeued_;
  overloaded_ = mean > std::chrono::nanoseconds(options_.threshold).count();
  if (overloaded_)
    lower();
  else
    raise();
  window_start_ = now;
  waited_ns_ = 0;
  dequeued_ = 0;
  arrived_.fill(0);
}

/// Takes away the least important cells that brought `shed_per_window` of what was admitted.
void Admission::lower() {
  std::uint64_t admitted = 0;
  for (std::uint32_t i = 0; i < level_; ++i) admitted += arrived_[i];
  const auto wanted = static_cast<double>(admitted) * options_.shed_per_window;
  double taken = 0;
  while (level_ > 0 && (taken < wanted || taken == 0)) {
    --level_;
    taken += arrived_[level_];
    if (admitted == 0) break;
  }
}

/// Gives back cells that bring `regain_per_window` of what arrives; at least one.
void Admission::raise() {
  std::uint64_t all = 0;
  for (const auto n : arrived_) all += n;
  const auto wanted = static_cast<double>(all) * options_.regain_per_window;
  double given = 0;
  while (level_ < kCells) {
    given += arrived_[level_];
    ++level_;
    if (given >= wanted && given > 0) break;
  }
}

double Admission::shed_level() const {
  return 1.0 - static_cast<double>(level_) / kCells;
}

}  // namespace hy::flow
