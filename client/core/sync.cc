#include "client/core/sync.h"

#include <algorithm>

#include "client/core/backoff.h"
#include "common/base/test_hooks.h"

namespace hy::client {

bool Sync::logged_in(Turn& turn, MonoTime now, DeviceRecord& device, const LoginAnswered& login) {
  is_connected_ = true;
  done_once_ = false;
  in_flight_ = false;
  wanted_ = !mutant(Mutant::kLoginHeadsTrusted);
  by_counter_ = wanted_by_counter_ = false;
  page_after_.reset();
  partial_ = login.registration_partial;
  changes_seen_ = false;
  tries_ = 0;
  not_before_ = now;
  periodic_at_ = now + settings_.periodic;
  poll_at_ = kNever;
  if (last_full_ == MonoTime{}) last_full_ = now;
  return new_epochs(turn, device, login.store_epoch, login.clock_steps) == News::kOtherLog;
}

void Sync::disconnected() {
  is_connected_ = false;
  in_flight_ = false;
  periodic_at_ = poll_at_ = kNever;
}

void Sync::want(MonoTime now, Reason reason) {
  wanted_by_counter_ = reason == Reason::kCounter && (!wanted_ || wanted_by_counter_);
  wanted_ = true;
  if (reason == Reason::kFull && may_compare_all(now)) full_wanted_ = true;
}

bool Sync::may_compare_all(MonoTime now) const {
  return last_full_ == MonoTime{} || now - last_full_ >= settings_.full_again;
}

void Sync::pong(MonoTime now, const Pong& pong) {
  if (partial_) {
    partial_ = false;
    want(now, Reason::kPartial);
  }
  const bool had_changes = std::exchange(changes_seen_, false);
  if (pong.poll.count() > 0) {
    poll_at_ = std::min(poll_at_, now + pong.poll);
  } else if (pong.change_counter == 0) {
    poll_at_ = std::min(poll_at_, now + settings_.without_counter);
  } else {
    poll_at_ = kNever;
  }
  // Pushes move the counter too. While they come, the next quiet heartbeat proves that none was
  // lost: the counter then still differs from what the last SYNC covered.
  if (pong.change_counter != 0 && pong.change_counter != counter_ && !had_changes) {
    want(now, Reason::kCounter);
  }
}

std::optional<Bytes> Sync::take_request(MonoTime now, const DeviceRecord& device) {
  if (!is_connected_ || in_flight_) return std::nullopt;
  if (periodic_at_ <= now) want(now, Reason::kPeriodic);
  if (poll_at_ <= now) {
    poll_at_ = kNever;
    want(now, Reason::kPoll);
  }
  if ((!wanted_ && !page_after_) || now < not_before_) return std::nullopt;
  if (!page_after_) {
    is_full_ = full_wanted_ || device.since == 0 || now - last_full_ >= settings_.full_every;
    by_counter_ = wanted_by_counter_;
    wanted_ = full_wanted_ = wanted_by_counter_ = false;
    conversations_ = 0;
  }
  in_flight_ = true;
  return encode_sync(is_full_ ? 0 : device.since, device.useq, page_after_);
}

Sync::Outcome Sync::answered(Turn& turn, MonoTime now, DeviceRecord& device,
                             const SyncAnswered& answer) {
  Outcome outcome;
  in_flight_ = false;
  tries_ = 0;
  // Of a list in pages the first says what all of them cover: what changed between two pages may
  // stand before the second.
  if (!page_after_) covers_ = {answer.since, answer.useq, answer.change_counter, answer.too_far};
  covers_.since = std::min(covers_.since, answer.since);
  conversations_ += static_cast<std::uint32_t>(answer.conversations.size());
  outcome.conversations = conversations_;
  const News news = new_epochs(turn, device, answer.store_epoch, answer.clock_steps);
  outcome.reset_all = news == News::kOtherLog;
  if (news != News::kNone) {
    // SYNC(0) follows. This answer went by a `since` of the other clock, and so may its own be.
    page_after_.reset();
    return outcome;
  }
  if (answer.more) {
    page_after_ = answer.conversations.back().conversation;
    not_before_ = now;
    return outcome;
  }
  page_after_.reset();
  outcome.is_done = true;
  done_once_ = true;
  not_before_ = now + settings_.gap;
  periodic_at_ = now + settings_.periodic;
  if (is_full_) last_full_ = now;
  if (covers_.change_counter != 0) counter_ = covers_.change_counter;
  if (device.since != covers_.since || device.useq < covers_.useq || covers_.too_far) {
    device.since = covers_.since;
    device.useq = covers_.useq;
    turn.writes.emplace_back(PutDevice{device});
  }
  // Something changed and a SYNC by time does not name it: compare everything once.
  if (by_counter_ && !is_full_ && conversations_ == 0 && answer.events.empty() &&
      may_compare_all(now)) {
    want(now, Reason::kFull);
  }
  return outcome;
}

void Sync::failed(MonoTime now, Millis retry_after, Random& random) {
  in_flight_ = false;
  if (!page_after_) {
    wanted_ = true;
    full_wanted_ = full_wanted_ || is_full_;
  }
  not_before_ = now + retry_after + settings_.again_min +
                full_jitter(random, settings_.again_min, settings_.again_max, tries_++);
}

Sync::News Sync::new_epochs(Turn& turn, DeviceRecord& device, std::uint64_t store_epoch,
                            std::uint64_t clock_steps) {
  if (store_epoch == 0) return News::kNone;  // not known to the server now
  const bool is_other_log = device.store_epoch != 0 && store_epoch != device.store_epoch;
  const bool is_other_clock = clock_steps != device.clock_steps && device.store_epoch != 0;
  if (store_epoch == device.store_epoch && clock_steps == device.clock_steps) return News::kNone;
  device.store_epoch = store_epoch;
  device.clock_steps = clock_steps;
  if (is_other_log || is_other_clock) {
    device.since = 0;
    if (is_other_log) device.useq = Useq{0};
    wanted_ = true;
  }
  turn.writes.emplace_back(PutDevice{device});
  if (is_other_log) return News::kOtherLog;
  return is_other_clock ? News::kOtherClock : News::kNone;
}

MonoTime Sync::wake_at() const {
  if (!is_connected_ || in_flight_) return kNever;
  if (wanted_ || page_after_) return not_before_;
  return std::min(periodic_at_, poll_at_);
}

}  // namespace hy::client
