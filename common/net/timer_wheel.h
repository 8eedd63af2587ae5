#pragma once

#include <cstdint>
#include <vector>

#include "common/base/clock.h"

namespace hy::net {

/// Coarse deadlines for very many owners, one timer each, named by a small index (a connection's
/// slot). Core: no clock, no thread; 12 bytes per index and nothing allocated while it runs
/// (capacity grows with the largest index).
///
/// One wheel of `slots` ticks; a deadline further away than one turn waits in its slot for its
/// round. Guaranteed: a timer expires never early and at most one tick late relative to the
/// step() that first sees its time, once, in a fixed order (by tick, then latest scheduled first).
/// Setting and cancelling are O(1); step() touches the slots of the ticks gone by.
class TimerWheel {
 public:
  /// tick > 0; slots: a power of two. 100 ms × 4096 = 6.8 min a turn.
  TimerWheel(MonoTime now, Millis tick = Millis(100), std::uint32_t slots = 4'096);

  /// Sets or moves the timer of `index`. A time in the past expires at the next step.
  void set(std::uint32_t index, MonoTime when);
  /// No timer: nothing happens.
  void cancel(std::uint32_t index);
  [[nodiscard]] bool is_set(std::uint32_t index) const;
  /// Appends the indexes that are due at `now` to `expired`; their timers are off. Time never goes
  /// back: an earlier `now` than the last one does nothing.
  void step(MonoTime now, std::vector<std::uint32_t>& expired);
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint32_t kHeadBit = 0x8000'0000;  // prev = a slot's head, not an index
  struct Node {
    std::uint32_t next = kNone;
    std::uint32_t prev = kNone;  // kNone = not set
    std::uint32_t due = 0;       // tick; 2^32 ticks of 100 ms are 13 years
  };
  static_assert(sizeof(Node) == 12);

  [[nodiscard]] std::uint32_t tick_of(MonoTime when) const;
  void link(std::uint32_t index, std::uint32_t due);
  void unlink(std::uint32_t index);

  MonoTime start_;
  std::chrono::nanoseconds tick_;
  std::uint32_t mask_;
  std::uint32_t current_ = 0;  // last tick that was stepped
  std::size_t count_ = 0;
  std::vector<std::uint32_t> heads_;
  std::vector<Node> nodes_;
};

}  // namespace hy::net
