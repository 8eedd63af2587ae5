#pragma once

#include "das/engines/embedded/link.h"
#include "das/storage/message_log.h"

namespace hy::das::embedded {

/// storage/message_log.h over SQLite: the single writer's transaction stands for the row lock.
class SqliteMessageLog final : public MessageLog {
 public:
  explicit SqliteMessageLog(Link& link) : link_(link) {}
  FastAppend append_fast(std::span<const AppendItem* const> items) override;
  Result<AppendedOne> append_one(const AppendItem& item) override;
  Result<Slice> pull(const PullQuery& query) override;
  Result<FoundMessage> find(const FindQuery& query) override;

 private:
  Status refresh_heads(std::vector<CommittedHead>& heads);
  Link& link_;
};

}  // namespace hy::das::embedded
