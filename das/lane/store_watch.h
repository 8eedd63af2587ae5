#pragma once

#include <atomic>
#include <string>

#include "das/append/clock_watch.h"
#include "das/storage/engine.h"

namespace hy::das {

/// Readings of the store's clock between two looks: what SYNC told devices to ask from next time,
/// and what changes were stamped with. A clock that is wrong for less than the time between two
/// looks shows in nothing else. Any thread.
class ClockReadings {
 public:
  void note(std::int64_t store_ms);
  /// A reading lay more than `step_max` below an earlier one, or one lies so far above `store_ms`.
  [[nodiscard]] bool fell(std::int64_t store_ms, Millis step_max) const;
  /// Devices were told: from here on `store_ms` is what counts.
  void start_over(std::int64_t store_ms);

 private:
  std::atomic<std::int64_t> highest_{0};
  std::atomic<std::int64_t> deepest_fall_{0};
};

/// What every answer carries about the store. Written by lane 0's thread, read by any.
struct StoreState {
  std::atomic<std::uint64_t> store_epoch{0};
  std::atomic<std::uint64_t> clock_steps{0};
  std::atomic<bool> durable{false};
  ClockReadings readings;
};

/// Looks after the store on a lane's session: keeps the connection alive, reads epoch, steps and
/// durability, watches the clock, writes the beat. Clock and beat by lane 0 alone.
class StoreWatch {
 public:
  struct Options {
    Millis step_max{30'000};  ///< guarantees.md §6: part of SYNC's overlap
    Millis beat_period{5'000};
  };
  struct Seen {
    StoreFacts facts;
    bool stepped = false;  ///< clock_steps was raised by this look
    bool changed = false;  ///< epoch, steps or durability differ from the look before
  };
  /// `state` outlives the watch.
  StoreWatch(Options options, StoreState& state)
      : options_(options), state_(state), clock_(options.step_max) {}

  /// Lane 0's thread.
  Result<Seen> look(MonoTime now, StoreSession& session);

 private:
  Options options_;
  StoreState& state_;
  ClockWatch clock_;
  MonoTime next_beat_{};
};

}  // namespace hy::das
