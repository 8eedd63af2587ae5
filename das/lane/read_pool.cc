#include "das/lane/read_pool.h"

namespace hy::das {

ReadPool::ReadPool(ReadPoolOptions options, Engine& engine, const Clock& clock, CompletionSink sink)
    : options_(options), engine_(engine), clock_(clock), sink_(std::move(sink)) {}

ReadPool::~ReadPool() {
  stop();
}

void ReadPool::start() {
  for (std::size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
}

void ReadPool::stop() {
  {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::size_t ReadPool::queued() const {
  const std::scoped_lock guard(mutex_);
  return queue_.size();
}

void ReadPool::offer(std::unique_ptr<StoreCall> call, Completion& refused) {
  Error why;
  {
    const std::scoped_lock guard(mutex_);
    if (stopping_) {
      why = {Errc::kDraining, {}, {}};
    } else if (queue_.size() >= options_.queue_calls_max) {
      why = {Errc::kOverloaded, "the readers' queue is full", Millis{200}};
    } else {
      queue_.push_back(std::move(call));
    }
  }
  if (call == nullptr) {
    wake_.notify_one();
    return;
  }
  call->refuse(why);
  refused.calls.push_back(std::move(call));
}

void ReadPool::run() {
  ReaderCore reader(engine_, clock_, options_.backoff);
  for (;;) {
    Completion done;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      // Its share: a burst is spread over the readers instead of waiting behind one.
      const std::size_t share = 1 + queue_.size() / options_.threads;
      while (!queue_.empty() && done.calls.size() < std::min(share, options_.batch_calls_max)) {
        done.calls.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    for (const std::unique_ptr<StoreCall>& call : done.calls) reader.serve(*call);
    sink_(std::move(done));
  }
}

}  // namespace hy::das
