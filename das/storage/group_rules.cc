#include "das/storage/group_rules.h"

#include <algorithm>

#include "common/base/limits.h"

namespace hy::das {
namespace {

std::vector<Uid> sorted_once(std::vector<Uid> uids) {
  std::ranges::sort(uids);
  const auto [first, last] = std::ranges::unique(uids);
  uids.erase(first, last);
  return uids;
}

bool is_in(std::span<const GroupMember> members, Uid uid) {
  return std::ranges::binary_search(members, uid, {}, &GroupMember::uid);
}

AppendItem event_item(Gid gid, Uid actor, const ClientMsgId& id, Bytes body) {
  AppendItem item;
  item.conv = ConversationId::group(gid);
  item.sender = actor;
  item.client_msg_id = id;
  item.kind = kGroupEventKind;
  item.countable = false;
  item.body.bytes = std::move(body);
  return item;
}

ClientMsgId event_id(Gid gid, std::uint64_t member_version, std::int64_t now_ms) {
  // 48 bits of unix milliseconds, then version and variant as in RFC 9562, section 5.7.
  const std::uint64_t rest = mix64(gid.value() ^ mix64(member_version));
  ClientMsgId id;
  put_be(id.bytes.data(),
         (static_cast<std::uint64_t>(now_ms) << 16U) | 0x7000U | (mix64(rest) & 0xFFFU));
  put_be(id.bytes.data() + 8, (rest & 0x3FFF'FFFF'FFFF'FFFFU) | 0x8000'0000'0000'0000U);
  return id;
}

}  // namespace

Result<std::vector<Uid>> plan_group(const NewGroup& group) {
  if (group.name.empty() || group.name.size() > limits::kNameBytesMax)
    return fail(Errc::kNameInvalid);
  std::vector<Uid> all = group.members;
  all.push_back(group.owner);
  all = sorted_once(std::move(all));
  if (all.size() > group.members_max) return fail(Errc::kGroupFull);
  return all;
}

Result<GroupPlan> plan_change(std::span<const GroupMember> members, bool actor_left,
                              const GroupChange& change) {
  const std::vector<Uid> remove = sorted_once(change.remove);
  const bool only_himself = change.add.empty() && remove == std::vector{change.actor};
  const auto actor = std::ranges::lower_bound(members, change.actor, {}, &GroupMember::uid);
  if (actor == members.end() || actor->uid != change.actor) {
    if (actor_left && only_himself) return GroupPlan{};
    return fail(Errc::kNotMember);
  }
  if (!actor->owner && !only_himself && !(change.add.empty() && remove.empty()))
    return fail(Errc::kForbidden);
  GroupPlan plan;
  for (const Uid uid : sorted_once(change.add))
    if (!is_in(members, uid) && !std::ranges::binary_search(remove, uid)) plan.added.push_back(uid);
  for (const Uid uid : remove)
    if (is_in(members, uid)) plan.removed.push_back(uid);
  const std::size_t after = members.size() + plan.added.size() - plan.removed.size();
  if (after > change.members_max && after > members.size()) return fail(Errc::kGroupFull);
  if (!actor->owner || !std::ranges::binary_search(plan.removed, change.actor)) return plan;
  // Who comes with this very change has joined last.
  const GroupMember* heir = nullptr;
  for (const GroupMember& member : members) {
    if (std::ranges::binary_search(plan.removed, member.uid)) continue;
    if (heir == nullptr || member.join_seq < heir->join_seq) heir = &member;
  }
  if (heir != nullptr)
    plan.owner = heir->uid;
  else if (!plan.added.empty())
    plan.owner = plan.added.front();
  return plan;
}

std::vector<GroupMember> members_after(std::span<const GroupMember> members, const GroupPlan& plan,
                                       Seq event) {
  std::vector<GroupMember> out;
  for (const GroupMember& member : members)
    if (!std::ranges::binary_search(plan.removed, member.uid)) out.push_back(member);
  for (const Uid uid : plan.added) out.push_back({uid, false, event});
  std::ranges::sort(out, {}, &GroupMember::uid);
  for (GroupMember& member : out)
    if (member.uid == plan.owner) member.owner = true;
  return out;
}

bool is_member(const GroupFacts& facts, Uid uid) {
  return is_in(facts.members, uid);
}

AppendItem creation_event(const NewGroup& group, Gid gid, std::span<const Uid> all) {
  GroupEvent event{group.name, {all.begin(), all.end()}, {}, group.owner};
  std::erase(event.added, group.owner);
  return event_item(gid, group.owner, group.creation_id, group.event_body(event));
}

AppendItem change_event(const GroupChange& change, const GroupPlan& plan, const GroupFacts& before,
                        std::int64_t now_ms) {
  return event_item(change.gid, change.actor, event_id(change.gid, before.member_version, now_ms),
                    change.event_body({{}, plan.added, plan.removed, plan.owner}));
}

}  // namespace hy::das
