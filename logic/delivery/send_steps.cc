#include "logic/delivery/send_steps.h"

#include "common/base/test_hooks.h"
#include "logic/domain/payload_hash.h"
#include "logic/metrics.h"

namespace hy::logic {
namespace {

constexpr Millis kReadAgain{500};

}  // namespace

bool is_store_away(Errc code) {
  return code == Errc::kStoreDown || code == Errc::kStoreFull;
}

void SendSteps::begin(SendOp& op, SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done) {
  op.began = p_.clock.now();
  op.trace = p_.trace.begin(order.client_msg_id, order.conversation, order.call.trace, order.dyed,
                            op.began);
  op.order = std::move(order);
  op.append.body = std::move(op.order.body);
  op.turn = std::move(turn);
  op.done = std::move(done);
}

void SendSteps::append(const OpPtr& op, std::uint64_t member_version, Done<Appended> done) {
  AppendRequest& request = op->append;
  request.conversation = op->order.conversation;
  request.sender = op->order.sender;
  request.client_msg_id = op->order.client_msg_id;
  request.payload_hash = op->order.payload_hash;
  request.kind = op->order.kind;
  request.member_version = member_version;
  request.after = op->order.after;
  request.call = op->order.call;
  request.dyed = op->order.dyed;
  const MonoTime now = p_.clock.now();
  p_.trace.mark(op->trace, Rung::kRulesDone, now);
  sync_point("logic.after_rules_before_append");
  p_.trace.mark(op->trace, Rung::kAppendSent, now);
  // The turn outlives the call: its release starts the next command, whose append must come after.
  SessionFifo::Turn turn = std::move(op->turn);
  p_.log.append(std::shared_ptr<const AppendRequest>(op, &request), std::move(done));
}

StoredMessage SendSteps::say_stored(SendOp& op, const Appended& stored) {
  sync_point("logic.after_stored_before_ack");
  p_.relay.store_answered();
  const MonoTime now = p_.clock.now();
  p_.trace.stored(op.trace, stored, now);
  say(op, stored, now);
  sync_point("logic.after_ack_before_deliver");
  p_.trace.mark(op.trace, Rung::kAcked, now);
  StoredMessage message = message_of(op, stored.seq, stored.server_ms);
  message.body = std::move(op.append.body);
  return message;
}

void SendSteps::say(SendOp& op, const Appended& stored, MonoTime now) {
  p_.metrics.send_stored(now - op.began, stored.repeat);
  op.done(SendOutcome{.conversation = op.order.conversation,
                      .relayed = false,
                      .seq = stored.seq,
                      .server_ms = stored.server_ms,
                      .repeat = stored.repeat});
}

void SendSteps::say_failed(SendOp& op, Error error) {
  if (error_info(error.code).outcome == Outcome::kUnknown) return say_unknown(op);
  refuse(op, std::move(error));
}

void SendSteps::say_unknown(SendOp& op) {
  p_.metrics.send_unknown();
  op.done(fail(Errc::kOutcomeUnknown));
}

void SendSteps::refuse(SendOp& op, Error error) {
  op.turn.release();
  if (TraceRing::Row* row = p_.trace.row(op.trace); row != nullptr) row->refused = error.code;
  op.done(std::unexpected(std::move(error)));
}

void SendSteps::refuse_store_away(SendOp& op, const Error& why) {
  p_.store_return.not_taken(op.order.sender, op.began);
  refuse(op, Error{why.code, why.detail, p_.relay.recheck_after()});
}

void SendSteps::refuse_unless_stored(const OpPtr& op, Errc verdict) {
  op->turn.release();
  const SendOrder& order = op->order;
  p_.log.find({.uid = order.sender,
               .conversation = order.conversation,
               .sender = order.sender,
               .client_msg_id = order.client_msg_id,
               .seq = 0},
              order.call, [this, op, verdict](const Result<Found>& found) {
                if (found) return say_first(op, found->message);
                const Errc code = found.error().code;
                const bool is_certain = code == Errc::kNotMember || code == Errc::kMessageNotFound;
                if (is_certain) return refuse(*op, Error{verdict, {}, {}});
                refuse_unread(*op, found.error());
              });
}

void SendSteps::say_first(const OpPtr& op, const StoredMessage& first) {
  const std::uint64_t seq = first.seq.value();
  const PullQuery query{
      .uid = op->order.sender, .conversation = op->order.conversation, .from = seq, .to = seq};
  p_.log.pull(query, op->order.call, [this, op](const Result<Slice>& slice) {
    if (!slice) return refuse_unread(*op, slice.error());
    if (slice->messages.size() != 1) return refuse(*op, Error{Errc::kUnavailable, {}, kReadAgain});
    const StoredMessage& row = slice->messages.front();
    if (payload_hash(row.kind, row.body) != op->order.payload_hash) {
      return refuse(*op, Error{Errc::kConflict, {}, {}});
    }
    say(*op, Appended{.seq = row.seq, .server_ms = row.server_ms, .repeat = true}, p_.clock.now());
  });
}

void SendSteps::refuse_unread(SendOp& op, const Error& why) {
  if (is_store_away(why.code)) return refuse_store_away(op, why);
  refuse(op, Error{Errc::kUnavailable, {}, kReadAgain});
}

StoredMessage SendSteps::message_of(const SendOp& op, Seq seq, std::int64_t server_ms) {
  return {.conversation = op.order.conversation,
          .seq = seq,
          .sender = op.order.sender,
          .client_msg_id = op.order.client_msg_id,
          .kind = op.order.kind,
          .body = {},
          .server_ms = server_ms};
}

}  // namespace hy::logic
