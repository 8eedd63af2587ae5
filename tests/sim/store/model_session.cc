#include "tests/sim/store/model_session.h"

#include "common/base/test_hooks.h"

namespace hy::sim {
namespace {

/// guarantees.md §6: a transaction older than this is not committed with an old head_ms.
constexpr std::chrono::seconds kTransactionMax{5};

}  // namespace

bool ModelSession::is_broken() const {
  const std::scoped_lock guard(store_.mutex_);
  return broken_ || generation_ != store_.generation_;
}

Error ModelSession::broken(Errc code, const char* why) {
  broken_ = true;
  return {code, why, code == Errc::kStoreDown ? Millis{1'000} : Millis{0}};
}

Status ModelSession::enter(bool writes) {
  if (writes && !writes_) return fail(Errc::kInternal, "a write through a reading session");
  if (is_broken()) return fail(Errc::kStoreDown, "the session is broken");
  if (!engine_.alive_()) return std::unexpected(broken(Errc::kStoreDown, "this process is dead"));
  if (store_.down_) return std::unexpected(broken(Errc::kStoreDown, "the store does not answer"));
  store_.settle(false);
  if (store_.strikes(StoreFault::kConnectionLost, store_.faults_.connection_lost))
    return std::unexpected(broken(Errc::kStoreDown, "connection lost"));
  if (store_.strikes(StoreFault::kSlow, store_.faults_.slow)) {
    const auto most = static_cast<std::uint64_t>(
        std::max<std::int64_t>(std::chrono::nanoseconds(store_.faults_.slow_max).count(), 1));
    engine_.spent_ += std::chrono::nanoseconds{store_.random_.below(most)};
  }
  if (!writes) return {};
  if (store_.read_only_)
    return std::unexpected(broken(Errc::kStoreDown, "the server is read-only"));
  if (engine_.commit_delay_ <= kTransactionMax) return {};
  if (store_.flavour() == StoreFlavour::kOneWriter) return fail(Errc::kOverloaded, "took too long");
  return std::unexpected(broken(Errc::kStoreDown, "the server ended an idle transaction"));
}

Status ModelSession::end(std::unique_ptr<Transaction> transaction) {
  // Whoever died in the middle of this call never sent COMMIT.
  if (!engine_.alive_()) return std::unexpected(broken(Errc::kOutcomeUnknown, "process is dead"));
  if (store_.commit(std::move(transaction)) == ModelStore::CommitResult::kDone) return {};
  Error unknown = broken(Errc::kOutcomeUnknown, "COMMIT did not return");
  if (mutant(Mutant::kAckBeforeCommitOk)) return {};
  return std::unexpected(std::move(unknown));
}

void ModelSession::roll_back(std::unique_ptr<Transaction> transaction) {
  if (!mutant(Mutant::kHalfBatchAfterLockTimeout) || broken_ || !engine_.alive_()) return;
  store_.commit(std::move(transaction));
}

Result<const ConversationState*> ModelSession::lock(Transaction& transaction,
                                                    const ConversationId& conv) {
  if (store_.strikes(StoreFault::kDeadlock, store_.faults_.deadlock)) {
    transaction.forget();
    return fail(Errc::kOverloaded, "deadlock", Millis{100});
  }
  HY_TRY_VOID(store_.lock_row(&conv, nullptr, engine_.spent_));
  transaction.locked_conversations.push_back(conv);
  return transaction.conversations.find(conv);
}

Status ModelSession::lock(Transaction& transaction, Uid uid) {
  HY_TRY_VOID(store_.lock_row(nullptr, &uid, engine_.spent_));
  transaction.locked_users.push_back(uid);
  return {};
}

Status ModelSession::room(Transaction& transaction) {
  if (!store_.full_ && !store_.strikes(StoreFault::kFull, store_.faults_.full)) return {};
  transaction.forget();
  return fail(Errc::kStoreFull, "disk full", Millis{5'000});
}

std::int64_t ModelSession::begun_ms() const {
  return store_.now_ms() - std::chrono::duration_cast<Millis>(engine_.commit_delay_).count();
}

std::int64_t ModelSession::new_head_ms(const ConversationState& head, std::int64_t now) const {
  return store_.flavour() == StoreFlavour::kOneWriter ? now : std::max(head.head_ms, now);
}

Result<das::StoreFacts> ModelSession::facts() {
  const std::scoped_lock guard(store_.mutex_);
  HY_TRY_VOID(enter(false));
  if (writes_ && store_.read_only_)
    return std::unexpected(broken(Errc::kStoreDown, "the server is read-only"));
  const StoreRow& row = store_.tables_.store;
  das::StoreFacts facts;
  facts.store_epoch = row.store_epoch;
  facts.clock_steps = row.clock_steps;
  facts.beat_ms = row.beat_ms;
  facts.store_ms = store_.now_ms();
  facts.durable = store_.durable_;
  if (!facts.durable) facts.why_not_durable = "innodb_flush_log_at_trx_commit is 2";
  return facts;
}

Status ModelSession::beat(std::int64_t store_ms) {
  return write([&](Transaction& transaction) -> Status {
    StoreRow row = transaction.store_row();
    row.beat_ms = std::max(row.beat_ms, store_ms);
    transaction.store = row;
    return {};
  });
}

Status ModelSession::raise_clock_steps(std::uint64_t seen) {
  return write([&](Transaction& transaction) -> Status {
    StoreRow row = transaction.store_row();
    if (row.clock_steps != seen) return {};
    row.clock_steps = seen + 1;
    row.beat_ms = store_.now_ms();
    transaction.store = row;
    return {};
  });
}

}  // namespace hy::sim
