#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace hy {

/// Objects that stay where they are, known by a small number that is used again after release().
/// What an object owns stays with it, so that its next life needs no memory: the owner puts it back
/// to its first state. Not thread-safe.
template <class T>
class Slab {
 public:
  using Number = std::uint32_t;

  /// The number of an object in the state that its last life left, or a new one.
  [[nodiscard]] Number take() {
    if (free_.empty()) {
      rows_.emplace_back();
      return static_cast<Number>(rows_.size() - 1);
    }
    const Number number = free_.back();
    free_.pop_back();
    return number;
  }
  void release(Number number) { free_.push_back(number); }
  [[nodiscard]] T& operator[](Number number) { return rows_[number]; }
  [[nodiscard]] const T& operator[](Number number) const { return rows_[number]; }
  /// Objects in use.
  [[nodiscard]] std::size_t size() const { return rows_.size() - free_.size(); }

 private:
  std::deque<T> rows_;
  std::vector<Number> free_;
};

}  // namespace hy
