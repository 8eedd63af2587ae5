#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/flat/flat_map.h"
#include "das/storage/types.h"

namespace hy::das {

/// The rules of the caches, without a place to keep them: in-process for the embedded engine, and
/// the model that the Redis scripts are compared with.
///
/// Heads: filled under a version check (a higher head stays), so a slow reader never hides a newer
/// commit, and what a reader fills is never ahead of the database. An entry expires 60 s after the
/// database read or the commit behind it, not after the fill.
/// Change counters: every raise gives the user the next number of one sequence that starts at a
/// value never used before; a user without an entry stands at the sequence's value of the moment
/// when entries were last lost. So a value that was told comes again only if nothing was raised
/// between.
/// Bounded by two generations of `entries_max` each: when the young one is full, the old one is
/// dropped. Not thread-safe. Times: unix ms of das.
class VersionedCache {
 public:
  static constexpr std::int64_t kHeadLifeMs = 60'000;

  /// first_stamp: above every stamp of an earlier life, e.g. unix ms << 20.
  VersionedCache(std::size_t entries_max, std::uint64_t first_stamp)
      : entries_max_(entries_max), stamp_(first_stamp), base_(first_stamp) {}

  /// Begins to fetch what fill() and changed() will look at: with many conversations every look-up
  /// is a miss of the processor's caches, and those of a batch overlap when asked for together.
  void prefetch(const ConversationId& conv) const;
  void fill(const CommittedHead& head, std::int64_t read_ms, std::int64_t now_ms);
  [[nodiscard]] std::optional<CommittedHead> head(const ConversationId& conv,
                                                  std::int64_t now_ms) const;
  void changed(Uid uid);
  [[nodiscard]] std::uint64_t counter(Uid uid) const;
  /// Everything is forgotten: what was told stays untold.
  void lose_all();

 private:
  struct Entry {
    Seq head;
    std::int64_t head_ms = 0;
    std::int64_t expires_ms = 0;
  };
  using Heads = FlatMap<ConversationId, Entry>;
  using Counters = FlatMap<Uid, std::uint64_t>;
  [[nodiscard]] const Entry* find(const ConversationId& conv) const;

  std::size_t entries_max_;
  std::uint64_t stamp_;
  std::uint64_t base_;
  Heads young_heads_;
  Heads old_heads_;
  Counters young_counters_;
  Counters old_counters_;
};

}  // namespace hy::das
