#include "client/cli/demo/load.h"

#include <string>

namespace hy::cli {
namespace {

constexpr std::uint64_t kUnsettledMax = 20'000;

}  // namespace

void Load::start(int per_second) {
  stop();
  per_second_ = per_second;
  is_stopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void Load::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Load::run() {
  const auto gap = std::chrono::nanoseconds(1'000'000'000 / per_second_);
  MonoTime next = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (std::uint64_t n = 1; !is_stopping_; ++n) {
    lock.unlock();
    const LedgerCounts c = stage_.counts();
    if (c.sent - c.stored - c.refused < kUnsettledMax) {
      const bool is_forward = n % 2 == 1;
      // The outbox refuses only what is too large or when its disk is full: the ledger shows it.
      (void)stage_.say(is_forward ? first_ : second_, is_forward ? second_ : first_,
                       "load " + std::to_string(n));
    }
    next += gap;
    lock.lock();
    stopping_.wait_until(lock, next, [this] { return is_stopping_; });
  }
}

}  // namespace hy::cli
