#pragma once

#include <array>
#include <cstdint>

#include "common/base/clock.h"
#include "common/obs/trace.h"

namespace hy::flow {

/// Sheds load by the time that work waits in the queue, not by its length or by CPU (Zhou et al.,
/// "Overload Control for Scaling WeChat Microservices", SoCC 2018: mean queueing time over 1 s or
/// 2000 requests, threshold 20 ms). Above the threshold the level sinks, so that the least
/// important priorities are refused before they queue; below it the level rises again, slowly.
///
/// kControl is never refused here: what ends work (receipts, confirmations, pings, kicks) is
/// cheaper done than repeated. Core: one thread, time is an argument.
class Admission {
 public:
  struct Options {
    Millis threshold{20};
    Millis window{1'000};
    std::uint32_t window_requests = 2'000;
    double shed_per_window = 0.05;    ///< of what was admitted, when overloaded
    double regain_per_window = 0.01;  ///< of what arrives, when not
  };
  Admission() : Admission(Options{}) {}
  explicit Admission(Options options) : options_(options) {}

  /// Before queueing. key: spreads refusals over users, e.g. mix64(uid): within one priority the
  /// same users are refused for a while, so that the others' conversations work as a whole.
  [[nodiscard]] bool admit(MonoTime now, Priority priority, std::uint64_t key);
  /// When it leaves the queue, with the time that it waited.
  void on_dequeue(MonoTime now, std::chrono::nanoseconds waited);

  /// 0 = everything is admitted … 1 = kControl alone. For hy_admission_level.
  [[nodiscard]] double shed_level() const;
  [[nodiscard]] bool is_overloaded() const { return overloaded_; }
  [[nodiscard]] std::uint64_t refused(Priority priority) const {
    return refused_[static_cast<std::size_t>(priority)];
  }

 private:
  /// Each priority but kControl has 128 user shares: one number orders them all.
  static constexpr std::uint32_t kShares = 128;
  static constexpr std::uint32_t kCells = (kPriorities - 1U) * kShares;
  [[nodiscard]] static std::uint32_t cell_of(Priority priority, std::uint64_t key);
  void close_window(MonoTime now);
  void lower();
  void raise();

  Options options_;
  MonoTime window_start_{};
  bool started_ = false;
  bool overloaded_ = false;
  std::int64_t waited_ns_ = 0;
  std::uint32_t dequeued_ = 0;
  std::uint32_t level_ = kCells;  // cells below it are admitted
  std::array<std::uint32_t, kCells> arrived_{};
  std::array<std::uint64_t, kPriorities> refused_{};
};

}  // namespace hy::flow
