#include "client/core/outbox.h"

#include <algorithm>

#include "client/core/backoff.h"
#include "common/base/test_hooks.h"

namespace hy::client {
namespace {

/// The server needs time to answer, so a resend waits at least resend_min; full jitter on top.
MonoTime next_resend(const OutboxSettings& settings, MonoTime now, std::uint32_t tries,
                     Random& random) {
  const std::uint32_t doublings = tries > 0 ? tries - 1 : 0;
  return now + settings.resend_min +
         full_jitter(random, settings.resend_min, settings.resend_max, doublings);
}

LadderEvent event_of(LadderEvent::Kind kind, MonoTime now, const OutboxRecord& record) {
  LadderEvent event{};
  event.kind = kind;
  event.at_us = to_us(now);
  event.client_msg_id = record.id;
  event.conversation = record.conversation;
  return event;
}

/// Where an item stands for sending. Relayed ones reached their receiver and wait for the store:
/// they leave the window to what is new, so people go on talking however long that takes, and only
/// as many as a window holds ask again.
enum class Place : std::uint8_t { kInside, kPassed, kBeyond };
class Window {
 public:
  explicit Window(std::uint32_t size) : size_(size) {}
  /// For the items of a line, in order.
  Place place_of(bool is_relayed) {
    if (is_relayed) return ++resting_ > size_ ? Place::kPassed : Place::kInside;
    return ++fresh_ > size_ ? Place::kBeyond : Place::kInside;
  }

 private:
  std::uint32_t size_;
  std::uint32_t resting_ = 0;
  std::uint32_t fresh_ = 0;
};

}  // namespace

void Outbox::load(std::vector<OutboxRecord> items, MonoTime now, std::int64_t wall_ms) {
  for (OutboxRecord& record : items) {
    next_order_ = std::max(next_order_, record.order + 1);
    where_[record.id] = record.conversation;
    if (record.step == Step::kRefused || record.step == Step::kUnsure) {
      aside_order_[record.id] = record.order;
      aside_.emplace(record.order, std::move(record));
      continue;
    }
    // A wall clock that was set back or forward makes an item younger or older, never negative.
    const auto age = Millis(std::max<std::int64_t>(0, wall_ms - record.created_ms));
    Item item;
    item.expires = age >= settings_.resend_for ? now : now + (settings_.resend_for - age);
    item.due = now;
    item.record = std::move(record);
    Line& line = lines_[item.record.conversation];
    line.items.push_back(std::move(item));
  }
}

Status Outbox::submit(Turn& turn, MonoTime now, OutboxRecord record) {
  if (where_.size() >= settings_.items_max) return fail(Errc::kStoreFull, "outbox");
  if (where_.contains(record.id)) return fail(Errc::kConflict, "client_msg_id");
  record.order = next_order_++;
  record.step = Step::kQueued;
  record.code = Errc::kOk;
  turn.writes.emplace_back(PutOutbox{record});
  turn.notices.emplace_back(StepChanged{record.id, Step::kQueued, Errc::kOk, {}});
  where_[record.id] = record.conversation;
  Item item;
  item.expires = now + settings_.resend_for;
  item.due = now;
  item.submitted = now;
  item.record = std::move(record);
  Line& line = lines_[item.record.conversation];
  sync_point("sdk.outbox_before_write");
  line.items.push_back(std::move(item));
  return {};
}

Status Outbox::retry(Turn& turn, MonoTime now, const ClientMsgId& id) {
  const auto at = aside_order_.find(id);
  if (at == aside_order_.end()) {
    return where_.contains(id) ? Status{} : Status(fail(Errc::kMessageNotFound));
  }
  OutboxRecord record = std::move(aside_.extract(at->second).mapped());
  aside_order_.erase(at);
  record.order = next_order_++;
  record.step = Step::kQueued;
  record.code = Errc::kOk;
  turn.writes.emplace_back(PutOutbox{record});
  turn.notices.emplace_back(StepChanged{record.id, Step::kQueued, Errc::kOk, {}});
  Item item;
  item.expires = now + settings_.resend_for;
  item.due = now;
  item.submitted = now;
  item.record = std::move(record);
  Line& line = lines_[item.record.conversation];
  line.items.push_back(std::move(item));
  return {};
}

Status Outbox::drop(Turn& turn, const ClientMsgId& id) {
  const auto at = where_.find(id);
  if (at == where_.end()) return fail(Errc::kMessageNotFound);
  if (const auto aside = aside_order_.find(id); aside != aside_order_.end()) {
    aside_.erase(aside->second);
    aside_order_.erase(aside);
  } else {
    Line& line = lines_[at->second];
    const auto item = find(line, id);
    land(line, *item);
    line.items.erase(item);
    if (line.items.empty()) lines_.erase(at->second);
  }
  where_.erase(id);
  turn.writes.emplace_back(DropOutbox{id});
  return {};
}

void Outbox::connected(MonoTime now) {
  is_connected_ = true;
  for (auto& [conversation, line] : lines_) {
    for (Item& item : line.items) {
      item.due = now;
      item.behind = false;
    }
  }
}

void Outbox::disconnected() {
  is_connected_ = false;
  for (auto& [conversation, line] : lines_) {
    for (Item& item : line.items) land(line, item);
  }
}

void Outbox::take_line(Line& line, MonoTime now, Random& random, std::vector<SendOrder>& out,
                       Turn& turn) {
  const Item* before = nullptr;
  bool sent_before = false;  // the predecessor went out in this very round
  Window window(window_now_);
  for (Item& item : line.items) {
    const Place place = window.place_of(item.record.step == Step::kRelayed);
    if (place == Place::kBeyond) break;  // was never sent
    if (place == Place::kPassed) {
      sent_before = false;
      before = &item;
      continue;
    }
    const bool in_order = before == nullptr || sent_before || (!item.behind && may_follow(*before));
    sent_before = false;
    if (item.due <= now && in_order) {
      if (!item.in_flight) {
        if (in_flight_ >= settings_.window_total) {
          before = &item;  // waits for room; what is on its way already is still sent again
          continue;
        }
        ++in_flight_;
        ++line.in_flight;
        item.in_flight = true;
      }
      item.behind = false;
      item.sent = now;
      item.due = next_resend(settings_, now, ++item.tries, random);
      SendOrder order{item.record.id,   item.record.conversation,
                      item.record.to,   item.record.kind,
                      item.record.body, {},
                      item.tries,       item.submitted};
      if (before != nullptr) order.after = before->record.id;
      const bool again = item.tries > 1;
      LadderEvent event =
          event_of(again ? LadderEvent::Kind::kSendAgain : LadderEvent::Kind::kSend,
                   item.submitted == MonoTime{} ? now : item.submitted, item.record);
      event.try_number = item.tries;
      turn.ladder(std::move(event), again);
      if (!again) {
        turn.notices.emplace_back(StepChanged{item.record.id, Step::kSent, Errc::kOk, {}});
      }
      out.push_back(std::move(order));
      sent_before = true;
    }
    before = &item;
  }
}

std::vector<SendOrder> Outbox::take_due(Turn& turn, MonoTime now, Random& random) {
  std::vector<SendOrder> out;
  if (!is_connected_ || now < paused_until_) return out;
  for (auto& [conversation, line] : lines_) {
    if (now < line.paused_until) continue;
    take_line(line, now, random, out, turn);
  }
  return out;
}

std::unique_ptr<OutboxRecord> Outbox::answered(Turn& turn, MonoTime now, const ClientMsgId& id,
                                               const SendOutcome& outcome, Random& random) {
  if (outcome.stored) {
    // The rung before the step: whoever waits for the step finds the rung there.
    if (const auto at = where_.find(id); at != where_.end()) {
      LadderEvent event{};
      event.kind = outcome.repeat ? LadderEvent::Kind::kRepeat : LadderEvent::Kind::kStored;
      event.at_us = to_us(now);
      event.client_msg_id = id;
      event.conversation = at->second;
      event.seq = outcome.seq;
      turn.ladder(std::move(event));
    }
    return take_stored(turn, now, id, outcome.seq);
  }
  Line* const line = line_of(id);
  if (line == nullptr) return nullptr;
  Item& item = *find(*line, id);
  land(*line, item);
  item.gaps = 0;
  item.refusals = 0;
  const Millis recheck = std::max(outcome.recheck_after, settings_.resend_min);
  item.due = now + recheck + jitter(random, settings_.resend_min);
  // The store came back while this answer was on its way.
  if (item.sent <= store_back_at_) item.due = now;
  turn.ladder(event_of(LadderEvent::Kind::kRelayed, now, item.record));
  if (item.record.step != Step::kRelayed) {
    item.record.step = Step::kRelayed;
    turn.writes.emplace_back(SetOutboxStep{id, Step::kRelayed, Errc::kOk});
    const Step shown = mutant(Mutant::kTickForRelayed) ? Step::kStored : Step::kRelayed;
    turn.notices.emplace_back(StepChanged{id, shown, Errc::kOk, {}});
  }
  if (mutant(Mutant::kOutboxEmptiedByRelayed)) {
    const ConversationId conversation = item.record.conversation;
    line->items.erase(find(*line, id));
    if (line->items.empty()) lines_.erase(conversation);
    where_.erase(id);
    turn.writes.emplace_back(DropOutbox{id});
  }
  return nullptr;
}

void Outbox::store_is_back(MonoTime now) {
  store_back_at_ = now;
  for (auto& [conversation, line] : lines_) {
    for (Item& item : line.items) {
      const bool rests = item.record.step == Step::kRelayed && !item.in_flight;
      if (rests) item.due = std::min(item.due, now);
    }
  }
}

std::unique_ptr<OutboxRecord> Outbox::seen_in_log(Turn& turn, MonoTime now, const ClientMsgId& id,
                                                  Seq seq) {
  return take_stored(turn, now, id, seq);
}

std::unique_ptr<OutboxRecord> Outbox::take_stored(Turn& turn, MonoTime now, const ClientMsgId& id,
                                                  Seq seq) {
  const auto at = where_.find(id);
  if (at == where_.end()) return nullptr;
  auto record = std::make_unique<OutboxRecord>();
  if (const auto aside = aside_order_.find(id); aside != aside_order_.end()) {
    // Given up or refused here, and stored all the same: an earlier try had arrived.
    *record = std::move(aside_.extract(aside->second).mapped());
    aside_order_.erase(aside);
  } else {
    Line& line = lines_[at->second];
    const auto item = find(line, id);
    const bool was_relayed = item->record.step == Step::kRelayed;
    window_now_ = std::min(window_now_ + 1, settings_.window_per_conversation);
    land(line, *item);
    *record = std::move(item->record);
    line.items.erase(item);
    // The store is back: what was only relayed need not wait for its recheck time.
    if (was_relayed) {
      for (Item& other : line.items) {
        if (other.record.step == Step::kRelayed && !other.in_flight) other.due = now;
      }
    }
    if (line.items.empty()) lines_.erase(at->second);
  }
  where_.erase(id);
  turn.writes.emplace_back(DropOutbox{id});
  turn.notices.emplace_back(StepChanged{id, Step::kStored, Errc::kOk, seq});
  return record;
}

void Outbox::refused(Turn& turn, MonoTime now, const ClientMsgId& id, Errc code, Millis retry_after,
                     Random& random) {
  Line* const line = line_of(id);
  if (line == nullptr) return;
  const auto item = find(*line, id);
  const ErrorInfo& info = error_info(code);
  LadderEvent event = event_of(LadderEvent::Kind::kRefused, now, item->record);
  event.code = code;
  turn.ladder(std::move(event));
  land(*line, *item);
  // The server takes fewer at once than we gave it: as TCP does, half of it, and one more for each
  // that is stored. Otherwise the same herd would be refused again and again.
  if (code == Errc::kTooManyInFlight) window_now_ = std::max(1U, window_now_ / 2);
  if (info.retry == RetryRule::kInOrder) {
    gap(*line, item, now, random);
    return;
  }
  if (!may_pass(info.retry)) {
    set_aside(turn, now, *line, item, Step::kRefused, code);
    return;
  }
  const Millis wait = retry_after + full_jitter(random, settings_.resend_min, settings_.resend_max,
                                                item->refusals++);
  item->due = now + wait;
  if (retry_after.count() <= 0) return;
  // The refusal is about more than this message: whatever it covers would be refused too.
  const MonoTime until = now + retry_after;
  if (info.scope == Scope::kConversation) {
    line->paused_until = std::max(line->paused_until, until);
  } else {
    paused_until_ = std::max(paused_until_, until);
  }
}

void Outbox::gap(Line& line, std::deque<Item>::iterator item, MonoTime now, Random& random) {
  const Millis wait = full_jitter(random, settings_.gap_wait, settings_.resend_max, item->gaps++);
  if (item == line.items.begin()) {
    item->due = now + wait;  // its predecessor was stored or taken out meanwhile
    return;
  }
  // The server had this message in hand while its predecessor was not stored: the predecessor's
  // own answer is lost, or a refusal, or RELAYED before the store came back. It goes out again, and
  // this one right behind it.
  item->behind = true;
  item->due = now;
  Item& before = *(item - 1);
  if (before.refusals == 0) before.due = std::min(before.due, now + wait);
  if (before.record.step != Step::kRelayed) return;
  // Whoever answers GAP can store again. Everything that was only relayed stands before this one:
  // asked for one by one, from the back, each would cost a round trip and a GAP of its own.
  for (auto other = line.items.begin(); other != item; ++other) {
    const bool rests = other->record.step == Step::kRelayed && !other->in_flight;
    if (rests && other->refusals == 0) other->due = std::min(other->due, now + wait);
  }
}

void Outbox::set_aside(Turn& turn, MonoTime now, Line& line, std::deque<Item>::iterator item,
                       Step step, Errc code) {
  OutboxRecord record = std::move(item->record);
  const ConversationId conversation = record.conversation;
  const auto next = line.items.erase(item);
  // Whoever named it as predecessor was refused with GAP or will be: it names another one now.
  if (next != line.items.end() && next->behind) {
    next->behind = false;
    next->due = now;
  }
  if (line.items.empty()) lines_.erase(conversation);
  record.step = step;
  record.code = code;
  turn.writes.emplace_back(SetOutboxStep{record.id, step, code});
  turn.notices.emplace_back(StepChanged{record.id, step, code, {}});
  aside_order_[record.id] = record.order;
  aside_.emplace(record.order, std::move(record));
}

void Outbox::expire(Turn& turn, MonoTime now) {
  std::vector<ClientMsgId> old;
  for (const auto& [conversation, line] : lines_) {
    for (const Item& item : line.items) {
      if (item.expires <= now) old.push_back(item.record.id);
    }
  }
  for (const ClientMsgId& id : old) {
    Line& line = *line_of(id);
    const auto item = find(line, id);
    land(line, *item);
    set_aside(turn, now, line, item, Step::kUnsure, Errc::kOk);
  }
}

MonoTime Outbox::wake_at() const {
  MonoTime at = kNever;
  for (const auto& [conversation, line] : lines_) {
    at = std::min(at, line.items.front().expires);
    if (!is_connected_) continue;
    const MonoTime paused = std::max(line.paused_until, paused_until_);
    Window window(window_now_);
    const Item* before = nullptr;
    for (const Item& item : line.items) {
      const Place place = window.place_of(item.record.step == Step::kRelayed);
      if (place == Place::kBeyond) break;
      if (place == Place::kPassed) {
        before = &item;
        continue;
      }
      const bool waits_for_room = !item.in_flight && in_flight_ >= settings_.window_total;
      // One that waits for its predecessor, or for room in the window, is woken by an event.
      if ((before == nullptr || (!item.behind && may_follow(*before))) && !waits_for_room) {
        at = std::min(at, std::max(item.due, paused));
      }
      before = &item;
    }
  }
  return at;
}

MonoTime Outbox::oldest_unanswered() const {
  MonoTime at = kNever;
  for (const auto& [conversation, line] : lines_) {
    for (const Item& item : line.items) {
      if (item.in_flight) at = std::min(at, item.sent);
    }
  }
  return at;
}

std::vector<OutboxRecord> Outbox::items() const {
  std::vector<OutboxRecord> out;
  for (const auto& [order, record] : aside_) out.push_back(record);
  for (const auto& [conversation, line] : lines_) {
    for (const Item& item : line.items) out.push_back(item.record);
  }
  std::ranges::sort(out, {}, &OutboxRecord::order);
  return out;
}

bool Outbox::may_follow(const Item& before) {
  // Behind one that waits after a refusal a send would only be refused with GAP.
  return before.in_flight || before.record.step == Step::kRelayed;
}

Outbox::Line* Outbox::line_of(const ClientMsgId& id) {
  const auto at = where_.find(id);
  if (at == where_.end() || aside_order_.contains(id)) return nullptr;
  return &lines_[at->second];
}

std::deque<Outbox::Item>::iterator Outbox::find(Line& line, const ClientMsgId& id) {
  const auto at =
      std::ranges::find_if(line.items, [&](const Item& item) { return item.record.id == id; });
  HY_CHECK(at != line.items.end());
  return at;
}

void Outbox::land(Line& line, Item& item) {
  if (!item.in_flight) return;
  item.in_flight = false;
  --line.in_flight;
  --in_flight_;
}

}  // namespace hy::client
