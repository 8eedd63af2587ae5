#include "tests/sim/store/model_store.h"

#include <algorithm>

namespace hy::sim {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;

template <class Rows, class Row>
bool holds(const Rows& rows, const Row* row) {
  return row != nullptr && std::ranges::find(rows, *row) != rows.end();
}

}  // namespace

ModelStore::ModelStore(ModelStoreOptions options, const Clock& clock)
    : options_(options), clock_(clock), random_(options.seed) {
  // Made from the clock: a store that replaces a lost one is told apart by every device.
  tables_.store.store_epoch = static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms(), 1));
}

void ModelStore::set_faults(const StoreFaults& faults) {
  const std::scoped_lock guard(mutex_);
  faults_ = faults;
}

void ModelStore::plan(StoreFault fault) {
  const std::scoped_lock guard(mutex_);
  planned_.push_back(fault);
}

std::uint64_t ModelStore::struck(StoreFault fault) const {
  const std::scoped_lock guard(mutex_);
  return struck_[static_cast<std::size_t>(fault)];
}

bool ModelStore::strikes(StoreFault fault, std::uint32_t rate) {
  bool now = false;
  if (!planned_.empty() && planned_.front() == fault) {
    planned_.pop_front();
    now = true;
  } else if (rate > 0) {
    now = random_.below(kMillion) < rate;
  }
  if (now) ++struck_[static_cast<std::size_t>(fault)];
  return now;
}

void ModelStore::set_down(bool down) {
  const std::scoped_lock guard(mutex_);
  if (down == down_) return;
  down_ = down;
  if (down) crash();
}

void ModelStore::set_read_only(bool on) {
  const std::scoped_lock guard(mutex_);
  read_only_ = on;
}

void ModelStore::set_full(bool on) {
  const std::scoped_lock guard(mutex_);
  full_ = on;
}

void ModelStore::set_durable(bool on) {
  const std::scoped_lock guard(mutex_);
  durable_ = on;
}

void ModelStore::crash() {
  const std::scoped_lock guard(mutex_);
  settle(true);
  held_.clear();
  break_sessions();
}

void ModelStore::hold_row(const ConversationId& conv, Millis how_long) {
  const std::scoped_lock guard(mutex_);
  held_.push_back({conv, clock_.now() + how_long});
}

void ModelStore::fail_over() {
  crash();
}

void ModelStore::mark_replica() {
  const std::scoped_lock guard(mutex_);
  replica_ = std::make_unique<Tables>(tables_);
}

void ModelStore::fail_over_with_loss() {
  const std::scoped_lock guard(mutex_);
  crash();
  if (!replica_) return;
  const std::uint64_t epoch = tables_.store.store_epoch + 1;
  tables_ = *replica_;
  tables_.store.store_epoch = epoch;
}

void ModelStore::set_clock_skew(std::int64_t ms) {
  const std::scoped_lock guard(mutex_);
  skew_ms_ = ms;
}

void ModelStore::end(InFlight& one) {
  if (!one.commits) return;
  one.transaction->apply();
  ++commits_;
  if (on_commit) on_commit();
}

void ModelStore::settle(bool all) {
  if (in_flight_.empty() && held_.empty()) return;
  const MonoTime now = clock_.now();
  std::erase_if(held_, [&](const HeldRow& row) { return row.until <= now; });
  // In the order of their COMMITs: no two of them hold the same row.
  std::erase_if(in_flight_, [&](InFlight& one) {
    if (!all && one.ends > now) return false;
    end(one);
    return true;
  });
}

Status ModelStore::lock_row(const ConversationId* conv, const Uid* uid,
                            std::chrono::nanoseconds& spent) {
  if (strikes(StoreFault::kLockWait, faults_.lock_wait)) {
    spent += options_.lock_wait;
    return fail(Errc::kOverloaded, "lock wait", Millis{100});
  }
  if (in_flight_.empty() && held_.empty()) return {};
  const MonoTime now = clock_.now();
  const auto wait_until = [&](MonoTime free) -> Status {
    const auto wait = std::max<std::chrono::nanoseconds>(free - now, {});
    if (wait <= options_.lock_wait) {
      spent += wait;
      return {};
    }
    spent += options_.lock_wait;
    return fail(Errc::kOverloaded, "lock wait", Millis{100});
  };
  for (const HeldRow& row : held_)
    if (conv != nullptr && row.conv == *conv) HY_TRY_VOID(wait_until(row.until));
  for (auto it = in_flight_.begin(); it != in_flight_.end(); ++it) {
    const bool mine = holds(it->transaction->locked_conversations, conv) ||
                      holds(it->transaction->locked_users, uid);
    if (!mine) continue;
    HY_TRY_VOID(wait_until(it->ends));
    // The waiter sees how it ended.
    InFlight one = std::move(*it);
    in_flight_.erase(it);
    end(one);
    return {};
  }
  return {};
}

ModelStore::CommitResult ModelStore::commit(std::unique_ptr<Transaction> transaction) {
  const auto take_effect = [&] {
    InFlight one{std::move(transaction), {}, true};
    end(one);
  };
  CommitResult result = CommitResult::kUnknown;
  if (strikes(StoreFault::kCommitLost, faults_.commit_lost)) {
    // Nothing: it is gone with its connection.
  } else if (strikes(StoreFault::kReplyLost, faults_.reply_lost)) {
    take_effect();
  } else if (strikes(StoreFault::kCommitHangs, faults_.commit_hangs)) {
    const auto hang = std::chrono::nanoseconds(faults_.hang_max) / 1'000'000 *
                      static_cast<std::int64_t>(random_.below(kMillion));
    in_flight_.push_back({std::move(transaction), clock_.now() + hang, random_.below(4) != 0});
  } else {
    take_effect();
    result = CommitResult::kDone;
  }
  if (result == CommitResult::kUnknown && options_.flavour == StoreFlavour::kOneWriter) {
    condemned_ = true;
    break_sessions();
  }
  return result;
}

}  // namespace hy::sim
