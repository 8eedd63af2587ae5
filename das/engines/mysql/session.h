#pragma once

#include <memory>

#include "das/engines/mysql/accounts.h"
#include "das/engines/mysql/connection.h"
#include "das/engines/mysql/membership.h"
#include "das/engines/mysql/message_log.h"
#include "das/storage/engine.h"

namespace hy::das::mysql {

/// One connection as a session of the storage seam.
class MysqlSession final : public StoreSession {
 public:
  MysqlSession(std::unique_ptr<Connection> connection, bool replicated)
      : connection_(std::move(connection)), replicated_(replicated) {}
  MessageLog& messages() override { return messages_; }
  Membership& membership() override { return membership_; }
  Accounts& accounts() override { return accounts_; }
  UserLog& user_log() override { return user_log_; }
  Result<StoreFacts> facts() override;
  Status beat(std::int64_t store_ms) override;
  Status raise_clock_steps(std::uint64_t seen) override;
  [[nodiscard]] bool is_broken() const override { return connection_->is_broken(); }

 private:
  std::unique_ptr<Connection> connection_;
  bool replicated_;
  MysqlMessageLog messages_{*connection_};
  MysqlMembership membership_{*connection_};
  MysqlAccounts accounts_{*connection_};
  MysqlUserLog user_log_{*connection_};
};

}  // namespace hy::das::mysql
