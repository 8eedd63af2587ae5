#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/flat/slot_map.h"
#include "common/flat/small_vector.h"
#include "common/flow/deadline_wheel.h"
#include "router/lease/lease_table.h"
#include "router/link/router_link.h"
#include "router/placement/placement_table.h"
#include "router/ports/entry_port.h"
#include "router/ports/logic_port.h"
#include "router/ports/stats.h"

namespace hy::router {

/// A user's slots as logic names them: bit 1 << slot, 0 = all.
struct Target {
  Uid uid;
  std::uint32_t slots = 0;
};

struct PlacedAnswer {
  Uid uid;
  std::uint32_t slots_found = 0;
  bool unknown = false;
};

struct FanoutRules {
  std::size_t targets_max = 512;
  std::size_t pending_max = 200'000;  ///< forwards that wait for results; more: unknown
  Millis deadline_max{10'000};
  Millis deadline_default{3'000};  ///< when logic states none
  Millis ack_wait{3'000};          ///< until_ack: how long an `acked` may come
};

/// Targets → one forward per entry → results per connection → results per (uid, slot), router.md
/// §8. Of a brief delivery (a group's) logic is told how many results there will be, then their
/// counts, and by name only who is unknown: it does nothing with the rest, and five hundred results
/// cost more than five hundred pushes. Says "gone" only when this replica is READY and has no live
/// row. One thread; time is an argument.
class DeliverFanout {
 public:
  DeliverFanout(FanoutRules rules, const PlacementTable& table, const LeaseTable& leases,
                RouterLink& link, EntryPort& entries, LogicPort& logics, RouterStats& stats);

  void deliver(LogicId logic, const Delivery& delivery, std::span<const Target> targets,
               MonoTime now);
  struct ConnOutcome {
    ConnId conn;  ///< 0: `count` connections of a brief forward
    DeliverResult result = DeliverResult::kNone;
    std::uint64_t count = 1;
  };
  /// An entry's answer to forward `id`.
  void on_results(EntryId entry, std::uint64_t id, std::span<const ConnOutcome> outcomes,
                  MonoTime now);
  /// What was under way to it is unknown.
  void on_entry_lost(EntryId entry);
  /// Deadlines; call at least every LeaseRules::tick.
  void expire(MonoTime now);
  [[nodiscard]] std::vector<PlacedAnswer> query(std::span<const Uid> uids, MonoTime now);
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

 private:
  enum class Standing : std::uint8_t { kNone, kUnknown, kLive };
  struct Leg {
    ConnId conn;
    Uid uid;
    Slot slot = Slot::kNone;
    bool answered = false;
    bool over = false;
  };
  struct Pending {
    LogicId logic;
    std::uint64_t delivery_id = 0;
    EntryId entry;
    bool until_ack = false;
    bool brief = false;
    std::size_t open = 0;  ///< brief: connections without a result
    MonoTime deadline{};
    MonoTime ack_deadline{};
    SmallVector<Leg, 2> legs;
  };
  struct Found {
    EntryId entry;
    std::size_t place = 0;  ///< in the order of the targets
    Leg leg;
  };
  [[nodiscard]] Standing judge(const Row& row, MonoTime now) const;
  void resolve(const Target& target, MonoTime now);
  void forward(LogicId logic, const Delivery& delivery, std::span<const Found> legs, MonoTime now);
  [[nodiscard]] DeliverResult true_result(const Pending& pending, const Leg& leg,
                                          DeliverResult said) const;
  void count(DeliverResult result, std::uint64_t n = 1);
  void fail_unanswered(Pending& pending);
  void answer_brief(LogicId logic, std::uint64_t delivery_id);
  void take_each(Pending& pending, std::span<const ConnOutcome> outcomes);
  void take_brief(Pending& pending, std::span<const ConnOutcome> outcomes);

  FanoutRules rules_;
  const PlacementTable& table_;
  const LeaseTable& leases_;
  RouterLink& link_;
  EntryPort& entries_;
  LogicPort& logics_;
  RouterStats& stats_;
  SlotMap<Pending> pending_;  ///< by forward
  std::optional<flow::DeadlineWheel> wheel_;
  // Of the call that runs now; kept for their memory.
  std::vector<Found> found_;
  std::vector<ConnId> conns_;
  std::vector<TargetOutcome> outcomes_;
  std::size_t forwarded_ = 0;
  std::vector<std::uint64_t> expired_;
};

}  // namespace hy::router
