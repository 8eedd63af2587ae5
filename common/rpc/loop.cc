#include "common/rpc/loop.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/loop_impl.h"

namespace hy::rpc {
namespace {

/// Events taken in one turn: enough that a busy process batches, few enough that its writes do not
/// wait for ever while its peers keep talking.
constexpr int kEventsPerTurn = 128;
constexpr Millis kIdleWait{3'600'000};

MonoTime steady_now() {
  return std::chrono::steady_clock::now();
}

/// "Not at all" must lie in the past: gRPC rounds deadlines up to milliseconds, and would wait for
/// one.
gpr_timespec cq_deadline(std::chrono::nanoseconds wait) {
  if (wait.count() <= 0) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(wait.count(), GPR_TIMESPAN));
}

}  // namespace

Loop::Impl::Impl() : turn_time(steady_now()) {
  init_grpc_process();
  cq = builder.AddCompletionQueue();
}

Loop::Impl::~Impl() {
  {
    const std::lock_guard lock(run_mutex_);
    HY_CHECK(!running_);
  }
  alarm_.Cancel();
  cq->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (cq->Next(&tag, &ok)) static_cast<CqEvent*>(tag)->on_event(ok);
}

void Loop::Impl::on_event(bool) {
  const std::lock_guard lock(mutex_);
  alarm_armed_ = false;
}

void Loop::Impl::post(Task task) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(task));
  // The loop thread looks before it blocks; anyone else rings, once for a burst.
  if (alarm_armed_ || on_loop_thread()) return;
  alarm_armed_ = true;
  // "Now" would be rounded up to the next millisecond and come by way of gRPC's timer thread.
  alarm_.Set(cq.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), static_cast<CqEvent*>(this));
}

bool Loop::Impl::has_posted() {
  const std::lock_guard lock(mutex_);
  return !posted_.empty();
}

void Loop::Impl::stop() {
  stop_ = true;
  post([] {});
}

void Loop::Impl::run() {
  for (;;) {
    drive([this] { return guest_.load() || (stop_.load() && !has_posted()); });
    std::unique_lock lock(run_mutex_);
    if (!guest_) break;
    run_changed_.wait(lock, [this] { return !guest_; });
  }
  stop_ = false;
}

bool Loop::Impl::take_over() {
  if (stop_) return false;
  guest_ = true;
  post([] {});  // run() may be waiting for events
  std::unique_lock lock(run_mutex_);
  run_changed_.wait(lock, [this] { return !running_; });
  running_ = true;
  driver_ = std::this_thread::get_id();
  return true;
}

void Loop::Impl::give_back() {
  {
    const std::lock_guard lock(run_mutex_);
    running_ = false;
    driver_ = std::thread::id{};
    guest_ = false;
  }
  run_changed_.notify_all();
}

void Loop::Impl::drive(const std::function<bool()>& done) {
  {
    std::unique_lock lock(run_mutex_);
    run_changed_.wait(lock, [this] { return !running_; });
    running_ = true;
    driver_ = std::this_thread::get_id();
  }
  while (!done()) turn(true);
  {
    const std::lock_guard lock(run_mutex_);
    running_ = false;
    driver_ = std::thread::id{};
  }
  run_changed_.notify_all();
}

void Loop::Impl::wait_until(std::function<bool()> done) {
  if (on_loop_thread()) {
    while (!done()) turn(true);
    return;
  }
  auto waiter = std::make_shared<Waiter>();
  waiter->done = done;
  post([this, waiter] {
    if (waiter->done) waiters_.push_back(waiter);
  });
  bool finished = false;
  {
    std::unique_lock lock(run_mutex_);
    run_changed_.wait(lock, [&] { return waiter->finished || !running_; });
    finished = waiter->finished;
  }
  if (finished) return;
  drive([&] {
    if (!waiter->finished && !done()) return false;
    waiter->done = nullptr;  // what it refers to dies with this call
    return true;
  });
}

void Loop::Impl::check_waiters() {
  if (waiters_.empty()) return;
  const std::lock_guard lock(run_mutex_);
  std::erase_if(waiters_, [](const std::shared_ptr<Waiter>& w) {
    if (w->done && !w->done()) return false;
    w->finished = true;
    return true;
  });
  run_changed_.notify_all();
}

bool Loop::Impl::later(const Timer& a, const Timer& b) {
  return std::pair(a.due, a.order) > std::pair(b.due, b.order);
}

void Loop::Impl::insert_timer(MonoTime due, Millis period, Task task) {
  timers_.push_back(Timer{due, ++timer_order_, period, std::move(task)});
  std::push_heap(timers_.begin(), timers_.end(), later);
}

void Loop::Impl::add_timer(Millis delay, Millis period, Task task) {
  const MonoTime due = steady_now() + delay;
  if (on_loop_thread()) {
    insert_timer(due, period, std::move(task));
    return;
  }
  post([this, due, period, moved = std::move(task)]() mutable {
    insert_timer(due, period, std::move(moved));
  });
}

bool Loop::Impl::drain_events(bool may_block, int looks) {
  std::chrono::nanoseconds wait = may_block ? kIdleWait : Millis{0};
  if (may_block && !timers_.empty()) {
    wait = std::min<std::chrono::nanoseconds>(wait, timers_.front().due - steady_now());
  }
  if (has_posted() || !dirty.empty()) wait = Millis{0};
  bool any = false;
  for (int i = 0; i < kEventsPerTurn; ++i) {
    void* tag = nullptr;
    bool ok = false;
    const auto next = cq->AsyncNext(&tag, &ok, cq_deadline(i == 0 ? wait : Millis{0}));
    if (i == 0) turn_time = steady_now();
    if (next != grpc::CompletionQueue::GOT_EVENT) {
      if (--looks <= 0) break;
      continue;
    }
    any = true;
    static_cast<CqEvent*>(tag)->on_event(ok);
  }
  return any;
}

bool Loop::Impl::run_posted() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
  return !tasks.empty();
}

bool Loop::Impl::run_timers() {
  bool any = false;
  while (!timers_.empty() && timers_.front().due <= turn_time) {
    any = true;
    std::pop_heap(timers_.begin(), timers_.end(), later);
    Timer timer = std::move(timers_.back());
    timers_.pop_back();
    timer.task();
    // Counted from now: a loop that was held up does not make up for the calls that it missed.
    if (timer.period.count() > 0) {
      insert_timer(turn_time + timer.period, timer.period, std::move(timer.task));
    }
  }
  return any;
}

void Loop::Impl::flush_dirty() {
  std::vector<Flushable*> streams;
  streams.swap(dirty);
  for (Flushable* stream : streams) stream->flush();
}

void Loop::Impl::forget(Flushable* stream) {
  std::erase(dirty, stream);
}

bool Loop::Impl::turn(bool may_block, int looks) {
  bool any = drain_events(may_block, looks);
  any |= run_posted();
  any |= run_timers();
  if (any) {
    for (Task& hook : hooks) hook();
  }
  flush_dirty();
  std::vector<std::shared_ptr<void>> buried;
  buried.swap(graveyard);
  buried.clear();
  check_waiters();
  return any;
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
  impl_->run();
}
void Loop::stop() {
  impl_->stop();
}
bool Loop::take_over() {
  return impl_->take_over();
}
bool Loop::turn_without_waiting(int looks) {
  return impl_->turn(false, looks);
}
bool Loop::is_stopping() const {
  return impl_->is_stopping();
}
void Loop::give_back() {
  impl_->give_back();
}
void Loop::post(Task task) {
  impl_->post(std::move(task));
}
void Loop::every(Millis period, Task task) {
  impl_->add_timer(period, period, std::move(task));
}
void Loop::after(Millis delay, Task task) {
  impl_->add_timer(delay, Millis{0}, std::move(task));
}
void Loop::at_turn_end(Task hook) {
  impl_->hooks.push_back(std::move(hook));
}
MonoTime Loop::now() const {
  return impl_->turn_time;
}
bool Loop::on_loop_thread() const {
  return impl_->on_loop_thread();
}

}  // namespace hy::rpc
