#include "logic/delivery/send_pipeline.h"

#include "common/base/test_hooks.h"
#include "common/flat/recycler.h"
#include "logic/command/client_body.h"
#include "logic/domain/permission.h"
#include "logic/metrics.h"
#include "logic/session/rates.h"

namespace hy::logic {
namespace {

/// Members changed twice while one message was on its way: the device tries again later.
constexpr int kJudgementsMax = 2;
constexpr Millis kPushDeadline{2'000};

bool is_store_away(Errc code) {
  return code == Errc::kStoreDown || code == Errc::kStoreFull;
}

}  // namespace

void SendPipeline::run(SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done) {
  auto op = std::allocate_shared<Op>(RecyclingAllocator<Op>{});
  op->began = p_.clock.now();
  op->trace = p_.trace.begin(order.client_msg_id, order.conversation, order.call.trace, order.dyed,
                             op->began);
  op->order = std::move(order);
  op->append.body = std::move(op->order.body);
  op->turn = std::move(turn);
  op->done = std::move(done);
  judge(op);
}

void SendPipeline::judge(const OpPtr& op) {
  const PairFactsCache::Entry* known = p_.facts.find(op->order.conversation);
  if (known == nullptr) return op->judgements == 0 ? wait_for_facts(op) : ask_and_judge(op);
  const Status verdict = may_send(op->order.conversation, op->order.sender, known->facts);
  if (verdict) return append(op, known->facts.member_version);
  // The store corrects an old "allowed" at the append; an old "refused" it never sees.
  if (op->judgements == 0 && p_.clock.now() - known->read_at > PairFactsCache::kRefusalAgeMax) {
    return ask_and_judge(op);
  }
  refuse(op, verdict.error());
}

void SendPipeline::ask_and_judge(const OpPtr& op) {
  if (op->judgements >= kJudgementsMax) {
    return refuse(op, Error{Errc::kMembersChanged, {}, Millis{200}});
  }
  ++op->judgements;
  ask(op, [this, op](const Result<PairFacts>& facts) { on_facts(op, facts); });
}

void SendPipeline::wait_for_facts(const OpPtr& op) {
  ++op->judgements;
  const ConversationId pair = op->order.conversation;
  const auto [it, first] = asking_.try_emplace(pair);
  it->second.push_back(op);
  if (!first) return;
  ask(op, [this, pair](const Result<PairFacts>& facts) {
    const auto waiting = asking_.extract(pair);
    for (const OpPtr& one : waiting.mapped()) on_facts(one, facts);
  });
}

void SendPipeline::ask(const OpPtr& op, Done<PairFacts> done) {
  const ConversationId pair = op->order.conversation;
  p_.relations.open_pair(pair, op->order.call,
                         [this, pair, asked_at = p_.clock.now(),
                          done = std::move(done)](Result<PairFacts> facts) mutable {
                           if (facts) p_.facts.put(pair, *facts, asked_at);
                           done(std::move(facts));
                         });
}

void SendPipeline::on_facts(const OpPtr& op, const Result<PairFacts>& facts) {
  if (facts) return judge(op);
  if (is_store_away(facts.error().code)) return relay(op, facts.error());
  // Nothing was appended, so this much is certain: not stored, try again.
  const bool is_full = facts.error().code == Errc::kOverloaded;
  refuse(op, Error{is_full ? Errc::kOverloaded : Errc::kUnavailable, "the pair could not be opened",
                   Millis{500}});
}

void SendPipeline::append(const OpPtr& op, std::uint64_t member_version) {
  const MonoTime now = p_.clock.now();
  p_.trace.mark(op->trace, Rung::kRulesDone, now);
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
  if (mutant(Mutant::kPushBeforeCommit)) {
    StoredMessage early = message_of(*op, Seq{}, 0);
    early.body = op->append.body;
    p_.relay.run(early, op->order.sender_slot, op->order.receiver, op->order.call, [](bool) {});
  }
  sync_point("logic.after_rules_before_append");
  p_.trace.mark(op->trace, Rung::kAppendSent, now);
  // The turn outlives the call: its release starts the next command, whose append must come after.
  SessionFifo::Turn turn = std::move(op->turn);
  p_.log.append(std::shared_ptr<const AppendRequest>(op, &request),
                [this, op](Result<Appended> result) { on_append(op, std::move(result)); });
}

void SendPipeline::on_append(const OpPtr& op, Result<Appended> result) {
  if (result) return on_stored(op, *result);
  const Errc code = result.error().code;
  if (code == Errc::kMembersChanged) {
    p_.facts.forget(op->order.conversation);
    return ask_and_judge(op);
  }
  if (is_store_away(code)) return relay(op, result.error());
  if (error_info(code).outcome == Outcome::kUnknown) {
    p_.metrics.send_unknown();
    op->done(fail(Errc::kOutcomeUnknown));
    return;
  }
  refuse(op, std::move(result).error());
}

void SendPipeline::on_stored(const OpPtr& op, const Appended& stored) {
  sync_point("logic.after_stored_before_ack");
  p_.relay.store_answered();
  const MonoTime now = p_.clock.now();
  p_.trace.stored(op->trace, stored, now);
  p_.metrics.send_stored(now - op->began, stored.repeat);
  op->done(SendOutcome{.conversation = op->order.conversation,
                       .relayed = false,
                       .seq = stored.seq,
                       .server_ms = stored.server_ms,
                       .repeat = stored.repeat});
  sync_point("logic.after_ack_before_deliver");
  p_.trace.mark(op->trace, Rung::kAcked, now);
  // committed → acknowledged → looked up → pushed: a device that registered too late for this
  // look-up syncs after the commit. A repeat is pushed too: the first try may have died before its
  // push.
  StoredMessage message = message_of(*op, stored.seq, stored.server_ms);
  message.body = std::move(op->append.body);
  push(op, message);
}

void SendPipeline::push(const OpPtr& op, const StoredMessage& message) {
  const MonoTime now = p_.clock.now();
  Delivery delivery;
  delivery.type = kTypePush;
  delivery.body = encode_push(message, false);
  delivery.conversation = message.conversation;
  delivery.seq = message.seq;
  delivery.sender = message.sender;
  delivery.targets = pair_targets(op->order.receiver, message.sender, op->order.sender_slot);
  delivery.numbered = true;
  delivery.deadline = now + kPushDeadline;
  delivery.trace = op->order.call.trace;
  sync_point("logic.before_deliver");
  p_.trace.mark(op->trace, Rung::kPushSent, now);
  p_.deliverer.deliver(std::move(delivery), [this, ref = op->trace] {
    p_.trace.mark(ref, Rung::kPushResult, p_.clock.now());
  });
}

void SendPipeline::relay(const OpPtr& op, const Error& why) {
  op->turn.release();
  p_.store_return.not_taken(op->order.sender, op->began);
  if (const Status may = p_.relay.may_relay(op->order.conversation, op->order.sender); !may) {
    return refuse(op, may.error().code == Errc::kStoreDown
                          ? Error{why.code, may.error().detail, p_.relay.recheck_after()}
                          : may.error());
  }
  if (const Status rate = p_.rates.take_relay(op->order.sender, p_.clock.now()); !rate) {
    return refuse(op, rate.error());
  }
  sync_point("logic.before_relay");
  StoredMessage message = message_of(*op, Seq{}, 0);
  message.body = op->append.body;
  p_.relay.run(message, op->order.sender_slot, op->order.receiver, op->order.call,
               [this, op](bool acked) {
                 if (!acked) {
                   p_.metrics.send_unknown();
                   op->done(fail(Errc::kOutcomeUnknown));
                   return;
                 }
                 sync_point("logic.after_relay_before_acked");
                 p_.trace.mark(op->trace, Rung::kRelayed, p_.clock.now());
                 p_.metrics.send_relayed();
                 op->done(SendOutcome{.conversation = op->order.conversation,
                                      .relayed = true,
                                      .recheck_after = p_.relay.recheck_after()});
               });
}

void SendPipeline::refuse(const OpPtr& op, Error error) {
  op->turn.release();
  if (TraceRing::Row* row = p_.trace.row(op->trace); row != nullptr) row->refused = error.code;
  op->done(std::unexpected(std::move(error)));
}

StoredMessage SendPipeline::message_of(const Op& op, Seq seq, std::int64_t server_ms) {
  return {.conversation = op.order.conversation,
          .seq = seq,
          .sender = op.order.sender,
          .client_msg_id = op.order.client_msg_id,
          .kind = op.order.kind,
          .body = {},
          .server_ms = server_ms};
}

}  // namespace hy::logic
