#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "common/hooks/control_file.h"

/// The named places of the SDK, in this process: the devices of a round run here.
namespace hy::chaos::device_points {

/// Called on the SDK's thread that came to an armed place: with an empty name to ask whether it is
/// the device that is meant, then with the name to strike.
using Strike = std::function<bool(std::string_view point)>;

/// From now on places are counted. Once, before any SDK thread starts.
void install();
/// The n-th next hit by whoever `strike` accepts is struck. One at a time.
void arm(std::string_view point, std::int64_t nth, Strike strike);
void disarm();
/// Since install().
[[nodiscard]] std::uint64_t hits(std::string_view point);
/// Whether what was armed last has struck.
[[nodiscard]] bool has_struck();

/// How far the turn has come that stands at a place: a device that dies there has what is
/// committed.
enum class Turn : std::uint8_t {
  kOpen,       ///< not on disk; what it would have told is never told
  kCommitted,  ///< on disk, and told to nobody yet
  kTold,       ///< the observer was told, the app comes next
  kOver,
};
[[nodiscard]] Turn turn_at(std::string_view point);

}  // namespace hy::chaos::device_points
