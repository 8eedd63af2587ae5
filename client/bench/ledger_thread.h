#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "client/bench/book.h"

namespace hy::bench {

/// Judges books that were cut while the load goes on, on a thread that runs
/// only when nobody else wants the core. One thread owns it.
class LedgerThread {
 public:
  explicit LedgerThread(std::uint64_t run) : run_(run) {}
  ~LedgerThread();
  LedgerThread(const LedgerThread&) = delete;
  LedgerThread& operator=(const LedgerThread&) = delete;

  void add(PairBook book);
  /// Bytes of records that wait.
  [[nodiscard]] std::size_t waiting_bytes() const { return waiting_bytes_.load(); }
  /// Waits until everything added is judged; the sum.
  Ledger finish();

 private:
  void work();

  std::uint64_t run_;
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<PairBook> books_;
  Ledger ledger_;
  bool is_over_ = false;
  std::thread thread_;  // started by the first book
};

}  // namespace hy::bench
