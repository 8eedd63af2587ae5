#include "client/bench/ledger_thread.h"

#include <sched.h>

#include <utility>

namespace hy::bench {

LedgerThread::~LedgerThread() {
  finish();
}

void LedgerThread::add(PairBook book) {
  waiting_bytes_ += book.records.size() * sizeof(Record);
  {
    const std::lock_guard guard(mutex_);
    books_.push_back(std::move(book));
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  more_.notify_one();
}

Ledger LedgerThread::finish() {
  {
    const std::lock_guard guard(mutex_);
    is_over_ = true;
  }
  more_.notify_one();
  if (thread_.joinable()) thread_.join();
  is_over_ = false;
  return std::exchange(ledger_, {});
}

void LedgerThread::work() {
  const sched_param none{};
  ::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none);
  for (;;) {
    std::vector<PairBook> books;
    {
      std::unique_lock lock(mutex_);
      more_.wait(lock, [this] { return is_over_ || !books_.empty(); });
      books.swap(books_);
      if (books.empty()) return;
    }
    for (const PairBook& book : books) {
      Ledger one = judge_pairs({&book}, run_);
      waiting_bytes_ -= book.records.size() * sizeof(Record);
      ledger_.merge(one);  // read by finish() alone, after the join
    }
  }
}

}  // namespace hy::bench
