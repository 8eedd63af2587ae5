#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/flat/flat_map.h"

namespace hy::logic {

/// A map that forgets the least recently used entry when it is full. Not thread-safe; pointers stay
/// valid until the next put or erase. entries_max: 1 .. 2^32 - 2. The rows lie in blocks that are
/// never moved, linked by their numbers: a use allocates nothing, and growing moves the index
/// alone.
template <class Key, class Value>
class LruMap {
 public:
  explicit LruMap(std::size_t entries_max) : entries_max_(entries_max) {
    HY_CHECK(entries_max > 0 && entries_max < kNone);
  }

  /// nullptr: not known. Counts as a use.
  [[nodiscard]] Value* find(const Key& key) {
    const auto it = index_.find(key);
    if (it == index_.end()) return nullptr;
    const Number number = it->second;
    if (number != newest_) {
      unlink(number);
      link_newest(number);
    }
    return &rows_[number].value;
  }

  Value& put(const Key& key, Value value) {
    if (Value* known = find(key); known != nullptr) {
      *known = std::move(value);
      return *known;
    }
    if (index_.size() == entries_max_) erase(Key(rows_[oldest_].key));
    Number number = static_cast<Number>(rows_.size());
    if (free_.empty()) {
      rows_.push_back({key, std::move(value), kNone, kNone});
    } else {
      number = free_.back();
      free_.pop_back();
      rows_[number] = {key, std::move(value), kNone, kNone};
    }
    link_newest(number);
    index_.emplace(key, number);
    return rows_[number].value;
  }

  void erase(const Key& key) {
    const auto it = index_.find(key);
    if (it == index_.end()) return;
    const Number number = it->second;
    index_.erase(it);
    unlink(number);
    rows_[number].value = Value{};
    free_.push_back(number);
  }

  [[nodiscard]] std::size_t size() const { return index_.size(); }
  /// The key that was not used for the longest time; nullptr: empty.
  [[nodiscard]] const Key* oldest() const {
    return oldest_ == kNone ? nullptr : &rows_[oldest_].key;
  }
  /// Erases that one if `is_over(value)`; false: it stays, or there is none.
  template <class IsOver>
  bool erase_oldest_if(IsOver&& is_over) {
    if (oldest_ == kNone || !is_over(std::as_const(rows_[oldest_].value))) return false;
    erase(Key(rows_[oldest_].key));
    return true;
  }

 private:
  using Number = std::uint32_t;
  static constexpr Number kNone = std::numeric_limits<Number>::max();
  struct Row {
    Key key;
    Value value;
    Number newer;
    Number older;
  };

  void link_newest(Number number) {
    rows_[number].newer = kNone;
    rows_[number].older = newest_;
    if (newest_ != kNone) rows_[newest_].newer = number;
    newest_ = number;
    if (oldest_ == kNone) oldest_ = number;
  }

  void unlink(Number number) {
    const Row& row = rows_[number];
    (row.newer == kNone ? newest_ : rows_[row.newer].older) = row.older;
    (row.older == kNone ? oldest_ : rows_[row.older].newer) = row.newer;
  }

  std::size_t entries_max_;
  std::deque<Row> rows_;
  std::vector<Number> free_;
  Number newest_ = kNone;
  Number oldest_ = kNone;
  FlatMap<Key, Number> index_;
};

}  // namespace hy::logic
