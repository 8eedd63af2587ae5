#include "router/deliver/deliver_fanout.h"

#include <algorithm>

#include "common/base/test_hooks.h"

namespace hy::router {
namespace {

/// As many reads from memory as a core keeps under way, and a little more.
constexpr std::size_t kFetchAhead = 64;

}  // namespace

DeliverFanout::DeliverFanout(FanoutRules rules, const PlacementTable& table,
                             const LeaseTable& leases, RouterLink& link, EntryPort& entries,
                             LogicPort& logics, RouterStats& stats)
    : rules_(rules),
      table_(table),
      leases_(leases),
      link_(link),
      entries_(entries),
      logics_(logics),
      stats_(stats) {}

DeliverFanout::Standing DeliverFanout::judge(const Row& row, MonoTime now) const {
  if (!table_.is_live(row)) return Standing::kNone;
  if (leases_.state(row.entry) == LeaseState::kDead) {
    return leases_.is_recently_dead(row.entry, now) ? Standing::kUnknown : Standing::kNone;
  }
  return entries_.is_up(row.entry) ? Standing::kLive : Standing::kUnknown;
}

void DeliverFanout::count(DeliverResult result, std::uint64_t n) {
  if (result == DeliverResult::kGone) stats_.answers_offline += n;
  if (result == DeliverResult::kUnknown) stats_.answers_unknown += n;
}

void DeliverFanout::resolve(const Target& target, Resolved& out, MonoTime now) {
  bool any = false;
  std::array<Row, kSlotMax> rows;
  for (const Row& row : std::span(rows).first(table_.find_all(target.uid, rows))) {
    if (target.slots != 0 && (target.slots & (1U << static_cast<unsigned>(row.slot))) == 0)
      continue;
    const Standing standing = judge(row, now);
    if (standing == Standing::kNone) continue;
    any = true;
    if (standing == Standing::kLive) {
      out.by_entry[row.entry].push_back({row.conn, row.uid, row.slot, false, false});
    } else {
      out.outcomes.push_back({row.uid, row.slot, DeliverResult::kUnknown});
    }
  }
  if (any) return;
  const bool may_say_gone = link_.is_ready() || mutant(Mutant::kWarmingAnswersOffline);
  const auto result = may_say_gone ? DeliverResult::kGone : DeliverResult::kUnknown;
  out.outcomes.push_back({target.uid, Slot::kNone, result});
}

void DeliverFanout::deliver(LogicId logic, const Delivery& delivery,
                            std::span<const Target> targets, MonoTime now) {
  link_.observe(now);
  Resolved resolved;
  for (const Target& target : targets.first(std::min(targets.size(), kFetchAhead)))
    table_.prefetch(target.uid);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (i < rules_.targets_max) {
      resolve(targets[i], resolved, now);
    } else {
      resolved.outcomes.push_back({targets[i].uid, Slot::kNone, DeliverResult::kUnknown});
    }
  }
  sync_point("router.after_resolve_before_forward");
  for (auto& [entry, legs] : resolved.by_entry) {
    forward(logic, delivery, entry, std::move(legs), resolved.outcomes, now);
  }
  for (const TargetOutcome& outcome : resolved.outcomes) count(outcome.result);
  if (delivery.id != 0 && !resolved.outcomes.empty()) {
    logics_.results(logic, delivery.id, resolved.outcomes);
  }
}

void DeliverFanout::forward(LogicId logic, const Delivery& delivery, EntryId entry,
                            std::vector<Leg> legs, std::vector<TargetOutcome>& outcomes,
                            MonoTime now) {
  const bool wants_result = delivery.id != 0;
  if (!entries_.has_room(entry) || (wants_result && pending_.size() >= rules_.pending_max)) {
    stats_.refused_overload += legs.size();
    for (const Leg& leg : legs) outcomes.push_back({leg.uid, leg.slot, DeliverResult::kUnknown});
    return;
  }
  stats_.answers_found += legs.size();
  ++stats_.forwards;
  std::vector<ConnId> conns;
  conns.reserve(legs.size());
  for (const Leg& leg : legs) conns.push_back(leg.conn);
  if (!wants_result) {
    entries_.forward(entry, 0, delivery, conns);
    return;
  }
  const Millis stated{delivery.remaining_ms};
  const Millis left =
      stated.count() == 0 ? rules_.deadline_default : std::min(stated, rules_.deadline_max);
  const std::uint64_t id = ++last_forward_;
  entries_.forward(entry, id, delivery, conns);
  sync_point("router.after_forward_before_result");
  pending_.emplace(id, Pending{logic, delivery.id, entry, delivery.until_ack, now + left,
                               now + std::max(left, rules_.ack_wait), std::move(legs)});
  due_.emplace(now + left, id);
}

/// "Gone" of a connection that the row does not name any more says nothing about the user.
DeliverResult DeliverFanout::true_result(const Pending& pending, const Leg& leg,
                                         DeliverResult said) const {
  if (said != DeliverResult::kGone) return said;
  const auto row = table_.find(leg.uid, leg.slot);
  const bool moved =
      row && table_.is_live(*row) && (row->entry != pending.entry || row->conn != leg.conn);
  return moved || !link_.is_ready() ? DeliverResult::kUnknown : DeliverResult::kGone;
}

void DeliverFanout::on_results(EntryId entry, std::uint64_t id,
                               std::span<const ConnOutcome> outcomes, MonoTime now) {
  link_.observe(now);
  const auto found = pending_.find(id);
  if (found == pending_.end() || found->second.entry != entry) {
    stats_.results_late += outcomes.size();
    return;
  }
  Pending& pending = found->second;
  std::vector<TargetOutcome> out;
  for (const ConnOutcome& outcome : outcomes) {
    const auto leg = std::ranges::find(pending.legs, outcome.conn, &Leg::conn);
    const bool is_ack = outcome.result == DeliverResult::kAcked;
    const bool valid =
        outcome.result > DeliverResult::kNone && outcome.result <= DeliverResult::kAcked;
    if (leg == pending.legs.end() || leg->over || !valid || (leg->answered && !is_ack)) {
      ++stats_.results_late;
      continue;
    }
    const DeliverResult result = true_result(pending, *leg, outcome.result);
    count(result);
    out.push_back({leg->uid, leg->slot, result});
    leg->answered = true;
    const bool ack_may_follow = pending.until_ack && (result == DeliverResult::kWritten ||
                                                      result == DeliverResult::kQueued);
    leg->over = !ack_may_follow;
  }
  const LogicId logic = pending.logic;
  const std::uint64_t delivery_id = pending.delivery_id;
  if (std::ranges::all_of(pending.legs, &Leg::over)) pending_.erase(found);
  sync_point("router.result_before_logic");
  if (!out.empty()) logics_.results(logic, delivery_id, out);
}

void DeliverFanout::fail_unanswered(Pending& pending) {
  std::vector<TargetOutcome> out;
  for (Leg& leg : pending.legs) {
    if (leg.answered) continue;
    leg.answered = true;
    leg.over = true;
    out.push_back({leg.uid, leg.slot, DeliverResult::kUnknown});
  }
  count(DeliverResult::kUnknown, out.size());
  if (!out.empty()) logics_.results(pending.logic, pending.delivery_id, out);
}

void DeliverFanout::on_entry_lost(EntryId entry) {
  std::vector<std::uint64_t> lost;
  for (const auto& item : pending_) {
    if (item.second.entry == entry) lost.push_back(item.first);
  }
  std::ranges::sort(lost);  // the table's order differs from run to run
  for (const std::uint64_t id : lost) {
    const auto found = pending_.find(id);
    fail_unanswered(found->second);
    pending_.erase(found);
  }
}

void DeliverFanout::expire(MonoTime now) {
  while (!due_.empty() && due_.top().first <= now) {
    const std::uint64_t id = due_.top().second;
    due_.pop();
    const auto found = pending_.find(id);
    if (found == pending_.end()) continue;
    Pending& pending = found->second;
    fail_unanswered(pending);
    const bool waits_for_ack = !std::ranges::all_of(pending.legs, &Leg::over);
    if (waits_for_ack && now < pending.ack_deadline) {
      due_.emplace(pending.ack_deadline, id);
    } else {
      pending_.erase(found);
    }
  }
}

std::vector<PlacedAnswer> DeliverFanout::query(std::span<const Uid> uids, MonoTime now) {
  link_.observe(now);
  std::vector<PlacedAnswer> out;
  out.reserve(uids.size());
  for (const Uid uid : uids) {
    PlacedAnswer answer{uid, 0, !link_.is_ready()};
    std::array<Row, kSlotMax> rows;
    for (const Row& row : std::span(rows).first(table_.find_all(uid, rows))) {
      const Standing standing = judge(row, now);
      if (standing == Standing::kLive) answer.slots_found |= 1U << static_cast<unsigned>(row.slot);
      if (standing == Standing::kUnknown) answer.unknown = true;
    }
    out.push_back(answer);
  }
  return out;
}

}  // namespace hy::router
