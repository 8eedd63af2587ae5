#pragma once

#include <chrono>

#include "common/base/clock.h"

namespace hy::entry {

/// When an I/O thread is to run the turns of the stream loop too (ADR 17).
///
/// Two threads that hand each other every batch wake each other for it, and on a busy machine each
/// waits for a core. While the I/O thread sleeps a good part of its time between its turns, it has
/// time for both; when it sleeps no more, the machine is saturated and needs both threads; when it
/// has little to do, nobody is to wait for it. The gaps between the bounds are what the loop's work
/// takes. Core; one thread.
class GuestRule {
 public:
  /// What the thread has used since it began.
  struct Spent {
    std::chrono::nanoseconds cpu{0};
    std::chrono::nanoseconds paused{0};  ///< slept between its turns
  };
  /// Shares of the time: the thread comes as a guest when it sleeps and works more than that …
  static constexpr double kComesPaused = 0.2;
  static constexpr double kComesCpu = 0.15;
  /// … and goes when it, with the loop's work, sleeps or works less than that.
  static constexpr double kGoesPaused = 1.0 / 12;
  static constexpr double kGoesCpu = 0.12;
  /// The shares are means of so long.
  static constexpr std::chrono::milliseconds kWindow{500};
  /// Turns in a row that found nothing, after which the guest goes: whoever waits blocks.
  static constexpr int kIdleTurns = 8;

  /// After each turn; `did_something`: there was work in it. True: be a guest for the next one.
  [[nodiscard]] bool after_turn(MonoTime now, const Spent& spent, bool did_something);

 private:
  MonoTime window_began_{};
  Spent then_;
  int idle_turns_ = 0;
  bool is_guest_ = false;
};

}  // namespace hy::entry
