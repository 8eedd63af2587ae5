#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/core/stream_traffic.h"
#include "common/rpc/loop.h"

namespace hy::rpc {

/// What a completion queue's tag points to.
class CqEvent {
 public:
  virtual ~CqEvent() = default;
  virtual void on_event(bool ok) = 0;
};

/// A tag that calls one member function; lives inside its owner, so an operation allocates nothing.
template <class Owner, void (Owner::*Done)(bool)>
class Op final : public CqEvent {
 public:
  explicit Op(Owner* owner) : owner_(owner) {}
  void on_event(bool ok) override { (owner_->*Done)(ok); }

 private:
  Owner* owner_;
};

/// Something that writes at the end of a turn.
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void flush() = 0;
};

struct Loop::Impl final : CqEvent {
  Impl();
  ~Impl() override;

  void run();
  void stop();
  bool take_over();
  void give_back();
  [[nodiscard]] bool is_stopping() const { return stop_; }
  bool turn(bool may_block, int looks = 1);
  void post(Task task);
  void add_timer(Millis delay, Millis period, Task task);
  [[nodiscard]] bool on_loop_thread() const {
    return driver_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  /// Returns when `done` says so (asked on the loop thread, at turn ends). On the loop thread, or
  /// when nobody runs the loop, this thread runs the turns itself.
  void wait_until(std::function<bool()> done);
  void mark_dirty(Flushable* stream) { dirty.push_back(stream); }
  void forget(Flushable* stream);
  void on_event(bool ok) override;  // the alarm rang

  // One server per loop: its queue must be registered with the builder that makes it.
  grpc::ServerBuilder builder;
  std::unique_ptr<grpc::ServerCompletionQueue> cq;
  bool has_server = false;

  std::map<std::string, StreamTraffic, std::less<>> traffic;  ///< by method
  std::vector<Flushable*> dirty;
  // What a callback on the stack may still stand in; destroyed at the turn's end.
  std::vector<std::shared_ptr<void>> graveyard;
  std::vector<Task> hooks;
  MonoTime turn_time;

 private:
  struct Timer {
    MonoTime due;
    std::uint64_t order;
    Millis period;
    Task task;
  };
  struct Waiter {
    std::function<bool()> done;
    bool finished = false;
  };
  static bool later(const Timer& a, const Timer& b);

  bool drain_events(bool may_block, int looks);
  bool run_posted();
  bool run_timers();
  void flush_dirty();
  void drive(const std::function<bool()>& done);
  void check_waiters();
  void insert_timer(MonoTime due, Millis period, Task task);
  [[nodiscard]] bool has_posted();

  std::atomic<std::thread::id> driver_{};

  std::mutex mutex_;  // posted_, alarm_armed_
  std::vector<Task> posted_;
  bool alarm_armed_ = false;
  grpc::Alarm alarm_;

  std::mutex run_mutex_;  // running_, finished of waiters
  std::condition_variable run_changed_;
  bool running_ = false;
  std::atomic<bool> guest_ = false;  ///< another thread wants the turns, or has them
  std::atomic<bool> stop_ = false;

  std::vector<Timer> timers_;  // heap, earliest first
  std::uint64_t timer_order_ = 0;
  std::vector<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace hy::rpc
