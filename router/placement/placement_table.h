#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/flat/flat_map.h"
#include "common/flow/placement_digest.h"
#include "router/placement/row.h"

namespace hy::router {

/// What a merge did.
struct MergeOutcome {
  enum class Kind : std::uint8_t { kApplied, kSame, kLost } kind = Kind::kSame;
  std::optional<Row> before;  ///< the row of the key before the merge
};

/// All placements of one replica: key → row, merged by maximum. "Live" here means: not dead and of
/// its entry's current incarnation; whether the entry itself lives is the lease table's matter.
///
/// 256 digest buckets by hash(uid), each split into two shards of unequal size: sizes of all shards
/// are spread evenly over a factor of two, so that they do not grow (and stall, and stand half
/// empty) at the same time. Seconds are enough for the age of tombstones. One thread.
class PlacementTable {
 public:
  PlacementTable();
  ~PlacementTable();
  PlacementTable(const PlacementTable&) = delete;
  PlacementTable& operator=(const PlacementTable&) = delete;

  /// The entry's life that counts from now on: rows of its other lives are not live any more. O(1);
  /// one pass over the table after 250 restarts of one entry.
  void set_incarnation(EntryId entry, Incarnation incarnation, MonoTime now);
  [[nodiscard]] std::optional<Incarnation> incarnation(EntryId entry) const;

  /// row.incarnation must be the current one or an earlier one that was set before; others are
  /// ignored (kSame).
  MergeOutcome merge(const Row& row, MonoTime now);
  [[nodiscard]] std::optional<Row> find(Uid uid, Slot slot) const;
  [[nodiscard]] bool is_live(const Row& row) const;

  /// Live rows of the entry in this bucket.
  [[nodiscard]] std::vector<Row> rows_of(EntryId entry, std::uint32_t bucket) const;

  /// A dump begins: what is merged for the entry from now on counts as seen.
  void begin_dump(EntryId entry);
  /// Live rows of the entry that were not seen since begin_dump() become dead. Returns how many.
  std::size_t end_dump(EntryId entry, MonoTime now);

  /// Digest of the entry's live rows under a new key. One pass over the table unless it has none.
  void set_digest_key(EntryId entry, std::uint64_t key);
  [[nodiscard]] const flow::PlacementDigest& digest(EntryId entry) const;

  /// Drops tombstones older than `before`, and rows that are not live since before it. Looks at
  /// the given bucket only; returns how many rows went.
  std::size_t sweep(std::uint32_t bucket, MonoTime before,
                    const std::function<bool(EntryId)>& entry_gone);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t live_rows(EntryId entry) const;
  [[nodiscard]] std::size_t live_rows() const;
  /// Reserved by the shards, from their capacities.
  [[nodiscard]] std::size_t bytes() const;
  void for_each(const std::function<void(const Row&)>& visit) const;

 private:
  struct Packed;
  struct EntryState;
  struct Shards;

  EntryState& state(EntryId entry);
  [[nodiscard]] const EntryState* state_if(EntryId entry) const;
  [[nodiscard]] Row unpack(std::uint64_t uid, Slot slot, const Packed& packed) const;
  [[nodiscard]] bool is_live(const Packed& packed) const;
  void count_live(const Row& row, bool add);
  void purge(EntryId entry);
  [[nodiscard]] std::uint32_t seconds(MonoTime t) const;

  std::unique_ptr<Shards> shards_;
  FlatMap<std::uint16_t, std::unique_ptr<EntryState>> entries_;
  std::size_t rows_ = 0;
};

}  // namespace hy::router
