#include "client/core/device_frames.h"

#include <algorithm>

#include "client/core/backoff.h"
#include "client/core/device.h"
#include "client/core/group_codec.h"
#include "common/base/check.h"
#include "common/base/test_hooks.h"
#include "common/wire/refused.h"

namespace hy::client {

Errc Device::on_frame(Turn& turn, MonoTime now, const wire::Inner& inner) {
  // What changes nothing here is nobody's evidence.
  const bool is_useless = is_too_late(inner);
  if (tap_ != nullptr && !is_useless) tap_->heard(now, inner);
  if (is_useless) return Errc::kOk;
  switch (inner.type) {
    case Type::kPush: return on_push(turn, now, inner);
    case Type::kReceipt: return on_receipts(turn, now, inner.body);
    case Type::kSyncHint:
      turn.ladder(event_at(LadderEvent::Kind::kSyncHint, now));
      sync_.want(now, Sync::Reason::kHint);
      return Errc::kOk;
    case Type::kStoreBack: outbox_.store_is_back(now); return Errc::kOk;
    case Type::kReadMark: {
      const auto mark = decode_read_mark(inner.body);
      if (!mark) return mark.error().code;
      inbox_.raise_read(mark->conversation, mark->read);
      return Errc::kOk;
    }
    default: break;
  }
  // A notification that this build does not know says nothing to it.
  if ((inner.type & wire::kTypeAck) == 0) return Errc::kOk;
  return on_answer(turn, now, inner);
}

bool Device::is_too_late(const wire::Inner& inner) const {
  const bool is_answer = (inner.type & wire::kTypeAck) != 0 &&
                         inner.type != type_of_ack(Type::kPushAck) &&
                         inner.type != type_of_ack(Type::kPing);
  if (!is_answer) return false;
  const auto at = pending_.find(inner.request_id);
  if (at == pending_.end()) return true;
  if (!at->second.is_given_up) return false;
  // A refusal, or RELAYED, says how it was then; a later try may be answered otherwise.
  if ((inner.flags & wire::kFlagRefused) != 0) return true;
  if (at->second.what != For::kSend) return false;
  const auto outcome = decode_send(inner.body);
  return outcome && !outcome->stored;
}

Errc Device::on_answer(Turn& turn, MonoTime now, const wire::Inner& inner) {
  const bool is_refused = (inner.flags & wire::kFlagRefused) != 0;
  if (inner.type == type_of_ack(Type::kPushAck)) {
    LadderEvent event = event_at(LadderEvent::Kind::kAckOk, now);
    event.push_number = inner.request_id;
    turn.ladder(std::move(event));
    return Errc::kOk;
  }
  if (inner.type == type_of_ack(Type::kPing)) {
    if (is_refused) return Errc::kOk;
    const auto pong = decode_pong(inner.body);
    if (!pong) return pong.error().code;
    sync_.pong(now, *pong);
    return Errc::kOk;
  }
  const auto at = pending_.find(inner.request_id);
  HY_CHECK(at != pending_.end());  // is_too_late
  const Pending pending = at->second;
  pending_.erase(at);
  if (is_refused) {
    refused(turn, now, pending, inner);
    return Errc::kOk;
  }
  return answered(turn, now, pending, inner.body);
}

Errc Device::answered(Turn& turn, MonoTime now, const Pending& pending, ByteView body) {
  switch (pending.what) {
    case For::kSend: return answered_send(turn, now, pending.id, body);
    case For::kSync: return answered_sync(turn, now, body);
    case For::kPull: {
      auto answer = decode_pull(body);
      sync_point("sdk.after_pull_slice");
      if (!answer) return answer.error().code;
      return inbox_.pulled(now, pending.pull, std::move(*answer), random_) ? Errc::kOk
                                                                           : Errc::kMalformedBody;
    }
    case For::kRead: {
      const auto read = decode_read(body);
      if (!read) return read.error().code;
      reads_.confirmed(pending.conversation, *read);
      inbox_.raise_read(pending.conversation, *read);
      turn.notices.emplace_back(ReadEnded{pending.conversation, {}});
      return Errc::kOk;
    }
    case For::kApp:
      if (app_requests_.erase(pending.token) > 0) {
        turn.notices.emplace_back(Answered{pending.token, Bytes(as_text(body))});
      }
      return Errc::kOk;
  }
  return Errc::kOk;
}

Errc Device::answered_send(Turn& turn, MonoTime now, const ClientMsgId& id, ByteView body) {
  const auto outcome = decode_send(body);
  if (!outcome) return outcome.error().code;
  link_.progressed(now);
  const auto record = outbox_.answered(turn, now, id, *outcome, random_);
  if (record == nullptr) return Errc::kOk;
  sync_point("sdk.stored_before_outbox_drop");
  sync_.saw_change();
  note_stored(turn, record->conversation, outcome->seq, id);
  Message message;
  message.conversation = record->conversation;
  message.seq = outcome->seq;
  message.sender = device_.uid;
  message.client_msg_id = id;
  message.kind = record->kind;
  message.body = std::move(record->body);
  message.server_ms = outcome->server_ms;
  message.mine = true;
  inbox_.stored_here(now, std::move(message));
  return Errc::kOk;
}

Errc Device::answered_sync(Turn& turn, MonoTime now, ByteView body) {
  const auto answer = decode_sync(body);
  if (!answer) return answer.error().code;
  const Sync::Outcome outcome = sync_.answered(turn, now, device_, *answer);
  if (outcome.reset_all) {
    inbox_.reset_all(turn, now);
    return Errc::kOk;
  }
  for (const ConversationInfo& info : answer->conversations) inbox_.head(now, info);
  sync_point("sdk.after_sync_before_pull");
  for (const UserEventRow& event : answer->events) {
    if (event.kind == UserEventRow::Kind::kRead) inbox_.raise_read(event.conversation, event.seq);
  }
  if (outcome.is_done) {
    LadderEvent event = event_at(LadderEvent::Kind::kSyncDone, now);
    event.note = std::to_string(outcome.conversations) +
                 (outcome.conversations == 1 ? " conversation" : " conversations");
    turn.ladder(std::move(event));
  }
  return Errc::kOk;
}

bool Device::is_asked(const ClientMsgId& id) const {
  return std::ranges::any_of(pending_, [&id](const auto& entry) {
    return entry.second.what == For::kSend && entry.second.id == id && !entry.second.is_given_up;
  });
}

void Device::refused(Turn& turn, MonoTime now, const Pending& pending, const wire::Inner& inner) {
  const auto refusal = wire::decode_refused(inner.body);
  const Error why = refusal ? refusal->error : refusal.error();
  switch (pending.what) {
    case For::kSend:
      // A later try is on its way and may be stored: its answer decides.
      if (!may_pass(error_info(why.code).retry) && is_asked(pending.id)) break;
      outbox_.refused(turn, now, pending.id, why.code, why.retry_after, random_);
      break;
    case For::kSync: sync_.failed(now, why.retry_after, random_); break;
    case For::kPull:
      inbox_.pull_failed(turn, now, pending.pull, why.code, why.retry_after,
                         Seq{refusal ? refusal->head_seq : 0}, random_);
      break;
    case For::kRead:
      // The mark stays wanted on disk: offered again after a while, or else at the next login.
      if (may_pass(error_info(why.code).retry)) {
        reads_.failed(now, pending.conversation, why.retry_after, random_);
      }
      turn.notices.emplace_back(ReadEnded{pending.conversation, std::unexpected(why)});
      break;
    case For::kApp:
      if (app_requests_.erase(pending.token) > 0) {
        turn.notices.emplace_back(Answered{pending.token, std::unexpected(why)});
      }
      break;
  }
  const RetryRule rule = error_info(why.code).retry;
  const bool is_about_the_session =
      rule == RetryRule::kStop || rule == RetryRule::kLogin || rule == RetryRule::kReconnect;
  if (is_about_the_session) link_.ended_by_server(turn, now, why);
}

Errc Device::on_push(Turn& turn, MonoTime now, const wire::Inner& inner) {
  auto message = decode_push(inner.body);
  if (!message) return message.error().code;
  sync_.saw_change();
  LadderEvent event = event_at(LadderEvent::Kind::kPush, now);
  event.client_msg_id = message->client_msg_id;
  event.conversation = message->conversation;
  event.seq = message->seq;
  event.push_number = inner.request_id;
  event.by = message->sender;
  PushAcks::Arrival arrival{};
  const bool is_provisional = message->provisional;
  if (is_provisional) {
    arrival = inbox_.pushed_provisional(inner.request_id, message->conversation);
    message->mine = message->sender == device_.uid;
    if (arrival == PushAcks::Arrival::kNew) turn.put_row(std::move(*message), true);
  } else {
    if (is_own_entry(*message, device_.uid))
      inbox_.joined(now, message->conversation, message->seq);
    arrival = inbox_.pushed(now, inner.request_id, std::move(*message));
  }
  sync_point("sdk.after_recv_before_persist");
  if (arrival == PushAcks::Arrival::kSkipped) return Errc::kBadFrame;
  ack_patience_.pushed(now, inner.body.size());
  // Of a provisional row the sender's answer hangs on the acknowledgement.
  if (is_provisional || arrival == PushAcks::Arrival::kAgain) ack_patience_.at_once(now);
  if (arrival == PushAcks::Arrival::kAgain) event.kind = LadderEvent::Kind::kPushAgain;
  turn.ladder(std::move(event));
  return Errc::kOk;
}

Errc Device::on_receipts(Turn& turn, MonoTime now, ByteView body) {
  const auto rows = decode_receipts(body);
  if (!rows) return rows.error().code;
  for (const ReceiptRow& row : *rows) {
    // Nobody confirms his own messages to himself.
    if (row.by == device_.uid) continue;
    LadderEvent event = event_at(LadderEvent::Kind::kReceipt, now);
    // The rung before the steps: whoever waits for a step finds the rung there.
    const std::size_t place = turn.notices.size();
    event.client_msg_id = note_receipt(turn, row);
    event.conversation = row.conversation;
    event.seq = row.up_to;
    event.by = row.by;
    event.read = row.read;
    if (turn.want_ladder) {
      turn.notices.insert(turn.notices.begin() + static_cast<std::ptrdiff_t>(place),
                          Ladder{std::move(event), false});
    }
    // Of a group one member's confirmation is not the others'.
    if (!row.conversation.is_group()) inbox_.raise_peer(row.conversation, row.up_to, row.read);
  }
  return Errc::kOk;
}

void Device::note_stored(Turn& turn, ConversationId conversation, Seq seq, const ClientMsgId& id) {
  if (conversation.is_group()) {
    group_receipts_.stored(conversation, seq, id);
  } else {
    receipts_.stored(turn, conversation, seq, id);
  }
}

ClientMsgId Device::note_receipt(Turn& turn, const ReceiptRow& row) {
  if (!row.conversation.is_group())
    return receipts_.receipt(turn, row.conversation, row.up_to, row.read);
  const auto [id, member] = group_receipts_.receipt(row.conversation, row.by, row.up_to, row.read);
  turn.notices.emplace_back(GroupReceipt{row.conversation, member});
  return id;
}

}  // namespace hy::client
