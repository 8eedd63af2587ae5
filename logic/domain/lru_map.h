#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"

namespace hy::logic {

/// A map that forgets the least recently used entry when it is full. Not thread-safe; pointers stay
/// valid until the next put or erase.
template <class Key, class Value>
class LruMap {
 public:
  explicit LruMap(std::size_t entries_max) : entries_max_(entries_max) {
    HY_CHECK(entries_max > 0);
  }

  /// nullptr: not known. Counts as a use.
  [[nodiscard]] Value* find(const Key& key) {
    const auto it = index_.find(key);
    if (it == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    return &it->second->second;
  }

  Value& put(const Key& key, Value value) {
    if (Value* known = find(key); known != nullptr) {
      *known = std::move(value);
      return *known;
    }
    if (index_.size() == entries_max_) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, std::move(value));
    index_.emplace(key, order_.begin());
    return order_.front().second;
  }

  void erase(const Key& key) {
    const auto it = index_.find(key);
    if (it == index_.end()) return;
    order_.erase(it->second);
    index_.erase(it);
  }

  [[nodiscard]] std::size_t size() const { return index_.size(); }

 private:
  using Order = std::list<std::pair<Key, Value>>;
  std::size_t entries_max_;
  Order order_;
  std::unordered_map<Key, typename Order::iterator> index_;
};

}  // namespace hy::logic
