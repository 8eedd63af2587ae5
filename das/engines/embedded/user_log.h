#pragma once

#include "das/engines/embedded/link.h"
#include "das/storage/user_log.h"

namespace hy::das::embedded {

/// storage/user_log.h over SQLite.
class SqliteUserLog final : public UserLog {
 public:
  explicit SqliteUserLog(Link& link) : link_(link) {}
  Result<UserEvents> read(Uid uid, Useq after, std::uint32_t limit) override;

 private:
  Link& link_;
};

}  // namespace hy::das::embedded
