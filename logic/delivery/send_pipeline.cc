#include "logic/delivery/send_pipeline.h"

#include "common/base/test_hooks.h"
#include "common/flat/recycler.h"
#include "logic/command/client_body.h"
#include "logic/domain/permission.h"
#include "logic/metrics.h"
#include "logic/session/rates.h"

namespace hy::logic {
namespace {

constexpr Millis kPushDeadline{2'000};

}  // namespace

void SendPipeline::run(SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done) {
  auto op = std::allocate_shared<SendOp>(RecyclingAllocator<SendOp>{});
  steps_.begin(*op, std::move(order), std::move(turn), std::move(done));
  judge(op);
}

void SendPipeline::judge(const OpPtr& op) {
  const PairFactsCache::Entry* known = p_.facts.find(op->order.conversation);
  if (known == nullptr) return op->judgements == 0 ? wait_for_facts(op) : ask_and_judge(op);
  const Status verdict = may_send(op->order.conversation, op->order.sender, known->facts);
  if (verdict) return append(op, known->facts.member_version);
  // The store corrects an old "allowed" at the append; an old "refused" it never sees. And once it
  // has said "refused" itself, every try that was judged before is in the log or will never be.
  if (op->judgements == 0) return ask_and_judge(op);
  steps_.refuse_unless_stored(op, verdict.error().code);
}

void SendPipeline::ask_and_judge(const OpPtr& op) {
  if (op->judgements >= SendSteps::kJudgementsMax) {
    return steps_.refuse(*op, Error{Errc::kMembersChanged, {}, Millis{200}});
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
  steps_.refuse(*op, Error{is_full ? Errc::kOverloaded : Errc::kUnavailable,
                           "the pair could not be opened", Millis{500}});
}

void SendPipeline::append(const OpPtr& op, std::uint64_t member_version) {
  if (mutant(Mutant::kPushBeforeCommit)) {
    StoredMessage early = SendSteps::message_of(*op, Seq{}, 0);
    early.body = op->append.body;
    p_.relay.run(early, op->order.sender_slot, op->order.receiver, op->order.call, [](bool) {});
  }
  steps_.append(op, member_version,
                [this, op](Result<Appended> result) { on_append(op, std::move(result)); });
}

void SendPipeline::on_append(const OpPtr& op, Result<Appended> result) {
  // committed → acknowledged → looked up → pushed: a device that registered too late for this
  // look-up syncs after the commit. A repeat is pushed too: the first try may have died before its
  // push.
  if (result) return push(*op, steps_.say_stored(*op, *result));
  const Errc code = result.error().code;
  if (code == Errc::kMembersChanged) {
    p_.facts.forget(op->order.conversation);
    return ask_and_judge(op);
  }
  if (is_store_away(code)) return relay(op, result.error());
  steps_.say_failed(*op, std::move(result).error());
}

void SendPipeline::push(const SendOp& op, const StoredMessage& message) {
  const MonoTime now = p_.clock.now();
  Delivery delivery;
  delivery.type = kTypePush;
  delivery.body = encode_push(message, false);
  delivery.conversation = message.conversation;
  delivery.seq = message.seq;
  delivery.sender = message.sender;
  delivery.targets = pair_targets(op.order.receiver, message.sender, op.order.sender_slot);
  delivery.numbered = true;
  delivery.deadline = now + kPushDeadline;
  delivery.trace = op.order.call.trace;
  sync_point("logic.before_deliver");
  p_.trace.mark(op.trace, Rung::kPushSent, now);
  p_.deliverer.deliver(std::move(delivery), [this, ref = op.trace] {
    p_.trace.mark(ref, Rung::kPushResult, p_.clock.now());
  });
}

void SendPipeline::relay(const OpPtr& op, const Error& why) {
  op->turn.release();
  if (const Status may = p_.relay.may_relay(op->order.conversation, op->order.sender); !may) {
    // Not "blocked" either: an earlier try may be in the log, which cannot be asked now.
    return steps_.refuse_store_away(*op, {why.code, may.error().detail, {}});
  }
  p_.store_return.not_taken(op->order.sender, op->began);
  if (const Status rate = p_.rates.take_relay(op->order.sender, p_.clock.now()); !rate) {
    return steps_.refuse(*op, rate.error());
  }
  sync_point("logic.before_relay");
  StoredMessage message = SendSteps::message_of(*op, Seq{}, 0);
  message.body = op->append.body;
  p_.relay.run(message, op->order.sender_slot, op->order.receiver, op->order.call,
               [this, op](bool acked) {
                 if (!acked) return steps_.say_unknown(*op);
                 sync_point("logic.after_relay_before_acked");
                 p_.trace.mark(op->trace, Rung::kRelayed, p_.clock.now());
                 p_.metrics.send_relayed();
                 op->done(SendOutcome{.conversation = op->order.conversation,
                                      .relayed = true,
                                      .recheck_after = p_.relay.recheck_after()});
               });
}

}  // namespace hy::logic
