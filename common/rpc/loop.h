#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"

namespace hy::obs {
class Registry;
}

namespace hy::rpc {

using Task = std::move_only_function<void()>;

/// One thread, one gRPC completion queue, one turn after another: stream events, posted tasks and
/// timers all run on it, so what lives on a loop needs no lock. Logic and router run their cores
/// directly on it (no hand-over); entry and das post between it and their own threads, once per
/// batch.
///
/// A turn: everything that is ready runs, then the turn-end hooks, then each stream that has
/// something queued and no write in flight writes once. That is the whole batching rule: no timer.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs on the calling thread until stop(). Streams must be closed and destroyed before the loop
  /// is.
  void run();
  /// Any thread. Tasks already posted still run.
  void stop();
  /// Another thread, one at a time: waits for the end of the turn under way and is the loop's
  /// thread from then on, while run() stands aside. False: the loop is to stop.
  [[nodiscard]] bool take_over();
  /// Who took over: one turn that does not wait. gRPC takes up one descriptor a look, so several
  /// looks find what several peers sent. True: there was something.
  bool turn_without_waiting(int looks);
  /// Who took over: stop() was called, and waits.
  [[nodiscard]] bool is_stopping() const;
  /// Who took over: run() goes on.
  void give_back();
  /// Any thread. Tasks of one thread run in order; one wake-up for a burst.
  void post(Task task);
  /// Loop thread, or before run(). Never earlier than the period; late calls are not made up.
  void every(Millis period, Task task);
  /// Any thread. Runs once, `delay` from now.
  void after(Millis delay, Task task);
  /// Loop thread, or before run(). Called at the end of each turn that did something, before the
  /// writes go out.
  void at_turn_end(Task hook);
  /// Before run(). Shows what streams of `method` write as hy_rpc_messages_sent_total and
  /// hy_rpc_envelopes_sent_total with the label stream. The registry must not be read any more when
  /// the loop is gone.
  void show_traffic(const std::string& method, obs::Registry& registry);
  /// Loop thread. Time at the start of this turn (one clock read a turn).
  [[nodiscard]] MonoTime now() const;
  [[nodiscard]] bool on_loop_thread() const;

  struct Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::rpc
