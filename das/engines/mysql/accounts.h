#pragma once

#include "das/engines/mysql/connection.h"
#include "das/storage/account.h"

namespace hy::das::mysql {

/// People, credentials, sign-ins; contract in das/storage/account.h.
class MysqlAccounts final : public Accounts {
 public:
  explicit MysqlAccounts(Connection& connection) : connection_(connection) {}
  Result<std::vector<Result<Uid>>> create(std::span<const NewAccount> accounts) override;
  Result<std::vector<AccountRow>> find(std::span<const Uid> uids,
                                       std::span<const std::string> names) override;
  Result<LoginFacts> begin_login(const LoginAttempt& attempt) override;
  Status login_failed(Uid uid, const std::string& peer_ip) override;
  Result<SignedIn> sign_in(const SignIn& sign_in) override;
  Result<std::vector<AuthEpoch>> auth_epochs(std::span<const UidSlot> of) override;
  Status revoke(Uid uid, std::optional<Slot> slot) override;

 private:
  std::vector<AccountRow> find_rows(std::span<const Uid> uids, std::span<const std::string> names);
  Result<Uid> insert_account(const NewAccount& account, Uid uid);
  void set_slot(Uid uid, Slot slot, std::uint32_t auth_epoch, const std::string& device);

  Connection& connection_;
};

}  // namespace hy::das::mysql
