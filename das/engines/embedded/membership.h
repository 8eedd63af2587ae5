#pragma once

#include "das/engines/embedded/groups.h"
#include "das/engines/embedded/link.h"
#include "das/storage/membership.h"

namespace hy::das::embedded {

/// storage/membership.h over SQLite.
class SqliteMembership final : public Membership {
 public:
  explicit SqliteMembership(Link& link) : link_(link) {}
  Result<std::vector<PairFacts>> open_pairs(std::span<const UidPair> pairs) override;
  Result<PairFacts> set_block(Uid uid, Uid peer, bool on) override;
  Result<GroupChanged> create_group(const NewGroup& group) override {
    return embedded::create_group(link_, group);
  }
  Result<GroupFacts> group_facts(Gid gid) override { return embedded::group_facts(link_, gid); }
  Result<GroupChanged> change_group(const GroupChange& change) override {
    return embedded::change_group(link_, change);
  }
  Result<std::vector<Result<ReadMarked>>> mark_read(std::span<const ReadMark> marks) override;
  Result<ConversationPage> list_conversations(const ListQuery& query) override;

 private:
  Link& link_;
};

}  // namespace hy::das::embedded
