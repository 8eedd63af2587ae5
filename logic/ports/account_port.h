#pragma once

#include "common/base/secret.h"
#include "logic/ports/types.h"

namespace hy::logic {

struct LoginFacts {
  Uid uid{};  ///< 0: no such account
  std::string name{};
  Secret password_phc{};  ///< empty: no password login
  Millis retry_after{0};  ///< > 0: locked
};
struct SignInRequest {
  Uid uid{};
  Slot slot = Slot::kNone;
  std::string device_id{};
  std::string device_name{};
  Secret password_phc{};  ///< not empty: replace the credential (rehash)
};
struct SignedIn {
  std::uint32_t auth_epoch = 0;
  bool other_installation = false;
  std::string name{};
};
struct SlotKey {
  Uid uid{};
  Slot slot = Slot::kNone;
  friend constexpr auto operator<=>(const SlotKey&, const SlotKey&) = default;
};
struct KnownEpoch {
  std::uint32_t auth_epoch = 0;  ///< 0: no such user
  std::string name{};
};
struct NewAccount {
  Uid uid{};  ///< 0: given by the store
  std::string name{};
  Secret password_phc{};  ///< empty: token logins only
};
struct Account {
  Uid uid{};
  std::string name{};
  Error failure{Errc::kOk, {}, Millis{0}};  ///< create: this one was not made
};

/// Accounts and sign-ins. Thread: loop.
class AccountPort {
 public:
  virtual ~AccountPort() = default;
  /// Counts the attempt before it is tried. uid 0: by name.
  virtual void begin_login(Uid uid, const std::string& name, const std::string& peer_ip,
                           CallContext call, Done<LoginFacts> done) = 0;
  virtual void login_failed(Uid uid, const std::string& peer_ip, CallContext call) = 0;
  virtual void sign_in(const SignInRequest& request, CallContext call, Done<SignedIn> done) = 0;
  /// Same order as `keys`.
  virtual void auth_epochs(const std::vector<SlotKey>& keys, CallContext call,
                           Done<std::vector<KnownEpoch>> done) = 0;
  virtual void create(const std::vector<NewAccount>& accounts, CallContext call,
                      Done<std::vector<Account>> done) = 0;
  virtual void find(const std::vector<Uid>& uids, const std::vector<std::string>& names,
                    CallContext call, Done<std::vector<Account>> done) = 0;
  /// Raises the auth epoch of a slot; Slot::kNone: of all slots.
  virtual void revoke(Uid uid, Slot slot, CallContext call, Done<bool> done) = 0;
};

}  // namespace hy::logic

template <>
struct std::hash<hy::logic::SlotKey> {
  std::size_t operator()(const hy::logic::SlotKey& key) const noexcept {
    return hy::mix64(key.uid.value() ^ (static_cast<std::uint64_t>(key.slot) << 60));
  }
};
