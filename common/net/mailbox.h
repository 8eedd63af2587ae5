#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace hy::net {

/// Hands batches from many threads to one: a bounded queue with one wake-up per burst. The wake-up
/// is a function (asio::post, rpc::Loop::post), so no executor type shows here.
///
/// Guaranteed: items of one thread keep their order; after a push that returned true the owner
/// will be woken, or is about to drain. Full: the push returns false, nothing of it is kept, and
/// `refused` counts it; the caller says so to its peer or drops what may be dropped.
template <class T>
class Mailbox {
 public:
  /// wake: any thread; called with no lock held, at most once between two drains.
  Mailbox(std::size_t capacity, std::function<void()> wake)
      : capacity_(capacity), wake_(std::move(wake)) {
    HY_CHECK(capacity_ > 0);
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Any thread.
  [[nodiscard]] bool push(T item) {
    {
      const std::lock_guard lock(mutex_);
      if (items_.size() >= capacity_) {
        ++refused_;
        return false;
      }
      items_.push_back(std::move(item));
      if (std::exchange(woken_, true)) return true;
    }
    wake_();
    return true;
  }

  /// Any thread. All or nothing; `batch` is empty afterwards when it was taken.
  [[nodiscard]] bool push_all(std::vector<T>& batch) {
    if (batch.empty()) return true;
    {
      const std::lock_guard lock(mutex_);
      if (items_.size() + batch.size() > capacity_) {
        refused_ += batch.size();
        return false;
      }
      if (items_.empty())
        items_.swap(batch);
      else
        for (auto& item : batch) items_.push_back(std::move(item));
      batch.clear();
      if (std::exchange(woken_, true)) return true;
    }
    wake_();
    return true;
  }

  /// The owner: everything that is there, in order. `out` is cleared first; pass the same vector
  /// each time, its memory goes round.
  void drain(std::vector<T>& out) {
    out.clear();
    const std::lock_guard lock(mutex_);
    items_.swap(out);
    woken_ = false;
  }

  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  [[nodiscard]] std::uint64_t refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  const std::size_t capacity_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::vector<T> items_;
  bool woken_ = false;
  std::uint64_t refused_ = 0;
};

}  // namespace hy::net
