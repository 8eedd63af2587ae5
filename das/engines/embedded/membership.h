#pragma once

#include "das/engines/embedded/link.h"
#include "das/storage/membership.h"

namespace hy::das::embedded {

/// storage/membership.h over SQLite.
class SqliteMembership final : public Membership {
 public:
  explicit SqliteMembership(Link& link) : link_(link) {}
  Result<std::vector<PairFacts>> open_pairs(std::span<const UidPair> pairs) override;
  Result<PairFacts> set_block(Uid uid, Uid peer, bool on) override;
  Result<std::vector<Result<ReadMarked>>> mark_read(std::span<const ReadMark> marks) override;
  Result<ConversationPage> list_conversations(const ListQuery& query) override;

 private:
  Link& link_;
};

}  // namespace hy::das::embedded
