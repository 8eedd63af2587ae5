#pragma once

#include <span>

#include "das/storage/types.h"

namespace hy::das {

/// People, credentials, sign-ins. Common errors, durability and thread as in message_log.h. What a
/// password is and whether a name is fit is logic's business; the store keeps names unique and
/// counts attempts, so that losing a cache resets no limit.
class Accounts {
 public:
  virtual ~Accounts() = default;

  /// Makes accounts, one transaction for all (1 .. 500). Answers in the order given: the uid, or
  /// kNameTaken (name or uid exists, also earlier in the same call), kNameInvalid (longer than
  /// limits::kNameBytesMax), kRangeInvalid (uid above 2^62); one failure does not touch the others.
  /// A given uid is never given again. An account with the same uid *and* the same name as asked is
  /// answered kNameTaken too: creation is not a way to change a password.
  virtual Result<std::vector<Result<Uid>>> create(std::span<const NewAccount> accounts) = 0;

  /// Those that exist, in no particular order, each once.
  virtual Result<std::vector<AccountRow>> find(std::span<const Uid> uids,
                                               std::span<const std::string> names) = 0;

  /// Counts the attempt against the account's and the address's limits (login_rules.h) and gives
  /// the credential, in one transaction, *before* the password is tried: an attacker who drops the
  /// connection has been counted. An unknown account counts on the address alone. Fails closed: an
  /// error means no login.
  virtual Result<LoginFacts> begin_login(const LoginAttempt& attempt) = 0;

  /// The password was wrong: one more failure on the account (uid 0: on the address alone); after
  /// ten in a row it is locked for 1, 2, 4 … 60 minutes.
  virtual Status login_failed(Uid uid, const std::string& peer_ip) = 0;

  /// A proven sign-in: one transaction that raises auth_epoch of (uid, slot) when device_id is not
  /// the one recorded (a slot that nobody signed in on stands at 1, so the first sign-in gives 2),
  /// records the device, clears the account's failures, and replaces the credential when one is
  /// given. The same device again: the same epoch. Errors: kUnknownUser.
  virtual Result<SignedIn> sign_in(const SignIn& sign_in) = 0;

  /// In the order asked. Reads the primary: what it answers fences sessions (G12).
  virtual Result<std::vector<AuthEpoch>> auth_epochs(std::span<const UidSlot> of) = 0;

  /// Raises auth_epoch of one slot, or of all five, and forgets the device there. Errors:
  /// kUnknownUser.
  virtual Status revoke(Uid uid, std::optional<Slot> slot) = 0;
};

}  // namespace hy::das
