#include "common/base/turn_pacer.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace hy {
namespace {

std::chrono::nanoseconds thread_cpu() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

void TurnPacer::begin_window(MonoTime now, std::chrono::nanoseconds cpu, std::size_t work,
                             double full_share) {
  const std::chrono::duration<double> passed = now - window_began_;
  const std::chrono::duration<double> used = cpu - cpu_then_;
  const double part = std::clamp(used / passed / full_share, 0.0, 1.0);
  std::chrono::duration<double> distance = part * distance_max_;
  if (work > 0) distance = std::min(distance, passed * (kEnough / static_cast<double>(work)));
  distance_ = std::chrono::duration_cast<std::chrono::nanoseconds>(distance);
  window_began_ = now;
  cpu_then_ = cpu;
}

std::chrono::nanoseconds TurnPacer::pause(MonoTime turn_began, MonoTime now) const {
  return std::max<std::chrono::nanoseconds>(turn_began + distance_ - now, {});
}

void ThreadPacer::pace(std::size_t work, double full_share) {
  MonoTime now = std::chrono::steady_clock::now();
  work_ += work;
  if (pacer_.is_window_over(now))
    pacer_.begin_window(now, thread_cpu(), std::exchange(work_, 0), full_share);
  const std::chrono::nanoseconds pause = pacer_.pause(turn_began_, now);
  if (pause.count() > 0) {
    const timespec wait{.tv_sec = 0, .tv_nsec = pause.count()};
    ::nanosleep(&wait, nullptr);
    const MonoTime before = std::exchange(now, std::chrono::steady_clock::now());
    paused_ += now - before;
  }
  turn_began_ = now;
}

}  // namespace hy
