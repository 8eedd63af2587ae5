#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace hy {

/// Order in which work is kept under load: the last is shed first.
enum class Priority : std::uint8_t {
  kControl = 0,     ///< receipts, pings, kicks, confirmations
  kLogin = 1,       ///< login, session registration
  kMessage = 2,     ///< sends and their deliveries
  kSync = 3,        ///< SYNC, PULL, history
  kRelation = 4,    ///< people and groups
  kBackground = 5,  ///< typing, presence
};
inline constexpr std::uint8_t kPriorities = 6;

/// Made at the edge, carried to the end of a request. A value: copy it.
struct RequestContext {
  TraceId trace{};    ///< one request through all hops; 0 = none
  bool dyed = false;  ///< every hop logs and times it
  Uid uid{};          ///< 0 before login
  Slot slot = Slot::kNone;
  Priority priority = Priority::kMessage;
  MonoTime arrived{};   ///< at this process
  MonoTime deadline{};  ///< of this process's clock; what remains is passed on in ms

  [[nodiscard]] bool expired(MonoTime now) const { return now >= deadline; }
  /// Milliseconds left, 0 when expired, rounded down.
  [[nodiscard]] std::uint32_t remaining_ms(MonoTime now) const {
    if (expired(now)) return 0;
    const auto left = std::chrono::duration_cast<Millis>(deadline - now).count();
    return left > INT32_MAX ? static_cast<std::uint32_t>(INT32_MAX)
                            : static_cast<std::uint32_t>(left);
  }
};

/// A trace id for the n-th request of a process: even spread, never 0, not secret.
[[nodiscard]] constexpr TraceId make_trace_id(std::uint64_t incarnation, std::uint64_t n) {
  const auto id = mix64(incarnation ^ mix64(n));
  return TraceId{id == 0 ? 1 : id};
}

}  // namespace hy
