#pragma once

#include "common/base/turn_pacer.h"
#include "common/net/asio.h"
#include "entry/net/guest_rule.h"
#include "entry/net/posix_sockets.h"
#include "entry/net/shard.h"

namespace hy::entry {

/// Drives one shard on an io_context: a turn when sockets are ready, a tick every 100 ms.
class ShardThread {
 public:
  explicit ShardThread(asio::io_context& context)
      : context_(context), ready_(context), timer_(context), soon_(context) {}
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  /// Before start(): what the shard is made with.
  [[nodiscard]] Sockets& sockets() { return sockets_; }
  [[nodiscard]] asio::io_context& context() { return context_; }
  /// Any thread.
  void post(Shard::Task task) { asio::post(context_, std::move(task)); }

  /// The context's thread: Shard::soon() is due in Shard::kSoon.
  void call_soon();

  /// The context's thread, at the end of a turn: keeps the next one at a distance (ADR 10).
  void pace(double full_share = TurnPacer::kFullShare) {
    pacer_.pace(shard_->take_commands(), full_share);
  }
  /// The context's thread.
  [[nodiscard]] GuestRule::Spent spent() const { return {pacer_.used(), pacer_.paused()}; }

  /// Once, before the context runs; the shard outlives its handlers. Errors: kLimitTooLow.
  Status start(Shard& shard);
  /// Ends the timer and the wait for readiness, so that the context runs out of work. The
  /// context's thread, or after it has ended.
  void stop();

 private:
  void wait_ready();
  void wait_tick();

  asio::io_context& context_;
  PosixSockets sockets_;
  Shard* shard_ = nullptr;
  asio::posix::stream_descriptor ready_;
  asio::steady_timer timer_;
  asio::steady_timer soon_;
  ThreadPacer pacer_;
  bool stopped_ = false;
};

}  // namespace hy::entry
