#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "common/flat/slot_map.h"
#include "common/flat/small_vector.h"
#include "logic/ports/router_port.h"

namespace hy::logic {

class Metrics;

/// Hands notifications to router replicas. Best effort by design: a delivery that fails leaves a
/// message in the log, and sync brings it. One conversation keeps to one replica while that one is
/// READY (order). Targets answered UNKNOWN, or not answered at all within `unanswered_after`, are
/// tried at one other replica; never at a third, so that a push storm does not grow when routers
/// limp (router.md §8). A delivery to everyone keeps no list of those who answered: the router says
/// how many results there will be, and names the unknown alone.
class Deliverer {
 public:
  struct Options {
    Millis unanswered_after{50};
    Millis forget_after{3'000};  ///< also how long `acked` is waited for
    std::size_t pending_max = 200'000;
  };

  Deliverer(RouterPort& router, const Clock& clock, Metrics& metrics, Options options);

  /// Called with the first answer of a delivery, or never.
  using FirstResult = std::move_only_function<void()>;
  void deliver(Delivery delivery, FirstResult on_result = {});
  /// True once a device of `receiver` confirmed (not merely got) it; false at the deadline, or when
  /// no router can be asked. Called exactly once.
  void deliver_until_ack(Delivery delivery, Uid receiver, std::move_only_function<void(bool)> done);

  /// Results from a replica; those of forgotten deliveries are counted and dropped.
  void on_results(std::size_t replica, std::uint64_t id, std::span<const TargetResult> results);
  /// Its unanswered deliveries are tried elsewhere at once.
  void on_replica_down(std::size_t replica);
  /// When tick() has something to do; nothing: no delivery is under way.
  [[nodiscard]] std::optional<MonoTime> due() const;
  void tick();

  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  /// No replica is READY: pushes may be missing, so devices are asked to poll.
  [[nodiscard]] bool pushes_may_be_missing() const;

 private:
  struct Pending {
    Delivery delivery;
    SmallVector<Uid, 2> unanswered;
    bool is_resolved = false;  ///< to everyone: the replica said how many results there will be
    std::uint64_t results_due = 0;  ///< to everyone: still to come
    std::size_t replica = 0;
    int tries = 0;
    Uid receiver;
    FirstResult on_result;
    std::move_only_function<void(bool)> on_ack;  ///< set: until_ack
  };
  struct Due {
    MonoTime at{};
    std::uint64_t id = 0;
  };

  void start(Delivery delivery, Uid receiver, FirstResult on_result,
             std::move_only_function<void(bool)> on_ack);
  [[nodiscard]] std::optional<std::size_t> choose(const Delivery& delivery,
                                                  std::optional<std::size_t> other_than) const;
  void send(std::uint64_t id, Pending& pending, std::size_t replica,
            std::span<const Target> targets, bool with_everyone);
  void retry_elsewhere(std::uint64_t id, Pending& pending, std::span<const Target> targets,
                       bool with_everyone = false);
  void retry_unanswered(std::uint64_t id, Pending& pending);
  [[nodiscard]] static Targets unanswered_targets(const Pending& pending);
  void count_results(std::size_t replica, Pending& pending, const TargetResult& result);
  [[nodiscard]] static bool is_settled(const Pending& pending);
  void finish(std::uint64_t id, bool acked);

  RouterPort& router_;
  const Clock& clock_;
  Metrics& metrics_;
  Options options_;
  SlotMap<Pending> pending_;    ///< by delivery
  std::deque<Due> unanswered_;  ///< ascending: one constant delay each
  std::deque<Due> forgotten_;   ///< those that were still here then
};

}  // namespace hy::logic
