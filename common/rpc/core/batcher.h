#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

namespace hy::rpc {

/// Bounds of one batch and of the queue of batches behind it.
struct BatcherLimits {
  std::size_t batch_envelopes_max = 256;
  std::size_t batch_bytes_max = 1'024 * 1'024;
  std::size_t queue_envelopes_max = 16'384;
  std::size_t queue_bytes_max = 32 * 1'024 * 1'024;
};

/// The queue in front of one stream (architecture.md §7): envelopes gather in an open batch; a full
/// batch is sealed; whoever may write takes the oldest. What gathers while a write is in flight is
/// the next batch, so no timer is involved. Not thread-safe: it lives on one loop.
///
/// `Batch` is a movable value, `make` gives an empty one.
template <class Batch>
class Batcher {
 public:
  using Make = std::function<Batch()>;
  Batcher(BatcherLimits limits, Make make) : limits_(limits), make_(std::move(make)) {}

  /// The batch that the next envelope belongs to. Valid until count() or take().
  [[nodiscard]] Batch& open() {
    if (batches_.empty() || batches_.back().sealed) {
      batches_.push_back(Entry{take_spare(), 0, 0, false});
    }
    return batches_.back().batch;
  }

  /// Counts one envelope of about `bytes` that was added to open(). Seals a batch at its bounds.
  void count(std::size_t bytes) {
    static_cast<void>(open());
    Entry& entry = batches_.back();
    ++entry.envelopes;
    entry.bytes += bytes;
    ++envelopes_;
    bytes_ += bytes;
    entry.sealed =
        entry.envelopes >= limits_.batch_envelopes_max || entry.bytes >= limits_.batch_bytes_max;
  }

  /// Nothing was counted that was not taken.
  [[nodiscard]] bool empty() const { return envelopes_ == 0; }

  /// The oldest batch. Precondition: !empty().
  [[nodiscard]] Batch take() {
    Entry entry = std::move(batches_.front());
    batches_.pop_front();
    envelopes_ -= entry.envelopes;
    bytes_ -= entry.bytes;
    return std::move(entry.batch);
  }

  /// Envelopes of the oldest batch. Precondition: !empty().
  [[nodiscard]] std::size_t first_envelopes() const { return batches_.front().envelopes; }

  /// Gives an emptied batch back, so that its memory serves the next one.
  void recycle(Batch batch) {
    if (spare_.size() < kSpareMax) spare_.push_back(std::move(batch));
  }

  void clear() {
    batches_.clear();
    envelopes_ = 0;
    bytes_ = 0;
  }

  /// False: refuse with a code, or drop by rule. What is in flight is not counted.
  [[nodiscard]] bool has_room() const {
    return envelopes_ < limits_.queue_envelopes_max && bytes_ < limits_.queue_bytes_max;
  }
  [[nodiscard]] std::size_t envelopes() const { return envelopes_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  /// As many as a turn of a busy daemon fills: a batch that is not kept is given back to the heap
  /// with all its envelopes, and the next one takes them from there again.
  static constexpr std::size_t kSpareMax = 8;

  struct Entry {
    Batch batch;
    std::size_t envelopes;
    std::size_t bytes;
    bool sealed;
  };

  Batch take_spare() {
    if (spare_.empty()) return make_();
    Batch batch = std::move(spare_.back());
    spare_.pop_back();
    return batch;
  }

  BatcherLimits limits_;
  Make make_;
  std::deque<Entry> batches_;
  std::vector<Batch> spare_;
  std::size_t envelopes_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace hy::rpc
