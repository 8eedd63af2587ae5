#include <algorithm>
#include <set>

#include "common/base/limits.h"
#include "tests/sim/store/model_session.h"

/// das/storage/account.h over the model store.
namespace hy::sim {
namespace {

constexpr std::uint64_t kUidMax = 1ULL << 62;

std::string account_key(Uid uid) {
  return "uid:" + std::to_string(uid.value());
}

Result<Uid> create_one(Transaction& transaction, const das::NewAccount& account) {
  if (account.name.size() > limits::kNameBytesMax) return fail(Errc::kNameInvalid);
  if (account.uid.value() > kUidMax) return fail(Errc::kRangeInvalid, "uid above 2^62");
  if (account.uid.value() > 0 && transaction.users.find(account.uid) != nullptr)
    return fail(Errc::kNameTaken, "uid");
  if (!account.name.empty() && transaction.names.find(account.name) != nullptr)
    return fail(Errc::kNameTaken, account.name);
  StoreRow row = transaction.store_row();
  const Uid uid = account.uid.value() > 0 ? account.uid : Uid{row.next_uid};
  row.next_uid = std::max(row.next_uid, uid.value() + 1);
  transaction.store = row;
  transaction.users.put(uid, {account.name, 0});
  if (!account.name.empty()) transaction.names.put(account.name, uid);
  if (!account.password_phc.empty()) transaction.credentials.put(uid, account.password_phc);
  return uid;
}

std::chrono::milliseconds count(Transaction& transaction, const std::string& who,
                                const das::LoginLimits& limits, std::int64_t now_ms) {
  das::LoginGuard guard = transaction.guards.get(who);
  const auto wait = das::count_attempt(guard, limits, now_ms);
  transaction.guards.put(who, guard);
  return wait;
}

void fail_one(Transaction& transaction, const std::string& who, const das::LoginLimits& limits,
              std::int64_t now_ms) {
  das::LoginGuard guard = transaction.guards.get(who);
  das::count_failure(guard, limits, now_ms);
  transaction.guards.put(who, guard);
}

}  // namespace

Result<std::vector<Result<Uid>>> ModelSession::create(std::span<const das::NewAccount> accounts) {
  return write([&](Transaction& transaction) -> Result<std::vector<Result<Uid>>> {
    std::vector<Result<Uid>> answers;
    for (const das::NewAccount& account : accounts)
      answers.push_back(create_one(transaction, account));
    return answers;
  });
}

Result<std::vector<das::AccountRow>> ModelSession::find(std::span<const Uid> uids,
                                                        std::span<const std::string> names) {
  return view([&](const Tables& tables) -> Result<std::vector<das::AccountRow>> {
    std::set<Uid> found;
    for (const Uid uid : uids)
      if (tables.users.contains(uid)) found.insert(uid);
    for (const std::string& name : names)
      if (const auto it = tables.names.find(name); it != tables.names.end())
        found.insert(it->second);
    std::vector<das::AccountRow> rows;
    for (const Uid uid : found) rows.push_back({uid, tables.users.at(uid).name});
    return rows;
  });
}

Result<das::LoginFacts> ModelSession::begin_login(const das::LoginAttempt& attempt) {
  return write([&](Transaction& transaction) -> Result<das::LoginFacts> {
    das::LoginFacts facts;
    const std::int64_t now_ms = begun_ms();
    if (!attempt.peer_ip.empty())
      facts.locked = count(transaction, "ip:" + attempt.peer_ip, das::kAddressLoginLimits, now_ms);
    Uid uid = attempt.uid;
    if (uid.value() == 0) uid = transaction.names.get(attempt.name);
    const UserState* user = transaction.users.find(uid);
    if (user == nullptr) return facts;
    facts.uid = uid;
    facts.name = user->name;
    // An address over its limit must not use up the account's.
    if (facts.locked.count() > 0) return facts;
    HY_TRY_VOID(lock(transaction, uid));
    facts.locked = count(transaction, account_key(uid), das::kAccountLoginLimits, now_ms);
    if (facts.locked.count() == 0) facts.password_phc = transaction.credentials.get(uid);
    return facts;
  });
}

Status ModelSession::login_failed(Uid uid, const std::string& peer_ip) {
  return write([&](Transaction& transaction) -> Status {
    const std::int64_t now_ms = begun_ms();
    if (!peer_ip.empty()) fail_one(transaction, "ip:" + peer_ip, das::kAddressLoginLimits, now_ms);
    if (uid.value() > 0) fail_one(transaction, account_key(uid), das::kAccountLoginLimits, now_ms);
    return {};
  });
}

Result<das::SignedIn> ModelSession::sign_in(const das::SignIn& sign_in) {
  return write([&](Transaction& transaction) -> Result<das::SignedIn> {
    HY_TRY_VOID(lock(transaction, sign_in.uid));
    const UserState* user = transaction.users.find(sign_in.uid);
    if (user == nullptr) return fail(Errc::kUnknownUser);
    das::SignedIn out;
    out.name = user->name;
    const std::pair key{sign_in.uid, static_cast<std::uint8_t>(sign_in.slot)};
    AuthSlotState slot = transaction.auth_slots.get(key);
    if (slot.device_id != sign_in.device_id) {
      out.other_installation = !slot.device_id.empty();
      slot = {slot.auth_epoch + 1, sign_in.device_id};
      transaction.auth_slots.put(key, slot);
    }
    out.auth_epoch = slot.auth_epoch;
    transaction.devices.put({sign_in.uid, sign_in.device_id},
                            {sign_in.slot, sign_in.device_name, begun_ms()});
    das::LoginGuard guard = transaction.guards.get(account_key(sign_in.uid));
    das::count_success(guard);
    if (guard.filled_ms > 0) transaction.guards.put(account_key(sign_in.uid), guard);
    if (!sign_in.password_phc.empty())
      transaction.credentials.put(sign_in.uid, sign_in.password_phc);
    return out;
  });
}

Result<std::vector<das::AuthEpoch>> ModelSession::auth_epochs(std::span<const das::UidSlot> of) {
  return view([&](const Tables& tables) -> Result<std::vector<das::AuthEpoch>> {
    std::vector<das::AuthEpoch> values;
    for (const das::UidSlot& one : of) {
      const auto user = tables.users.find(one.uid);
      if (user == tables.users.end()) {
        values.push_back({});
        continue;
      }
      const auto slot = tables.auth_slots.find({one.uid, static_cast<std::uint8_t>(one.slot)});
      values.push_back(
          {slot == tables.auth_slots.end() ? 1 : slot->second.auth_epoch, user->second.name});
    }
    return values;
  });
}

Status ModelSession::revoke(Uid uid, std::optional<Slot> slot) {
  return write([&](Transaction& transaction) -> Status {
    HY_TRY_VOID(lock(transaction, uid));
    if (transaction.users.find(uid) == nullptr) return fail(Errc::kUnknownUser);
    for (std::uint8_t number = 1; number <= kSlotMax; ++number) {
      if (slot && *slot != static_cast<Slot>(number)) continue;
      const AuthSlotState row = transaction.auth_slots.get({uid, number});
      transaction.auth_slots.put({uid, number}, {row.auth_epoch + 1, {}});
    }
    return {};
  });
}

}  // namespace hy::sim
