#pragma once

#include <algorithm>
#include <span>

#include "common/base/test_hooks.h"
#include "das/storage/types.h"

namespace hy::das {

/// Who may change a group's members and what becomes of it, as pure arithmetic over the rows that
/// the engine reads under the conversation's lock: both engines judge alike.
struct GroupPlan {
  std::vector<Uid> added;    ///< ascending; none of them is in
  std::vector<Uid> removed;  ///< ascending; all of them are in
  Uid owner;                 ///< > 0: the group is handed over to him
  [[nodiscard]] bool changes_nothing() const { return added.empty() && removed.empty(); }
};

/// Everybody of a new group, ascending, the owner among them. Errors: kNameInvalid, kGroupFull.
Result<std::vector<Uid>> plan_group(const NewGroup& group);

/// members: who is in, ascending. actor_left: the actor was a member once and is none. The owner
/// adds and removes, everybody may remove himself; an owner who goes hands over to whoever of the
/// others has the smallest (join_seq, uid). A group may shrink while it is above members_max. Who
/// removes himself once more has nothing to change. Errors: kNotMember, kForbidden, kGroupFull.
Result<GroupPlan> plan_change(std::span<const GroupMember> members, bool actor_left,
                              const GroupChange& change);

/// Who is in after the change whose event has seq `event`; ascending.
std::vector<GroupMember> members_after(std::span<const GroupMember> members, const GroupPlan& plan,
                                       Seq event);

/// The newest message of a log that somebody may see whose row says leave_seq (0: still a member).
[[nodiscard]] inline Seq visible_head(Seq head, Seq leave_seq) {
  if (leave_seq.value() == 0 || mutant(Mutant::kLeaveSeqIgnored)) return head;
  return std::min(head, Seq{leave_seq.value() - 1});
}

[[nodiscard]] bool is_member(const GroupFacts& facts, Uid uid);

/// The messages that tell of a change, by who makes it; not countable, so nobody's unread rises.
/// all: everybody of the group. The creation's id is that of the creation; a change's begins with
/// the time, as devices' ids do, and nobody sends it again: a repeated change is judged by the
/// rows.
AppendItem creation_event(const NewGroup& group, Gid gid, std::span<const Uid> all);
AppendItem change_event(const GroupChange& change, const GroupPlan& plan, const GroupFacts& before,
                        std::int64_t now_ms);

}  // namespace hy::das
