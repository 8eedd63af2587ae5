#include "client/core/device.h"

#include <algorithm>

#include "client/core/device_frames.h"
#include "client/core/message_id.h"
#include "common/base/limits.h"

namespace hy::client {

Device::Device(DeviceSettings settings, Snapshot snapshot, Random& random, MonoTime now,
               std::int64_t wall_ms)
    : settings_(std::move(settings)),
      random_(random),
      device_(std::move(snapshot.device)),
      link_(settings_.link, *this, device_, random_),
      outbox_(settings_.outbox),
      inbox_(settings_.inbox),
      sync_(settings_.sync) {
  outbox_.load(std::move(snapshot.outbox), now, wall_ms);
  inbox_.load(std::move(snapshot.conversations));
}

void Device::login(Turn& turn, MonoTime now, Identity identity) {
  link_.start(turn, now, std::move(identity));
}

void Device::logout(Turn& turn, MonoTime now) {
  if (link_.is_open()) send_ack(turn, now);
  link_.stop(turn, now, "logged out", true);
  device_.token.clear();
  turn.writes.emplace_back(PutDevice{device_});
}

void Device::close(Turn& turn, MonoTime now) {
  if (link_.is_open()) send_ack(turn, now);
  link_.stop(turn, now, "closed", false);
}

void Device::drop_connection(Turn& turn, MonoTime now) {
  link_.drop(turn, now, "dropped on request");
}

Result<ClientMsgId> Device::submit(Turn& turn, MonoTime now, std::int64_t wall_ms, Uid to,
                                   std::uint32_t kind, Bytes body) {
  if (device_.uid.value() == 0) return fail(Errc::kNotLoggedIn, "log in once first");
  if (to == device_.uid) return fail(Errc::kSelfSend);
  if (to.value() == 0 || to.value() > INT64_MAX) return fail(Errc::kUnknownUser);
  OutboxRecord record;
  record.conversation = ConversationId::pair(device_.uid, to);
  record.to = to;
  record.kind = kind;
  record.body = std::move(body);
  return queue(turn, now, wall_ms, std::move(record));
}

Result<ClientMsgId> Device::submit(Turn& turn, MonoTime now, std::int64_t wall_ms, Gid to,
                                   std::uint32_t kind, Bytes body) {
  if (device_.uid.value() == 0) return fail(Errc::kNotLoggedIn, "log in once first");
  if (to.value() == 0 || to.value() > INT64_MAX) return fail(Errc::kNotMember);
  OutboxRecord record;
  record.conversation = ConversationId::group(to);
  record.kind = kind;
  record.body = std::move(body);
  return queue(turn, now, wall_ms, std::move(record));
}

Result<ClientMsgId> Device::queue(Turn& turn, MonoTime now, std::int64_t wall_ms,
                                  OutboxRecord record) {
  if (record.body.size() > limits::kMessageBodyBytesMax) return fail(Errc::kBodyTooLarge);
  record.id = make_message_id(wall_ms, random_);
  record.created_ms = wall_ms;
  const ClientMsgId id = record.id;
  HY_TRY_VOID(outbox_.submit(turn, now, std::move(record)));
  return id;
}

void Device::request(MonoTime now, std::uint64_t token, std::uint16_t type, Bytes body,
                     Millis within) {
  AppRequest& kept = app_requests_[token];
  kept = {type, std::move(body), now + within};
  if (!link_.is_open()) return;
  Pending pending{};
  pending.what = For::kApp;
  pending.token = token;
  ask(now, type, as_bytes(kept.body), pending);
}

void Device::mark_read(MonoTime now, ConversationId conversation, Seq seq) {
  inbox_.raise_read_wanted(conversation, seq);
  if (link_.is_open()) send_reads(now);
}

void Device::sync_now(MonoTime now) {
  asked_to_sync_ = true;
  sync_.want(now, Sync::Reason::kAsked);
}

// ---- the session

Status Device::on_login(Turn& turn, MonoTime now, const LoginAnswered& answer) {
  logged_in_at_ = now;
  if (tap_ != nullptr) tap_->logged_in(now, answer);
  inbox_.connected(now);
  ack_patience_ = AckPatience(answer.ack);
  // Registered before it asks: a push can only be early, never missed.
  if (sync_.logged_in(turn, now, device_, answer)) inbox_.reset_all(turn, now);
  outbox_.connected(now);
  for (const auto& [token, kept] : app_requests_) {
    Pending pending{};
    pending.what = For::kApp;
    pending.token = token;
    ask(now, kept.type, as_bytes(kept.body), pending);
  }
  send_reads(now);
  return {};
}

void Device::on_down(Turn& /*turn*/, MonoTime /*now*/) {
  pending_.clear();
  deadlines_.clear();
  given_up_.clear();
  reads_.disconnected();
  outbox_.disconnected();
  sync_.disconnected();
}

std::uint32_t Device::ask(MonoTime now, std::uint16_t type, ByteView body, Pending pending) {
  const std::uint32_t id = next_request_;
  next_request_ = next_request_ == 0x7FFF'FFFF ? 1 : next_request_ + 1;
  pending_[id] = pending;
  deadlines_.emplace_back(now + settings_.answer_within, id);
  if (tap_ != nullptr) tap_->asked(now, type, id, body);
  link_.send(now, type, id, body);
  return id;
}

void Device::send_reads(MonoTime now) {
  for (const auto& [conversation, seq] : reads_.take(now, inbox_.unconfirmed_reads())) {
    const Bytes body = encode_read(conversation, seq);
    Pending pending{};
    pending.what = For::kRead;
    pending.conversation = conversation;
    ask(now, Type::kRead, as_bytes(body), pending);
  }
}

// ---- the end of a turn

void Device::tick(Turn& turn, MonoTime now) {
  link_.tick(turn, now);
  expire_requests(turn, now);
  outbox_.expire(turn, now);
}

void Device::finish(Turn& turn, MonoTime now) {
  place_rows(turn, now);
  if (link_.is_open()) {
    send_due(turn, now);
    ask_due(turn, now);
    if (reads_.wake_at() <= now) send_reads(now);
    inbox_.settle_acks();
    // A hole below a push lets the window fill: what can be said is said.
    const bool is_due = ack_patience_.due() <= now || inbox_.pushes_waiting() > 0;
    if (is_due || link_.has_unsent()) send_ack(turn, now);
  }
  check_up_to_date(turn, now);
  inbox_.flush(turn);
  link_.flush(turn);
}

void Device::send_ack(Turn& turn, MonoTime now) {
  const auto n = inbox_.take_ack();
  if (!n) return;
  link_.send(now, Type::kPushAck, *n, {});
  ack_patience_.sent();
  if (inbox_.pushes_waiting() > 0) ack_patience_.at_once(now);
  LadderEvent event = event_at(LadderEvent::Kind::kPushAck, now);
  event.push_number = *n;
  turn.ladder(std::move(event), true);
}

void Device::place_rows(Turn& turn, MonoTime now) {
  for (Cursor::Row& row : inbox_.take_rows()) {
    Message& message = row.message;
    message.mine = message.sender == device_.uid;
    bool is_own_send = row.is_own_send;
    if (message.mine && outbox_.has(message.client_msg_id)) {
      // The log has it although no answer came: the SEND_ACK was lost.
      if (const auto record = outbox_.seen_in_log(turn, now, message.client_msg_id, message.seq)) {
        is_own_send = true;
        note_stored(turn, message.conversation, message.seq, message.client_msg_id);
      }
    }
    turn.put_row(std::move(message), !is_own_send && !row.is_late);
  }
}

void Device::send_due(Turn& turn, MonoTime now) {
  for (const SendOrder& order : outbox_.take_due(turn, now, random_)) {
    const Bytes body = encode_send(order);
    Pending pending{};
    pending.what = For::kSend;
    pending.id = order.id;
    ask(now, Type::kSend, as_bytes(body), pending);
    // Silence where an answer was due may be a dead socket: find out in seconds, not heartbeats.
    if (order.try_number > 1 && now - logged_in_at_ >= settings_.outbox.resend_min) {
      link_.probe(now);
    }
  }
}

void Device::ask_due(Turn& turn, MonoTime now) {
  if (const auto body = sync_.take_request(now, device_)) {
    Pending pending{};
    pending.what = For::kSync;
    ask(now, Type::kSync, as_bytes(*body), pending);
    turn.ladder(event_at(LadderEvent::Kind::kSync, now));
  }
  for (const PullOrder& order : inbox_.take_pulls(now)) {
    const Bytes body = encode_pull(order.conversation, order.from, order.to);
    Pending pending{};
    pending.what = For::kPull;
    pending.pull = order;
    ask(now, Type::kPull, as_bytes(body), pending);
    LadderEvent event = event_at(LadderEvent::Kind::kPull, now);
    event.conversation = order.conversation;
    event.seq = order.to;
    event.note = "seq " + std::to_string(order.from.value()) + "–" +
                 (order.to.value() == 0 ? "head" : std::to_string(order.to.value()));
    turn.ladder(std::move(event));
  }
}

void Device::expire_requests(Turn& turn, MonoTime now) {
  while (!deadlines_.empty() && deadlines_.front().first <= now) {
    const auto at = pending_.find(deadlines_.front().second);
    deadlines_.pop_front();
    if (at == pending_.end()) continue;
    const Pending pending = at->second;
    give_up(at);
    not_answered(turn, now, pending);
  }
  for (auto at = app_requests_.begin(); at != app_requests_.end();) {
    if (at->second.deadline > now) {
      ++at;
      continue;
    }
    turn.notices.emplace_back(Answered{at->first, fail(Errc::kDeadlineExceeded)});
    at = app_requests_.erase(at);
  }
}

/// What a late STORED, page or answer to the app says is still true, and over a slow link all may
/// be late. A late SYNC page fits no list any more, and a late READ has been offered again.
void Device::give_up(std::map<std::uint32_t, Pending>::iterator at) {
  const For what = at->second.what;
  if (what == For::kSync || what == For::kRead) {
    pending_.erase(at);
    return;
  }
  at->second.is_given_up = true;
  given_up_.push_back(at->first);
  if (given_up_.size() <= settings_.given_up_max) return;
  pending_.erase(given_up_.front());
  given_up_.pop_front();
}

void Device::not_answered(Turn& turn, MonoTime now, const Pending& pending) {
  switch (pending.what) {
    case For::kSend: return;  // the outbox resends by its own times
    case For::kApp: return;   // its own deadline ends it
    case For::kRead: reads_.failed(now, pending.conversation, Millis{0}, random_); break;
    case For::kSync: sync_.failed(now, Millis{0}, random_); break;
    case For::kPull:
      inbox_.pull_failed(turn, now, pending.pull, Errc::kDeadlineExceeded, Millis{0}, Seq{},
                         random_);
      break;
  }
  link_.probe(now);
}

void Device::check_up_to_date(Turn& turn, MonoTime now) {
  if (!link_.is_open()) return;
  const bool is_late = now - logged_in_at_ >= settings_.up_to_date_within;
  if (!is_up_to_date() && !is_late) return;
  link_.synced(turn);
  if (!asked_to_sync_ || !is_up_to_date()) return;
  asked_to_sync_ = false;
  turn.notices.emplace_back(UpToDate{});
}

MonoTime Device::wake_at() const {
  MonoTime at = link_.wake_at();
  at = std::min(at, outbox_.wake_at());
  for (const auto& [token, kept] : app_requests_) at = std::min(at, kept.deadline);
  if (!link_.is_open()) return at;
  at = std::min({at, inbox_.wake_at(), sync_.wake_at(), reads_.wake_at()});
  // Behind a hole there is nothing to say yet.
  if (inbox_.owes_ack()) at = std::min(at, ack_patience_.due());
  if (!deadlines_.empty()) at = std::min(at, deadlines_.front().first);
  if (link_.state() == LinkState::kSyncing) {
    at = std::min(at, logged_in_at_ + settings_.up_to_date_within);
  }
  return at;
}

}  // namespace hy::client
