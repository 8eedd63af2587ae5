#include "logic/delivery/group_send.h"

#include "common/flat/recycler.h"
#include "logic/delivery/group_push.h"
#include "logic/metrics.h"
#include "logic/session/rates.h"

namespace hy::logic {
namespace {

/// Members changed twice while one message was on its way: the device tries again later.
constexpr int kJudgementsMax = 2;
/// A counter that moves makes a device look at its next PING, so that a lost push is found then and
/// not by the periodic SYNC alone. It costs the cache a write a member: small groups have it.
constexpr std::size_t kTellMembersMax = 50;

bool is_store_away(Errc code) {
  return code == Errc::kStoreDown || code == Errc::kStoreFull;
}

}  // namespace

void GroupSend::run(SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done) {
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

void GroupSend::judge(const OpPtr& op) {
  const GroupFactsCache::Entry* known = p_.groups.find(op->order.group);
  if (known == nullptr) return ask(op);
  if (known->group->member(op->order.sender) == nullptr) {
    // The store corrects an old "member" at the append; an old "no member" it never sees.
    if (op->judgements == 0 && !p_.groups.is_young(*known)) return ask(op);
    return not_member(op);
  }
  // After the question who it is: strangers must not use up what the members may send.
  if (!op->has_rate) {
    if (const Status rate = p_.rates.take_group(op->order.group, p_.clock.now()); !rate) {
      return refuse(op, rate.error());
    }
    op->has_rate = true;
  }
  op->group = known->group;
  append(op);
}

void GroupSend::ask(const OpPtr& op) {
  if (op->judgements >= kJudgementsMax) {
    return refuse(op, Error{Errc::kMembersChanged, {}, Millis{200}});
  }
  auto done = [this, op](const Result<GroupPtr>& group) { on_group(op, group); };
  // What was asked before this message was judged may be older than what it knows.
  if (op->judgements++ == 0) return p_.groups.ask(op->order.group, op->order.call, std::move(done));
  p_.groups.ask_anew(op->order.group, op->order.call, std::move(done));
}

void GroupSend::on_group(const OpPtr& op, const Result<GroupPtr>& group) {
  if (group) return judge(op);
  const Errc code = group.error().code;
  if (code == Errc::kNotMember) return not_member(op);
  if (is_store_away(code)) return store_away(op, group.error());
  // Nothing was appended, so this much is certain: not stored, try again.
  refuse(op, Error{code == Errc::kOverloaded ? code : Errc::kUnavailable,
                   "the group could not be opened", Millis{500}});
}

void GroupSend::append(const OpPtr& op) {
  const MonoTime now = p_.clock.now();
  p_.trace.mark(op->trace, Rung::kRulesDone, now);
  AppendRequest& request = op->append;
  request.conversation = op->order.conversation;
  request.sender = op->order.sender;
  request.client_msg_id = op->order.client_msg_id;
  request.payload_hash = op->order.payload_hash;
  request.kind = op->order.kind;
  request.member_version = op->group->facts.member_version;
  request.after = op->order.after;
  request.call = op->order.call;
  request.dyed = op->order.dyed;
  request.tell.reset();
  if (op->group->everyone.size() <= kTellMembersMax)
    request.tell = {op->group, &op->group->everyone};
  p_.trace.mark(op->trace, Rung::kAppendSent, now);
  // The turn outlives the call: its release starts the next command, whose append must come after.
  SessionFifo::Turn turn = std::move(op->turn);
  p_.log.append(std::shared_ptr<const AppendRequest>(op, &request),
                [this, op](Result<Appended> result) { on_append(op, std::move(result)); });
}

void GroupSend::on_append(const OpPtr& op, Result<Appended> result) {
  if (result) return on_stored(op, *result);
  const Errc code = result.error().code;
  if (code == Errc::kMembersChanged) return judge_again(op);
  if (code == Errc::kNotMember) return not_member(op);
  if (is_store_away(code)) return store_away(op, result.error());
  if (error_info(code).outcome == Outcome::kUnknown) {
    p_.metrics.send_unknown();
    op->done(fail(Errc::kOutcomeUnknown));
    return;
  }
  refuse(op, std::move(result).error());
}

/// A newer version that somebody else has asked for meanwhile serves as well as an own question.
void GroupSend::judge_again(const OpPtr& op) {
  const GroupFactsCache::Entry* known = p_.groups.find(op->order.group);
  const bool is_newer =
      known != nullptr && known->group->facts.member_version > op->group->facts.member_version;
  if (is_newer && op->judgements < kJudgementsMax) {
    ++op->judgements;
    return judge(op);
  }
  p_.groups.forget(op->order.group);
  op->judgements = std::max(op->judgements, 1);
  ask(op);
}

void GroupSend::on_stored(const OpPtr& op, const Appended& stored) {
  p_.relay.store_answered();
  const MonoTime now = p_.clock.now();
  p_.trace.stored(op->trace, stored, now);
  p_.metrics.send_stored(now - op->began, stored.repeat);
  op->done(SendOutcome{.conversation = op->order.conversation,
                       .relayed = false,
                       .seq = stored.seq,
                       .server_ms = stored.server_ms,
                       .repeat = stored.repeat});
  p_.trace.mark(op->trace, Rung::kAcked, now);
  push(op, stored);
}

// committed → acknowledged → looked up → pushed, and a repeat too: the first try may have died
// before its push.
void GroupSend::push(const OpPtr& op, const Appended& stored) {
  const MonoTime now = p_.clock.now();
  const StoredMessage message{.conversation = op->order.conversation,
                              .seq = stored.seq,
                              .sender = op->order.sender,
                              .client_msg_id = op->order.client_msg_id,
                              .kind = op->order.kind,
                              .body = std::move(op->append.body),
                              .server_ms = stored.server_ms};
  Delivery delivery = group_push(op->group, message, receipts_up_to_, now, op->order.call.trace);
  delivery.targets = {{op->order.sender, slots_but(op->order.sender_slot)}};
  p_.trace.mark(op->trace, Rung::kPushSent, now);
  p_.deliverer.deliver(std::move(delivery), [this, ref = op->trace] {
    p_.trace.mark(ref, Rung::kPushResult, p_.clock.now());
  });
}

/// Whoever is no member now may have been one when this message was stored, and not have heard it:
/// "refused" would then be untrue. The log knows.
void GroupSend::not_member(const OpPtr& op) {
  op->turn.release();
  p_.log.find({.uid = op->order.sender,
               .conversation = op->order.conversation,
               .sender = op->order.sender,
               .client_msg_id = op->order.client_msg_id,
               .seq = 0},
              op->order.call, [this, op](const Result<Found>& found) {
                if (!found) {
                  const Errc code = found.error().code;
                  const bool is_certain =
                      code == Errc::kNotMember || code == Errc::kMessageNotFound;
                  if (!is_certain && is_store_away(code)) return store_away(op, found.error());
                  return refuse(op, Error{is_certain ? Errc::kNotMember : Errc::kUnavailable,
                                          {},
                                          is_certain ? Millis{0} : Millis{500}});
                }
                p_.metrics.send_stored(p_.clock.now() - op->began, true);
                op->done(SendOutcome{.conversation = op->order.conversation,
                                     .relayed = false,
                                     .seq = found->message.seq,
                                     .server_ms = found->message.server_ms,
                                     .repeat = true});
              });
}

void GroupSend::store_away(const OpPtr& op, const Error& why) {
  p_.store_return.not_taken(op->order.sender, op->began);
  refuse(op, Error{why.code, why.detail, p_.relay.recheck_after()});
}

void GroupSend::refuse(const OpPtr& op, Error error) {
  op->turn.release();
  if (TraceRing::Row* row = p_.trace.row(op->trace); row != nullptr) row->refused = error.code;
  op->done(std::unexpected(std::move(error)));
}

}  // namespace hy::logic
