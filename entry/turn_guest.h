#pragma once

#include "common/net/io_threads.h"
#include "common/rpc/loop.h"
#include "entry/metrics.h"
#include "entry/net/guest_rule.h"
#include "entry/net/shard_thread.h"

namespace hy::entry {

/// The only I/O thread of an entry as a guest of the stream loop: while GuestRule says so, it runs
/// the loop's turns in its own, and neither wakes the other (ADR 17).
class TurnGuest {
 public:
  TurnGuest(net::IoThreads& io, ShardThread& thread, rpc::Loop& loop, Metrics& metrics)
      : io_(io), thread_(thread), loop_(loop), metrics_(metrics) {}

  /// The I/O thread, when a turn is over. Returns when the loop is with its own thread.
  void after_turn();

 private:
  bool turn();

  net::IoThreads& io_;
  ShardThread& thread_;
  rpc::Loop& loop_;
  Metrics& metrics_;
  GuestRule rule_;
};

}  // namespace hy::entry
