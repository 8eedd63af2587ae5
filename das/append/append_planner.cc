#include "das/append/append_planner.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "common/base/test_hooks.h"

namespace hy::das {
namespace {

/// Lock waits and deadlocks of one row: the first pass and one more. Each may wait 2 s in the
/// store.
constexpr int kTriesPerRow = 2;

bool is_session_loss(Errc code) {
  return code == Errc::kStoreDown || code == Errc::kOutcomeUnknown;
}

}  // namespace

std::size_t RecentIds::Hash::operator()(const Key& key) const noexcept {
  return std::hash<ConversationId>{}(key.conv) ^ mix64(std::hash<ClientMsgId>{}(key.id)) ^
         std::hash<Uid>{}(key.sender);
}

void RecentIds::add(const ConversationId& conv, Uid sender, const ClientMsgId& id) {
  if (young_.size() >= ids_max_) {
    old_ = std::move(young_);
    young_.clear();
  }
  young_.insert({conv, sender, id});
}

bool RecentIds::has(const ConversationId& conv, Uid sender, const ClientMsgId& id) const {
  const Key key{conv, sender, id};
  return young_.contains(key) || old_.contains(key);
}

void RecentIds::clear() {
  young_.clear();
  old_.clear();
}

/// Who goes into the transaction, in which order, and who shares another one's row.
struct AppendPlanner::Plan {
  std::vector<std::size_t> leaders;    ///< conversations ascending, arrival order within one
  std::vector<std::size_t> leader_of;  ///< per item: itself, or the first with the same id and hash
  std::vector<std::size_t> conflicts;  ///< the same id with another payload: after all others
};

BatchOutcome AppendPlanner::run(MessageLog& log, std::span<PendingAppend> batch) {
  if (mutant(Mutant::kGapNotChecked))
    for (PendingAppend& pending : batch) pending.item.after.reset();
  Plan plan;
  plan.leader_of.resize(batch.size());
  struct Key {
    ConversationId conv;
    Uid sender;
    ClientMsgId id;
    auto operator<=>(const Key&) const = default;
  };
  std::vector<std::size_t> by_key(batch.size());
  std::iota(by_key.begin(), by_key.end(), std::size_t{0});
  const auto key_of = [&](std::size_t i) {
    const AppendItem& item = batch[i].item;
    return Key{item.conv, item.sender, item.client_msg_id};
  };
  std::ranges::sort(by_key, {}, [&](std::size_t i) { return std::pair(key_of(i), i); });
  for (std::size_t i = 0, first = 0; i < by_key.size(); ++i) {
    if (key_of(by_key[i]) != key_of(by_key[first])) first = i;
    const std::size_t leader = mutant(Mutant::kNoDeduplication) ? by_key[i] : by_key[first];
    const bool same = batch[by_key[i]].item.payload_hash == batch[leader].item.payload_hash ||
                      mutant(Mutant::kPayloadHashIgnored);
    plan.leader_of[by_key[i]] = same ? leader : by_key[i];
    if (!same) plan.conflicts.push_back(by_key[i]);
  }
  std::ranges::sort(plan.conflicts);
  for (std::size_t i = 0; i < batch.size(); ++i)
    if (plan.leader_of[i] == i && !std::ranges::binary_search(plan.conflicts, i))
      plan.leaders.push_back(i);
  std::ranges::sort(plan.leaders, {},
                    [&](std::size_t i) { return std::pair(batch[i].item.conv, i); });

  BatchOutcome out;
  out.verdicts.resize(batch.size());
  std::vector<PendingAppend*> rest;
  if (!try_fast(log, batch, plan, out)) {
    if (!out.broken)
      for (const std::size_t i : plan.leaders) rest.push_back(&batch[i]);
  }
  // Arrival order among the leaders is per conversation only; the slow path needs no more.
  std::vector<std::size_t> slow = rest.empty() ? std::vector<std::size_t>{} : plan.leaders;
  if (!out.broken)
    for (const std::size_t i : plan.conflicts) {
      rest.push_back(&batch[i]);
      slow.push_back(i);
    }
  if (!rest.empty()) {
    BatchOutcome rows = run_slow(log, rest);
    for (std::size_t i = 0; i < slow.size(); ++i)
      out.verdicts[slow[i]] = std::move(rows.verdicts[i]);
    out.heads.insert(out.heads.end(), rows.heads.begin(), rows.heads.end());
    out.broken = rows.broken;
    out.why_broken = std::move(rows.why_broken);
    out.repeats += rows.repeats;
    out.conflicts += rows.conflicts;
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t leader = plan.leader_of[i];
    if (leader == i) continue;
    out.verdicts[i] = out.verdicts[leader];
    if (out.verdicts[i].answer) {
      out.verdicts[i].answer->repeat = true;
      ++out.repeats;
    }
  }
  return out;
}

bool AppendPlanner::try_fast(MessageLog& log, std::span<PendingAppend> batch, const Plan& plan,
                             BatchOutcome& out) {
  std::vector<const AppendItem*> items;
  items.reserve(plan.leaders.size());
  for (const std::size_t i : plan.leaders) {
    AppendItem& item = batch[i].item;
    // A store without the unique key: what this lane remembers is all that tells a repeat.
    if (mutant(Mutant::kDeduplicationInCacheOnly) &&
        recent_.has(item.conv, item.sender, item.client_msg_id))
      return false;
    item.after_proven = item.after && recent_.has(item.conv, item.sender, *item.after);
    items.push_back(&item);
  }
  FastAppend fast = log.append_fast(items);
  const auto all = [&](AppendVerdict::State state, const Error& error) {
    for (AppendVerdict& verdict : out.verdicts) verdict = {state, std::unexpected(error)};
  };
  switch (fast.result) {
    case FastResult::kStored:
      sync_point("das.after_commit_before_cache");
      out.fast = true;
      for (std::size_t k = 0; k < items.size(); ++k) {
        out.verdicts[plan.leaders[k]] = {AppendVerdict::State::kAnswered, fast.stored[k]};
        note_stored(*items[k], out, fast.stored[k]);
      }
      out.heads = std::move(fast.heads);
      return true;
    case FastResult::kRolledBack: sync_point("das.fast_rolled_back_before_slow"); return false;
    case FastResult::kUnknown:
      if (mutant(Mutant::kUnknownCommitIsRefused)) {
        all(AppendVerdict::State::kAnswered, {Errc::kForbidden, "the COMMIT failed", {}});
        break;
      }
      all(AppendVerdict::State::kUnknown, fast.why);
      // A payload that conflicts with one of the batch was never sent.
      for (const std::size_t i : plan.conflicts)
        out.verdicts[i].state = AppendVerdict::State::kNotDone;
      break;
    case FastResult::kFailed:
      if (fast.why.code != Errc::kStoreDown) {
        all(AppendVerdict::State::kAnswered, fast.why);
        return true;
      }
      all(AppendVerdict::State::kNotDone, fast.why);
      break;
  }
  out.broken = true;
  out.why_broken = fast.why;
  return false;
}

BatchOutcome AppendPlanner::run_slow(MessageLog& log, std::span<PendingAppend* const> batch) {
  BatchOutcome out;
  out.verdicts.resize(batch.size());
  one_by_one(log, batch, out);
  return out;
}

void AppendPlanner::one_by_one(MessageLog& log, std::span<PendingAppend* const> batch,
                               BatchOutcome& out) {
  std::unordered_set<ConversationId> locked;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const PendingAppend& pending = *batch[i];
    AppendVerdict& verdict = out.verdicts[i];
    verdict.state = AppendVerdict::State::kAnswered;
    if (pending.deadline <= clock_.now()) {
      verdict.answer = fail(Errc::kDeadlineExceeded, "in the row by row path");
      continue;
    }
    if (locked.contains(pending.item.conv)) {
      verdict.answer = fail(Errc::kOverloaded, "the conversation's row is locked", Millis{500});
      continue;
    }
    Result<AppendedOne> one = append_with_retries(log, pending);
    if (one) {
      verdict.answer = one->stored;
      out.heads.push_back(one->head);
      note_stored(pending.item, out, one->stored);
      continue;
    }
    const Error& error = one.error();
    if (error.code == Errc::kOverloaded) locked.insert(pending.item.conv);
    if (error.code == Errc::kConflict) ++out.conflicts;
    verdict.answer = std::unexpected(error);
    if (!is_session_loss(error.code)) continue;
    verdict.state = error.code == Errc::kOutcomeUnknown ? AppendVerdict::State::kUnknown
                                                        : AppendVerdict::State::kNotDone;
    if (mutant(Mutant::kUnknownCommitIsRefused) && error.code == Errc::kOutcomeUnknown)
      verdict = {AppendVerdict::State::kAnswered, fail(Errc::kForbidden, "the COMMIT failed")};
    out.broken = true;
    out.why_broken = error;
    for (std::size_t k = i + 1; k < batch.size(); ++k)
      out.verdicts[k] = {AppendVerdict::State::kNotDone, std::unexpected(error)};
    return;
  }
}

Result<AppendedOne> AppendPlanner::append_with_retries(MessageLog& log,
                                                       const PendingAppend& pending) {
  for (int tries = 1;; ++tries) {
    Result<AppendedOne> one = log.append_one(pending.item);
    if (one || one.error().code != Errc::kOverloaded) return one;
    if (tries == kTriesPerRow || pending.deadline <= clock_.now()) return one;
  }
}

void AppendPlanner::note_stored(const AppendItem& item, BatchOutcome& out, const Stored& stored) {
  recent_.add(item.conv, item.sender, item.client_msg_id);
  if (stored.repeat) ++out.repeats;
}

}  // namespace hy::das
