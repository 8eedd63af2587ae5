#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "common/net/asio.h"

namespace hy::net {

/// N threads with an io_context each; a connection stays on one for life. Contexts run until
/// stop(), also without work.
class IoThreads {
 public:
  /// count ≥ 1. Nothing runs before start().
  explicit IoThreads(std::size_t count);
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  /// `turn_over(index)`: on that thread, when what was ready is done; until it returns, nothing
  /// else is taken up.
  using TurnOver = std::function<void(std::size_t index)>;
  void start(TurnOver turn_over = {});
  /// Within `turn_over`, on that thread: runs what is ready now, as a turn does. True: something
  /// was.
  bool turn_without_waiting(std::size_t index);
  /// Any thread: stop() was called.
  [[nodiscard]] bool is_stopping() const { return contexts_.front().stopped(); }
  /// Ends all loops and joins. Handlers that have not run are destroyed with this object. Not from
  /// one of the threads. Idempotent.
  void stop();
  [[nodiscard]] std::size_t size() const { return contexts_.size(); }
  [[nodiscard]] asio::io_context& context(std::size_t index) { return contexts_[index]; }

 private:
  std::deque<asio::io_context> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  TurnOver turn_over_;
  std::vector<std::thread> threads_;
};

}  // namespace hy::net
