#include <algorithm>

#include "common/base/test_hooks.h"
#include "tests/sim/store/model_session.h"

/// The group part of das/storage/membership.h over the model store.
namespace hy::sim {
namespace {

das::GroupFacts read_group(const Tables& tables, Gid gid) {
  das::GroupFacts facts;
  const auto group = tables.groups.find(gid);
  const auto head = tables.conversations.find(ConversationId::group(gid));
  if (group == tables.groups.end() || head == tables.conversations.end()) return facts;
  facts.gid = gid;
  facts.name = group->second.name;
  facts.member_version = head->second.member_version;
  for (auto it = tables.group_members.lower_bound({gid, Uid{}});
       it != tables.group_members.end() && it->first.first == gid; ++it)
    if (it->second.leave_seq == 0)
      facts.members.push_back({it->first.second, it->second.owner, Seq{it->second.join_seq}});
  return facts;
}

Status all_exist(const Transaction& in, std::span<const Uid> uids) {
  const bool all =
      std::ranges::all_of(uids, [&](Uid uid) { return in.users.find(uid) != nullptr; });
  if (!all) return fail(Errc::kUnknownUser);
  return {};
}

}  // namespace

Status ModelSession::write_change(Transaction& transaction, const das::GroupPlan& plan,
                                  das::AppendItem item, das::GroupChanged& out) {
  const ConversationId conv = item.conv;
  const Gid gid{conv.lo};
  HY_TRY_VOID(room(transaction));
  ConversationState head = transaction.conversations.get(conv);
  head.head_ms = new_head_ms(head, begun_ms());
  insert_row(transaction, item, head, head.head_ms);
  ++head.member_version;
  transaction.conversations.put(conv, head);
  const Seq seq{head.head_seq};
  // A row of a member and conversation is locked while it is written: a read mark of the same
  // person waits, or the one would take back what the other wrote.
  std::vector<Uid> rows = plan.added;
  rows.insert(rows.end(), plan.removed.begin(), plan.removed.end());
  std::ranges::sort(rows);
  for (const Uid uid : rows) HY_TRY_VOID(lock(transaction, uid));
  for (const Uid uid : plan.added) {
    transaction.group_members.put({gid, uid}, {false, seq.value(), 0});
    UserConvState row = transaction.user_convs.get({uid, conv});
    row.join_seq = row.visible_from = mutant(Mutant::kJoinSeqForgotten) ? 0 : seq.value();
    row.leave_seq = 0;
    transaction.user_convs.put({uid, conv}, row);
  }
  for (const Uid uid : plan.removed) {
    GroupMemberState member = transaction.group_members.get({gid, uid});
    UserConvState row = transaction.user_convs.get({uid, conv});
    member.owner = false;
    member.leave_seq = row.leave_seq = seq.value() + 1;
    transaction.group_members.put({gid, uid}, member);
    transaction.user_convs.put({uid, conv}, row);
  }
  if (plan.owner.value() > 0) {
    GroupMemberState owner = transaction.group_members.get({gid, plan.owner});
    owner.owner = true;
    transaction.group_members.put({gid, plan.owner}, owner);
  }
  out.facts.members = das::members_after(out.facts.members, plan, seq);
  out.facts.member_version = head.member_version;
  out.removed = plan.removed;
  out.event = das::StoredMessage{conv,      seq,          item.sender, item.client_msg_id,
                                 item.kind, head.head_ms, item.body};
  return {};
}

Result<das::GroupChanged> ModelSession::create_group(const das::NewGroup& group) {
  HY_TRY(const std::vector<Uid> all, das::plan_group(group));
  return write([&](Transaction& transaction) -> Result<das::GroupChanged> {
    das::GroupChanged out;
    // The creator's row stands for the unique key of a creation.
    HY_TRY_VOID(lock(transaction, group.owner));
    if (const Gid* known = transaction.group_creations.find({group.owner, group.creation_id})) {
      out.facts = read_group(transaction.tables(), *known);
      if (!das::is_member(out.facts, group.owner)) return fail(Errc::kNotMember);
      return out;
    }
    HY_TRY_VOID(all_exist(transaction, all));
    const Gid gid{++transaction.tables().last_gid};
    transaction.groups.put(gid, {group.name});
    transaction.group_creations.put({group.owner, group.creation_id}, gid);
    HY_TRY(const ConversationState* none, lock(transaction, ConversationId::group(gid)));
    static_cast<void>(none);
    transaction.conversations.put(ConversationId::group(gid), {});
    out.facts.gid = gid;
    out.facts.name = group.name;
    HY_TRY_VOID(write_change(transaction, {all, {}, group.owner},
                             das::creation_event(group, gid, all), out));
    return out;
  });
}

Result<das::GroupFacts> ModelSession::group_facts(Gid gid) {
  return view(
      [&](const Tables& tables) -> Result<das::GroupFacts> { return read_group(tables, gid); });
}

Result<das::GroupChanged> ModelSession::change_group(const das::GroupChange& change) {
  return write([&](Transaction& transaction) -> Result<das::GroupChanged> {
    HY_TRY(const ConversationState* head, lock(transaction, ConversationId::group(change.gid)));
    if (head == nullptr) return fail(Errc::kNotMember);
    das::GroupChanged out;
    out.facts = read_group(transaction.tables(), change.gid);
    const GroupMemberState* actor = transaction.group_members.find({change.gid, change.actor});
    HY_TRY(const das::GroupPlan plan,
           das::plan_change(out.facts.members, actor != nullptr && actor->leave_seq > 0, change));
    if (plan.changes_nothing()) return out;
    HY_TRY_VOID(all_exist(transaction, plan.added));
    HY_TRY_VOID(write_change(transaction, plan,
                             das::change_event(change, plan, out.facts, begun_ms()), out));
    return out;
  });
}

}  // namespace hy::sim
