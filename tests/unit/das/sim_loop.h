#pragma once

#include <functional>
#include <map>
#include <utility>

#include "common/base/clock.h"

namespace hy::das {

/// Virtual time with one queue: what the simulator's kernel is to das, in small.
class SimLoop final : public Clock {
 public:
  using Task = std::move_only_function<void()>;
  [[nodiscard]] MonoTime now() const override { return now_; }
  [[nodiscard]] std::int64_t wall_ms() const override {
    return 1'700'000'000'000 + std::chrono::duration_cast<Millis>(now_.time_since_epoch()).count();
  }
  void schedule(std::chrono::nanoseconds delay, Task task) {
    tasks_.emplace(std::pair{now_ + delay, ++last_}, std::move(task));
  }
  /// Runs what is due within so much time.
  void run_for(std::chrono::nanoseconds span) {
    const MonoTime end = now_ + span;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      auto next = tasks_.extract(tasks_.begin());
      now_ = next.key().first;
      next.mapped()();
    }
    now_ = end;
  }

 private:
  MonoTime now_{std::chrono::seconds(1'000)};
  std::uint64_t last_ = 0;
  std::map<std::pair<MonoTime, std::uint64_t>, Task> tasks_;
};

}  // namespace hy::das
