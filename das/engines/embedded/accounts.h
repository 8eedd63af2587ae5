#pragma once

#include "das/engines/embedded/link.h"
#include "das/storage/account.h"

namespace hy::das::embedded {

/// storage/account.h over SQLite.
class SqliteAccounts final : public Accounts {
 public:
  explicit SqliteAccounts(Link& link) : link_(link) {}
  Result<std::vector<Result<Uid>>> create(std::span<const NewAccount> accounts) override;
  Result<std::vector<AccountRow>> find(std::span<const Uid> uids,
                                       std::span<const std::string> names) override;
  Result<LoginFacts> begin_login(const LoginAttempt& attempt) override;
  Status login_failed(Uid uid, const std::string& peer_ip) override;
  Result<SignedIn> sign_in(const SignIn& sign_in) override;
  Result<std::vector<AuthEpoch>> auth_epochs(std::span<const UidSlot> of) override;
  Status revoke(Uid uid, std::optional<Slot> slot) override;

 private:
  Link& link_;
};

}  // namespace hy::das::embedded
