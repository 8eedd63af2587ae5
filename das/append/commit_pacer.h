#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "common/base/clock.h"

namespace hy::das {

/// How far apart the commits of one lane are to begin.
///
/// A commit costs a server about as much as fifty rows in it, so a busy lane that commits whatever
/// is there whenever the last commit is over keeps server and disk busy with small ones. From some
/// hundred rows a second on it leaves time for kEnough rows to gather, but never more than the
/// lane's own maximum; a quiet lane commits at once, and at saturation commits last longer than the
/// distance. Core; one thread.
class CommitPacer {
 public:
  /// Rows in a commit beyond which waiting saves little more.
  static constexpr double kEnough = 32;
  /// From this rate on the whole distance; below it, in proportion.
  static constexpr double kBusyRowsPerSecond = 4'000;
  static constexpr std::chrono::milliseconds kWindow{50};

  /// 0: commits are never held back.
  explicit CommitPacer(std::chrono::nanoseconds distance_max) : distance_max_(distance_max) {}

  /// A commit of `rows` is about to begin.
  void on_commit(MonoTime now, std::size_t rows) {
    rows_ += rows;
    const std::chrono::duration<double> passed = now - window_began_;
    if (passed >= kWindow) {
      rows_per_second_ = static_cast<double>(rows_) / passed.count();
      window_began_ = now;
      rows_ = 0;
    }
    const std::chrono::nanoseconds kept = distance();
    next_ = kept.count() > 0 ? now + kept : MonoTime{};
  }
  /// The next commit is not to begin before.
  [[nodiscard]] MonoTime next() const { return next_; }

 private:
  [[nodiscard]] std::chrono::nanoseconds distance() const {
    using Seconds = std::chrono::duration<double>;
    if (rows_per_second_ <= 0) return {};
    const Seconds whole =
        Seconds(distance_max_) * std::min(1.0, rows_per_second_ / kBusyRowsPerSecond);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::min(whole, Seconds(kEnough / rows_per_second_)));
  }

  std::chrono::nanoseconds distance_max_;
  MonoTime window_began_{};
  MonoTime next_{};
  std::size_t rows_ = 0;
  double rows_per_second_ = 0;
};

}  // namespace hy::das
