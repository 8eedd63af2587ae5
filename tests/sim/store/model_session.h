#pragma once

#include "das/storage/group_rules.h"
#include "tests/sim/store/model_engine.h"

namespace hy::sim {

/// A message's row below a head that the transaction holds; moves the head.
void insert_row(Transaction& transaction, const das::AppendItem& item, ConversationState& head,
                std::int64_t ms);

/// One connection to the model store, with its aggregates.
class ModelSession final : public das::StoreSession,
                           private das::MessageLog,
                           private das::Membership,
                           private das::Accounts,
                           private das::UserLog {
 public:
  ModelSession(ModelEngine& engine, bool writes)
      : engine_(engine), store_(engine.store_), generation_(store_.generation_), writes_(writes) {}

  das::MessageLog& messages() override { return *this; }
  das::Membership& membership() override { return *this; }
  das::Accounts& accounts() override { return *this; }
  das::UserLog& user_log() override { return *this; }
  Result<das::StoreFacts> facts() override;
  Status beat(std::int64_t store_ms) override;
  Status raise_clock_steps(std::uint64_t seen) override;
  [[nodiscard]] bool is_broken() const override;

 private:
  // MessageLog
  das::FastAppend append_fast(std::span<const das::AppendItem* const> items) override;
  Result<das::AppendedOne> append_one(const das::AppendItem& item) override;
  Result<das::Slice> pull(const das::PullQuery& query) override;
  Result<das::FoundMessage> find(const das::FindQuery& query) override;
  // Membership
  Result<std::vector<das::PairFacts>> open_pairs(std::span<const das::UidPair> pairs) override;
  Result<das::PairFacts> set_block(Uid uid, Uid peer, bool on) override;
  Result<das::GroupChanged> create_group(const das::NewGroup& group) override;
  Result<das::GroupFacts> group_facts(Gid gid) override;
  Result<das::GroupChanged> change_group(const das::GroupChange& change) override;
  Result<std::vector<Result<das::ReadMarked>>> mark_read(
      std::span<const das::ReadMark> marks) override;
  Result<das::ConversationPage> list_conversations(const das::ListQuery& query) override;
  // Accounts
  Result<std::vector<Result<Uid>>> create(std::span<const das::NewAccount> accounts) override;
  Result<std::vector<das::AccountRow>> find(std::span<const Uid> uids,
                                            std::span<const std::string> names) override;
  Result<das::LoginFacts> begin_login(const das::LoginAttempt& attempt) override;
  Status login_failed(Uid uid, const std::string& peer_ip) override;
  Result<das::SignedIn> sign_in(const das::SignIn& sign_in) override;
  Result<std::vector<das::AuthEpoch>> auth_epochs(std::span<const das::UidSlot> of) override;
  Status revoke(Uid uid, std::optional<Slot> slot) override;
  // UserLog
  Result<das::UserEvents> read(Uid uid, Useq after, std::uint32_t limit) override;

  /// body(transaction) -> Result<T> between BEGIN and COMMIT; a value comes back only when COMMIT
  /// has answered. On an error everything is rolled back.
  template <class Body>
  auto write(Body&& body) -> decltype(body(std::declval<Transaction&>()));
  /// body(tables) -> Result<T> in one read view.
  template <class Body>
  auto view(Body&& body) -> decltype(body(std::declval<const Tables&>()));
  /// What strikes a call before its first statement.
  Status enter(bool writes);
  Error broken(Errc code, const char* why);
  Status end(std::unique_ptr<Transaction> transaction);
  void roll_back(std::unique_ptr<Transaction> transaction);

  /// A locking read of the conversation's row; null: there is none.
  Result<const ConversationState*> lock(Transaction& transaction, const ConversationId& conv);
  Status lock(Transaction& transaction, Uid uid);
  Status room(Transaction& transaction);
  /// The store clock as a transaction reads it that commits now.
  [[nodiscard]] std::int64_t begun_ms() const;
  [[nodiscard]] std::int64_t new_head_ms(const ConversationState& head, std::int64_t now) const;
  Status append_run(Transaction& transaction, std::span<const das::AppendItem* const> items,
                    das::FastAppend& out);
  void add_event(Transaction& transaction, Uid uid, das::UserEvent event, Useq& useq);
  Result<das::ReadMarked> move_mark(Transaction& transaction, const das::ReadMark& mark);
  Status make_pair(Transaction& transaction, Uid a, Uid b);
  Status write_change(Transaction& transaction, const das::GroupPlan& plan, das::AppendItem item,
                      das::GroupChanged& out);

  ModelEngine& engine_;
  ModelStore& store_;
  const std::uint64_t generation_;
  const bool writes_;
  bool broken_ = false;
};

template <class Body>
auto ModelSession::write(Body&& body) -> decltype(body(std::declval<Transaction&>())) {
  const std::scoped_lock guard(store_.mutex_);
  HY_TRY_VOID(enter(true));
  auto transaction = std::make_unique<Transaction>(store_.tables_);
  auto result = body(*transaction);
  if (!result) {
    roll_back(std::move(transaction));
    return result;
  }
  HY_TRY_VOID(end(std::move(transaction)));
  return result;
}

template <class Body>
auto ModelSession::view(Body&& body) -> decltype(body(std::declval<const Tables&>())) {
  const std::scoped_lock guard(store_.mutex_);
  HY_TRY_VOID(enter(false));
  return body(static_cast<const Tables&>(store_.tables_));
}

}  // namespace hy::sim
