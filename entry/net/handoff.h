#pragma once

#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "entry/ports/traffic.h"

namespace hy::entry {

template <class T>
void append_moved(std::vector<T>& to, std::vector<T>& from) {
  if (to.empty()) {
    to.swap(from);
  } else {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  }
  from.clear();
}
inline void append_moved(UpBatch& to, UpBatch& from) {
  append_moved(to.commands, from.commands);
  append_moved(to.confirms, from.confirms);
  append_moved(to.closed, from.closed);
  append_moved(to.results, from.results);
}
inline void append_moved(DownBatch& to, DownBatch& from) {
  append_moved(to.opened, from.opened);
  append_moved(to.answers, from.answers);
  append_moved(to.deliveries, from.deliveries);
  to.deliveries_to += std::exchange(from.deliveries_to, 0);
  append_moved(to.kicks, from.kicks);
}

/// What one thread leaves for another: whole batches, one wake-up for whatever gathers. Bounded by
/// its givers, who look at what waits: connections refuse commands, and deliveries are dropped and
/// counted (the log has every message; SYNC brings it). Any thread.
template <class Batch>
class Handoff {
 public:
  /// True: the taker has to be woken.
  [[nodiscard]] bool give(Batch& batch) {
    const std::lock_guard lock(mutex_);
    append_moved(waiting_, batch);
    return !std::exchange(woken_, true);
  }
  /// Everything that waits; `out` was empty.
  void take(Batch& out) {
    const std::lock_guard lock(mutex_);
    std::swap(out, waiting_);
    woken_ = false;
  }
  [[nodiscard]] std::size_t waiting_commands() {
    const std::lock_guard lock(mutex_);
    return waiting_.commands.size();
  }
  /// Connections that they are for, all together.
  [[nodiscard]] std::size_t waiting_deliveries() {
    const std::lock_guard lock(mutex_);
    return waiting_.deliveries_to;
  }

 private:
  std::mutex mutex_;
  Batch waiting_;
  bool woken_ = false;
};

}  // namespace hy::entry
