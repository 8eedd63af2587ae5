#pragma once

#include <cstdint>

#include "common/base/ids.h"
#include "common/flat/flat_map.h"

namespace hy::das {

/// Change counters in memory, for the embedded engine. Every raise gives the user the next number
/// of one sequence that starts at a value never used before; a user without an entry stands at the
/// sequence's value of the moment when entries were last lost. So a value that was told comes again
/// only if nothing was raised between.
/// Bounded by two generations of `entries_max` each: when the young one is full, the old one is
/// dropped. Not thread-safe.
class ChangeCounters {
 public:
  /// first_stamp: above every stamp of an earlier life, e.g. unix ms << 20.
  ChangeCounters(std::size_t entries_max, std::uint64_t first_stamp)
      : entries_max_(entries_max), stamp_(first_stamp), base_(first_stamp) {}

  /// Begins to fetch what changed() will look at: with many conversations every look-up
  /// is a miss of the processor's caches, and those of a batch overlap when asked for together.
  void prefetch(const ConversationId& conv) const;
  void changed(Uid uid);
  [[nodiscard]] std::uint64_t counter(Uid uid) const;
  /// Everything is forgotten: what was told stays untold.
  void lose_all();

 private:
  using Counters = FlatMap<Uid, std::uint64_t>;

  std::size_t entries_max_;
  std::uint64_t stamp_;
  std::uint64_t base_;
  Counters young_;
  Counters old_;
};

}  // namespace hy::das
