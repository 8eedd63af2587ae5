#pragma once

#include <algorithm>

#include "common/base/clock.h"

namespace hy::entry {

/// How long a logged-in device may be silent: 2.5 intervals, so that one lost PING and a late one
/// are forgiven, and never less than a second.
[[nodiscard]] constexpr Millis silence_max(Millis heartbeat) {
  return std::max(heartbeat * 5 / 2, Millis{1'000});
}

/// When to look at a connection again: liveness is not re-armed on each frame, the timer that fires
/// finds out how much silence is left. 0 or less: it is dead.
[[nodiscard]] constexpr Millis silence_left(Millis heartbeat, Millis silent_for) {
  return silence_max(heartbeat) - silent_for;
}

}  // namespace hy::entry
