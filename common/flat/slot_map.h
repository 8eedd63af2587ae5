#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "common/base/check.h"

namespace hy {

/// Objects that stay where they are, known by an id that is never given twice and rises from one
/// object to the next. An id holds the object's place: finding costs one access, and no hash table
/// is kept beside the objects. What an object owns stays with it, so that its next life needs no
/// memory: the owner puts it back to its first state. Not thread-safe.
template <class T>
class SlotMap {
 public:
  using Id = std::uint64_t;  ///< never 0
  static constexpr unsigned kPlaceBits = 20;
  /// Objects in use at once; ids last for 2^44 objects.
  static constexpr std::size_t kSizeMax = std::size_t{1} << kPlaceBits;

  /// An object in the state that its last life left, or a new one. Only below kSizeMax.
  [[nodiscard]] Id take() {
    std::size_t place = rows_.size();
    if (free_.empty()) {
      HY_CHECK(place < kSizeMax);
      rows_.emplace_back();
    } else {
      place = free_.back();
      free_.pop_back();
    }
    rows_[place].id = ++serial_ << kPlaceBits | place;
    return rows_[place].id;
  }
  /// nullptr: it was released, or the id is none of ours.
  [[nodiscard]] T* find(Id id) {
    const std::size_t place = id & (kSizeMax - 1);
    return id != 0 && place < rows_.size() && rows_[place].id == id ? &rows_[place].object
                                                                    : nullptr;
  }
  /// The id is in use.
  [[nodiscard]] T& operator[](Id id) {
    T* const object = find(id);
    HY_CHECK(object != nullptr);
    return *object;
  }
  /// The id is in use.
  void release(Id id) {
    HY_CHECK(find(id) != nullptr);
    const std::size_t place = id & (kSizeMax - 1);
    rows_[place].id = 0;
    free_.push_back(static_cast<std::uint32_t>(place));
  }
  /// Objects in use.
  [[nodiscard]] std::size_t size() const { return rows_.size() - free_.size(); }
  /// visit(id, object) of each in use, in no order.
  template <class Visit>
  void for_each(Visit visit) {
    for (Row& row : rows_) {
      if (row.id != 0) visit(row.id, row.object);
    }
  }

 private:
  struct Row {
    Id id = 0;  ///< 0: free
    T object;
  };
  std::deque<Row> rows_;
  std::vector<std::uint32_t> free_;  ///< places
  std::uint64_t serial_ = 0;
};

}  // namespace hy
