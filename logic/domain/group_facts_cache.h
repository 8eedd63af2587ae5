#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "logic/domain/lru_map.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// One version of a group's facts, shared by everything that goes on under it; never changed.
struct KnownGroup {
  GroupFacts facts{};
  std::vector<Uid> everyone{};  ///< uids of the members, ascending

  /// nullptr: no member.
  [[nodiscard]] const GroupMember* member(Uid uid) const {
    const auto it = std::ranges::lower_bound(facts.members, uid, {}, &GroupMember::uid);
    return it != facts.members.end() && it->uid == uid ? &*it : nullptr;
  }
};
using GroupPtr = std::shared_ptr<const KnownGroup>;

/// Facts by which groups were judged. A hint, as PairFactsCache: the store compares member_version
/// under the row lock of each append. Bounded by members in total, all groups together; the least
/// recently used group goes first.
class GroupFactsCache {
 public:
  /// Facts older than this refuse nobody: they are asked for again first.
  static constexpr Millis kRefusalAgeMax{2'000};

  explicit GroupFactsCache(std::size_t members_max)
      : members_max_(members_max), groups_(members_max + 1) {}

  struct Entry {
    GroupPtr group;
    MonoTime read_at{};
  };

  /// nullptr: not known.
  [[nodiscard]] const Entry* find(Gid gid) { return groups_.find(gid); }
  /// `asked_at`: when the question left. What counts from now on: the facts given, or newer ones
  /// that were known already (a slow answer must not put back what a later one has replaced).
  GroupPtr put(GroupFacts facts, MonoTime asked_at);
  void forget(Gid gid);
  [[nodiscard]] std::size_t size() const { return groups_.size(); }

 private:
  std::size_t members_max_;
  std::size_t weight_ = 0;  ///< members and groups
  LruMap<Gid, Entry> groups_;
};

}  // namespace hy::logic
