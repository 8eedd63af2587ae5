#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hy::sim {

class Cluster;

/// What is played once the world has healed and everybody is at rest: situations that faults at
/// random rarely meet, or that heal by themselves before the end, watched closely.
enum class Scene : std::uint8_t {
  kStorm,         ///< every entry dies at one moment
  kSlowReceiver,  ///< more pushes than a connection's window and queue take
  kLogins,        ///< messages while their receivers log in
  kBackups,       ///< apps come back with an old connection counter
  kWarming,       ///< every router starts anew, and each misses an entry
  kSleeper,       ///< a router slept while people came
  kDarkDevice,    ///< a device's cable is pulled, and a push waits for its word
  kLateDump,      ///< somebody leaves while his entry and a router do not hear each other
};
inline constexpr std::size_t kScenes = 8;
std::string_view scene_name(Scene scene);
std::optional<Scene> scene_of(std::string_view name);

/// Plays the scene; where the world has no place for it (too few devices, one entry), the next.
void play(Cluster& cluster, Scene scene);

}  // namespace hy::sim
