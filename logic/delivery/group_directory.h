#pragma once

#include <vector>

#include "common/flat/flat_map.h"
#include "logic/domain/group_facts_cache.h"
#include "logic/ports/group_port.h"

namespace hy::logic {

/// Who is in which group, as far as it is known here: the cache, and the questions that fill it.
/// Thread: loop.
class GroupDirectory {
 public:
  GroupDirectory(GroupPort& groups, GroupFactsCache& facts, const Clock& clock)
      : groups_(groups), facts_(facts), clock_(clock) {}

  /// nullptr: not known.
  [[nodiscard]] const GroupFactsCache::Entry* find(Gid gid) { return facts_.find(gid); }
  /// False: known for so long that it may refuse nobody.
  [[nodiscard]] bool is_young(const GroupFactsCache::Entry& entry) const {
    return clock_.now() - entry.read_at <= GroupFactsCache::kRefusalAgeMax;
  }

  using Answered = std::move_only_function<void(const Result<GroupPtr>&)>;
  /// One question per group under way: whoever else wants to know waits for the same answer.
  /// kNotMember: there is no such group (strangers must not learn which ones there are).
  void ask(Gid gid, CallContext call, Answered done);
  /// A question of its own: its answer is younger than this call.
  void ask_anew(Gid gid, CallContext call, Answered done);
  /// From the answer to a change; `asked_at`: when the question left.
  GroupPtr learn(GroupFacts facts, MonoTime asked_at);
  void forget(Gid gid) { facts_.forget(gid); }
  [[nodiscard]] MonoTime now() const { return clock_.now(); }

 private:
  GroupPort& groups_;
  GroupFactsCache& facts_;
  const Clock& clock_;
  FlatMap<Gid, std::vector<Answered>> asking_;
};

}  // namespace hy::logic
