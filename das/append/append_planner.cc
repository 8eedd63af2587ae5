#include "das/append/append_planner.h"

#include <algorithm>
#include <bit>
#include <unordered_set>
#include <utility>

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

RecentIds::RecentIds(std::size_t ids_max)
    : buckets_(std::bit_ceil(std::max<std::size_t>(ids_max, 2)) / 2) {}

std::size_t RecentIds::bucket_of(const Key& key) const {
  // Whoever makes his ids collide loses hints, nothing else. Mixed: ids have constant bits.
  return mix64(std::hash<ClientMsgId>{}(key.id) ^ std::hash<Uid>{}(key.sender)) &
         (buckets_.size() - 1);
}

void RecentIds::add(const ConversationId& conv, Uid sender, const ClientMsgId& id) {
  const Key key{conv, sender, id};
  Bucket& bucket = buckets_[bucket_of(key)];
  if (bucket[0] == key) return;
  bucket[1] = bucket[0];
  bucket[0] = key;
}

bool RecentIds::has(const ConversationId& conv, Uid sender, const ClientMsgId& id) const {
  const Key key{conv, sender, id};
  const Bucket& bucket = buckets_[bucket_of(key)];
  return bucket[0] == key || bucket[1] == key;
}

void RecentIds::clear() {
  std::ranges::fill(buckets_, Bucket{});
}

/// Who goes into the transaction, in which order, and who shares another one's row.
struct AppendPlanner::Plan {
  std::vector<std::size_t> leaders;    ///< conversations ascending, arrival order within one
  std::vector<std::size_t> leader_of;  ///< per item: itself, or the first with the same id and hash
  std::vector<std::size_t> conflicts;  ///< the same id with another payload: after all others
};

AppendPlanner::Plan AppendPlanner::make_plan(std::span<const PendingAppend> batch) {
  Plan plan;
  std::vector<std::pair<ConversationId, std::size_t>> order;
  order.reserve(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) order.emplace_back(batch[i].item.conv, i);
  std::ranges::sort(order);
  plan.leader_of.resize(batch.size());
  plan.leaders.reserve(batch.size());
  for (std::size_t at = 0, run = 0; at < order.size(); ++at) {
    if (order[at].first != order[run].first) run = at;
    const std::size_t i = order[at].second;
    const AppendItem& item = batch[i].item;
    // Against all before it in its conversation: its share of a batch is short.
    std::size_t leader = i;
    for (std::size_t k = run; k < at && leader == i; ++k) {
      const AppendItem& other = batch[order[k].second].item;
      if (other.client_msg_id == item.client_msg_id && other.sender == item.sender)
        leader = plan.leader_of[order[k].second];
    }
    if (mutant(Mutant::kNoDeduplication)) leader = i;
    const bool same =
        batch[leader].item.payload_hash == item.payload_hash || mutant(Mutant::kPayloadHashIgnored);
    plan.leader_of[i] = same ? leader : i;
    if (!same)
      plan.conflicts.push_back(i);
    else if (leader == i)
      plan.leaders.push_back(i);
  }
  std::ranges::sort(plan.conflicts);
  return plan;
}

BatchOutcome AppendPlanner::run(MessageLog& log, std::span<PendingAppend> batch) {
  if (mutant(Mutant::kGapNotChecked))
    for (PendingAppend& pending : batch) pending.item.after.reset();
  const Plan plan = make_plan(batch);
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
    out.tell.insert(out.tell.end(), rows.tell.begin(), rows.tell.end());
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
  out.tell.insert(out.tell.end(), item.tell.begin(), item.tell.end());
}

}  // namespace hy::das
