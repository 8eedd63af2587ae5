#include "das/append/clock_watch.h"

namespace hy::das {

bool ClockWatch::stepped_back_at_start(std::int64_t store_ms, std::int64_t beat_ms) const {
  return beat_ms > 0 && store_ms < beat_ms - step_max_.count();
}

bool ClockWatch::look(MonoTime now, std::int64_t store_ms) {
  bool stepped = false;
  if (last_) {
    const auto passed = std::chrono::duration_cast<Millis>(now - last_->at).count();
    stepped = store_ms < last_->store_ms + passed - step_max_.count();
  }
  last_ = Look{now, store_ms};
  return stepped;
}

}  // namespace hy::das
