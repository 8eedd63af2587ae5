#pragma once

#include <cstddef>
#include <deque>
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

  void start();
  /// Ends all loops and joins. Handlers that have not run are destroyed with this object. Not from
  /// one of the threads. Idempotent.
  void stop();
  [[nodiscard]] std::size_t size() const { return contexts_.size(); }
  [[nodiscard]] asio::io_context& context(std::size_t index) { return contexts_[index]; }

 private:
  std::deque<asio::io_context> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

}  // namespace hy::net
