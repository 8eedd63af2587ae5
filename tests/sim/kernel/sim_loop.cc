#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "tests/sim/kernel/sim_stream.h"

namespace hy::rpc {
namespace {

constexpr int kEventsPerTurn = 128;

}  // namespace

void Loop::Impl::wake_at(MonoTime at) {
  if (in_turn) return;  // the end of the turn arms again
  at = std::max(at, busy_until);
  if (at >= woken_for) return;
  world.cancel(wake);
  woken_for = at;
  wake = world.at(at, node, [this] {
    woken_for = MonoTime::max();
    turn();
  });
}

void Loop::Impl::arm() {
  if (!posted.empty() || !ready.empty() || !dirty.empty()) {
    wake_at(world.now());
  } else if (!timers.empty()) {
    wake_at(timers.front().due);
  }
}

void Loop::Impl::run_ready() {
  for (int i = 0; i < kEventsPerTurn && !ready.empty(); ++i) {
    Ready event = std::move(ready.front());
    ready.pop_front();
    any = true;
    SimStream& stream = *event.stream;
    graveyard.push_back(event.stream);
    if (!stream.over) stream.happened(event);
  }
}

void Loop::Impl::run_timers() {
  while (!timers.empty() && timers.front().due <= turn_time) {
    any = true;
    std::pop_heap(timers.begin(), timers.end(), later);
    Timer timer = std::move(timers.back());
    timers.pop_back();
    timer.task();
    if (timer.period.count() > 0) {
      insert_timer(turn_time + timer.period, timer.period, std::move(timer.task));
    }
  }
}

void Loop::Impl::flush_dirty() {
  flushing.swap(dirty);
  for (SimStream* stream : flushing) stream->flush();
  flushing.clear();
}

void Loop::Impl::turn() {
  in_turn = true;
  any = false;
  turn_time = world.now();
  run_ready();
  running.swap(posted);
  any = any || !running.empty();
  for (Task& task : running) task();
  running.clear();
  run_timers();
  if (any) {
    for (Task& hook : hooks) hook();
  }
  flush_dirty();
  buried.swap(graveyard);
  buried.clear();
  in_turn = false;
  busy_until = world.now() + turn_cost;
  arm();
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;
void Loop::run() {
  HY_CHECK(false);  // the world drives its loops
}
void Loop::stop() {}
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
// What streams write is counted for people who read /metrics; nobody does here.
void Loop::show_traffic(const std::string& /*method*/, obs::Registry& /*registry*/) {}
MonoTime Loop::now() const {
  return impl_->in_turn ? impl_->turn_time : impl_->world.now();
}
bool Loop::on_loop_thread() const {
  return impl_->in_turn;
}

}  // namespace hy::rpc
