#include "logic/delivery/deliverer.h"

#include <algorithm>

#include "common/base/test_hooks.h"
#include "logic/metrics.h"

namespace hy::logic {
namespace {

constexpr int kTriesMax = 2;

void forget(SmallVector<Uid, 2>& uids, Uid uid) {
  uids.erase(std::remove(uids.begin(), uids.end(), uid), uids.end());
}

bool is_one_of_everyone(const Delivery& delivery, Uid uid) {
  return delivery.everyone != nullptr && std::ranges::binary_search(*delivery.everyone, uid);
}

Millis remaining(MonoTime deadline, MonoTime now) {
  return std::max(Millis{0}, std::chrono::duration_cast<Millis>(deadline - now));
}

}  // namespace

Deliverer::Deliverer(RouterPort& router, const Clock& clock, Metrics& metrics, Options options)
    : router_(router), clock_(clock), metrics_(metrics), options_(options) {}

void Deliverer::deliver(Delivery delivery, FirstResult on_result) {
  delivery.until_ack = false;
  start(std::move(delivery), {}, std::move(on_result), {});
}

void Deliverer::deliver_until_ack(Delivery delivery, Uid receiver,
                                  std::move_only_function<void(bool)> done) {
  delivery.until_ack = true;
  start(std::move(delivery), receiver, {}, std::move(done));
}

void Deliverer::start(Delivery delivery, Uid receiver, FirstResult on_result,
                      std::move_only_function<void(bool)> on_ack) {
  const auto replica = choose(delivery, std::nullopt);
  if (!replica || pending() >= options_.pending_max) {
    metrics_.push_dropped(replica ? "pending_full" : "no_router");
    if (on_ack) on_ack(false);
    return;
  }
  const std::uint64_t id = pending_.take();
  Pending& row = pending_[id];
  row.delivery = std::move(delivery);
  row.tries = 0;
  row.results_due = 0;
  row.receiver = receiver;
  row.on_result = std::move(on_result);
  row.on_ack = std::move(on_ack);
  unanswered_.push_back({clock_.now() + options_.unanswered_after, id});
  send(id, row, *replica, row.delivery.targets, row.delivery.everyone != nullptr);
  sync_point("logic.after_deliver_before_result");
}

// A READY replica's "gone" counts, so READY ones come first; a conversation starts its search at
// its own place, which keeps it on one replica.
std::optional<std::size_t> Deliverer::choose(const Delivery& delivery,
                                             std::optional<std::size_t> other_than) const {
  const std::size_t count = router_.replicas();
  if (count == 0) return std::nullopt;
  const bool of_conversation = delivery.conversation != ConversationId{};
  const std::uint64_t hash = of_conversation ? std::hash<ConversationId>{}(delivery.conversation)
                                             : std::hash<Uid>{}(delivery.targets.front().uid);
  std::optional<std::size_t> warming;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t replica = (hash + i) % count;
    if (replica == other_than || !router_.is_up(replica)) continue;
    if (router_.is_ready(replica)) return replica;
    if (!warming) warming = replica;
  }
  return warming;
}

void Deliverer::send(std::uint64_t id, Pending& pending, std::size_t replica,
                     std::span<const Target> targets, bool with_everyone) {
  pending.replica = replica;
  ++pending.tries;
  pending.unanswered.clear();
  pending.is_resolved = false;
  if (pending.delivery.everyone == nullptr) {
    for (const Target& target : targets) pending.unanswered.push_back(target.uid);
  }
  metrics_.push_sent(pending.tries > 1);
  router_.deliver(replica, id, pending.delivery, targets, with_everyone,
                  remaining(pending.delivery.deadline, clock_.now()));
}

void Deliverer::retry_elsewhere(std::uint64_t id, Pending& pending, std::span<const Target> targets,
                                bool with_everyone) {
  const MonoTime now = clock_.now();
  const bool is_nobody = targets.empty() && !with_everyone;
  if (pending.tries >= kTriesMax || is_nobody || now >= pending.delivery.deadline) return;
  sync_point("logic.before_deliver_elsewhere");
  const auto replica = choose(pending.delivery, pending.replica);
  if (!replica) return;
  send(id, pending, *replica, targets, with_everyone);
}

/// Those of whom nothing was heard. Of a delivery to everyone that is all of them or nobody: the
/// entries drop what they have already.
void Deliverer::retry_unanswered(std::uint64_t id, Pending& pending) {
  if (pending.delivery.everyone == nullptr) {
    return retry_elsewhere(id, pending, unanswered_targets(pending));
  }
  if (!is_settled(pending)) retry_elsewhere(id, pending, pending.delivery.targets, true);
}

bool Deliverer::is_settled(const Pending& pending) {
  if (pending.delivery.everyone == nullptr) return pending.unanswered.empty();
  return pending.is_resolved && pending.results_due == 0;
}

void Deliverer::count_results(std::size_t replica, Pending& pending, const TargetResult& result) {
  if (result.result != DeliverResult::kNone) {
    pending.results_due -= std::min(pending.results_due, result.count);
    return;
  }
  pending.results_due += result.count;
  if (replica == pending.replica) pending.is_resolved = true;
}

Targets Deliverer::unanswered_targets(const Pending& pending) {
  Targets out;
  for (const Target& t : pending.delivery.targets) {
    if (std::ranges::find(pending.unanswered, t.uid) != pending.unanswered.end()) out.push_back(t);
  }
  return out;
}

void Deliverer::on_results(std::size_t replica, std::uint64_t id,
                           std::span<const TargetResult> results) {
  Pending* const found = pending_.find(id);
  if (found == nullptr) {
    metrics_.push_result_late();
    return;
  }
  sync_point("logic.result_before_taken");
  Pending& pending = *found;
  if (pending.on_result) std::exchange(pending.on_result, {})();
  Targets unknown;
  bool is_acked = false;
  for (const TargetResult& r : results) {
    metrics_.push_result(r.result, r.count);
    if (pending.delivery.everyone != nullptr) count_results(replica, pending, r);
    if (r.uid == Uid{}) continue;
    if (r.result == DeliverResult::kAcked ||
        (mutant(Mutant::kRelayedOnWritten) && r.result == DeliverResult::kWritten)) {
      // A device of the sender's own does not make a message RELAYED.
      is_acked = is_acked || r.uid == pending.receiver;
      continue;
    }
    if (r.result != DeliverResult::kUnknown) {
      forget(pending.unanswered, r.uid);
      continue;
    }
    if (replica != pending.replica) continue;  // that replica was given up already
    forget(pending.unanswered, r.uid);
    const auto asked = std::ranges::find(pending.delivery.targets, r.uid, &Target::uid);
    const bool is_named = asked != pending.delivery.targets.end();
    if (!is_named && !is_one_of_everyone(pending.delivery, r.uid)) continue;
    const std::uint32_t slots = is_named ? asked->slots : 0;
    unknown.push_back({r.uid, r.slot == 0 ? slots : 1U << (r.slot & 31U)});
  }
  if (is_acked && pending.on_ack) {
    finish(id, true);
    return;
  }
  if (!unknown.empty() && pending.tries < kTriesMax) {
    for (const Target& still : unanswered_targets(pending)) unknown.push_back(still);
    retry_elsewhere(id, pending, unknown);
  }
  if (is_settled(pending) && !pending.on_ack) finish(id, false);
}

void Deliverer::on_replica_down(std::size_t replica) {
  std::vector<std::uint64_t> lost;
  pending_.for_each([&](std::uint64_t id, const Pending& pending) {
    if (pending.replica == replica) lost.push_back(id);
  });
  std::ranges::sort(lost);  // ids rise with time: one conversation's messages keep their order
  for (const std::uint64_t id : lost) {
    Pending& pending = pending_[id];
    if (pending.on_ack) {
      retry_elsewhere(id, pending, pending.delivery.targets);
    } else {
      retry_unanswered(id, pending);
    }
  }
}

std::optional<MonoTime> Deliverer::due() const {
  std::optional<MonoTime> out;
  if (!unanswered_.empty()) out = unanswered_.front().at;
  if (!forgotten_.empty() && (!out || forgotten_.front().at < *out)) out = forgotten_.front().at;
  return out;
}

void Deliverer::tick() {
  const MonoTime now = clock_.now();
  while (!unanswered_.empty() && unanswered_.front().at <= now) {
    const Due due = unanswered_.front();
    unanswered_.pop_front();
    Pending* const pending = pending_.find(due.id);
    if (pending == nullptr) continue;
    forgotten_.push_back({due.at - options_.unanswered_after + options_.forget_after, due.id});
    // A replica that knows how many results there will be lives, and says UNKNOWN in time.
    if (!pending->is_resolved) retry_unanswered(due.id, *pending);
  }
  while (!forgotten_.empty() && forgotten_.front().at <= now) {
    const std::uint64_t id = forgotten_.front().id;
    forgotten_.pop_front();
    Pending* const pending = pending_.find(id);
    if (pending == nullptr) continue;
    if (!is_settled(*pending)) metrics_.push_unanswered();
    finish(id, false);
  }
}

void Deliverer::finish(std::uint64_t id, bool acked) {
  Pending& row = pending_[id];
  auto on_ack = std::exchange(row.on_ack, {});
  row.on_result = {};
  row.delivery = {};
  pending_.release(id);
  if (on_ack) on_ack(acked);
}

bool Deliverer::pushes_may_be_missing() const {
  for (std::size_t i = 0; i < router_.replicas(); ++i) {
    if (router_.is_ready(i)) return false;
  }
  return true;
}

}  // namespace hy::logic
