#pragma once

#include <string_view>
#include <vector>

#include "client/judge/evidence.h"
#include "common/base/random.h"

namespace hy::judge {

/// Unoptimised builds are for the inner loop and take a tenth; CI is optimised.
#ifdef __OPTIMIZE__
inline constexpr std::uint64_t kPlantedEach = 100;
inline constexpr std::uint64_t kCleanHistories = 1'000;
#else
inline constexpr std::uint64_t kPlantedEach = 10;
inline constexpr std::uint64_t kCleanHistories = 100;
#endif

/// One kind of broken promise, put into a clean history at a seeded place.
struct Plant {
  std::string_view name;
  std::string_view checker;            ///< that has to find it
  std::vector<std::string_view> also;  ///< that see a consequence; no other may speak
  bool (*plant)(Evidence&, Random&);   ///< false: the history has no place for it
  /// Words of the finding, where one fault cannot be had without another of the same checker.
  std::string_view says = "";
};

/// Faults of messages and logs; of reads, cursors and marks; of sessions and times.
std::vector<Plant> plants_of_messages();
std::vector<Plant> plants_of_marks();
std::vector<Plant> plants_of_sessions();
std::vector<Plant> plants_of_lines();

}  // namespace hy::judge
