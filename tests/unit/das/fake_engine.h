#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "das/storage/engine.h"

/// A store in memory with scripted faults, for the cores and drivers above the seam.
namespace hy::das::fake {

enum class Fault : std::uint8_t {
  kNone,
  kLockWait,       ///< rolled back, the session is fine
  kDown,           ///< connection lost before COMMIT
  kLostCommit,     ///< COMMIT took effect, its reply was lost
  kDroppedCommit,  ///< COMMIT did not take effect, its reply was lost
  kFull,
  kReadOnly,  ///< store down, said by a session that does not call itself broken
};

struct Row {
  Uid sender;
  ClientMsgId id;
  PayloadHash hash{};
  std::int64_t server_ms = 0;
};

/// What all sessions share. Any thread.
struct Store {
  std::mutex mutex;
  std::map<ConversationId, std::vector<Row>> rows;
  std::deque<Fault> faults;  ///< one is taken by each append call
  std::deque<Error> open_failures;
  std::int64_t now_ms = 1'000'000;
  int fast_calls = 0;
  int slow_calls = 0;
  int opened = 0;
  int reads_marked = 0;
  int mark_calls = 0;
  int open_calls = 0;
  int opens_overloaded = 0;  ///< so many fail like a deadlock
  int groups_overloaded = 0;
  ConversationPage page;  ///< what every list gives
  UserEvents events;      ///< what every reading of events gives
  int event_reads = 0;
  StoreFacts facts{1, 0, 1'000'000, 0, true, {}};

  Fault next() {
    if (faults.empty()) return Fault::kNone;
    const Fault fault = faults.front();
    faults.pop_front();
    return fault;
  }
};

class Log final : public MessageLog {
 public:
  explicit Log(Store& store) : store_(store) {}

  FastAppend append_fast(std::span<const AppendItem* const> items) override {
    const std::scoped_lock guard(store_.mutex);
    ++store_.fast_calls;
    FastAppend out;
    const Fault fault = store_.next();
    if (const auto failed = fail_of(fault); failed && fault != Fault::kLostCommit) {
      out.result = fault == Fault::kLockWait        ? FastResult::kRolledBack
                   : fault == Fault::kDroppedCommit ? FastResult::kUnknown
                                                    : FastResult::kFailed;
      out.why = *failed;
      return out;
    }
    const auto before = store_.rows;
    for (const AppendItem* item : items) {
      auto one = insert(*item, item->after_proven);
      if (!one || one->stored.repeat) {
        store_.rows = before;
        out.result = FastResult::kRolledBack;
        out.why = one ? Error{Errc::kConflict, {}, {}} : one.error();
        return out;
      }
      out.stored.push_back(one->stored);
      if (out.heads.empty() || out.heads.back().conv != item->conv)
        out.heads.push_back(one->head);
      else
        out.heads.back() = one->head;
    }
    out.result = FastResult::kStored;
    if (fault == Fault::kLostCommit) {
      broken = true;
      out = {FastResult::kUnknown, {}, {}, {Errc::kOutcomeUnknown, "lost reply", {}}};
    }
    return out;
  }

  Result<AppendedOne> append_one(const AppendItem& item) override {
    const std::scoped_lock guard(store_.mutex);
    ++store_.slow_calls;
    if (broken) return fail(Errc::kStoreDown, "broken");
    const Fault fault = store_.next();
    const auto failed = fail_of(fault);
    if (failed && fault != Fault::kLostCommit) return std::unexpected(*failed);
    auto one = insert(item, false);
    if (!failed) return one;
    return std::unexpected(*failed);
  }

  Result<Slice> pull(const PullQuery&) override { return Slice{}; }
  Result<FoundMessage> find(const FindQuery&) override { return fail(Errc::kMessageNotFound); }

  std::atomic<bool> broken = false;

 private:
  std::optional<Error> fail_of(Fault fault) {
    switch (fault) {
      case Fault::kNone: return std::nullopt;
      case Fault::kLockWait: return Error{Errc::kOverloaded, "lock wait", {}};
      case Fault::kFull: return Error{Errc::kStoreFull, {}, {}};
      case Fault::kReadOnly: return Error{Errc::kStoreDown, "read-only", {}};
      case Fault::kDown: broken = true; return Error{Errc::kStoreDown, "gone", {}};
      case Fault::kLostCommit:
      case Fault::kDroppedCommit: broken = true; return Error{Errc::kOutcomeUnknown, "lost", {}};
    }
    return std::nullopt;
  }

  Result<AppendedOne> insert(const AppendItem& item, bool after_proven) {
    auto& rows = store_.rows[item.conv];
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i].sender == item.sender && rows[i].id == item.client_msg_id) {
        if (rows[i].hash != item.payload_hash) return fail(Errc::kConflict);
        return AppendedOne{{Seq{i + 1}, rows[i].server_ms, true},
                           {item.conv, Seq{rows.size()}, store_.now_ms}};
      }
    if (item.member_version != 1) return fail(Errc::kMembersChanged);
    if (item.after && !after_proven) {
      bool found = false;
      for (const Row& row : rows)
        found = found || (row.sender == item.sender && row.id == *item.after);
      if (!found) return fail(Errc::kGap);
    }
    rows.push_back({item.sender, item.client_msg_id, item.payload_hash, store_.now_ms});
    return AppendedOne{{Seq{rows.size()}, store_.now_ms, false},
                       {item.conv, Seq{rows.size()}, store_.now_ms}};
  }

  Store& store_;
};

class People final : public Membership, public Accounts, public UserLog {
 public:
  explicit People(Store& store) : store_(store) {}
  Result<std::vector<PairFacts>> open_pairs(std::span<const UidPair> pairs) override {
    const std::scoped_lock guard(store_.mutex);
    ++store_.open_calls;
    if (store_.opens_overloaded > 0) {
      --store_.opens_overloaded;
      return fail(Errc::kOverloaded, "deadlock");
    }
    return std::vector<PairFacts>(pairs.size(), PairFacts{true, true, false, false, 1});
  }
  Result<PairFacts> set_block(Uid, Uid, bool on) override {
    return PairFacts{true, true, on, false, 2};
  }
  Result<GroupChanged> create_group(const NewGroup& group) override {
    const std::scoped_lock guard(store_.mutex);
    if (store_.groups_overloaded > 0) {
      --store_.groups_overloaded;
      return fail(Errc::kOverloaded, "deadlock");
    }
    GroupChanged out{{Gid{5}, group.name, {{group.owner, true, Seq{1}}}, 1}, {}, {}};
    for (const Uid uid : group.members) out.facts.members.push_back({uid, false, Seq{1}});
    out.event = StoredMessage{ConversationId::group(Gid{5}),
                              Seq{1},
                              group.owner,
                              group.creation_id,
                              kGroupEventKind,
                              store_.now_ms,
                              Body{group.event_body({group.name, group.members, {}, group.owner})}};
    return out;
  }
  Result<GroupFacts> group_facts(Gid gid) override {
    if (gid != Gid{5}) return GroupFacts{};
    return GroupFacts{gid, "five", {{Uid{1}, true, Seq{1}}, {Uid{2}, false, Seq{3}}}, 4};
  }
  Result<GroupChanged> change_group(const GroupChange& change) override {
    const std::scoped_lock guard(store_.mutex);
    if (store_.groups_overloaded > 0) {
      --store_.groups_overloaded;
      return fail(Errc::kOverloaded, "deadlock");
    }
    if (change.actor != Uid{1}) return fail(Errc::kForbidden);
    GroupChanged out{{change.gid, "five", {{Uid{1}, true, Seq{1}}}, 5}, {}, change.remove};
    if (change.add.empty() && change.remove.empty()) return out;
    out.event = StoredMessage{ConversationId::group(change.gid),
                              Seq{9},
                              change.actor,
                              ClientMsgId{},
                              kGroupEventKind,
                              store_.now_ms,
                              Body{change.event_body({{}, change.add, change.remove, Uid{}})}};
    return out;
  }
  Result<std::vector<Result<ReadMarked>>> mark_read(std::span<const ReadMark> marks) override {
    const std::scoped_lock guard(store_.mutex);
    ++store_.mark_calls;
    std::vector<Result<ReadMarked>> out;
    for (const ReadMark& mark : marks) {
      ++store_.reads_marked;
      out.push_back(ReadMarked{mark.seq, true, Useq{1}});
    }
    return out;
  }
  Result<ConversationPage> list_conversations(const ListQuery&) override {
    const std::scoped_lock guard(store_.mutex);
    return store_.page;
  }
  Result<std::vector<Result<Uid>>> create(std::span<const NewAccount> accounts) override {
    return std::vector<Result<Uid>>(accounts.size(), Uid{7});
  }
  Result<std::vector<AccountRow>> find(std::span<const Uid>,
                                       std::span<const std::string>) override {
    return std::vector<AccountRow>{};
  }
  Result<LoginFacts> begin_login(const LoginAttempt&) override { return LoginFacts{}; }
  Status login_failed(Uid, const std::string&) override { return {}; }
  Result<SignedIn> sign_in(const SignIn&) override { return SignedIn{2, false, "x"}; }
  Result<std::vector<AuthEpoch>> auth_epochs(std::span<const UidSlot> of) override {
    return std::vector<AuthEpoch>(of.size(), AuthEpoch{1, "x"});
  }
  Status revoke(Uid, std::optional<Slot>) override { return {}; }
  Result<UserEvents> read(Uid, Useq, std::uint32_t) override {
    const std::scoped_lock guard(store_.mutex);
    ++store_.event_reads;
    return store_.events;
  }

 private:
  Store& store_;
};

class Session final : public StoreSession {
 public:
  explicit Session(Store& store) : store_(store), log_(store), people_(store) {}
  MessageLog& messages() override { return log_; }
  Membership& membership() override { return people_; }
  Accounts& accounts() override { return people_; }
  UserLog& user_log() override { return people_; }
  Result<StoreFacts> facts() override {
    const std::scoped_lock guard(store_.mutex);
    return store_.facts;
  }
  Status beat(std::int64_t store_ms) override {
    const std::scoped_lock guard(store_.mutex);
    store_.facts.beat_ms = std::max(store_.facts.beat_ms, store_ms);
    return {};
  }
  Status raise_clock_steps(std::uint64_t seen) override {
    const std::scoped_lock guard(store_.mutex);
    if (store_.facts.clock_steps == seen) ++store_.facts.clock_steps;
    store_.facts.beat_ms = store_.facts.store_ms;
    return {};
  }
  [[nodiscard]] bool is_broken() const override { return log_.broken; }

 private:
  Store& store_;
  Log log_;
  People people_;
};

class Cache final : public CacheStore {
 public:
  void committed(std::span<const CommittedHead> heads) override {
    const std::scoped_lock guard(mutex);
    raised.insert(raised.end(), heads.begin(), heads.end());
  }
  void changed(std::span<const Uid> uids) override {
    const std::scoped_lock guard(mutex);
    users.insert(users.end(), uids.begin(), uids.end());
  }
  std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) override {
    return std::vector<std::uint64_t>(uids.size(), 9);
  }
  void lose_all() override {}
  [[nodiscard]] bool is_up() const override { return true; }

  std::mutex mutex;
  std::vector<CommittedHead> raised;
  std::vector<Uid> users;
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(Store& store) : store_(store) {}
  [[nodiscard]] std::string_view name() const override { return "fake"; }
  Status start() override { return {}; }
  Result<std::unique_ptr<StoreSession>> open_writer() override {
    const std::scoped_lock guard(store_.mutex);
    if (!store_.open_failures.empty()) {
      Error why = store_.open_failures.front();
      store_.open_failures.pop_front();
      return std::unexpected(std::move(why));
    }
    ++store_.opened;
    return std::make_unique<Session>(store_);
  }
  Result<std::unique_ptr<StoreSession>> open_reader() override { return open_writer(); }
  [[nodiscard]] unsigned writers_max() const override { return 4; }
  CacheStore& cache() override { return cache_; }
  Cache& fake_cache() { return cache_; }
  Result<SchemaStatus> schema_status() override { return SchemaStatus{1, 1, {}}; }
  Status schema_apply() override { return {}; }

 private:
  Store& store_;
  Cache cache_;
};

/// A message of the pair (1, 2), by number.
inline AppendItem item(std::uint64_t number, std::uint64_t pair = 2) {
  AppendItem out;
  out.conv = ConversationId::pair(Uid{1}, Uid{pair});
  out.sender = Uid{1};
  put_be(out.client_msg_id.bytes.data(), number);
  put_be(out.payload_hash.data(), number);
  out.member_version = 1;
  return out;
}

class ManualClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return MonoTime{} + at; }
  [[nodiscard]] std::int64_t wall_ms() const override { return 1'000'000 + at.count(); }
  Millis at{1'000};
};

}  // namespace hy::das::fake
