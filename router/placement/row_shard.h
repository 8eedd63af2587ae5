#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/base/ids.h"

namespace hy::router {

/// One placement in 24 bytes. `place` orders the rows of a shard: the spread uid without the eight
/// bits that name its bucket, then the slot; its low five bits are not part of the order.
struct PackedRow {
  static constexpr std::uint64_t kDead = 16;
  static constexpr std::uint64_t kWide = 8;  ///< auth and the connection's index stand elsewhere
  static constexpr std::uint64_t kAuthHigh = 7;

  std::uint64_t place = 0;
  std::uint32_t counter = 0;     ///< low half of the epoch
  std::uint32_t generation = 0;  ///< low half of the connection
  std::uint32_t rest = 0;        ///< connection's index (24 bits) | low bits of auth (8)
  std::uint16_t writer = 0;      ///< which life of which entry wrote it; 0: an empty place
  std::uint16_t stamp = 0;       ///< live: the dump that named it last; dead: since which second

  [[nodiscard]] bool is_dead() const { return (place & kDead) != 0; }
  [[nodiscard]] bool is_wide() const { return (place & kWide) != 0; }
  [[nodiscard]] std::uint64_t key() const { return place >> 5U; }
  [[nodiscard]] Slot slot() const { return static_cast<Slot>(key() & 7U); }
};
static_assert(sizeof(PackedRow) == 24);

/// mix64() backwards: the uid of a hash.
[[nodiscard]] constexpr std::uint64_t unmix64(std::uint64_t x) {
  x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642B2D24D8EC3ULL;
  x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96DE1B173F119089ULL;
  x = x ^ (x >> 30) ^ (x >> 60);
  return x - 0x9E3779B97F4A7C15ULL;
}
static_assert(unmix64(mix64(0)) == 0 &&
              unmix64(mix64(0x0123456789ABCDEFULL)) == 0x0123456789ABCDEF);

/// Gives an array back; `mapped`: its bytes when it has pages of its own, 0 when it is in the heap.
struct ReleaseRows {
  std::size_t mapped = 0;
  void operator()(PackedRow* rows) const;
};

/// A part of the placement table: rows in order of their key, each at or a little behind the place
/// that its key asks for (linear probing, kept sorted). So all slots of one person stand side by
/// side, a row that is missing is known to be after a few steps, and a larger array is filled in
/// one pass from front to back. Grows by about an eighth at 15/16 full. Arrays from 32 KiB on are
/// whole pages of their own: in a heap, the holes that growing leaves would cost a fifth. One
/// thread.
class RowShard {
 public:
  /// Where the row of the key is or would be inserted. Valid until the next insert or erase.
  struct Spot {
    PackedRow* row = nullptr;
    bool found = false;
  };
  [[nodiscard]] Spot locate(std::uint64_t key);
  [[nodiscard]] const PackedRow* find(std::uint64_t key) const;
  /// The first row whose key is not below; rows of one person follow it. Null: none.
  [[nodiscard]] const PackedRow* first_from(std::uint64_t key) const;
  /// Precondition: no row has this key. Where it stands now.
  PackedRow* insert(Spot spot, const PackedRow& row);
  void erase(PackedRow* row);
  /// A shard that has emptied by half gives memory back.
  void shrink();
  void prefetch(std::uint64_t key) const;

  /// Visits each row; `visit` may change all of it but key and writer, and returns false to have
  /// it erased.
  template <class Visit>
  void sweep(const Visit& visit) {
    for (std::size_t i = 0; i < size_;) {
      if (rows_[i].writer != 0 && !visit(rows_[i])) {
        erase(&rows_[i]);  // what followed may stand here now
      } else {
        ++i;
      }
    }
  }
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t i = 0; i < size_; ++i) {
      if (rows_[i].writer != 0) visit(rows_[i]);
    }
  }

  [[nodiscard]] std::size_t rows() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(PackedRow); }

 private:
  [[nodiscard]] std::size_t home(std::uint64_t key) const {
    return static_cast<std::size_t>(((key >> 27U) * capacity_) >> 32U);
  }
  [[nodiscard]] bool rebuild(std::uint32_t capacity, std::uint32_t tail);
  void grow();

  using Array = std::unique_ptr<PackedRow[], ReleaseRows>;
  static Array make_array(std::uint32_t size);

  Array rows_;
  std::uint32_t capacity_ = 0;  ///< places that keys ask for
  std::uint32_t size_ = 0;      ///< with those behind them; the last one stays empty
  std::uint32_t count_ = 0;
};

}  // namespace hy::router
