#include "das/append/store_health.h"

#include <algorithm>

namespace hy::das {

void StoreHealth::lane_failed(std::size_t lane, MonoTime now, const Error& why) {
  Lane& state = lanes_[lane];
  state.works = false;
  if (!state.failing_since) state.failing_since = now;
  why_ = why;
}

bool StoreHealth::lane_works(std::size_t lane) {
  const bool had_failed = lanes_[lane].failing_since.has_value();
  lanes_[lane] = {true, std::nullopt};
  return had_failed;
}

bool StoreHealth::judge(MonoTime now) {
  bool up = up_;
  if (std::ranges::all_of(lanes_, &Lane::works)) {
    up = true;
    why_ = {Errc::kOk, {}, {}};
  } else if (std::ranges::none_of(lanes_, &Lane::works)) {
    up = false;
  } else {
    for (const Lane& lane : lanes_)
      if (lane.failing_since && now - *lane.failing_since >= down_after_) up = false;
  }
  const bool changed = up != up_;
  up_ = up;
  return changed;
}

}  // namespace hy::das
