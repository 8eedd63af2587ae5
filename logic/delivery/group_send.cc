#include "logic/delivery/group_send.h"

#include "common/base/test_hooks.h"
#include "common/flat/recycler.h"
#include "logic/delivery/group_push.h"
#include "logic/metrics.h"
#include "logic/session/rates.h"

namespace hy::logic {
namespace {

/// A counter that moves makes a device look at its next PING, so that a lost push is found then and
/// not by the periodic SYNC alone. It costs the cache a write a member: small groups have it.
constexpr std::size_t kTellMembersMax = 50;

}  // namespace

void GroupSend::run(SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done) {
  auto op = std::allocate_shared<Op>(RecyclingAllocator<Op>{});
  steps_.begin(*op, std::move(order), std::move(turn), std::move(done));
  judge(op);
}

void GroupSend::judge(const OpPtr& op) {
  const GroupFactsCache::Entry* known = p_.groups.find(op->order.group);
  if (known == nullptr) return ask(op);
  if (known->group->member(op->order.sender) == nullptr && !mutant(Mutant::kGroupSendUnjudged)) {
    // The store corrects an old "member" at the append; an old "no member" it never sees.
    if (op->judgements == 0 && !p_.groups.is_young(*known)) return ask(op);
    return steps_.refuse_unless_stored(op, Errc::kNotMember);
  }
  // After the question who it is: strangers must not use up what the members may send.
  if (!op->has_rate) {
    if (const Status rate = p_.rates.take_group(op->order.group, p_.clock.now()); !rate) {
      return steps_.refuse(*op, rate.error());
    }
    op->has_rate = true;
  }
  op->group = known->group;
  append(op);
}

void GroupSend::ask(const OpPtr& op) {
  if (op->judgements >= SendSteps::kJudgementsMax) {
    return steps_.refuse(*op, Error{Errc::kMembersChanged, {}, Millis{200}});
  }
  auto done = [this, op](const Result<GroupPtr>& group) { on_group(op, group); };
  // What was asked before this message was judged may be older than what it knows.
  if (op->judgements++ == 0) return p_.groups.ask(op->order.group, op->order.call, std::move(done));
  p_.groups.ask_anew(op->order.group, op->order.call, std::move(done));
}

void GroupSend::on_group(const OpPtr& op, const Result<GroupPtr>& group) {
  if (group) return judge(op);
  const Errc code = group.error().code;
  if (code == Errc::kNotMember) return steps_.refuse_unless_stored(op, Errc::kNotMember);
  if (is_store_away(code)) return steps_.refuse_store_away(*op, group.error());
  // Nothing was appended, so this much is certain: not stored, try again.
  steps_.refuse(*op, Error{code == Errc::kOverloaded ? code : Errc::kUnavailable,
                           "the group could not be opened", Millis{500}});
}

void GroupSend::append(const OpPtr& op) {
  op->append.tell.reset();
  if (op->group->everyone.size() <= kTellMembersMax)
    op->append.tell = {op->group, &op->group->everyone};
  steps_.append(op, op->group->facts.member_version,
                [this, op](Result<Appended> result) { on_append(op, std::move(result)); });
}

void GroupSend::on_append(const OpPtr& op, Result<Appended> result) {
  if (result) {
    const StoredMessage message = steps_.say_stored(*op, *result);
    return result->repeat ? push_repeat(op, message) : push(*op, message);
  }
  const Errc code = result.error().code;
  if (code == Errc::kMembersChanged) return judge_again(op);
  if (code == Errc::kNotMember) return steps_.refuse_unless_stored(op, code);
  if (is_store_away(code)) return steps_.refuse_store_away(*op, result.error());
  steps_.say_failed(*op, std::move(result).error());
}

/// A newer version that somebody else has asked for meanwhile serves as well as an own question.
void GroupSend::judge_again(const OpPtr& op) {
  const GroupFactsCache::Entry* known = p_.groups.find(op->order.group);
  const bool is_newer =
      known != nullptr && known->group->facts.member_version > op->group->facts.member_version;
  if (is_newer && op->judgements < SendSteps::kJudgementsMax) {
    ++op->judgements;
    return judge(op);
  }
  p_.groups.forget(op->order.group);
  op->judgements = std::max(op->judgements, 1);
  ask(op);
}

/// The first try may have died before its push. No member_version was compared for this one:
/// whoever left before the message may still be among those that are known here. Who is in now and
/// joined before it may have it; should nobody say who that is, a SYNC brings it.
void GroupSend::push_repeat(const OpPtr& op, const StoredMessage& message) {
  p_.groups.ask_anew(op->order.group, op->order.call,
                     [this, op, message](const Result<GroupPtr>& group) {
                       if (!group) return;
                       op->group = *group;
                       push(*op, message);
                     });
}

void GroupSend::push(const Op& op, const StoredMessage& message) {
  const MonoTime now = p_.clock.now();
  Delivery delivery = group_push(op.group, message, receipts_up_to_, now, op.order.call.trace);
  delivery.targets = {{op.order.sender, slots_but(op.order.sender_slot)}};
  p_.trace.mark(op.trace, Rung::kPushSent, now);
  p_.deliverer.deliver(std::move(delivery), [this, ref = op.trace] {
    p_.trace.mark(ref, Rung::kPushResult, p_.clock.now());
  });
}

}  // namespace hy::logic
