#pragma once

#include <cstdint>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "entry/link/placement_log.h"
#include "entry/ports/router_port.h"

namespace hy::entry {

struct LinkTimes {
  Millis heartbeat{1'000};
  Millis ack_late{2'000};        ///< then the replica is dumped to anew
  Millis hello_patience{2'000};  ///< a replica that says nothing after HELLO gets a dump
  Millis dump_spread{2'000};     ///< large dumps start at random inside this
  Millis bucket_digests{60'000};
  Millis unplaced_after{5'000};
  std::uint32_t dump_rows_per_second = 50'000;
  std::size_t held_ops_max = 200'000;  ///< a replica that falls further behind is dumped to
};

/// DOWN -> HELLO -> DUMPING -> LIVE.
enum class LinkState : std::uint8_t { kDown, kHello, kDumping, kLive };

/// What a replica said, apart from deliveries and kicks.
struct RouterNews {
  std::uint64_t acked_op = 0;  ///< 0: none
  bool need_snapshot = false;
  bool digests_wanted = false;
  std::vector<std::uint32_t> rows_wanted{};  ///< bucket numbers
  std::uint64_t bad_incarnation_known = 0;   ///< > 0: another process has, or had, our name
};

/// The entry's end of its links to all router replicas (router.md §4, §5): numbered changes kept
/// until confirmed, dumps, heartbeats with digests. One slow or dead replica holds up nobody. No
/// clock; loop thread.
class RouterLink {
 public:
  enum class Verdict : std::uint8_t {
    kFine,
    kReannounce,  ///< our incarnation was raised; every stream has to be opened anew
    kNameTaken,   ///< a second process has our name, and we were accepted before: exit
  };

  RouterLink(RouterPort& port, Random& random, std::uint32_t replicas, Incarnation incarnation,
             LinkTimes times);

  void on_up(std::uint32_t replica, MonoTime now);
  void on_down(std::uint32_t replica, MonoTime now);
  Verdict on_news(std::uint32_t replica, const RouterNews& news, MonoTime now);
  /// Every 20 ms or so: heartbeats, parts of dumps, late confirmations.
  void step(MonoTime now, bool draining);
  /// At the end of each turn: changes first, then what a replica asked for, so that an answer never
  /// stands for an older state than the changes that travel with it.
  void flush(MonoTime now);
  /// Passed on only if it belongs to the stream that is up now.
  void result(const DeliveryResult& result);

  [[nodiscard]] PlacementLog& placements() { return log_; }
  [[nodiscard]] const PlacementLog& placements() const { return log_; }
  [[nodiscard]] LinkState state(std::uint32_t replica) const { return links_[replica].state; }
  /// The life of the replica's stream: goes into DeliveryRef.
  [[nodiscard]] std::uint32_t stream(std::uint32_t replica) const { return links_[replica].stream; }
  [[nodiscard]] std::uint32_t replicas() const { return static_cast<std::uint32_t>(links_.size()); }
  [[nodiscard]] std::uint32_t live() const;
  /// Every LIVE replica has confirmed the op (true when none is LIVE).
  [[nodiscard]] bool live_replicas_confirmed(std::uint64_t op) const;
  /// Every replica of the topology has.
  [[nodiscard]] bool all_replicas_confirmed(std::uint64_t op) const;
  /// No replica has been LIVE for a while: pushes cannot reach us.
  [[nodiscard]] bool is_unplaced(MonoTime now) const;
  [[nodiscard]] Incarnation incarnation() const { return incarnation_; }
  [[nodiscard]] std::uint64_t dumps() const { return dumps_; }

 private:
  struct Link {
    LinkState state = LinkState::kDown;
    std::uint32_t stream = 0;
    std::uint64_t sent = 0;   // ops up to here went out on this stream
    std::uint64_t acked = 0;  // confirmed by the replica
    std::uint64_t dump_op = 0;
    std::vector<PlacementRow> dump{};
    std::size_t dump_next = 0;
    bool dump_is_out = false;
    MonoTime dump_from{};
    MonoTime hello_at{};
    MonoTime next_heartbeat{};
    MonoTime next_buckets{};
    MonoTime waits_since{};  // for a confirmation, since the last progress
    bool digests_due = false;
    std::vector<std::uint32_t> rows_due{};
    [[nodiscard]] bool follows() const {
      return state == LinkState::kLive || (state == LinkState::kDumping && dump_is_out);
    }
  };

  void start_dump(std::uint32_t replica, MonoTime now);
  void step_dump(std::uint32_t replica, MonoTime now);
  void send_ops(std::uint32_t replica, MonoTime now);
  void send_heartbeat(std::uint32_t replica, MonoTime now, bool draining);
  void send_what_was_asked(std::uint32_t replica);
  void on_ack(std::uint32_t replica, std::uint64_t op, MonoTime now);
  void forget_confirmed();

  RouterPort& port_;
  Random& random_;
  LinkTimes times_;
  PlacementLog log_;
  std::vector<Link> links_;
  Incarnation incarnation_;
  bool was_accepted_ = false;
  MonoTime live_last_{};
  bool live_ever_judged_ = false;
  std::uint64_t dumps_ = 0;
};

}  // namespace hy::entry
