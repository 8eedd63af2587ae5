#include "logic/domain/group_facts_cache.h"

namespace hy::logic {
namespace {

/// What a group counts for: one for itself, so that a group which all have left is bounded too.
std::size_t weight(const KnownGroup& group) {
  return group.everyone.size() + 1;
}

}  // namespace

GroupPtr GroupFactsCache::put(GroupFacts facts, MonoTime asked_at) {
  const Gid gid = facts.gid;
  if (Entry* known = groups_.find(gid); known != nullptr) {
    if (known->group->facts.member_version > facts.member_version) return known->group;
    if (known->group->facts.member_version == facts.member_version &&
        known->group->facts.members == facts.members) {
      // The same members: the list that deliveries share stays the one that it is.
      known->read_at = std::max(known->read_at, asked_at);
      return known->group;
    }
    forget(gid);
  }
  auto group = std::make_shared<KnownGroup>();
  group->facts = std::move(facts);
  group->everyone.reserve(group->facts.members.size());
  for (const GroupMember& member : group->facts.members) group->everyone.push_back(member.uid);
  weight_ += weight(*group);
  groups_.put(gid, Entry{group, asked_at});
  while (weight_ > members_max_ && groups_.size() > 1) forget(Gid(*groups_.oldest()));
  return group;
}

void GroupFactsCache::forget(Gid gid) {
  const Entry* known = groups_.find(gid);
  if (known == nullptr) return;
  weight_ -= weight(*known->group);
  groups_.erase(gid);
}

}  // namespace hy::logic
