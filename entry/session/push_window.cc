#include "entry/session/push_window.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"

namespace hy::entry {
namespace {

constexpr std::int64_t kMicrosPerUnit = 16;
// The vector's dead front is cut off when it is this long: amortised O(1), no growth.
constexpr std::size_t kDeadFramesMax = 64;
constexpr std::uint32_t kWindowPerOwed = 8;
constexpr int kResendWaitPerAckWait = 4;

}  // namespace

AckTerms ack_terms(const WindowLimits& limits) {
  const Millis longest = std::min(limits.resend_min, limits.resend_first) / kResendWaitPerAckWait;
  const AckTerms terms{.within = std::min(limits.ack_within, longest),
                       .owed_max = limits.frames_max / kWindowPerOwed,
                       .bytes_max = limits.bytes_max / kWindowPerOwed};
  return terms.owed_max > 1 && terms.within > Millis{0} ? terms : AckTerms{};
}

void RoundTrip::sample(Millis measured) {
  const std::int64_t micros = std::max<std::int64_t>(measured.count(), 0) * 1'000;
  const auto units =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(micros / kMicrosPerUnit, 1, 0x0FFF'FFFF));
  smoothed_us16_ = is_known() ? smoothed_us16_ - smoothed_us16_ / 8 + units / 8 : units;
  smoothed_us16_ = std::max(smoothed_us16_, 1U);
}

Millis RoundTrip::resend_after(const WindowLimits& limits) const {
  if (!is_known()) return limits.resend_first;
  const Millis four_trips{std::int64_t{smoothed_us16_} * kMicrosPerUnit * 4 / 1'000};
  return std::clamp(four_trips, limits.resend_min, limits.resend_max);
}

PushWindow::Frame* PushWindow::find_duplicate(const PushPayload& payload) {
  if (payload.conversation == ConversationId{}) return nullptr;  // no message: nothing to compare
  for (std::size_t i = head_; i < frames_.size(); ++i) {
    const PushPayload& other = *frames_[i].payload;
    if (other.seq != payload.seq || other.conversation != payload.conversation) continue;
    if (payload.seq.value() == 0 && other.client_msg_id != payload.client_msg_id) continue;
    return &frames_[i];
  }
  return nullptr;
}

PushWindow::Taken PushWindow::offer(std::shared_ptr<const PushPayload> payload,
                                    const WindowLimits& limits, std::optional<DeliveryRef> waiter,
                                    MonoTime waiter_until) {
  Frame* frame = find_duplicate(*payload);
  const bool duplicate = frame != nullptr;
  if (!duplicate) {
    const std::size_t size_after = bytes_ + payload->body.size();
    if (size() >= limits.frames_max || (size_after > limits.bytes_max && !empty())) {
      return {Offer::kFull, PushNumber{}};
    }
    bytes_ = size_after;
    frame = &frames_.emplace_back();
    frame->payload = std::move(payload);
    ++next_;
  }
  if (waiter) {
    if (!frame->waiters) frame->waiters = std::make_unique<std::vector<Waiter>>();
    frame->waiters->push_back({*waiter, waiter_until});
  }
  if (duplicate) return {Offer::kDuplicate, PushNumber{}};
  return {Offer::kTaken, PushNumber{next_ - 1}};
}

void PushWindow::on_sent(PushNumber number, MonoTime now) {
  const std::uint32_t offset = number.value() - first();
  if (offset >= size()) return;  // confirmed meanwhile
  Frame& frame = frames_[head_ + offset];
  if (frame.sent) return;
  frame.sent = true;
  frame.sent_at = now;
  if (offset == 0) waiting_since_ = now;
}

bool PushWindow::ack(PushNumber number, MonoTime now, RoundTrip& round_trip, Acked& out) {
  const std::uint32_t given = next_ - 1;
  if (number.value() > given) return false;
  if (empty() || number.value() < first()) return true;
  const std::uint32_t count = number.value() - first() + 1;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!frames_[head_ + i].sent) return false;  // confirmed before it was sent
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    Frame& frame = frames_[head_];
    if (i + 1 == count && !frame.resent) {
      round_trip.sample(std::chrono::duration_cast<Millis>(now - frame.sent_at));
    }
    if (frame.waiters) {
      for (const Waiter& waiter : *frame.waiters) {
        if (now <= waiter.until) out.waiters.push_back(waiter.ref);
      }
    }
    bytes_ -= frame.payload->body.size();
    out.confirmed.push_back(std::move(frame.payload));
    frame.waiters.reset();
    ++head_;
  }
  resends_ = 0;
  waiting_since_ = now;
  forget_acked();
  return true;
}

void PushWindow::forget_acked() {
  if (empty()) {
    frames_.clear();
    head_ = 0;
  } else if (head_ >= kDeadFramesMax) {
    frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

std::optional<MonoTime> PushWindow::deadline(const WindowLimits& limits,
                                             const RoundTrip& round_trip) const {
  if (empty() || !frames_[head_].sent) return std::nullopt;
  const Millis wait = round_trip.resend_after(limits) * (std::int64_t{1} << std::min(resends_, 8U));
  return std::max(waiting_since_, frames_[head_].sent_at) + wait;
}

bool PushWindow::step(MonoTime now, const WindowLimits& limits, const RoundTrip& round_trip,
                      std::vector<Resend>& out) {
  const auto due = deadline(limits, round_trip);
  if (!due || now < *due || mutant(Mutant::kWindowNotResent)) return true;
  if (resends_ >= limits.resends_max) return false;
  sync_point("entry.before_push_resend");
  ++resends_;
  waiting_since_ = now;
  const std::size_t last = std::min(frames_.size(), head_ + limits.resend_frames_max);
  for (std::size_t i = head_; i < last && frames_[i].sent; ++i) {
    frames_[i].resent = true;
    out.push_back(
        {PushNumber{first() + static_cast<std::uint32_t>(i - head_)}, frames_[i].payload});
  }
  return true;
}

}  // namespace hy::entry
