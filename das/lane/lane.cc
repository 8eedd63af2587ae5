#include "das/lane/lane.h"

#include "das/lane/lane_router.h"

namespace hy::das {

Lane::Lane(LaneOptions options, Engine& engine, const Clock& clock, std::unique_ptr<Random> random,
           LaneObserver& observer, CompletionSink sink)
    : clock_(clock),
      queue_(options.limits),
      pacer_(options.commit_distance_max),
      core_(options, engine, clock, std::move(random), observer, *this, std::move(sink)) {}

Lane::~Lane() {
  stop();
}

void Lane::start() {
  thread_ = std::thread([this] { run(); });
}

void Lane::stop() {
  {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
    queue_.close();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::size_t Lane::queued() const {
  const std::scoped_lock guard(mutex_);
  return queue_.queued();
}

bool Lane::is_ready() const {
  const std::scoped_lock guard(mutex_);
  return !queue_.is_shut() && (!turn_began_ || clock_.now() - *turn_began_ < kTurnHangs);
}

void Lane::offer(std::vector<AppendRequest> requests, Completion& refused) {
  {
    const std::scoped_lock guard(mutex_);
    queue_.offer(std::move(requests), refused);
  }
  wake_.notify_one();
}

void Lane::offer(std::unique_ptr<StoreCall> call, Completion& refused) {
  bool queued = false;
  {
    const std::scoped_lock guard(mutex_);
    queued = queue_.offer(std::move(call), refused);
  }
  if (queued) wake_.notify_one();
}

void Lane::shut(const Error& why) {
  const std::scoped_lock guard(mutex_);
  queue_.shut(why);
}

void Lane::open() {
  const std::scoped_lock guard(mutex_);
  queue_.open();
}

void Lane::took(std::size_t rows, std::chrono::nanoseconds spent) {
  const std::scoped_lock guard(mutex_);
  queue_.took(rows, spent);
}

void Lane::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      turn_began_.reset();
      wake_.wait_until(lock, core_.due(), [this] { return stopping_ || queue_.has_work(); });
      wake_.wait_until(lock, pacer_.next(), [this] { return stopping_; });
    }
    core_.begin();
    LaneBatch batch;
    bool ended = false;
    {
      const std::scoped_lock guard(mutex_);
      batch = queue_.take(core_.has_session(), clock_.now());
      ended = stopping_ && !queue_.has_work();
      turn_began_ = clock_.now();
    }
    if (!batch.appends.empty()) pacer_.on_commit(clock_.now(), batch.appends.size());
    core_.serve(std::move(batch));
    if (ended) break;
  }
  core_.end();
}

}  // namespace hy::das
