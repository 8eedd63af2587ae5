#include "tests/sim/cluster/recorder.h"

#include <unordered_map>
#include <utility>

#include "common/crypto/hash.h"
#include "common/wire/refused.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::sim {
namespace {

using client::Type;
namespace pb = hy::client::v1;

constexpr std::size_t kHashesMax = 16 * 1'024;

/// Everybody who hears of a message hashes its body; the same body has the same hash.
std::uint64_t short_hash_of(std::uint32_t kind, const Bytes& body) {
  struct Known {
    std::uint32_t kind = 0;
    std::uint64_t hash = 0;
  };
  thread_local std::unordered_map<Bytes, Known> all;
  if (const auto found = all.find(body); found != all.end() && found->second.kind == kind) {
    return found->second.hash;
  }
  const std::uint64_t hash = judge::short_hash(crypto::payload_hash(kind, as_bytes(body)));
  if (all.size() >= kHashesMax) all.clear();
  all[body] = {kind, hash};
  return hash;
}

judge::Shown shown_of(Step step) {
  switch (step) {
    case Step::kQueued:
    case Step::kSent: return judge::Shown::kOutbox;
    case Step::kRelayed: return judge::Shown::kRelayed;
    case Step::kStored: return judge::Shown::kStored;
    case Step::kDelivered: return judge::Shown::kDelivered;
    case Step::kRead: return judge::Shown::kRead;
    case Step::kRefused: return judge::Shown::kRefused;
    case Step::kUnsure: return judge::Shown::kUnsure;
  }
  return judge::Shown::kOutbox;
}

ConversationId conversation_of(const std::string& bytes) {
  return bytes.size() == 16 ? ConversationId::from_bytes(bytes) : ConversationId{};
}

}  // namespace

void Recorder::submitted(MonoTime now, const ClientMsgId& id, ConversationId conv,
                         std::uint32_t kind, const Bytes& body) {
  own_[id] = conv;
  history_.send_invoke(ns(now), id, conv, short_hash_of(kind, body), kind);
}

void Recorder::read_wanted(MonoTime now, ConversationId conv, Seq seq) {
  history_.read_invoke(ns(now), conv, seq);
}

void Recorder::unread(MonoTime now, ConversationId conv, std::int64_t count) {
  history_.unread(ns(now), conv, count);
}

/// The device asks again for what was answered in such a turn; the outcome of the first try is in
/// the log and nowhere else.
void Recorder::turn_lost(MonoTime now) {
  for (const HeardAnswer& answer : std::exchange(answers_, {}))
    history_.send_info(ns(now), answer.id, answer.conv, Errc::kOutcomeUnknown);
}

void Recorder::restarted(MonoTime now) {
  turn_lost(now);
  connection_over(now, judge::ClosedBy::kProcess);
  history_.restart(ns(now));
}

void Recorder::end(MonoTime now, bool drained) {
  tries_over(now);
  history_.end(ns(now), drained);
}

// ---- the tap

void Recorder::asked(MonoTime now, std::uint16_t type, std::uint32_t request_id, ByteView body) {
  last_asked_ = request_id;
  Asked asked;
  asked.type = type;
  const auto size = static_cast<int>(body.size());
  if (type == Type::kSend) {
    pb::SendRequest in;
    if (!in.ParseFromArray(body.data(), size)) return;
    asked.id = ClientMsgId::from_bytes(in.client_msg_id());
    const auto other = left_out_.find(asked.id);
    if (other != left_out_.end() && other->second == in.body()) return;
    asked.conv = in.to_gid() > 0 ? ConversationId::group(Gid{in.to_gid()})
                                 : ConversationId::pair(history_.device().uid, Uid{in.to_uid()});
  } else if (type == Type::kPull) {
    pb::PullRequest in;
    if (!in.ParseFromArray(body.data(), size)) return;
    asked.conv = conversation_of(in.conversation());
    asked.from = Seq{in.from()};
    asked.to = Seq{in.to()};
    history_.pull_invoke(ns(now), request_id, asked.conv, asked.from, asked.to);
  } else if (type == Type::kSync) {
    pb::SyncRequest in;
    if (!in.ParseFromArray(body.data(), size)) return;
    asked.first_page = in.page_after().empty();
    if (asked.first_page) {
      sync_list_.clear();
      sync_number_ = request_id;
      history_.sync_invoke(ns(now), request_id, in.since());
    }
  } else if (type == Type::kRead) {
    pb::ReadRequest in;
    if (!in.ParseFromArray(body.data(), size)) return;
    asked.conv = conversation_of(in.conversation());
    history_.read_ask(ns(now), request_id, asked.conv, Seq{in.seq()});
  } else {
    return;
  }
  asked_[request_id] = asked;
}

void Recorder::logged_in(MonoTime now, const client::LoginAnswered& answer) {
  asked_.clear();
  logged_in_ = true;
  history_.login_ok(ns(now), connection_, Epoch{answer.auth_epoch, answer.conn_counter});
}

void Recorder::heard(MonoTime now, const wire::Inner& inner) {
  if (inner.type == Type::kPush) {
    const auto message = client::decode_push(inner.body);
    if (!message) return;
    history_.recv(ns(now), judge::Via::kPush, inner.request_id, message->conversation, message->seq,
                  message->sender, message->client_msg_id,
                  short_hash_of(message->kind, message->body), message->provisional);
    return;
  }
  if (inner.type == Type::kReceipt) {
    const auto rows = client::decode_receipts(inner.body);
    if (!rows) return;
    for (const client::ReceiptRow& row : *rows) {
      if (row.by == history_.device().uid) continue;
      history_.receipt(ns(now), row.conversation, row.up_to, row.by, row.read);
    }
    return;
  }
  if ((inner.type & wire::kTypeAck) == 0) return;
  const auto found = asked_.find(inner.request_id);
  if (found == asked_.end() || (found->second.type | wire::kTypeAck) != inner.type) return;
  const Asked asked = found->second;
  asked_.erase(found);
  last_answered_ = inner.request_id;
  if (asked.type == Type::kSend) return heard_send(now, asked, inner);
  if ((inner.flags & wire::kFlagRefused) != 0) return;
  if (asked.type == Type::kPull) return heard_pull(now, asked, inner.request_id, inner.body);
  if (asked.type == Type::kSync) return heard_sync(now, asked, inner.body);
  if (asked.type == Type::kRead) {
    const auto read = client::decode_read(inner.body);
    if (read) history_.read_ok(ns(now), inner.request_id, asked.conv, *read);
  }
}

void Recorder::heard_send(MonoTime now, const Asked& asked, const wire::Inner& inner) {
  if ((inner.flags & wire::kFlagRefused) != 0) {
    const auto refusal = wire::decode_refused(inner.body);
    const Errc code = refusal ? refusal->error.code : refusal.error().code;
    history_.send_fail(ns(now), asked.id, asked.conv, code, false);
    return;
  }
  const auto outcome = client::decode_send(inner.body);
  if (!outcome) return;
  answers_.push_back(
      {asked.id, asked.conv, outcome->stored ? outcome->seq : Seq{}, outcome->repeat});
}

/// An answer counts once its turn is on disk: of a turn that is lost the device knows nothing, and
/// asks again.
void Recorder::answers_committed(MonoTime now) {
  for (const HeardAnswer& answer : std::exchange(answers_, {})) {
    if (answer.seq.value() > 0) {
      ++stored_;
      saved_.insert(answer.id);
      history_.send_stored(ns(now), answer.id, answer.conv, answer.seq, answer.repeat);
    } else if (!saved_.contains(answer.id)) {  // else a late word about an earlier try
      ++relayed_;
      history_.send_relayed(ns(now), answer.id, answer.conv);
    }
  }
}

void Recorder::heard_pull(MonoTime now, const Asked& asked, std::uint32_t number, ByteView body) {
  const auto answer = client::decode_pull(body);
  if (!answer) return;
  std::vector<judge::Item> rows;
  for (const Message& m : answer->messages) {
    rows.push_back({m.conversation, m.seq.value(), m.client_msg_id});
    history_.recv(ns(now), judge::Via::kPull, 0, m.conversation, m.seq, m.sender, m.client_msg_id,
                  short_hash_of(m.kind, m.body));
  }
  Seq to = asked.to.value() == 0 ? answer->head : asked.to;
  if (answer->more && !answer->messages.empty()) to = answer->messages.back().seq;
  history_.pull_ok(ns(now), number, asked.conv, asked.from, to, rows, answer->truncated_to);
}

void Recorder::heard_sync(MonoTime now, const Asked& /*asked*/, ByteView body) {
  const auto answer = client::decode_sync(body);
  if (!answer) return;
  for (const ConversationInfo& info : answer->conversations) {
    sync_list_.push_back({info.conversation, info.head.value(), {}});
  }
  for (const client::UserEventRow& event : answer->events) {
    history_.user_event(ns(now), event.useq);
  }
  if (answer->more) return;
  history_.sync_ok(ns(now), sync_number_, answer->since, answer->useq, sync_list_, answer->too_far,
                   answer->clock_steps);
  sync_list_.clear();
}

// ---- commits and notices

void Recorder::row_committed(MonoTime now, const Message& row, client::RowFate fate) {
  if (fate == client::RowFate::kKnown && row.seq.value() == 0) return;
  if (row.seq.value() > 0 && row.sender == history_.device().uid) saved_.insert(row.client_msg_id);
  history_.persist(ns(now), row.conversation, row.seq, row.sender, row.client_msg_id);
}

void Recorder::cursor_committed(MonoTime now, const client::ConversationRecord& record) {
  auto& [base, have] = cursors_[record.conversation];
  if (base == record.base.value() && have == record.have.value()) return;
  if (record.base.value() > base && record.base.value() > have) {
    history_.gap(ns(now), record.conversation, Seq{have + 1}, record.base, Errc::kOk);
  }
  base = record.base.value();
  have = record.have.value();
  history_.cursor(ns(now), record.conversation, record.base, record.have);
}

void Recorder::committed(MonoTime now, const client::Turn& turn,
                         const std::vector<client::RowFate>& fates) {
  answers_committed(now);
  std::size_t row = 0;
  for (const client::Write& write : turn.writes) {
    if (const auto* put = std::get_if<client::PutRow>(&write)) {
      row_committed(now, put->message, fates.at(row++));
    } else if (const auto* put_conv = std::get_if<client::PutConversation>(&write)) {
      cursor_committed(now, put_conv->record);
    } else if (const auto* forget = std::get_if<client::ForgetSeqs>(&write)) {
      cursors_.erase(forget->conversation);
      history_.reset(ns(now), forget->conversation);
    }
  }
}

void Recorder::told(MonoTime now, const client::Turn& turn,
                    const std::vector<client::RowFate>& fates) {
  answers_committed(now);
  for (const client::Notice& notice : turn.notices) {
    if (const auto* shown = std::get_if<client::Shown>(&notice)) {
      const Message& m = shown->message;
      const client::RowFate fate = fates.at(shown->row);
      if (fate == client::RowFate::kNew) {
        ++shown_;
        history_.show(ns(now), m.conversation, m.seq, m.sender, m.client_msg_id, m.provisional);
      } else if (fate == client::RowFate::kMoved) {
        history_.move(ns(now), m.conversation, m.seq, m.sender, m.client_msg_id);
      }
    } else if (const auto* step = std::get_if<client::StepChanged>(&notice)) {
      stepped(now, *step);
    } else if (const auto* link = std::get_if<client::LinkChanged>(&notice)) {
      link_changed(now, link->state, link->why);
    } else if (const auto* rung = std::get_if<client::Ladder>(&notice)) {
      if (rung->event.kind == LadderEvent::Kind::kPushAck) {
        history_.ack(ns(now), rung->event.push_number);
      }
    } else if (const auto* ended = std::get_if<client::LoginEnded>(&notice)) {
      if (!ended->status) history_.login_fail(ns(now), connection_, ended->status.error().code);
    }
  }
}

void Recorder::stepped(MonoTime now, const client::StepChanged& change) {
  const judge::Shown to = shown_of(change.step);
  auto [at, is_new] = states_.try_emplace(change.id, judge::Shown::kOutbox);
  const judge::Shown from = at->second;
  if (change.step == Step::kRefused) {
    const auto own = own_.find(change.id);
    if (own != own_.end()) {
      history_.send_fail(ns(now), change.id, own->second, change.code, true);
    }
  }
  // What a UI shows goes forward; only the person's retry starts again.
  const bool is_forward = to == judge::Shown::kRefused || to == judge::Shown::kUnsure ||
                          to > from || from == judge::Shown::kUnsure ||
                          from == judge::Shown::kRefused;
  if (!is_forward || to == from) return;
  // RELAYED and STORED heard in one turn: nobody ever saw the first.
  if (to == judge::Shown::kRelayed && saved_.contains(change.id)) return;
  at->second = to;
  history_.state(ns(now), change.id, from, to);
}

/// What was not answered, or so late that the device no longer waited for it, has an outcome that
/// nobody here knows.
void Recorder::tries_over(MonoTime now) {
  for (const auto& [number, asked] : asked_) {
    if (asked.type == Type::kSend) {
      history_.send_info(ns(now), asked.id, asked.conv, Errc::kOutcomeUnknown);
    }
  }
  asked_.clear();
}

void Recorder::connection_over(MonoTime now, judge::ClosedBy by) {
  tries_over(now);
  if (!std::exchange(logged_in_, false)) return;
  history_.close(ns(now), connection_, Errc::kOk, by);
}

void Recorder::link_changed(MonoTime now, LinkState state, const std::string& /*why*/) {
  switch (state) {
    case LinkState::kLogin: history_.login_invoke(ns(now), ++connection_); return;
    case LinkState::kBackingOff:
    case LinkState::kFinding: return connection_over(now, judge::ClosedBy::kNetwork);
    case LinkState::kStopped: return connection_over(now, judge::ClosedBy::kServer);
    case LinkState::kIdle: return connection_over(now, judge::ClosedBy::kApp);
    case LinkState::kMoving:  // the old connection stays for a while
    case LinkState::kRacing:
    case LinkState::kHandshake:
    case LinkState::kSyncing:
    case LinkState::kOnline: return;
  }
}

}  // namespace hy::sim
