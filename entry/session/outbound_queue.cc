#include "entry/session/outbound_queue.h"

#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"

namespace hy::entry {
namespace {

constexpr std::size_t kDeadFramesMax = 64;

}  // namespace

void OutboundQueue::add(OutFrame frame) {
  bytes_ += frame.content().size();
  frames_.push_back(std::move(frame));
}

OutboundQueue::Push OutboundQueue::offer_push(OutFrame frame, bool ephemeral,
                                              const QueueLimits& limits) {
  if (ephemeral) {
    if (hinting_ || size() * 2 >= limits.frames_max || bytes_ * 2 >= limits.bytes_max) {
      return Push::kDropped;
    }
    add(std::move(frame));
    return Push::kQueued;
  }
  if (!has_room(frame.content().size(), limits)) {
    drop_push();
    return Push::kDropped;
  }
  add(std::move(frame));
  return Push::kQueued;
}

void OutboundQueue::drop_waiting_pushes() {
  frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
  head_ = 0;
  std::erase_if(frames_, [](const OutFrame& f) {
    return f.push != nullptr || f.type == inner_type::kSyncHint;
  });
  bytes_ = 0;
  for (const OutFrame& frame : frames_) bytes_ += frame.content().size();
  hint_waits_ = false;
}

void OutboundQueue::drop_push() {
  if (mutant(Mutant::kFullQueueDropsSilently)) return;
  if (!hinting_) {
    hinting_ = true;
    hint();
    return;
  }
  if (!hint_waits_) dropped_after_hint_ = true;
}

void OutboundQueue::hint() {
  ++hints_;
  hint_waits_ = true;
  dropped_after_hint_ = false;
  OutFrame frame;
  frame.type = inner_type::kSyncHint;
  add(std::move(frame));
}

bool OutboundQueue::recover(bool window_has_room, const QueueLimits& limits) {
  if (!hinting_ || !window_has_room) return false;
  if (size() * 2 > limits.frames_max || bytes_ * 2 > limits.bytes_max) return false;
  hinting_ = false;
  if (!dropped_after_hint_) return false;
  hint();
  return true;
}

OutFrame OutboundQueue::take() {
  HY_CHECK(!empty());
  OutFrame frame = std::move(frames_[head_]);
  ++head_;
  bytes_ -= frame.content().size();
  if (frame.type == inner_type::kSyncHint) hint_waits_ = false;
  if (empty()) {
    frames_.clear();
    head_ = 0;
  } else if (head_ >= kDeadFramesMax) {
    frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  return frame;
}

}  // namespace hy::entry
