#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "das/lane/reader_core.h"
#include "das/lane/work_port.h"

namespace hy::das {

struct ReadPoolOptions {
  std::size_t threads = 2;
  std::size_t queue_calls_max = 4'096;
  std::size_t batch_calls_max = 16;  ///< one reader's turn; others take the rest
  Millis backoff{200};               ///< between two tries to open a session
};

/// Readers: a few threads, each with a reading session (reader_core.h), one bounded queue.
class ReadPool {
 public:
  /// engine and clock outlive the pool.
  ReadPool(ReadPoolOptions options, Engine& engine, const Clock& clock, CompletionSink sink);
  ~ReadPool();
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;

  void start();
  /// Any thread. A call that cannot be queued comes back in `refused`, answered.
  void offer(std::unique_ptr<StoreCall> call, Completion& refused);
  /// Answers what is queued and ends the threads. Blocks.
  void stop();
  [[nodiscard]] std::size_t queued() const;

 private:
  void run();

  const ReadPoolOptions options_;
  Engine& engine_;
  const Clock& clock_;
  CompletionSink sink_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<StoreCall>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hy::das
