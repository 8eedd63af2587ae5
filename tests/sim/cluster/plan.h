#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/cluster/device_host.h"
#include "tests/sim/cluster/scenes.h"
#include "tests/sim/cluster/store_scenes.h"
#include "tests/sim/kernel/network.h"
#include "tests/sim/store/model_store.h"

namespace hy::sim {

/// Kinds of faults that a seed may have; each can be left out by name (--keep-faults, the
/// shrinker).
enum class Fault : std::uint8_t {
  kKillEntry,
  kKillLogic,
  kKillRouter,
  kKillDas,
  kKillTier,     ///< all of one tier at once
  kLoseHost,     ///< as a kill, but nobody is told
  kSyncPoint,    ///< a process ends at a named place
  kPause,        ///< a daemon stands still for 0.1–20 s
  kPauseDevice,  ///< a slow or stopped reader
  kKillDevice,   ///< between any two steps of a device's turn
  kDeviceDisk,   ///< a device's transaction fails
  kPartition,
  kOneWay,
  kReset,
  kHalfOpen,
  kSlowLink,
  kLoss,
  kCorrupt,
  kClockJump,
  kStoreErrors,  ///< lock waits, deadlocks, lost connections, slow statements
  kCommitLost,   ///< the outcome of COMMIT is unknown
  kStoreDown,
  kStoreFull,
  kFailOver,
  kHoldRow,
  kCacheLost,
  kCacheDown,
  kRestart,  ///< an orderly restart of a daemon
};
inline constexpr std::size_t kFaults = 28;
std::string_view fault_name(Fault fault);

/// What the command line changes about a seed.
struct Limits {
  std::vector<Fault> left_out;
  std::uint32_t devices_max = 1'000;
  std::uint32_t entries_max = 100;
  std::uint32_t logics_max = 100;
  std::uint32_t routers_max = 100;
  std::uint32_t das_max = 100;
  Millis faults_for{0};                     ///< > 0: instead of what the seed draws
  std::uint32_t part = 100;                 ///< per cent of the workload
  bool has_groups = true;                   ///< false: people write to each other alone
  std::optional<StoreScene> store_scene{};  ///< likewise
  std::optional<Scene> scene{};             ///< instead of the one that the seed draws
};

/// Everything that a seed draws before the world runs.
struct Plan {
  std::uint64_t seed = 0;
  std::uint32_t entries = 1;
  std::uint32_t logics = 1;
  std::uint32_t routers = 2;
  std::uint32_t das = 1;
  std::uint32_t users = 3;
  std::vector<std::uint32_t> devices_of;  ///< slots in use, per user
  std::vector<bool> has_rival;            ///< a second installation on the first slot
  StoreFlavour flavour = StoreFlavour::kManyWriters;
  bool has_redis = true;
  std::array<bool, kFaults> faults{};
  std::array<std::uint32_t, kFaults> weights{};
  Nanos fault_gap{};  ///< mean, between two faults that begin
  StoreFaults store_rates;
  DeviceFaults device_rates;
  std::uint32_t corrupt_per_million = 0;
  std::uint32_t sync_points_per_million = 0;
  LinkQuality inner;
  LinkQuality outer;
  Millis warm_up{8'000};
  Millis faults_for{60'000};
  Millis rest_max{120'000};  ///< and as long as the largest backlog takes at the rate of one person
  Nanos talk_gap{};          ///< mean, between two doings of one device
  std::uint32_t blocks_per_mille = 0;
  std::uint32_t offline_per_mille = 0;
  std::uint32_t rivals_per_mille = 0;
  std::size_t body_max = 200;
  std::uint32_t groups = 0;         ///< that people make, each by another device
  std::uint32_t group_percent = 0;  ///< of what people write, read and look up is in groups
  std::uint32_t group_changes_per_mille = 0;
  std::uint32_t silent = 0;    ///< people without a device, who make the first group a large one
  std::optional<Scene> scene;  ///< after the healing
  std::optional<StoreScene> store_scene;        ///< after that one
  std::uint64_t rekey_every = 0;                ///< frames that a key serves; 0: as usual
  std::map<std::string, std::string> settings;  ///< "logic.heartbeat" → "10s"

  [[nodiscard]] bool has(Fault fault) const { return faults[static_cast<std::size_t>(fault)]; }
  [[nodiscard]] std::string text() const;
};

Plan draw_plan(std::uint64_t seed, const Limits& limits);

}  // namespace hy::sim
