#include "common/net/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "common/base/check.h"

namespace hy::net {

TimerWheel::TimerWheel(MonoTime now, Millis tick, std::uint32_t slots)
    : start_(now), tick_(tick), mask_(slots - 1), heads_(slots, kNone) {
  HY_CHECK(tick.count() > 0 && std::has_single_bit(slots) && slots < kHeadBit);
}

std::uint32_t TimerWheel::tick_of(MonoTime when) const {
  if (when <= start_) return 0;
  // Rounded up: a tick's timers run when the whole tick has passed, so never early.
  const auto ticks = (when - start_ + tick_ - std::chrono::nanoseconds(1)) / tick_;
  return static_cast<std::uint32_t>(std::min<std::int64_t>(ticks, UINT32_MAX - 1));
}

void TimerWheel::set(std::uint32_t index, MonoTime when) {
  HY_CHECK(index < kHeadBit);
  if (index >= nodes_.size()) nodes_.resize(std::max<std::size_t>(index + 1UL, nodes_.size() * 2));
  if (nodes_[index].prev != kNone) unlink(index);
  link(index, std::max(tick_of(when), current_ + 1));
}

void TimerWheel::cancel(std::uint32_t index) {
  if (is_set(index)) unlink(index);
}

bool TimerWheel::is_set(std::uint32_t index) const {
  return index < nodes_.size() && nodes_[index].prev != kNone;
}

void TimerWheel::link(std::uint32_t index, std::uint32_t due) {
  auto& node = nodes_[index];
  auto& head = heads_[due & mask_];
  node = {head, (due & mask_) | kHeadBit, due};
  if (head != kNone) nodes_[head].prev = index;
  head = index;
  ++count_;
}

void TimerWheel::unlink(std::uint32_t index) {
  auto& node = nodes_[index];
  if ((node.prev & kHeadBit) != 0)
    heads_[node.prev & ~kHeadBit] = node.next;
  else
    nodes_[node.prev].next = node.next;
  if (node.next != kNone) nodes_[node.next].prev = node.prev;
  node = {};
  --count_;
}

void TimerWheel::step(MonoTime now, std::vector<std::uint32_t>& expired) {
  if (now <= start_) return;
  const auto gone =
      static_cast<std::uint32_t>(std::min<std::int64_t>((now - start_) / tick_, UINT32_MAX - 1));
  if (gone <= current_) return;
  // After a long pause one turn of the wheel sees every slot; more would see them again.
  const std::uint32_t ticks = std::min(gone - current_, mask_ + 1);
  for (std::uint32_t i = 0; i < ticks; ++i) {
    const std::uint32_t slot = (gone - ticks + 1 + i) & mask_;
    for (std::uint32_t index = heads_[slot]; index != kNone;) {
      const auto next = nodes_[index].next;
      if (nodes_[index].due <= gone) {
        unlink(index);
        expired.push_back(index);
      }
      index = next;
    }
  }
  current_ = gone;
}

}  // namespace hy::net
