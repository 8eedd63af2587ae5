#include "das/storage/measured_engine.h"

#include <algorithm>

namespace hy::das {
namespace {

class Meter {
 public:
  Meter(const Clock& clock, OpObserver& observer) : clock_(clock), observer_(observer) {}
  template <class Work>
  auto time(StoreOp op, Work&& work) const {
    const MonoTime begun = clock_.now();
    auto result = work();
    observer_.op_done(op, code_of(result), clock_.now() - begun);
    return result;
  }
  [[nodiscard]] OpObserver& observer() const { return observer_; }

 private:
  template <class T>
  static Errc code_of(const Result<T>& result) {
    return result ? Errc::kOk : result.error().code;
  }
  static Errc code_of(const FastAppend& fast) {
    return fast.result == FastResult::kStored ? Errc::kOk : fast.why.code;
  }

  const Clock& clock_;
  OpObserver& observer_;
};

class MeasuredLog final : public MessageLog {
 public:
  MeasuredLog(MessageLog& inner, Meter meter) : inner_(inner), meter_(meter) {}
  FastAppend append_fast(std::span<const AppendItem* const> items) override {
    return meter_.time(StoreOp::kAppendFast, [&] { return inner_.append_fast(items); });
  }
  Result<AppendedOne> append_one(const AppendItem& item) override {
    return meter_.time(StoreOp::kAppendOne, [&] { return inner_.append_one(item); });
  }
  Result<Slice> pull(const PullQuery& query) override {
    return meter_.time(StoreOp::kPull, [&] { return inner_.pull(query); });
  }
  Result<FoundMessage> find(const FindQuery& query) override {
    return meter_.time(StoreOp::kFind, [&] { return inner_.find(query); });
  }

 private:
  MessageLog& inner_;
  Meter meter_;
};

class MeasuredMembership final : public Membership {
 public:
  MeasuredMembership(Membership& inner, Meter meter) : inner_(inner), meter_(meter) {}
  Result<std::vector<PairFacts>> open_pairs(std::span<const UidPair> pairs) override {
    return meter_.time(StoreOp::kOpenPairs, [&] { return inner_.open_pairs(pairs); });
  }
  Result<PairFacts> set_block(Uid uid, Uid peer, bool on) override {
    return meter_.time(StoreOp::kSetBlock, [&] { return inner_.set_block(uid, peer, on); });
  }
  Result<GroupChanged> create_group(const NewGroup& group) override {
    return meter_.time(StoreOp::kCreateGroup, [&] { return inner_.create_group(group); });
  }
  Result<GroupFacts> group_facts(Gid gid) override {
    return meter_.time(StoreOp::kGroupFacts, [&] { return inner_.group_facts(gid); });
  }
  Result<GroupChanged> change_group(const GroupChange& change) override {
    return meter_.time(StoreOp::kChangeGroup, [&] { return inner_.change_group(change); });
  }
  Result<std::vector<Result<ReadMarked>>> mark_read(std::span<const ReadMark> marks) override {
    return meter_.time(StoreOp::kMarkRead, [&] { return inner_.mark_read(marks); });
  }
  Result<ConversationPage> list_conversations(const ListQuery& query) override {
    return meter_.time(StoreOp::kListConversations,
                       [&] { return inner_.list_conversations(query); });
  }

 private:
  Membership& inner_;
  Meter meter_;
};

class MeasuredUserLog final : public UserLog {
 public:
  MeasuredUserLog(UserLog& inner, Meter meter) : inner_(inner), meter_(meter) {}
  Result<UserEvents> read(Uid uid, Useq after, std::uint32_t limit) override {
    return meter_.time(StoreOp::kUserEvents, [&] { return inner_.read(uid, after, limit); });
  }

 private:
  UserLog& inner_;
  Meter meter_;
};

class MeasuredAccounts final : public Accounts {
 public:
  MeasuredAccounts(Accounts& inner, Meter meter) : inner_(inner), meter_(meter) {}
  Result<std::vector<Result<Uid>>> create(std::span<const NewAccount> accounts) override {
    return meter_.time(StoreOp::kCreateAccounts, [&] { return inner_.create(accounts); });
  }
  Result<std::vector<AccountRow>> find(std::span<const Uid> uids,
                                       std::span<const std::string> names) override {
    return meter_.time(StoreOp::kFindAccounts, [&] { return inner_.find(uids, names); });
  }
  Result<LoginFacts> begin_login(const LoginAttempt& attempt) override {
    return meter_.time(StoreOp::kBeginLogin, [&] { return inner_.begin_login(attempt); });
  }
  Status login_failed(Uid uid, const std::string& peer_ip) override {
    return meter_.time(StoreOp::kLoginFailed, [&] { return inner_.login_failed(uid, peer_ip); });
  }
  Result<SignedIn> sign_in(const SignIn& sign_in) override {
    return meter_.time(StoreOp::kSignIn, [&] { return inner_.sign_in(sign_in); });
  }
  Result<std::vector<AuthEpoch>> auth_epochs(std::span<const UidSlot> of) override {
    return meter_.time(StoreOp::kAuthEpochs, [&] { return inner_.auth_epochs(of); });
  }
  Status revoke(Uid uid, std::optional<Slot> slot) override {
    return meter_.time(StoreOp::kRevoke, [&] { return inner_.revoke(uid, slot); });
  }

 private:
  Accounts& inner_;
  Meter meter_;
};

class MeasuredSession final : public StoreSession {
 public:
  MeasuredSession(std::unique_ptr<StoreSession> inner, Meter meter)
      : inner_(std::move(inner)),
        meter_(meter),
        log_(inner_->messages(), meter),
        membership_(inner_->membership(), meter),
        accounts_(inner_->accounts(), meter),
        user_log_(inner_->user_log(), meter) {}
  MessageLog& messages() override { return log_; }
  Membership& membership() override { return membership_; }
  Accounts& accounts() override { return accounts_; }
  UserLog& user_log() override { return user_log_; }
  Result<StoreFacts> facts() override {
    return meter_.time(StoreOp::kFacts, [&] { return inner_->facts(); });
  }
  Status beat(std::int64_t store_ms) override {
    return meter_.time(StoreOp::kBeat, [&] { return inner_->beat(store_ms); });
  }
  Status raise_clock_steps(std::uint64_t seen) override { return inner_->raise_clock_steps(seen); }
  void maintain() override { inner_->maintain(); }
  [[nodiscard]] bool is_broken() const override { return inner_->is_broken(); }

 private:
  std::unique_ptr<StoreSession> inner_;
  Meter meter_;
  MeasuredLog log_;
  MeasuredMembership membership_;
  MeasuredAccounts accounts_;
  MeasuredUserLog user_log_;
};

Result<std::unique_ptr<StoreSession>> measured(Result<std::unique_ptr<StoreSession>> session,
                                               Meter meter) {
  if (!session) return session;
  return std::make_unique<MeasuredSession>(std::move(*session), meter);
}

}  // namespace

std::string_view op_name(StoreOp op) {
  switch (op) {
    case StoreOp::kAppendFast: return "append_fast";
    case StoreOp::kAppendOne: return "append_one";
    case StoreOp::kPull: return "pull";
    case StoreOp::kFind: return "find";
    case StoreOp::kOpenPairs: return "open_pairs";
    case StoreOp::kSetBlock: return "set_block";
    case StoreOp::kCreateGroup: return "create_group";
    case StoreOp::kGroupFacts: return "group_facts";
    case StoreOp::kChangeGroup: return "change_group";
    case StoreOp::kMarkRead: return "mark_read";
    case StoreOp::kListConversations: return "list_conversations";
    case StoreOp::kUserEvents: return "user_events";
    case StoreOp::kCreateAccounts: return "create_accounts";
    case StoreOp::kFindAccounts: return "find_accounts";
    case StoreOp::kBeginLogin: return "begin_login";
    case StoreOp::kLoginFailed: return "login_failed";
    case StoreOp::kSignIn: return "sign_in";
    case StoreOp::kAuthEpochs: return "auth_epochs";
    case StoreOp::kRevoke: return "revoke";
    case StoreOp::kFacts: return "facts";
    case StoreOp::kBeat: return "beat";
    case StoreOp::kOpenSession: return "open_session";
    case StoreOp::kCacheCommitted: return "cache_committed";
    case StoreOp::kCacheCounters: return "cache_counters";
  }
  return "unknown";
}

/// The cache has no errors: its calls are timed, and what it knew is counted.
class MeasuredEngine::Cache final : public CacheStore {
 public:
  Cache(CacheStore& inner, const Clock& clock, OpObserver& observer)
      : inner_(inner), clock_(clock), observer_(observer) {}
  void committed(std::span<const CommittedHead> heads) override {
    const MonoTime begun = clock_.now();
    inner_.committed(heads);
    observer_.op_done(StoreOp::kCacheCommitted, Errc::kOk, clock_.now() - begun);
  }
  void changed(std::span<const Uid> uids) override { inner_.changed(uids); }
  std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) override {
    const MonoTime begun = clock_.now();
    auto values = inner_.change_counters(uids);
    observer_.op_done(StoreOp::kCacheCounters, Errc::kOk, clock_.now() - begun);
    const auto unknown = static_cast<std::size_t>(std::ranges::count(values, 0U));
    observer_.counters_read(values.size() - unknown, unknown);
    return values;
  }
  void lose_all() override { inner_.lose_all(); }
  [[nodiscard]] bool is_up() const override { return inner_.is_up(); }

 private:
  CacheStore& inner_;
  const Clock& clock_;
  OpObserver& observer_;
};

MeasuredEngine::MeasuredEngine(std::unique_ptr<Engine> inner, const Clock& clock,
                               OpObserver& observer)
    : inner_(std::move(inner)),
      clock_(clock),
      observer_(observer),
      cache_(std::make_unique<Cache>(inner_->cache(), clock, observer)) {}
MeasuredEngine::~MeasuredEngine() = default;

CacheStore& MeasuredEngine::cache() {
  return *cache_;
}

Result<std::unique_ptr<StoreSession>> MeasuredEngine::open_writer() {
  const Meter meter(clock_, observer_);
  return measured(meter.time(StoreOp::kOpenSession, [&] { return inner_->open_writer(); }), meter);
}

Result<std::unique_ptr<StoreSession>> MeasuredEngine::open_reader() {
  const Meter meter(clock_, observer_);
  return measured(meter.time(StoreOp::kOpenSession, [&] { return inner_->open_reader(); }), meter);
}

}  // namespace hy::das
