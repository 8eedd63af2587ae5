#include "entry/session/drain.h"

#include <algorithm>

namespace hy::entry {

void DrainPlan::start(MonoTime now, std::uint32_t connections) {
  if (phase_ != Phase::kIdle) return;
  phase_ = Phase::kTelling;
  started_ = now;
  left_to_tell_ = connections;
}

DrainPlan::Step DrainPlan::step(MonoTime now, std::uint32_t connections) {
  Step out;
  if (phase_ == Phase::kIdle) return out;
  if (phase_ == Phase::kDone || connections == 0 || now >= bound()) {
    out.close_rest = connections > 0;
    out.done = true;
    phase_ = Phase::kDone;
    return out;
  }
  if (phase_ == Phase::kTelling) {
    out.tell = std::min(left_to_tell_, times_.told_per_step);
    // Those told late have less time left: all of them are to be gone at the end of the spread.
    out.wait_max =
        std::max(std::chrono::duration_cast<Millis>(started_ + times_.spread - now), Millis{0});
    left_to_tell_ -= out.tell;
    if (left_to_tell_ == 0) phase_ = Phase::kWaiting;
    return out;
  }
  // Half of the flush time is for clients that are late, the other half for the last bytes.
  if (phase_ == Phase::kWaiting && now >= started_ + times_.spread + times_.flush / 2) {
    phase_ = Phase::kClosing;
    out.close_rest = true;
  }
  return out;
}

}  // namespace hy::entry
