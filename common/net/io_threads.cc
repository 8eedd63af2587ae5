#include "common/net/io_threads.h"

#include <pthread.h>

#include <string>
#include <utility>

#include "common/base/check.h"
#include "common/obs/log.h"

namespace hy::net {
namespace {

/// What is ready at once makes one turn; where there is always something ready, so much of it. Each
/// connection that is accepted takes two.
constexpr int kHandlersPerTurn = 128;

}  // namespace

IoThreads::IoThreads(std::size_t count) {
  HY_CHECK(count >= 1);
  for (std::size_t i = 0; i < count; ++i) {
    contexts_.emplace_back(1);  // 1: one thread runs it, so Asio leaves its locks out
    guards_.emplace_back(asio::make_work_guard(contexts_.back()));
  }
}

IoThreads::~IoThreads() {
  stop();
}

void IoThreads::start(TurnOver turn_over) {
  HY_CHECK(threads_.empty());
  turn_over_ = std::move(turn_over);
  for (std::size_t i = 0; i < contexts_.size(); ++i)
    threads_.emplace_back([this, i] {
      pthread_setname_np(pthread_self(), ("hy-io-" + std::to_string(i)).c_str());
      while (contexts_[i].run_one() > 0) {
        turn_without_waiting(i);
        if (turn_over_) turn_over_(i);
      }
    });
}

bool IoThreads::turn_without_waiting(std::size_t index) {
  int done = 0;
  while (done < kHandlersPerTurn && contexts_[index].poll_one() > 0) ++done;
  return done > 0;
}

void IoThreads::stop() {
  for (auto& context : contexts_) context.stop();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

}  // namespace hy::net
