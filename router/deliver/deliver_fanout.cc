#include "router/deliver/deliver_fanout.h"

#include <algorithm>
#include <utility>

#include "common/base/test_hooks.h"

namespace hy::router {
namespace {

/// As many reads from memory as a core keeps under way, and a little more.
constexpr std::size_t kFetchAhead = 64;
constexpr std::size_t kResults = static_cast<std::size_t>(DeliverResult::kAcked) + 1;

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

void DeliverFanout::resolve(const Target& target, MonoTime now) {
  std::uint32_t seen = 0;
  std::array<Row, kSlotMax> rows;
  for (const Row& row : std::span(rows).first(table_.find_all(target.uid, rows))) {
    const bool is_meant =
        target.slots == 0 || (target.slots & (1U << static_cast<unsigned>(row.slot))) != 0;
    if (!is_meant) continue;
    const Standing standing = judge(row, now);
    if (standing == Standing::kNone) continue;
    seen |= 1U << static_cast<unsigned>(row.slot);
    if (standing == Standing::kLive) {
      found_.push_back({row.entry, found_.size(), {row.conn, row.uid, row.slot, false, false}});
    } else {
      outcomes_.push_back({row.uid, row.slot, DeliverResult::kUnknown});
    }
  }
  const bool may_say_gone = link_.is_ready() || mutant(Mutant::kWarmingAnswersOffline);
  // While WARMING the person's other slots may stand in a dump that is still to come: that one was
  // found says nothing about them, and another replica may know them.
  const bool is_answered =
      may_say_gone ? seen != 0 : target.slots != 0 && (target.slots & ~seen) == 0;
  if (is_answered) return;
  const auto result = may_say_gone ? DeliverResult::kGone : DeliverResult::kUnknown;
  outcomes_.push_back({target.uid, Slot::kNone, result});
}

void DeliverFanout::deliver(LogicId logic, const Delivery& delivery,
                            std::span<const Target> targets, MonoTime now) {
  link_.observe(now);
  found_.clear();
  outcomes_.clear();
  forwarded_ = 0;
  for (const Target& target : targets.first(std::min(targets.size(), kFetchAhead)))
    table_.prefetch(target.uid);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (i + kFetchAhead < targets.size()) table_.prefetch(targets[i + kFetchAhead].uid);
    if (i < rules_.targets_max) {
      resolve(targets[i], now);
    } else {
      outcomes_.push_back({targets[i].uid, Slot::kNone, DeliverResult::kUnknown});
    }
  }
  sync_point("router.after_resolve_before_forward");
  // One forward an entry, in the order of their numbers.
  const auto by_entry = [](const Found& f) { return std::pair(f.entry, f.place); };
  if (!std::ranges::is_sorted(found_, {}, by_entry)) std::ranges::sort(found_, {}, by_entry);
  for (auto first = found_.begin(); first != found_.end();) {
    const auto last = std::find_if(first, found_.end(),
                                   [first](const Found& f) { return f.entry != first->entry; });
    forward(logic, delivery, {first, last}, now);
    first = last;
  }
  for (const TargetOutcome& outcome : outcomes_) count(outcome.result);
  if (delivery.id == 0) return;
  if (delivery.brief) return answer_brief(logic, delivery.id);
  if (!outcomes_.empty()) logics_.results(logic, delivery.id, outcomes_);
}

/// Always something: it shows that this replica took the delivery.
void DeliverFanout::answer_brief(LogicId logic, std::uint64_t delivery_id) {
  const std::size_t all = outcomes_.size() + forwarded_;
  std::erase_if(outcomes_, [](const TargetOutcome& o) { return o.result == DeliverResult::kGone; });
  const std::size_t gone = all - forwarded_ - outcomes_.size();
  outcomes_.insert(outcomes_.begin(), {Uid{}, Slot::kNone, DeliverResult::kNone, all});
  if (gone > 0) outcomes_.push_back({Uid{}, Slot::kNone, DeliverResult::kGone, gone});
  logics_.results(logic, delivery_id, outcomes_);
}

void DeliverFanout::forward(LogicId logic, const Delivery& delivery, std::span<const Found> legs,
                            MonoTime now) {
  const EntryId entry = legs.front().entry;
  const bool wants_result = delivery.id != 0;
  if (!entries_.has_room(entry) || (wants_result && pending() >= rules_.pending_max)) {
    stats_.refused_overload += legs.size();
    for (const Found& f : legs) {
      outcomes_.push_back({f.leg.uid, f.leg.slot, DeliverResult::kUnknown});
    }
    return;
  }
  stats_.answers_found += legs.size();
  ++stats_.forwards;
  forwarded_ += legs.size();
  conns_.clear();
  for (const Found& f : legs) conns_.push_back(f.leg.conn);
  if (!wants_result) {
    entries_.forward(entry, 0, delivery, conns_);
    return;
  }
  const Millis stated{delivery.remaining_ms};
  const Millis left =
      stated.count() == 0 ? rules_.deadline_default : std::min(stated, rules_.deadline_max);
  const std::uint64_t id = pending_.take();
  Pending& row = pending_[id];
  row.logic = logic;
  row.delivery_id = delivery.id;
  row.entry = entry;
  row.until_ack = delivery.until_ack && !delivery.brief;
  row.brief = delivery.brief;
  row.open = legs.size();
  row.deadline = now + left;
  row.ack_deadline = now + std::max(left, rules_.ack_wait);
  row.legs.clear();
  for (const Found& f : legs) row.legs.push_back(f.leg);
  entries_.forward(entry, id, delivery, conns_);
  sync_point("router.after_forward_before_result");
  if (!wheel_) wheel_.emplace(now);
  wheel_->add(id, row.deadline);
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
  Pending* const found = pending_.find(id);
  if (found == nullptr || found->entry != entry) {
    stats_.results_late += outcomes.size();
    return;
  }
  Pending& pending = *found;
  outcomes_.clear();
  pending.brief ? take_brief(pending, outcomes) : take_each(pending, outcomes);
  const LogicId logic = pending.logic;
  const std::uint64_t delivery_id = pending.delivery_id;
  const bool is_over =
      pending.brief ? pending.open == 0 : std::ranges::all_of(pending.legs, &Leg::over);
  if (is_over) pending_.release(id);
  sync_point("router.result_before_logic");
  if (!outcomes_.empty()) logics_.results(logic, delivery_id, outcomes_);
}

void DeliverFanout::take_each(Pending& pending, std::span<const ConnOutcome> outcomes) {
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
    outcomes_.push_back({leg->uid, leg->slot, result});
    leg->answered = true;
    const bool ack_may_follow = pending.until_ack && (result == DeliverResult::kWritten ||
                                                      result == DeliverResult::kQueued);
    leg->over = !ack_may_follow;
  }
}

/// Named connections are found again, which is for the few that are gone; the others are counted.
void DeliverFanout::take_brief(Pending& pending, std::span<const ConnOutcome> outcomes) {
  std::array<std::uint64_t, kResults> counts{};
  for (const ConnOutcome& outcome : outcomes) {
    const bool valid =
        outcome.result > DeliverResult::kNone && outcome.result < DeliverResult::kAcked;
    const std::uint64_t n = std::min<std::uint64_t>(outcome.count, pending.open);
    auto leg = pending.legs.end();
    if (outcome.conn != ConnId{}) leg = std::ranges::find(pending.legs, outcome.conn, &Leg::conn);
    const bool is_known = outcome.conn == ConnId{} || (leg != pending.legs.end() && !leg->over);
    if (!valid || !is_known || n == 0) {
      ++stats_.results_late;
      continue;
    }
    pending.open -= n;
    DeliverResult result = outcome.result;
    if (leg != pending.legs.end()) {
      leg->over = true;
      result = true_result(pending, *leg, outcome.result);
      if (result == DeliverResult::kUnknown) {
        outcomes_.push_back({leg->uid, leg->slot, result});
        count(result);
        continue;
      }
    }
    count(result, n);
    counts[static_cast<std::size_t>(result)] += n;
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    outcomes_.push_back({Uid{}, Slot::kNone, static_cast<DeliverResult>(i), counts[i]});
  }
}

/// Of a brief forward whose results came in part it is not known whose they were: all that are not
/// known to be gone count as unknown, and the devices drop what they have.
void DeliverFanout::fail_unanswered(Pending& pending) {
  outcomes_.clear();
  for (Leg& leg : pending.legs) {
    if (leg.answered || leg.over) continue;
    leg.answered = true;
    leg.over = true;
    outcomes_.push_back({leg.uid, leg.slot, DeliverResult::kUnknown});
  }
  count(DeliverResult::kUnknown, outcomes_.size());
  if (!outcomes_.empty()) logics_.results(pending.logic, pending.delivery_id, outcomes_);
}

void DeliverFanout::on_entry_lost(EntryId entry) {
  std::vector<std::uint64_t> lost;
  pending_.for_each([&](std::uint64_t id, const Pending& pending) {
    if (pending.entry == entry) lost.push_back(id);
  });
  std::ranges::sort(lost);  // ids rise with time
  for (const std::uint64_t id : lost) {
    fail_unanswered(pending_[id]);
    pending_.release(id);
  }
}

void DeliverFanout::expire(MonoTime now) {
  if (!wheel_) return;
  expired_.clear();
  wheel_->due(now, expired_);
  for (const std::uint64_t id : expired_) {
    Pending* const found = pending_.find(id);
    if (found == nullptr) continue;
    Pending& pending = *found;
    fail_unanswered(pending);
    const bool waits_for_ack = !std::ranges::all_of(pending.legs, &Leg::over);
    if (waits_for_ack && now < pending.ack_deadline) {
      wheel_->add(id, pending.ack_deadline);
    } else {
      pending_.release(id);
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
