#pragma once

#include <cstdint>
#include <span>

#include "common/base/ids.h"

namespace hy::router {

/// One logic's stream; never used twice.
using LogicId = StrongId<struct LogicTag, std::uint64_t>;

/// Values as on the wire (hy.router.v1.DeliverResult).
enum class DeliverResult : std::uint8_t {
  kNone = 0,
  kWritten = 1,
  kQueued = 2,
  kGone = 3,
  kUnknown = 4,
  kAcked = 5
};

struct TargetOutcome {
  Uid uid;
  Slot slot = Slot::kNone;  ///< kNone: the whole target
  DeliverResult result = DeliverResult::kNone;
  std::uint64_t count = 1;  ///< with uid 0: so many of a brief delivery; kNone: results to come
  friend bool operator==(const TargetOutcome&, const TargetOutcome&) = default;
};

class LogicPort {
 public:
  virtual ~LogicPort() = default;
  /// A logic that is not there any more: dropped.
  virtual void results(LogicId logic, std::uint64_t id,
                       std::span<const TargetOutcome> outcomes) = 0;
};

}  // namespace hy::router
