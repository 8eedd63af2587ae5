#include <algorithm>

#include "common/base/ids.h"
#include "entry/net/shard.h"
#include "entry/session/heartbeat.h"

namespace hy::entry {
namespace {

constexpr Millis kAgeGrace{60'000};  // from GOAWAY to the end, for a connection that is too old
constexpr Millis kFrameLook{1'000};  // at a frame that is late
constexpr Millis kNever{3'600'000};  // look again anyway

Millis between(std::uint32_t from_ms, std::uint32_t to_ms) {
  return Millis{static_cast<std::int32_t>(to_ms - from_ms)};
}

}  // namespace

void Shard::arm(Connection& c, Millis from_now) {
  const Millis wait = std::max(from_now, Millis{0});
  const std::uint32_t due = now_ms() + static_cast<std::uint32_t>(wait.count());
  // Earlier is fine: whoever is woken asks what is due, and arms for the rest.
  if (wheel_.is_set(c.index) && between(c.due_ms, due) >= Millis{0}) return;
  c.due_ms = due;
  wheel_.set(c.index, now_ + wait);
}

Millis Shard::age_limit(const Connection& c) const {
  // Spread, so that connections of one storm do not all end in one minute a day later.
  const auto spread = static_cast<std::uint64_t>(options_.age_spread.count());
  const auto offset = static_cast<std::int64_t>(mix64(id_of(c).value()) % (2 * spread + 1));
  return options_.age_max - options_.age_spread + Millis{offset};
}

void Shard::arm_next(Connection& c) {
  const std::uint32_t now = now_ms();
  Millis wait = kNever;
  const Millis age = between(c.accepted_ms, now);
  if (const Millis check = c.fsm.next_check(options_.times); check.count() > 0) {
    wait = std::min(wait, check - age);
  }
  if (c.activity && c.activity->decoder.is_inside_frame()) {
    const Millis grace = kFrameGrace - between(c.activity->frame_since_ms, now);
    wait = std::min(wait, std::max(grace, kFrameLook));
  }
  if (c.closing) wait = std::min(wait, options_.closing_max - between(c.since_ms, now));
  if (c.blocked) wait = std::min(wait, options_.blocked_max - between(c.since_ms, now));
  if (c.fsm.is_open()) {
    wait = std::min(wait, silence_left(Millis{c.heartbeat_ms}, between(c.heard_ms, now)));
    wait = std::min(wait, age_limit(c) + (c.told_to_go ? kAgeGrace : Millis{0}) - age);
    if (c.activity && c.activity->window && !c.blocked) {
      const auto due = c.activity->window->deadline(options_.window, c.round_trip);
      if (due) wait = std::min(wait, std::chrono::ceil<Millis>(*due - now_));
    }
  }
  arm(c, wait);
}

void Shard::on_timer(Connection& c) {
  const std::uint32_t now = now_ms();
  const Millis age = between(c.accepted_ms, now);
  if (c.closing && between(c.since_ms, now) >= options_.closing_max) {
    close(c, c.close_why);
    return;
  }
  if (const Errc late = c.fsm.overdue(age, options_.times); late != Errc::kOk) {
    close(c, late);
    return;
  }
  if (sends_too_slowly(c)) {
    close(c, Errc::kSilentPeer);
    return;
  }
  if (c.blocked && between(c.since_ms, now) >= options_.blocked_max) {
    close(c, Errc::kSlowReader);
    return;
  }
  if (c.fsm.is_open() && !c.closing) {
    if (silence_left(Millis{c.heartbeat_ms}, between(c.heard_ms, now)) <= Millis{0}) {
      close(c, Errc::kSilentPeer);
      return;
    }
    if (!step_window(c)) {
      metrics_.unreachable();
      close(c, Errc::kUnreachable);
      return;
    }
    if (age >= age_limit(c)) {
      if (age >= age_limit(c) + kAgeGrace) {
        close(c, Errc::kConnectionTooOld);
        return;
      }
      if (!c.told_to_go) send_goaway(c, kAgeGrace / 2, Errc::kConnectionTooOld);
    }
  }
  arm_next(c);
}

bool Shard::sends_too_slowly(const Connection& c) const {
  // While nothing is read, the frame's lateness is ours.
  if (!c.activity || !c.reading || !c.activity->decoder.is_inside_frame()) return false;
  const Millis late = between(c.activity->frame_since_ms, now_ms()) - kFrameGrace;
  if (late <= Millis{0}) return false;
  const auto due = static_cast<std::uint64_t>(late.count()) * kFrameBytesPerSecondMin / 1'000;
  return c.activity->decoder.tail_bytes() < due;
}

bool Shard::step_window(Connection& c) {
  // A blocked socket has not even taken them yet: that is the slow reader's case.
  if (!c.activity || !c.activity->window || c.blocked) return true;
  resends_.clear();
  if (!c.activity->window->step(now_, options_.window, c.round_trip, resends_)) return false;
  if (resends_.empty()) return true;
  metrics_.push_resent(resends_.size());
  for (PushWindow::Resend& resend : resends_) {
    OutFrame frame;
    frame.type = resend.payload->type;
    frame.request_id = resend.number.value();
    frame.push = std::move(resend.payload);
    activity(c).queue.add(std::move(frame));
  }
  mark_dirty(c);
  return true;
}

}  // namespace hy::entry
