#include "router/link/router_link.h"

#include <algorithm>
#include <utility>

#include "common/base/test_hooks.h"

namespace hy::router {
namespace {

constexpr std::size_t kKicksPerHeartbeatMax = 1'000;

KickOrder order_for(const Row& loser, Epoch winner) {
  // A higher auth_epoch means that another installation signed in; the same one has merely
  // reconnected, and its old connection is closed without a word to a person.
  const bool other_device = winner.auth > loser.epoch.auth;
  // One epoch twice (a device restored from a backup): the order names no connection by epoch, so
  // the loser is closed by its own number.
  const Epoch above_loser{loser.epoch.auth, loser.epoch.conn + 1};
  return {.conn = loser.conn,
          .uid = loser.uid,
          .slot = loser.slot,
          .below = std::max(winner, above_loser),
          .code = other_device ? Errc::kKicked : Errc::kStaleSession,
          .reason = other_device ? "signed in on another device" : "a newer connection"};
}

}  // namespace

RouterLink::RouterLink(LinkRules rules, PlacementTable& table, LeaseTable& leases, EntryPort& port,
                       RouterStats& stats)
    : rules_(rules), table_(table), leases_(leases), port_(port), stats_(stats) {
  for (const EntryId entry : leases_.entries()) peers_[entry];
  ready_ = missing().empty();
}

RouterLink::Peer* RouterLink::peer(EntryId entry) {
  const auto found = peers_.find(entry);
  return found == peers_.end() ? nullptr : &found->second;
}

HelloVerdict RouterLink::check(const EntryHello& hello) const {
  using Kind = HelloVerdict::Kind;
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  const auto known = peers_.find(hello.entry);
  if (hello.role != "entry" || known == peers_.end()) {
    return {Kind::kRefused,
            {},
            Errc::kTopologyMismatch,
            "\"" + hello.role + "\" " + number(hello.entry.value()) +
                " is not an entry of this topology"};
  }
  if (hello.topology_version != 0 && hello.topology_version != rules_.topology_version) {
    return {Kind::kRefused,
            {},
            Errc::kTopologyMismatch,
            "topology version " + number(hello.topology_version) + ", this router has " +
                number(rules_.topology_version)};
  }
  if (hello.version_low > rules_.stream_version || hello.version_high < rules_.stream_version) {
    return {Kind::kRefused,
            {},
            Errc::kTopologyMismatch,
            "stream versions " + number(hello.version_low) + " to " + number(hello.version_high) +
                ", this router speaks " + number(rules_.stream_version)};
  }
  if (hello.incarnation < known->second.incarnation) {
    return {Kind::kBadIncarnation, known->second.incarnation, Errc::kBadIncarnation,
            "known: " + number(known->second.incarnation.value())};
  }
  return {};
}

void RouterLink::accept(const EntryHello& hello, MonoTime now) {
  observe(now);
  Peer* const p = peer(hello.entry);
  if (p == nullptr) return;
  leases_.heard(hello.entry, now);
  if (hello.incarnation != p->incarnation) {
    *p = Peer{};
    p->incarnation = hello.incarnation;
    table_.set_incarnation(hello.entry, hello.incarnation, now);
  }
  table_.set_digest_key(hello.entry, hello.digest_key);
  p->compared_at = now;
  p->asked_digests = false;
  if (p->complete && p->last_op > 0 && hello.first_op_held <= p->last_op + 1) {
    p->phase = Phase::kLive;
    port_.ack(hello.entry, p->last_op);
  } else {
    ask_for_dump(hello.entry, *p);
  }
  refresh_ready();
}

void RouterLink::ask_for_dump(EntryId entry, Peer& p) {
  begin_dump(entry, p);
  port_.need_snapshot(entry);
}

void RouterLink::begin_dump(EntryId entry, Peer& p) {
  p.phase = Phase::kDumping;
  p.complete = false;
  p.last_op = 0;  // what was confirmed before says nothing about what the dump stands for
  table_.begin_dump(entry);
  ++stats_.snapshots;
}

void RouterLink::on_ops(EntryId entry, std::uint64_t after, std::uint64_t last,
                        std::span<const OfferedRow> rows, MonoTime now) {
  observe(now);
  Peer* const p = peer(entry);
  if (p == nullptr || p->phase == Phase::kDown) return;
  leases_.heard(entry, now);
  for (const OfferedRow& row : rows) offer(entry, *p, row, false, now);
  stats_.ops += rows.size();
  const bool gap = p->phase == Phase::kLive && after > p->last_op;
  p->last_op = std::max(p->last_op, last);
  if (gap) {
    ask_for_dump(entry, *p);
  } else if (p->phase == Phase::kLive) {
    sync_point("router.after_merge_before_ack");
    port_.ack(entry, p->last_op);
  }
  refresh_ready();
}

void RouterLink::on_snapshot(EntryId entry, std::span<const OfferedRow> rows, bool end,
                             std::uint64_t last_op, MonoTime now) {
  observe(now);
  Peer* const p = peer(entry);
  if (p == nullptr || p->phase == Phase::kDown) return;
  leases_.heard(entry, now);
  if (p->phase == Phase::kLive) begin_dump(entry, *p);  // the entry found a reason of its own
  for (const OfferedRow& row : rows) offer(entry, *p, row, true, now);
  sync_point("router.mid_snapshot");
  if (!end) return;
  // Ops that arrived between the parts marked their rows as seen: what is left unmarked is neither
  // in the dump nor newer than it.
  sync_point("router.before_dump_end");
  stats_.corrections_no_conn += table_.end_dump(entry, now);
  p->phase = Phase::kLive;
  p->complete = true;
  p->last_op = std::max(p->last_op, last_op);
  port_.ack(entry, p->last_op);
  refresh_ready();
}

void RouterLink::offer(EntryId entry, Peer& p, const OfferedRow& offered, bool states_present,
                       MonoTime now) {
  if (offered.uid == 0 || !is_valid_slot(offered.slot)) {
    ++stats_.rows_malformed;
    return;
  }
  const Row row{.uid = Uid{offered.uid},
                .slot = static_cast<Slot>(offered.slot),
                .epoch = offered.epoch,
                .dead = offered.dead,
                .entry = entry,
                .incarnation = p.incarnation,
                .conn = offered.conn};
  if (row.dead) p.kicks.erase(row.conn);
  const MergeOutcome outcome = table_.merge(row, now);
  if (!outcome.before) return;
  const Row& before = *outcome.before;
  const bool same_connection =
      before.entry == row.entry && before.conn == row.conn && before.incarnation == row.incarnation;
  if (outcome.kind == MergeOutcome::Kind::kApplied) {
    if (!same_connection) displaced(before, row);
    return;
  }
  // A PUT that is played back after its own DEL means nothing; a connection that its entry states
  // to hold, though its end was recorded, has to go and come back with a higher epoch.
  const bool played_back = same_connection && !states_present;
  if (outcome.kind == MergeOutcome::Kind::kLost && !row.dead && !played_back) {
    ++stats_.corrections_superseded;
    send_kick(entry, order_for(row, before.epoch), false);
  }
}

void RouterLink::displaced(const Row& before, const Row& winner) {
  if (!table_.is_live(before) || leases_.state(before.entry) == LeaseState::kDead) return;
  ++stats_.corrections_superseded;
  send_kick(before.entry, order_for(before, winner.epoch), false);
}

void RouterLink::send_kick(EntryId entry, KickOrder order, bool from_logic) {
  ++stats_.kicks;
  sync_point("router.before_kick");
  port_.kick(entry, order);
  Peer* const p = peer(entry);
  if (p == nullptr || p->kicks.size() >= rules_.kicks_pending_max) return;
  const ConnId conn = order.conn;
  p->kicks.insert_or_assign(conn, PendingKick{std::move(order), 1, from_logic});
}

bool RouterLink::still_wanted(EntryId entry, const PendingKick& kick) const {
  const auto row = table_.find(kick.order.uid, kick.order.slot);
  return row && table_.is_live(*row) && row->entry == entry && row->conn == kick.order.conn &&
         row->epoch < kick.order.below;
}

void RouterLink::repeat_kicks(EntryId entry, Peer& p, bool agreed) {
  std::size_t sent = 0;
  for (auto at = p.kicks.begin(); at != p.kicks.end();) {
    PendingKick& kick = at->second;
    // After agreement the entry holds what this table says. So it has closed what was displaced;
    // a kick that logic asked for may still stand open, and the row tells.
    const bool is_over = (agreed && (!kick.from_logic || !still_wanted(entry, kick))) ||
                         kick.tries >= rules_.kick_tries_max;
    if (is_over) {
      at = p.kicks.erase(at);
      continue;
    }
    if (sent++ < kKicksPerHeartbeatMax) {
      ++kick.tries;
      port_.kick(entry, kick.order);
    }
    ++at;
  }
}

void RouterLink::kick(Uid uid, Slot slot, Epoch below, Errc code, const std::string& reason) {
  const auto first = slot == Slot::kNone ? 1 : static_cast<int>(slot);
  const auto last = slot == Slot::kNone ? int{kSlotMax} : static_cast<int>(slot);
  for (int s = first; s <= last; ++s) {
    const auto row = table_.find(uid, static_cast<Slot>(s));
    if (!row || !table_.is_live(*row) || !(row->epoch < below)) continue;
    send_kick(row->entry, {row->conn, uid, row->slot, below, code, reason}, true);
  }
}

void RouterLink::agreed(EntryId entry, Peer& p, MonoTime now) {
  p.agreed_at = now;
  p.asked_digests = false;
  repeat_kicks(entry, p, true);
}

void RouterLink::on_heartbeat(EntryId entry, const EntryHeartbeat& beat, MonoTime now) {
  observe(now);
  Peer* const p = peer(entry);
  if (p == nullptr || p->phase == Phase::kDown || beat.incarnation != p->incarnation) return;
  leases_.heard(entry, now);
  // Also the sign of life that the entry waits for; while a dump is under way nothing is confirmed.
  port_.ack(entry, p->phase == Phase::kLive ? p->last_op : 0);
  if (p->phase == Phase::kLive && beat.last_op > p->last_op) {
    ask_for_dump(entry, *p);
  } else if (p->phase == Phase::kLive && beat.last_op == p->last_op && beat.digest_root != 0) {
    const bool due = now - p->compared_at >= rules_.compare_every;
    if (beat.digest_root == table_.digest(entry).root()) {
      agreed(entry, *p, now);
    } else {
      // While a displaced connection is still open over there, the digests must differ.
      const bool expected = !p->kicks.empty();
      repeat_kicks(entry, *p, false);
      if (!expected) ++stats_.digest_mismatches;
      if (!expected && !std::exchange(p->asked_digests, true)) port_.ask_digests(entry);
    }
    if (due) {
      p->compared_at = now;
      port_.ask_digests(entry);
    }
  }
  refresh_ready();
}

void RouterLink::on_buckets(EntryId entry, std::span<const flow::DigestBucket> buckets,
                            std::uint64_t op, MonoTime now) {
  observe(now);
  Peer* const p = peer(entry);
  if (p == nullptr || p->phase != Phase::kLive || buckets.size() != flow::kDigestBuckets) return;
  leases_.heard(entry, now);
  p->asked_digests = false;
  if (op != p->last_op) return;  // another state than ours: the next heartbeat asks again
  std::vector<std::uint32_t> differ;
  const auto& own = table_.digest(entry).buckets();
  for (std::uint32_t i = 0; i < flow::kDigestBuckets; ++i) {
    if (!(own.at(i) == buckets[i])) differ.push_back(i);
  }
  p->compared_at = now;
  if (differ.empty()) {
    agreed(entry, *p, now);
  } else {
    port_.ask_rows(entry, differ);
  }
}

void RouterLink::on_bucket_rows(EntryId entry, std::uint32_t bucket,
                                std::span<const OfferedRow> rows, MonoTime now) {
  observe(now);
  Peer* const p = peer(entry);
  if (p == nullptr || p->phase != Phase::kLive || bucket >= flow::kDigestBuckets) return;
  leases_.heard(entry, now);
  FlatSet<ConnId> held;
  for (const OfferedRow& row : rows) {
    if (!row.dead) held.insert(row.conn);
    offer(entry, *p, row, true, now);
  }
  for (Row row : table_.rows_of(entry, bucket)) {
    if (held.contains(row.conn)) continue;
    row.dead = true;  // its owner does not have it
    ++stats_.corrections_no_conn;
    table_.merge(row, now);
  }
}

void RouterLink::on_lost(EntryId entry, MonoTime now) {
  observe(now);
  sync_point("router.entry_lost");
  if (Peer* const p = peer(entry)) p->phase = Phase::kDown;
  leases_.stream_lost(entry, now);
  refresh_ready();
}

void RouterLink::observe(MonoTime now) {
  if (leases_.observe(now)) refresh_ready();
}

std::vector<EntryId> RouterLink::tick(MonoTime now) {
  observe(now);
  const LeaseTable::Changes changes = leases_.tick(now);
  sweep(now);
  refresh_ready();
  return changes.dead;
}

void RouterLink::sweep(MonoTime now) {
  MonoTime before = now - rules_.tombstone_min;
  if (mutant(Mutant::kTombstoneDroppedAtOnce)) before = now;
  for (const auto& [entry, p] : peers_) {
    if (leases_.state(entry) == LeaseState::kAlive) before = std::min(before, p.agreed_at);
  }
  if (before.time_since_epoch().count() <= 0) return;
  table_.sweep(sweep_bucket_, before, [&](EntryId entry) {
    return !leases_.is_known(entry) || leases_.is_dead_since(entry, rules_.tombstone_min, now);
  });
  sweep_bucket_ = (sweep_bucket_ + 1) % flow::kDigestBuckets;
}

std::vector<EntryId> RouterLink::missing() const {
  std::vector<EntryId> out = leases_.unheard_since_wake();
  for (const auto& [entry, p] : peers_) {
    const bool is_dead = leases_.state(entry) == LeaseState::kDead;
    const bool lacks_rows = p.phase == Phase::kDumping || (!p.complete && p.phase == Phase::kDown);
    if (lacks_rows && !is_dead) out.push_back(entry);
  }
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

std::uint64_t RouterLink::last_op(EntryId entry) const {
  const auto found = peers_.find(entry);
  return found == peers_.end() ? 0 : found->second.last_op;
}

void RouterLink::refresh_ready() {
  const bool now_ready = missing().empty();
  if (now_ready == ready_) return;
  ready_ = now_ready;
  if (on_ready_changed) on_ready_changed(ready_);
}

}  // namespace hy::router
