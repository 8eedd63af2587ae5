#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hy::sim {

class Cluster;

/// As Scene (scenes.h), about logic, das, the store and what devices say to them: every seed plays
/// one of these too, after its other scene.
enum class StoreScene : std::uint8_t {
  kRevoked,   ///< a sign-in is ended while no kick comes through
  kUnruly,    ///< an app sends another text under the id of an earlier message
  kDasLost,   ///< a das goes with much on its way to it
  kStepBack,  ///< the store's clock steps back while somebody is away
  kLostPush,  ///< a message is stored, its push is lost, and so is the cache, before and after
};
inline constexpr std::size_t kStoreScenes = 5;
std::string_view store_scene_name(StoreScene scene);
std::optional<StoreScene> store_scene_of(std::string_view name);

/// Plays the scene; where the world has no place for it, the next.
void play(Cluster& cluster, StoreScene scene);

}  // namespace hy::sim
