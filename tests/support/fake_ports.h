#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/obs/metrics.h"
#include "logic/metrics.h"
#include "logic/ports/account_port.h"
#include "logic/ports/group_port.h"
#include "logic/ports/message_log_port.h"
#include "logic/ports/password_port.h"
#include "logic/ports/relation_port.h"
#include "logic/ports/reply_port.h"
#include "logic/ports/router_port.h"

/// Neighbours of logic's cores that a test plays by hand: every question is kept with its
/// completion until the test answers it.
namespace hy::logic::test {

/// Moves when the test says so.
class HandClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return now_; }
  [[nodiscard]] std::int64_t wall_ms() const override { return wall_ms_; }
  void advance(Millis by) {
    now_ += by;
    wall_ms_ += by.count();
  }

 private:
  MonoTime now_{std::chrono::hours{1}};
  std::int64_t wall_ms_ = 1'800'000'000'000;
};

/// One question and its completion.
template <class Query, class T>
struct Asked {
  Query query;
  CallContext call;
  Done<T> done;
  void answer(T value) { done(std::move(value)); }
  void fail_with(Errc code) { done(fail(code)); }
};
template <class Query, class T>
using Questions = std::deque<Asked<Query, T>>;

template <class Query, class T>
Asked<Query, T> take(Questions<Query, T>& questions) {
  HY_CHECK(!questions.empty());
  Asked<Query, T> out = std::move(questions.front());
  questions.pop_front();
  return out;
}

struct MarkReadQuery {
  Uid uid;
  ConversationId conversation;
  Seq seq;
};

class FakeLog final : public MessageLogPort {
 public:
  void append(std::shared_ptr<const AppendRequest> request, Done<Appended> done) override {
    const CallContext call = request->call;
    appends.push_back({std::move(request), call, std::move(done)});
  }
  void pull(const PullQuery& query, CallContext call, Done<Slice> done) override {
    pulls.push_back({query, call, std::move(done)});
  }
  void find(const FindQuery& query, CallContext call, Done<Found> done) override {
    finds.push_back({query, call, std::move(done)});
  }
  void mark_read(Uid uid, ConversationId conversation, Seq seq, CallContext call,
                 Done<ReadMarked> done) override {
    marks_asked.push_back({{uid, conversation, seq}, call, std::move(done)});
  }
  void list(const ConversationsQuery& query, CallContext call, Done<Conversations> done) override {
    lists.push_back({query, call, std::move(done)});
  }
  void change_counters(const std::vector<Uid>& uids, CallContext call,
                       Done<std::vector<std::uint64_t>> done) override {
    counters.push_back({uids, call, std::move(done)});
  }
  [[nodiscard]] bool store_up() const override { return is_store_up; }
  [[nodiscard]] StoreMarks marks() const override { return store_marks; }

  Questions<std::shared_ptr<const AppendRequest>, Appended> appends;
  Questions<PullQuery, Slice> pulls;
  Questions<FindQuery, Found> finds;
  Questions<MarkReadQuery, ReadMarked> marks_asked;
  Questions<ConversationsQuery, Conversations> lists;
  Questions<std::vector<Uid>, std::vector<std::uint64_t>> counters;
  bool is_store_up = true;
  StoreMarks store_marks{7, 3};
};

struct BlockQuery {
  Uid uid;
  Uid peer;
  bool on = false;
};

class FakeRelations final : public RelationPort {
 public:
  void open_pair(ConversationId pair, CallContext call, Done<PairFacts> done) override {
    opens.push_back({pair, call, std::move(done)});
  }
  void set_block(Uid uid, Uid peer, bool on, CallContext call, Done<PairFacts> done) override {
    blocks.push_back({{uid, peer, on}, call, std::move(done)});
  }
  Questions<ConversationId, PairFacts> opens;
  Questions<BlockQuery, PairFacts> blocks;
};

class FakeGroups final : public GroupPort {
 public:
  void create_group(const NewGroup& group, CallContext call, Done<GroupChanged> done) override {
    creates.push_back({group, call, std::move(done)});
  }
  void open_group(Gid gid, CallContext call, Done<GroupFacts> done) override {
    opens.push_back({gid, call, std::move(done)});
  }
  void change_group(const GroupChange& change, CallContext call, Done<GroupChanged> done) override {
    changes.push_back({change, call, std::move(done)});
  }
  Questions<NewGroup, GroupChanged> creates;
  Questions<Gid, GroupFacts> opens;
  Questions<GroupChange, GroupChanged> changes;
};

struct BeginLoginQuery {
  Uid uid;
  std::string name;
  std::string peer_ip;
};
struct FindAccountsQuery {
  std::vector<Uid> uids;
  std::vector<std::string> names;
};

class FakeAccounts final : public AccountPort {
 public:
  void begin_login(Uid uid, const std::string& name, const std::string& peer_ip, CallContext call,
                   Done<LoginFacts> done) override {
    begins.push_back({{uid, name, peer_ip}, call, std::move(done)});
  }
  void login_failed(Uid uid, const std::string& peer_ip, CallContext /*call*/) override {
    failures.emplace_back(uid, peer_ip);
  }
  void sign_in(const SignInRequest& request, CallContext call, Done<SignedIn> done) override {
    sign_ins.push_back({request, call, std::move(done)});
  }
  /// Answered at once from `epochs` (1 where nothing is set), unless `hold_epochs`.
  void auth_epochs(const std::vector<SlotKey>& keys, CallContext call,
                   Done<std::vector<KnownEpoch>> done) override {
    ++epoch_calls;
    if (hold_epochs) {
      epoch_questions.push_back({keys, call, std::move(done)});
      return;
    }
    done(epochs_of(keys));
  }
  [[nodiscard]] std::vector<KnownEpoch> epochs_of(const std::vector<SlotKey>& keys) const {
    std::vector<KnownEpoch> out;
    for (const SlotKey& key : keys) {
      const auto it = epochs.find(key);
      out.push_back(
          {it == epochs.end() ? 1U : it->second, "user" + std::to_string(key.uid.value())});
    }
    return out;
  }
  void create(const std::vector<NewAccount>& accounts, CallContext call,
              Done<std::vector<Account>> done) override {
    creates.push_back({accounts, call, std::move(done)});
  }
  void find(const std::vector<Uid>& uids, const std::vector<std::string>& names, CallContext call,
            Done<std::vector<Account>> done) override {
    finds.push_back({{uids, names}, call, std::move(done)});
  }
  void revoke(Uid uid, Slot slot, CallContext call, Done<bool> done) override {
    revokes.push_back({{uid, slot}, call, std::move(done)});
  }

  Questions<BeginLoginQuery, LoginFacts> begins;
  Questions<SignInRequest, SignedIn> sign_ins;
  Questions<std::vector<SlotKey>, std::vector<KnownEpoch>> epoch_questions;
  Questions<std::vector<NewAccount>, std::vector<Account>> creates;
  Questions<FindAccountsQuery, std::vector<Account>> finds;
  Questions<SlotKey, bool> revokes;
  std::vector<std::pair<Uid, std::string>> failures;
  std::map<SlotKey, std::uint32_t> epochs;
  bool hold_epochs = false;
  int epoch_calls = 0;
};

class FakePasswords final : public PasswordPort {
 public:
  struct Try {
    std::string password;
    std::string phc;
  };
  void verify(Secret password, Secret phc, Done<Verdict> done) override {
    verifies.push_back({{password.reveal(), phc.reveal()}, {}, std::move(done)});
  }
  void hash(Secret password, Done<Secret> done) override {
    hashes.push_back({password.reveal(), {}, std::move(done)});
  }
  Questions<Try, Verdict> verifies;
  Questions<std::string, Secret> hashes;
};

class FakeRouter final : public RouterPort {
 public:
  struct Sent {
    std::size_t replica = 0;
    std::uint64_t id = 0;
    Delivery delivery;
    std::vector<Target> targets;
    Millis remaining{0};
    bool with_everyone = false;
  };
  explicit FakeRouter(std::size_t replicas = 2) : up(replicas, true), ready(replicas, true) {}
  [[nodiscard]] std::size_t replicas() const override { return up.size(); }
  [[nodiscard]] bool is_up(std::size_t replica) const override { return up[replica]; }
  [[nodiscard]] bool is_ready(std::size_t replica) const override {
    return up[replica] && ready[replica];
  }
  void deliver(std::size_t replica, std::uint64_t id, const Delivery& delivery,
               std::span<const Target> targets, bool with_everyone, Millis remaining) override {
    sent.push_back(
        {replica, id, delivery, {targets.begin(), targets.end()}, remaining, with_everyone});
  }
  void kick(const KickOrder& order) override { kicks.push_back(order); }

  std::vector<bool> up;
  std::vector<bool> ready;
  std::vector<Sent> sent;
  std::vector<KickOrder> kicks;
};

class FakeReplies final : public ReplyPort {
 public:
  struct Said {
    RequestContext context;
    Answer answer;
  };
  void reply(const RequestContext& context, Answer answer) override {
    said.push_back({context, std::move(answer)});
  }
  void leave(const RequestContext& /*context*/) override { ++left; }
  std::vector<Said> said;
  int left = 0;
};

}  // namespace hy::logic::test
