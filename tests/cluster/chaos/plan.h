#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/cluster_layout.h"
#include "client/judge/evidence.h"
#include "common/base/random.h"

/// What happens in a round, decided before it starts from its seed alone. No I/O here.
namespace hy::chaos {

/// Where a fault can strike.
enum class Strikes : std::uint8_t {
  kDaemon,      ///< one daemon of any tier
  kDas,         ///< one das
  kEntry,       ///< one entry
  kLink,        ///< one way between two parties
  kPeopleLink,  ///< the way from the people to one entry
  kStoreLink,   ///< das → MariaDB
  kCacheLink,   ///< das → Redis
  kIsland,      ///< every way of one daemon at once
  kRedis,
  kMariadb,
  kStoreDisk,
  kLogDisk,
  kClock,
  kDevice,  ///< one device of one person
};
enum class Engines : std::uint8_t { kBoth, kMysql, kEmbedded };

struct FaultKind {
  std::string_view name;
  std::string_view code;  ///< of the list of faults: "F01"
  Strikes strikes;
  Engines engines = Engines::kBoth;
  judge::Hits hits = judge::Hits::kSpeed;
  double lasts_min = 0;  ///< seconds; 0 and 0: a moment
  double lasts_max = 0;
};
/// All kinds, in a fixed order.
const std::vector<FaultKind>& fault_kinds();
const FaultKind* find_kind(std::string_view name);

/// One fault of a schedule.
struct Planned {
  const FaultKind* kind = nullptr;
  double at = 0;  ///< seconds since the load began
  double lasts = 0;
  std::string target;      ///< "entry-a", "entry-a>router-b", "redis", "mariadb", "disk", "clock"
  std::uint64_t seed = 0;  ///< of its own details
  [[nodiscard]] double until() const { return at + lasts; }
  [[nodiscard]] std::string text() const;
};

/// Who plays in a round.
struct Cast {
  cli::StoreKind store = cli::StoreKind::kEmbedded;
  cli::ClusterSize size;
  [[nodiscard]] std::vector<std::string> daemons() const;
  [[nodiscard]] std::vector<std::string> of(std::string_view tier) const;
  /// "entry-a>logic-b" …, people's and the stores' ways too.
  [[nodiscard]] std::vector<std::string> links() const;
};

struct PlanOptions {
  double seconds = 30;
  double gap_min = 2;  ///< between two starts
  double gap_max = 4;
  int alive_max = 4;
  double lasts_max = 60;           ///< cuts every fault's length
  std::vector<std::string> kinds;  ///< empty: all that the engine has
  bool pairs = false;  ///< two at a time: the second begins while the first is alive, then both end
};
/// The same arguments give the same plan. Two faults that would undo each other (one process
/// stopped twice, one gate set twice) are never alive together.
std::vector<Planned> make_plan(const Cast& cast, const PlanOptions& options, std::uint64_t seed);

/// The `part`-th of `parts` about equal parts of the kinds that an engine has.
std::vector<std::string> part_of_kinds(cli::StoreKind store, int part, int parts);

/// What a fault holds while it is alive; two with a common one exclude each other.
std::vector<std::string> holds(const Cast& cast, const Planned& planned);

}  // namespace hy::chaos
