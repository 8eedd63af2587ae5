#include "das/engines/mysql/accounts.h"

#include <algorithm>
#include <unordered_map>

#include "common/base/limits.h"
#include "common/base/test_hooks.h"
#include "das/engines/mysql/message_log.h"
#include "das/engines/mysql/row.h"
#include "das/engines/mysql/statements.h"
#include "das/storage/login_rules.h"

namespace hy::das::mysql {
namespace {

constexpr std::uint64_t kGivenUidMax = 1ULL << 62;

std::string account_subject(Uid uid) {
  return "uid:" + std::to_string(uid.value());
}
std::string address_subject(const std::string& ip) {
  return "ip:" + ip;
}

/// One row of login_guard under its lock, with the store's clock.
struct Guarded {
  LoginGuard guard;
  std::int64_t now_ms = 0;
};

Guarded read_guard(Connection& connection, const std::string& subject) {
  sql::PreparedStatement& make = connection.prepared(text(sql_text::kMakeGuard));
  put_all(make, subject);
  make.executeUpdate();
  sql::PreparedStatement& read = connection.prepared(text(sql_text::kReadGuard));
  put_all(read, subject);
  const auto row = connection.query(read);
  row->next();
  return {{row->getInt64(1), row->getInt64(2), row->getUInt(3), row->getUInt(4), row->getInt64(5)},
          row->getInt64(6)};
}

void write_guard(Connection& connection, const std::string& subject, const LoginGuard& guard) {
  sql::PreparedStatement& s = connection.prepared(text(sql_text::kWriteGuard));
  put_all(s, guard.tokens_milli, guard.filled_ms, std::uint64_t{guard.failures},
          std::uint64_t{guard.locks}, guard.locked_until_ms, subject);
  s.executeUpdate();
}

template <class Ids, class Put>
void for_each_chunk(const Ids& ids, Put put_chunk) {
  constexpr std::size_t kChunk = 256;
  for (std::size_t at = 0; at < ids.size(); at += kChunk) {
    put_chunk(ids.subspan(at, std::min(kChunk, ids.size() - at)));
  }
}

}  // namespace

std::vector<AccountRow> MysqlAccounts::find_rows(std::span<const Uid> uids,
                                                 std::span<const std::string> names) {
  std::vector<AccountRow> out;
  const auto take = [&](sql::PreparedStatement& s) {
    const auto rows = connection_.query(s);
    while (rows->next()) out.push_back({Uid{rows->getUInt64(1)}, bytes_of(rows->getString(2))});
  };
  for_each_chunk(uids, [&](std::span<const Uid> chunk) {
    const std::size_t size = padded_size(chunk.size());
    sql::PreparedStatement& s = connection_.prepared(sql_text::find_by_uid(size));
    for (std::size_t i = 0; i < size; ++i)
      put(s, static_cast<unsigned>(i + 1), chunk[std::min(i, chunk.size() - 1)]);
    take(s);
  });
  for_each_chunk(names, [&](std::span<const std::string> chunk) {
    const std::size_t size = padded_size(chunk.size());
    sql::PreparedStatement& s = connection_.prepared(sql_text::find_by_name(size));
    for (std::size_t i = 0; i < size; ++i)
      put(s, static_cast<unsigned>(i + 1), chunk[std::min(i, chunk.size() - 1)]);
    take(s);
  });
  std::ranges::sort(out, {}, &AccountRow::uid);
  const auto twice = std::ranges::unique(out, {}, &AccountRow::uid);
  out.erase(twice.begin(), twice.end());
  return out;
}

Result<std::vector<AccountRow>> MysqlAccounts::find(std::span<const Uid> uids,
                                                    std::span<const std::string> names) {
  return guarded(connection_,
                 [&]() -> Result<std::vector<AccountRow>> { return find_rows(uids, names); });
}

Result<Uid> MysqlAccounts::insert_account(const NewAccount& account, Uid uid) {
  try {
    sql::PreparedStatement& s = connection_.prepared(sql_text::insert_users(1));
    put_all(s, uid, account.name);
    s.executeUpdate();
  } catch (const sql::SQLException& e) {
    if (classify(e) == Failure::kDuplicate)
      return fail(Errc::kNameTaken);  // the statement alone is undone
    throw;
  }
  if (!account.password_phc.empty()) {
    sql::PreparedStatement& s = connection_.prepared(text(sql_text::kSetCredential));
    put_all(s, uid, account.password_phc);
    s.executeUpdate();
  }
  return uid;
}

Result<std::vector<Result<Uid>>> MysqlAccounts::create(std::span<const NewAccount> accounts) {
  return guarded(connection_, [&]() -> Result<std::vector<Result<Uid>>> {
    std::vector<Result<Uid>> out;
    Transaction transaction(connection_);
    const auto row = connection_.query(connection_.prepared(text(sql_text::kNextUid)));
    row->next();
    std::uint64_t next = row->getUInt64(1);
    for (const NewAccount& account : accounts) {
      if (account.name.size() > limits::kNameBytesMax) {
        out.push_back(fail(Errc::kNameInvalid));
      } else if (account.uid.value() > kGivenUidMax) {
        out.push_back(fail(Errc::kRangeInvalid, "uid above 2^62"));
      } else {
        const Uid uid = account.uid.value() > 0 ? account.uid : Uid{next};
        out.push_back(insert_account(account, uid));
        if (out.back()) next = std::max(next, uid.value() + 1);
      }
    }
    sql::PreparedStatement& set = connection_.prepared(text(sql_text::kSetNextUid));
    put_all(set, next);
    set.executeUpdate();
    transaction.commit();
    return out;
  });
}

Result<LoginFacts> MysqlAccounts::begin_login(const LoginAttempt& attempt) {
  return guarded(connection_, [&]() -> Result<LoginFacts> {
    LoginFacts facts;
    Uid uid = attempt.uid;
    if (uid.value() == 0) {
      const auto rows = find_rows({}, std::span(&attempt.name, 1));
      if (!rows.empty()) uid = rows.front().uid;
    }
    Transaction transaction(connection_);
    sql::PreparedStatement& credential = connection_.prepared(text(sql_text::kCredential));
    put_all(credential, uid);
    std::string phc;
    if (const auto row = connection_.query(credential); row->next()) {
      facts.uid = Uid{row->getUInt64(1)};
      facts.name = bytes_of(row->getString(2));
      phc = bytes_of(row->getString(3));
    }
    const auto count = [&](const std::string& subject, const LoginLimits& limits) {
      Guarded row = read_guard(connection_, subject);
      facts.locked = std::max(facts.locked, count_attempt(row.guard, limits, row.now_ms));
      write_guard(connection_, subject, row.guard);
    };
    // Always in this order: account, then address.
    if (facts.uid.value() > 0) count(account_subject(facts.uid), kAccountLoginLimits);
    if (!attempt.peer_ip.empty()) count(address_subject(attempt.peer_ip), kAddressLoginLimits);
    transaction.commit();
    if (facts.locked.count() == 0) facts.password_phc = std::move(phc);
    return facts;
  });
}

Status MysqlAccounts::login_failed(Uid uid, const std::string& peer_ip) {
  return guarded(connection_, [&]() -> Status {
    Transaction transaction(connection_);
    const auto count = [&](const std::string& subject, const LoginLimits& limits) {
      Guarded row = read_guard(connection_, subject);
      count_failure(row.guard, limits, row.now_ms);
      write_guard(connection_, subject, row.guard);
    };
    if (uid.value() > 0) count(account_subject(uid), kAccountLoginLimits);
    if (!peer_ip.empty()) count(address_subject(peer_ip), kAddressLoginLimits);
    transaction.commit();
    return {};
  });
}

void MysqlAccounts::set_slot(Uid uid, Slot slot, std::uint32_t auth_epoch,
                             const std::string& device) {
  sql::PreparedStatement& s = connection_.prepared(text(sql_text::kWriteSlot));
  put_all(s, uid, std::uint64_t{static_cast<std::uint8_t>(slot)}, std::uint64_t{auth_epoch},
          device);
  s.executeUpdate();
}

Result<SignedIn> MysqlAccounts::sign_in(const SignIn& sign_in) {
  return guarded(connection_, [&]() -> Result<SignedIn> {
    SignedIn out;
    Transaction transaction(connection_);
    sql::PreparedStatement& lock = connection_.prepared(text(sql_text::kLockUser));
    put_all(lock, sign_in.uid);
    const auto user = connection_.query(lock);
    if (!user->next()) return fail(Errc::kUnknownUser);
    out.name = bytes_of(user->getString(1));
    const std::uint64_t slot = static_cast<std::uint8_t>(sign_in.slot);
    sql::PreparedStatement& read = connection_.prepared(text(sql_text::kReadSlot));
    put_all(read, sign_in.uid, slot);
    std::uint32_t epoch = 1;
    std::string device;
    if (const auto row = connection_.query(read); row->next()) {
      epoch = row->getUInt(1);
      device = bytes_of(row->getString(2));
    }
    out.other_installation = !device.empty() && device != sign_in.device_id;
    if (device != sign_in.device_id) {
      ++epoch;
      set_slot(sign_in.uid, sign_in.slot, epoch, sign_in.device_id);
    }
    out.auth_epoch = epoch;
    sql::PreparedStatement& record = connection_.prepared(text(sql_text::kWriteDevice));
    put_all(record, sign_in.uid, sign_in.device_id, slot, sign_in.device_name);
    record.executeUpdate();
    sync_point("das.sign_in_before_commit");
    Guarded row = read_guard(connection_, account_subject(sign_in.uid));
    count_success(row.guard);
    write_guard(connection_, account_subject(sign_in.uid), row.guard);
    if (!sign_in.password_phc.empty()) {
      sql::PreparedStatement& set = connection_.prepared(text(sql_text::kSetCredential));
      put_all(set, sign_in.uid, sign_in.password_phc);
      set.executeUpdate();
    }
    transaction.commit();
    return out;
  });
}

Result<std::vector<AuthEpoch>> MysqlAccounts::auth_epochs(std::span<const UidSlot> of) {
  return guarded(connection_, [&]() -> Result<std::vector<AuthEpoch>> {
    struct Known {
      std::string name;
      std::unordered_map<std::uint64_t, std::uint32_t> by_slot;
    };
    std::unordered_map<Uid, Known> known;
    for_each_chunk(of, [&](std::span<const UidSlot> chunk) {
      const std::size_t size = padded_size(chunk.size());
      sql::PreparedStatement& s = connection_.prepared(sql_text::auth_epochs(size));
      for (std::size_t i = 0; i < size; ++i)
        put(s, static_cast<unsigned>(i + 1), chunk[std::min(i, chunk.size() - 1)].uid);
      const auto rows = connection_.query(s);
      while (rows->next()) {
        Known& user = known[Uid{rows->getUInt64(1)}];
        user.name = bytes_of(rows->getString(4));
        if (!rows->isNull(2)) user.by_slot[rows->getUInt64(2)] = rows->getUInt(3);
      }
    });
    std::vector<AuthEpoch> out;
    for (const UidSlot& asked : of) {
      const auto it = known.find(asked.uid);
      if (it == known.end()) {
        out.push_back({});
        continue;
      }
      const auto slot = it->second.by_slot.find(static_cast<std::uint8_t>(asked.slot));
      out.push_back({slot == it->second.by_slot.end() ? 1 : slot->second, it->second.name});
    }
    return out;
  });
}

Status MysqlAccounts::revoke(Uid uid, std::optional<Slot> slot) {
  return guarded(connection_, [&]() -> Status {
    Transaction transaction(connection_);
    sql::PreparedStatement& lock = connection_.prepared(text(sql_text::kLockUser));
    put_all(lock, uid);
    if (!connection_.query(lock)->next()) return fail(Errc::kUnknownUser);
    for (std::uint8_t number = 1; number <= kSlotMax; ++number) {
      if (slot && static_cast<std::uint8_t>(*slot) != number) continue;
      sql::PreparedStatement& read = connection_.prepared(text(sql_text::kReadSlot));
      put_all(read, uid, std::uint64_t{number});
      const auto row = connection_.query(read);
      const std::uint32_t epoch = row->next() ? row->getUInt(1) : 1;
      set_slot(uid, static_cast<Slot>(number), epoch + 1, "");
    }
    transaction.commit();
    return {};
  });
}

}  // namespace hy::das::mysql
