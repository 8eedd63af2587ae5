#include "das/engines/embedded/accounts.h"

#include <algorithm>
#include <set>

#include "common/base/limits.h"
#include "das/engines/embedded/statements.h"
#include "das/storage/login_rules.h"

namespace hy::das::embedded {
namespace {

constexpr std::uint64_t kUidMax = 1ULL << 62;  ///< above it no numbers would be left to give
/// What a slot stands at that nobody signed in on.
constexpr std::uint32_t kFirstEpoch = 1;

std::string account_key(Uid uid) {
  return "uid:" + std::to_string(uid.value());
}

Result<std::optional<AccountRow>> find_user(sqlite::Database& db, Uid uid, std::string_view name) {
  HY_TRY(auto row, db.prepare(uid.value() > 0 ? sql::kUserByUid : sql::kUserByName));
  if (uid.value() > 0)
    row.bind(1, uid.value());
  else
    row.bind(1, name);
  HY_TRY(const bool found, row.step());
  if (!found) return std::nullopt;
  return AccountRow{Uid{row.unsigned_integer(0)}, std::string(row.text(1))};
}

Status set_credential(sqlite::Database& db, Uid uid, std::string_view phc, std::int64_t now_ms) {
  HY_TRY(auto set, db.prepare(sql::kSetCredential));
  set.bind(1, uid.value()).bind(2, phc).bind(3, now_ms);
  return set.run();
}

Result<Uid> create_one(sqlite::Database& db, const NewAccount& account, std::int64_t now_ms) {
  if (account.name.size() > limits::kNameBytesMax) return fail(Errc::kNameInvalid);
  if (account.uid.value() > kUidMax) return fail(Errc::kRangeInvalid, "uid above 2^62");
  if (account.uid.value() > 0) {
    HY_TRY(const auto same, find_user(db, account.uid, {}));
    if (same) return fail(Errc::kNameTaken, "uid " + std::to_string(account.uid.value()));
  }
  if (!account.name.empty()) {
    HY_TRY(const auto same, find_user(db, Uid{}, account.name));
    if (same) return fail(Errc::kNameTaken, account.name);
  }
  HY_TRY(auto add, db.prepare(sql::kAddUser));
  if (account.uid.value() > 0)
    add.bind(1, account.uid.value());
  else
    add.bind_null(1);
  if (account.name.empty())
    add.bind_null(2);
  else
    add.bind(2, account.name);
  add.bind(3, now_ms);
  HY_TRY_VOID(add.run());
  const Uid uid{static_cast<std::uint64_t>(db.last_insert_rowid())};
  if (!account.password_phc.empty())
    HY_TRY_VOID(set_credential(db, uid, account.password_phc, now_ms));
  return uid;
}

Result<LoginGuard> read_guard(sqlite::Database& db, std::string_view who) {
  LoginGuard guard;
  HY_TRY(auto row, db.prepare(sql::kGuard));
  row.bind(1, who);
  HY_TRY(const bool found, row.step());
  if (!found) return guard;
  guard.tokens_milli = row.integer(0);
  guard.filled_ms = row.integer(1);
  guard.failures = static_cast<std::uint32_t>(row.integer(2));
  guard.locks = static_cast<std::uint32_t>(row.integer(3));
  guard.locked_until_ms = row.integer(4);
  return guard;
}

Status write_guard(sqlite::Database& db, std::string_view who, const LoginGuard& guard) {
  HY_TRY(auto set, db.prepare(sql::kSetGuard));
  set.bind(1, who).bind(2, guard.tokens_milli).bind(3, guard.filled_ms);
  set.bind(4, guard.failures).bind(5, guard.locks).bind(6, guard.locked_until_ms);
  return set.run();
}

Result<std::chrono::milliseconds> count(sqlite::Database& db, const std::string& who,
                                        const LoginLimits& limits, std::int64_t now_ms) {
  HY_TRY(LoginGuard guard, read_guard(db, who));
  const auto wait = count_attempt(guard, limits, now_ms);
  HY_TRY_VOID(write_guard(db, who, guard));
  return wait;
}

Status fail_one(sqlite::Database& db, const std::string& who, const LoginLimits& limits,
                std::int64_t now_ms) {
  HY_TRY(LoginGuard guard, read_guard(db, who));
  count_failure(guard, limits, now_ms);
  return write_guard(db, who, guard);
}

struct AuthSlotRow {
  std::uint32_t epoch = kFirstEpoch;
  std::string device_id;  ///< empty: nobody
};

Result<AuthSlotRow> read_auth_slot(sqlite::Database& db, Uid uid, Slot slot) {
  AuthSlotRow out;
  HY_TRY(auto row, db.prepare(sql::kAuthSlot));
  row.bind(1, uid.value()).bind(2, static_cast<int>(slot));
  HY_TRY(const bool found, row.step());
  if (found) out = {static_cast<std::uint32_t>(row.integer(0)), std::string(row.text(1))};
  return out;
}

Status write_auth_slot(sqlite::Database& db, Uid uid, Slot slot, const AuthSlotRow& row) {
  HY_TRY(auto set, db.prepare(sql::kSetAuthSlot));
  set.bind(1, uid.value()).bind(2, static_cast<int>(slot)).bind(3, row.epoch);
  set.bind(4, row.device_id);
  return set.run();
}

}  // namespace

Result<std::vector<Result<Uid>>> SqliteAccounts::create(std::span<const NewAccount> accounts) {
  return link_.write([&](sqlite::Database& db) -> Result<std::vector<Result<Uid>>> {
    std::vector<Result<Uid>> answers;
    const std::int64_t now_ms = link_.now_ms();
    for (const NewAccount& account : accounts) {
      auto made = create_one(db, account, now_ms);
      if (!made) {
        const Errc code = made.error().code;
        if (code != Errc::kNameTaken && code != Errc::kNameInvalid && code != Errc::kRangeInvalid)
          return std::unexpected(std::move(made).error());
      }
      answers.push_back(std::move(made));
    }
    return answers;
  });
}

Result<std::vector<AccountRow>> SqliteAccounts::find(std::span<const Uid> uids,
                                                     std::span<const std::string> names) {
  return link_.read([&](sqlite::Database& db) -> Result<std::vector<AccountRow>> {
    std::vector<AccountRow> rows;
    std::set<Uid> seen;
    const auto take = [&](std::optional<AccountRow> row) {
      if (row && seen.insert(row->uid).second) rows.push_back(std::move(*row));
    };
    for (const Uid uid : uids) {
      if (uid.value() == 0) continue;
      HY_TRY(auto row, find_user(db, uid, {}));
      take(std::move(row));
    }
    for (const std::string& name : names) {
      HY_TRY(auto row, find_user(db, Uid{}, name));
      take(std::move(row));
    }
    return rows;
  });
}

Result<LoginFacts> SqliteAccounts::begin_login(const LoginAttempt& attempt) {
  return link_.write([&](sqlite::Database& db) -> Result<LoginFacts> {
    LoginFacts facts;
    const std::int64_t now_ms = link_.now_ms();
    if (!attempt.peer_ip.empty()) {
      HY_TRY(facts.locked, count(db, "ip:" + attempt.peer_ip, kAddressLoginLimits, now_ms));
    }
    HY_TRY(auto user, find_user(db, attempt.uid, attempt.name));
    if (!user) return facts;
    facts.uid = user->uid;
    facts.name = std::move(user->name);
    // An address over its limit must not use up the account's.
    if (facts.locked.count() > 0) return facts;
    HY_TRY(facts.locked, count(db, account_key(facts.uid), kAccountLoginLimits, now_ms));
    if (facts.locked.count() > 0) return facts;
    HY_TRY(auto credential, db.prepare(sql::kCredential));
    credential.bind(1, facts.uid.value());
    HY_TRY(const bool has, credential.step());
    if (has) facts.password_phc = credential.text(0);
    return facts;
  });
}

Status SqliteAccounts::login_failed(Uid uid, const std::string& peer_ip) {
  return link_.write([&](sqlite::Database& db) -> Status {
    const std::int64_t now_ms = link_.now_ms();
    if (!peer_ip.empty()) HY_TRY_VOID(fail_one(db, "ip:" + peer_ip, kAddressLoginLimits, now_ms));
    if (uid.value() > 0) HY_TRY_VOID(fail_one(db, account_key(uid), kAccountLoginLimits, now_ms));
    return {};
  });
}

Result<SignedIn> SqliteAccounts::sign_in(const SignIn& sign_in) {
  return link_.write([&](sqlite::Database& db) -> Result<SignedIn> {
    HY_TRY(auto user, find_user(db, sign_in.uid, {}));
    if (!user || sign_in.uid.value() == 0) return fail(Errc::kUnknownUser);
    const std::int64_t now_ms = link_.now_ms();
    SignedIn out;
    out.name = std::move(user->name);
    HY_TRY(AuthSlotRow row, read_auth_slot(db, sign_in.uid, sign_in.slot));
    if (row.device_id != sign_in.device_id) {
      out.other_installation = !row.device_id.empty();
      row = {row.epoch + 1, sign_in.device_id};
      HY_TRY_VOID(write_auth_slot(db, sign_in.uid, sign_in.slot, row));
    }
    out.auth_epoch = row.epoch;
    HY_TRY(auto device, db.prepare(sql::kSetDevice));
    device.bind(1, sign_in.uid.value()).bind(2, sign_in.device_id);
    device.bind(3, static_cast<int>(sign_in.slot)).bind(4, sign_in.device_name).bind(5, now_ms);
    HY_TRY_VOID(device.run());
    HY_TRY(LoginGuard guard, read_guard(db, account_key(sign_in.uid)));
    count_success(guard);
    if (guard.filled_ms > 0) HY_TRY_VOID(write_guard(db, account_key(sign_in.uid), guard));
    if (!sign_in.password_phc.empty())
      HY_TRY_VOID(set_credential(db, sign_in.uid, sign_in.password_phc, now_ms));
    return out;
  });
}

Result<std::vector<AuthEpoch>> SqliteAccounts::auth_epochs(std::span<const UidSlot> of) {
  return link_.read([&](sqlite::Database& db) -> Result<std::vector<AuthEpoch>> {
    std::vector<AuthEpoch> values;
    values.reserve(of.size());
    for (const UidSlot& one : of) {
      AuthEpoch value;
      HY_TRY(auto user, find_user(db, one.uid, {}));
      if (user && one.uid.value() > 0) {
        HY_TRY(const AuthSlotRow row, read_auth_slot(db, one.uid, one.slot));
        value = {row.epoch, std::move(user->name)};
      }
      values.push_back(std::move(value));
    }
    return values;
  });
}

Status SqliteAccounts::revoke(Uid uid, std::optional<Slot> slot) {
  return link_.write([&](sqlite::Database& db) -> Status {
    HY_TRY(const auto user, find_user(db, uid, {}));
    if (!user || uid.value() == 0) return fail(Errc::kUnknownUser);
    for (std::uint8_t number = 1; number <= kSlotMax; ++number) {
      const auto one = static_cast<Slot>(number);
      if (slot && *slot != one) continue;
      HY_TRY(const AuthSlotRow row, read_auth_slot(db, uid, one));
      HY_TRY_VOID(write_auth_slot(db, uid, one, {row.epoch + 1, {}}));
    }
    return {};
  });
}

}  // namespace hy::das::embedded
