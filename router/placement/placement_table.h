#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/clock.h"
#include "common/flat/flat_map.h"
#include "common/flow/placement_digest.h"
#include "router/placement/row.h"
#include "router/placement/row_shard.h"

namespace hy::router {

/// What a merge did.
struct MergeOutcome {
  enum class Kind : std::uint8_t { kApplied, kSame, kLost } kind = Kind::kSame;
  std::optional<Row> before;  ///< the row of the key before the merge
};

/// All placements of one replica: key → row, merged by maximum. "Live" here means: not dead and of
/// its entry's current incarnation; whether the entry itself lives is the lease table's matter.
///
/// 24 bytes a row (row_shard.h), in 512 shards of which two make one digest bucket: each is
/// between 5/6 and 15/16 full and grows alone, 0.1 ms at ten million rows. What seldom happens
/// (auth above 2,047, a connection's index above 2^24) stands beside the table. Tombstones know
/// their second modulo 2^16: each bucket must be swept within nine hours. One thread.
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
  /// All rows of a person, ascending by slot; one look-up. Returns how many were written to `out`.
  std::size_t find_all(Uid uid, std::array<Row, kSlotMax>& out) const;
  /// Fetches what a look-up of this person will read: of use for a batch, some look-ups ahead.
  void prefetch(Uid uid) const;
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
  struct EntryState;
  /// One life of one entry that has rows, or is its current one. Rows name it by its number.
  struct Writer {
    EntryState* state = nullptr;  ///< null: a free number
    EntryId entry;
    Incarnation incarnation;
    std::size_t rows = 0;
  };
  /// What does not fit a packed row.
  struct Wide {
    std::uint32_t auth = 0;
    std::uint32_t index = 0;
  };

  EntryState& state(EntryId entry);
  [[nodiscard]] const EntryState* state_if(EntryId entry) const;
  [[nodiscard]] std::uint16_t writer_of(EntryState& state, EntryId entry, std::size_t life);
  void release_if_idle(std::uint16_t writer);
  [[nodiscard]] PackedRow pack(const Row& row, std::uint16_t writer, std::uint16_t stamp);
  [[nodiscard]] Row unpack(std::uint32_t bucket, const PackedRow& packed) const;
  [[nodiscard]] bool is_live(const PackedRow& packed) const;
  void count_live(const Row& row, bool add);
  /// The row leaves its writer and what stands beside the table.
  void let_go(const PackedRow& packed);
  void remove(RowShard& shard, RowShard::Spot spot);
  template <class Gone>
  void drop_rows(const Gone& gone);
  void purge(EntryId entry);
  [[nodiscard]] RowShard& shard_of(std::uint64_t hash) {
    return shards_[(hash & 0xFF) * kShardsPerBucket + ((hash >> 8U) & (kShardsPerBucket - 1))];
  }
  [[nodiscard]] const RowShard& shard_of(std::uint64_t hash) const {
    return const_cast<PlacementTable*>(this)->shard_of(hash);
  }
  [[nodiscard]] std::span<RowShard> bucket(std::uint32_t bucket) {
    return std::span(shards_).subspan(bucket * kShardsPerBucket, kShardsPerBucket);
  }
  [[nodiscard]] std::span<const RowShard> bucket(std::uint32_t bucket) const {
    return std::span(shards_).subspan(bucket * kShardsPerBucket, kShardsPerBucket);
  }

  static constexpr std::size_t kShardsPerBucket = 2;
  std::vector<RowShard> shards_;
  std::vector<Writer> writers_{1};  ///< number 0 marks an empty place
  std::vector<std::uint16_t> writers_free_;
  std::vector<Wide> wide_;
  std::vector<std::uint32_t> wide_free_;
  FlatMap<std::uint16_t, std::unique_ptr<EntryState>> entries_;
  std::size_t rows_ = 0;
};

}  // namespace hy::router
