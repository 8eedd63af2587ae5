#pragma once

#include <chrono>
#include <cstddef>

#include "common/base/clock.h"

namespace hy {

/// How far apart the turns of a busy thread are to begin.
///
/// What an I/O thread reads in one turn goes through a dozen threads as one batch, and waking those
/// for a single message costs more than the message. A thread that has little to do looks at once;
/// the larger its share of a CPU, the longer the distance that it keeps between two looks, up to
/// the one that it is given, or until kEnough may have come. Fuller batches lower the share again,
/// so that it settles; at saturation turns last longer than the distance, and nothing is added.
/// Network cards moderate their interrupts in the same way. Core; one thread. Measured:
/// docs/benchmarks.md, "Batches at half load".
class TurnPacer {
 public:
  /// What this may add to a message's way at most, half of it in the mean: of an I/O thread.
  static constexpr std::chrono::nanoseconds kDistanceMax = std::chrono::milliseconds(2);
  /// The share of a CPU from which on a thread keeps the whole distance; below it, in proportion.
  static constexpr double kFullShare = 0.3;
  /// Pieces of work in a turn beyond which waiting saves little more, as rows in a commit.
  static constexpr double kEnough = 24;
  /// The share is that of the last window, which is at least so long.
  static constexpr std::chrono::milliseconds kWindow{20};

  explicit TurnPacer(std::chrono::nanoseconds distance_max = kDistanceMax)
      : distance_max_(distance_max) {}
  [[nodiscard]] bool is_window_over(MonoTime now) const { return now - window_began_ >= kWindow; }
  /// `cpu`: what the thread has used so far; `work`: pieces done in the window that is over, 0
  /// where they are not counted; `full_share`: in place of kFullShare. Only when the window is
  /// over.
  void begin_window(MonoTime now, std::chrono::nanoseconds cpu, std::size_t work,
                    double full_share = kFullShare);
  /// What the thread had used when this window began.
  [[nodiscard]] std::chrono::nanoseconds used() const { return cpu_then_; }
  /// How long to wait from `now` on, when the last turn began at `turn_began`. 0: not at all.
  [[nodiscard]] std::chrono::nanoseconds pause(MonoTime turn_began, MonoTime now) const;

 private:
  MonoTime window_began_{};
  std::chrono::nanoseconds cpu_then_{0};
  std::chrono::nanoseconds distance_{0};
  std::chrono::nanoseconds distance_max_;
};

/// Paces the thread that calls it. One thread.
class ThreadPacer {
 public:
  explicit ThreadPacer(std::chrono::nanoseconds distance_max = TurnPacer::kDistanceMax)
      : pacer_(distance_max) {}
  /// At the end of a turn that did so many pieces of work. Sleeps, rather than waits for what is
  /// ready: nothing of it is to be taken up before the time.
  void pace(std::size_t work = 0, double full_share = TurnPacer::kFullShare);
  /// How long pace() has slept in all.
  [[nodiscard]] std::chrono::nanoseconds paused() const { return paused_; }
  /// CPU of the thread in all, as of the last window.
  [[nodiscard]] std::chrono::nanoseconds used() const { return pacer_.used(); }

 private:
  TurnPacer pacer_;
  MonoTime turn_began_{};
  std::size_t work_ = 0;
  std::chrono::nanoseconds paused_{0};
};

}  // namespace hy
