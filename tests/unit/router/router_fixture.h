#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "router/deliver/deliver_fanout.h"
#include "router/link/router_link.h"

namespace hy::router::testing {

inline constexpr EntryId kA{1};
inline constexpr EntryId kB{2};
inline constexpr LogicId kLogic{1};
inline constexpr std::uint64_t kKey = 0xC0FFEE;

/// Remembers what the replica sends to entries.
class FakeEntries final : public EntryPort {
 public:
  struct Forward {
    EntryId entry;
    std::uint64_t id;
    Delivery delivery;
    std::vector<ConnId> conns;
  };
  [[nodiscard]] bool is_up(EntryId entry) const override { return up.contains(entry); }
  [[nodiscard]] bool has_room(EntryId entry) const override { return !full.contains(entry); }
  void forward(EntryId entry, std::uint64_t id, const Delivery& delivery,
               std::span<const ConnId> conns) override {
    forwards.push_back({entry, id, delivery, {conns.begin(), conns.end()}});
  }
  void kick(EntryId entry, const KickOrder& order) override { kicks.emplace_back(entry, order); }
  void ack(EntryId entry, std::uint64_t op) override { acks[entry] = op; }
  void need_snapshot(EntryId entry) override { ++snapshots[entry]; }
  void ask_digests(EntryId entry) override { ++digests[entry]; }
  void ask_rows(EntryId entry, const std::vector<std::uint32_t>& buckets) override {
    rows[entry] = buckets;
  }

  std::set<EntryId> up;
  std::set<EntryId> full;
  std::vector<Forward> forwards;
  std::vector<std::pair<EntryId, KickOrder>> kicks;
  std::map<EntryId, std::uint64_t> acks;
  std::map<EntryId, int> snapshots;
  std::map<EntryId, int> digests;
  std::map<EntryId, std::vector<std::uint32_t>> rows;
};

class FakeLogics final : public LogicPort {
 public:
  void results(LogicId, std::uint64_t id, std::span<const TargetOutcome> outcomes) override {
    for (const TargetOutcome& outcome : outcomes) all.emplace_back(id, outcome);
  }
  std::vector<std::pair<std::uint64_t, TargetOutcome>> all;
};

inline OfferedRow put(std::uint64_t uid, Epoch epoch, std::uint64_t conn,
                      Slot slot = Slot::kPhone) {
  return {uid, static_cast<std::uint32_t>(slot), epoch, ConnId{conn}, false};
}
inline OfferedRow del(std::uint64_t uid, Epoch epoch, std::uint64_t conn,
                      Slot slot = Slot::kPhone) {
  return {uid, static_cast<std::uint32_t>(slot), epoch, ConnId{conn}, true};
}

/// One replica with a hand-set clock and entries that are played by the test.
struct Replica {
  explicit Replica(std::vector<EntryId> topology = {kA, kB},
                   LinkRules rules = {.topology_version = 7})
      : leases({}, topology, now),
        link(rules, table, leases, entries, stats),
        fanout({}, table, leases, link, entries, logics, stats) {}

  static EntryHello hello_of(EntryId entry, std::uint64_t incarnation,
                             std::uint64_t first_op_held = 1) {
    return {.entry = entry,
            .incarnation = Incarnation{incarnation},
            .role = "entry",
            .version_low = 1,
            .version_high = 1,
            .topology_version = 7,
            .digest_key = kKey,
            .first_op_held = first_op_held};
  }
  /// A stream opens and is accepted.
  void hello(EntryId entry, std::uint64_t incarnation, std::uint64_t first_op_held = 1) {
    const EntryHello h = hello_of(entry, incarnation, first_op_held);
    ASSERT_EQ(link.check(h).kind, HelloVerdict::Kind::kAccepted);
    entries.up.insert(entry);
    incarnations[entry] = incarnation;
    link.accept(h, now);
  }
  void dump(EntryId entry, const std::vector<OfferedRow>& rows, std::uint64_t last_op = 0) {
    link.on_snapshot(entry, rows, true, last_op, now);
  }
  /// Hello and a dump: LIVE.
  void bring_up(EntryId entry, std::uint64_t incarnation, const std::vector<OfferedRow>& rows = {},
                std::uint64_t last_op = 0) {
    hello(entry, incarnation);
    dump(entry, rows, last_op);
  }
  void op(EntryId entry, const OfferedRow& row) {
    const std::uint64_t after = link.last_op(entry);
    link.on_ops(entry, after, after + 1, std::vector{row}, now);
  }
  void lose(EntryId entry) {
    entries.up.erase(entry);
    link.on_lost(entry, now);
    fanout.on_entry_lost(entry);
  }
  void beat(EntryId entry, std::uint64_t root) {
    link.on_heartbeat(entry,
                      {Incarnation{incarnations[entry]}, link.last_op(entry), 0, root, false}, now);
  }
  /// A heartbeat whose digest agrees.
  void good_beat(EntryId entry) { beat(entry, table.digest(entry).root()); }
  /// Running time in ticks of 250 ms; the given entries send a heartbeat each second.
  void run(Millis span, const std::vector<EntryId>& alive = {}) {
    for (Millis t{0}; t < span; t += Millis{250}) {
      now += Millis{250};
      if ((t.count() / 250) % 4 == 3) {
        for (const EntryId entry : alive) good_beat(entry);
      }
      for (const EntryId dead : link.tick(now)) lose(dead);
      fanout.expire(now);
    }
  }
  /// The process stands still.
  void sleep(Millis span) { now += span; }

  std::vector<TargetOutcome> deliver(std::uint64_t uid, std::uint32_t slots = 0,
                                     bool until_ack = false) {
    logics.all.clear();
    Delivery delivery;
    delivery.id = ++last_delivery;
    delivery.remaining_ms = 1'000;
    delivery.until_ack = until_ack;
    fanout.deliver(kLogic, delivery, std::vector{Target{Uid{uid}, slots}}, now);
    return outcomes();
  }
  std::vector<TargetOutcome> answer(std::size_t forward, ConnId conn, DeliverResult result) {
    logics.all.clear();
    const auto& f = entries.forwards.at(forward);
    fanout.on_results(f.entry, f.id, std::vector{DeliverFanout::ConnOutcome{conn, result}}, now);
    return outcomes();
  }
  [[nodiscard]] std::vector<TargetOutcome> outcomes() const {
    std::vector<TargetOutcome> out;
    for (const auto& item : logics.all) out.push_back(item.second);
    return out;
  }
  [[nodiscard]] bool holds(std::uint64_t uid, EntryId entry, std::uint64_t conn) const {
    const auto row = table.find(Uid{uid}, Slot::kPhone);
    return row && table.is_live(*row) && row->entry == entry && row->conn == ConnId{conn};
  }

  MonoTime now = MonoTime{} + std::chrono::hours(1);
  RouterStats stats;
  PlacementTable table;
  LeaseTable leases;
  FakeEntries entries;
  FakeLogics logics;
  RouterLink link;
  DeliverFanout fanout;
  std::map<EntryId, std::uint64_t> incarnations;
  std::uint64_t last_delivery = 0;
};

inline TargetOutcome outcome(std::uint64_t uid, Slot slot, DeliverResult result) {
  return {Uid{uid}, slot, result};
}

}  // namespace hy::router::testing
