#pragma once

#include "das/engines/embedded/accounts.h"
#include "das/engines/embedded/membership.h"
#include "das/engines/embedded/message_log.h"
#include "das/engines/embedded/user_log.h"
#include "das/storage/engine.h"

namespace hy::das::embedded {

/// One session: the aggregates over one link.
class Session final : public StoreSession {
 public:
  explicit Session(StoreFile& file) : link_(file) {}
  Session(StoreFile& file, sqlite::Database reader) : link_(file, std::move(reader)) {}
  MessageLog& messages() override { return messages_; }
  Membership& membership() override { return membership_; }
  Accounts& accounts() override { return accounts_; }
  UserLog& user_log() override { return user_log_; }
  Result<StoreFacts> facts() override;
  Status beat(std::int64_t store_ms) override;
  Status raise_clock_steps(std::uint64_t seen) override;
  void maintain() override { link_.maintain(); }
  [[nodiscard]] bool is_broken() const override { return link_.is_broken(); }

 private:
  Link link_;
  SqliteMessageLog messages_{link_};
  SqliteMembership membership_{link_};
  SqliteAccounts accounts_{link_};
  SqliteUserLog user_log_{link_};
};

}  // namespace hy::das::embedded
