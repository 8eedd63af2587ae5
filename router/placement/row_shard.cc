#include "router/placement/row_shard.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace hy::router {
namespace {

constexpr std::uint32_t kCapacityMin = 4;
constexpr std::size_t kPage = 4'096;
constexpr std::size_t kMappedFrom = 8 * kPage;
/// Places behind the last one that a key asks for: what is pushed beyond the end stands there.
constexpr std::uint32_t tail_of(std::uint32_t capacity) {
  return 3 + std::min<std::uint32_t>(capacity / 16, 24);
}

/// As many places as the pages hold, where an array has pages of its own.
constexpr std::uint32_t whole_pages(std::uint32_t size) {
  const std::size_t bytes = std::size_t{size} * sizeof(PackedRow);
  if (bytes < kMappedFrom) return size;
  return static_cast<std::uint32_t>((bytes + kPage - 1) / kPage * kPage / sizeof(PackedRow));
}

}  // namespace

void ReleaseRows::operator()(PackedRow* rows) const {
  if (mapped == 0) {
    delete[] rows;
  } else {
    ::munmap(rows, mapped);
  }
}

RowShard::Array RowShard::make_array(std::uint32_t size) {
  const std::size_t bytes = size * sizeof(PackedRow);
  if (bytes < kMappedFrom) return Array(new PackedRow[size]());
  const std::size_t mapped = (bytes + kPage - 1) / kPage * kPage;
  void* const pages =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return Array(static_cast<PackedRow*>(pages), ReleaseRows{mapped});
}

const PackedRow* RowShard::first_from(std::uint64_t key) const {
  if (size_ == 0) return nullptr;
  const PackedRow* row = &rows_[home(key)];
  while (row->writer != 0 && row->key() < key) ++row;
  return row->writer == 0 ? nullptr : row;
}

const PackedRow* RowShard::find(std::uint64_t key) const {
  const PackedRow* row = first_from(key);
  return row != nullptr && row->key() == key ? row : nullptr;
}

RowShard::Spot RowShard::locate(std::uint64_t key) {
  if (size_ == 0) return {};
  PackedRow* row = &rows_[home(key)];
  while (row->writer != 0 && row->key() < key) ++row;
  return {row, row->writer != 0 && row->key() == key};
}

PackedRow* RowShard::insert(Spot spot, const PackedRow& row) {
  for (;;) {
    if (spot.row != nullptr && (count_ + 1) * 16ULL <= capacity_ * 15ULL) {
      PackedRow* end = spot.row;
      while (end->writer != 0) ++end;
      if (end != &rows_[size_ - 1]) {
        std::move_backward(spot.row, end, end + 1);
        *spot.row = row;
        ++count_;
        return spot.row;
      }
    }
    grow();
    spot = locate(row.key());
  }
}

void RowShard::erase(PackedRow* row) {
  PackedRow* next = row + 1;
  // Those behind move up unless they stand where they want to be.
  while (next->writer != 0 && &rows_[home(next->key())] < next) {
    *(next - 1) = *next;
    ++next;
  }
  *(next - 1) = {};
  --count_;
}

/// By 1/16 to 3/16, never the same: shards of one table must not grow all at the same time, and the
/// arrays that they leave then fit others. A crowd at the end needs a longer tail, no larger array.
void RowShard::grow() {
  std::uint32_t capacity = capacity_;
  std::uint32_t tail = tail_of(capacity);
  if (count_ * 4ULL >= capacity_ * 3ULL) {
    const auto turn = mix64(capacity + (size_ > 0 ? rows_[0].place : 0)) & 0xFFU;
    const auto more = capacity / 16 + static_cast<std::uint32_t>((capacity * turn) >> 11U);
    capacity = std::max(kCapacityMin, capacity + std::max(more, 2U));
    tail = tail_of(capacity);
  } else {
    tail = 2 * (size_ - capacity_);
  }
  while (!rebuild(capacity, tail)) tail *= 2;
}

void RowShard::shrink() {
  if (count_ == 0) {
    rows_.reset();
    capacity_ = size_ = 0;
  } else if (count_ * 2 < capacity_ && capacity_ > 2 * kCapacityMin) {
    const std::uint32_t capacity = count_ + count_ / 8 + 2;
    static_cast<void>(rebuild(capacity, tail_of(capacity)));
  }
}

/// All rows into a new array, front to back. False: they do not fit behind the end; nothing was
/// changed.
bool RowShard::rebuild(std::uint32_t capacity, std::uint32_t tail) {
  const std::uint32_t size = whole_pages(capacity + tail);
  capacity = size - tail;
  Array fresh = make_array(size);
  std::size_t next = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    if (rows_[i].writer == 0) continue;
    const auto wanted = static_cast<std::size_t>(((rows_[i].key() >> 27U) * capacity) >> 32U);
    next = std::max(next, wanted);
    if (next + 1 >= size) return false;
    fresh[next++] = rows_[i];
  }
  rows_ = std::move(fresh);
  capacity_ = capacity;
  size_ = size;
  return true;
}

void RowShard::prefetch(std::uint64_t key) const {
  if (size_ == 0) return;
  const PackedRow* row = &rows_[home(key)];
  __builtin_prefetch(row);
  __builtin_prefetch(reinterpret_cast<const char*>(row) + 64);
}

}  // namespace hy::router
