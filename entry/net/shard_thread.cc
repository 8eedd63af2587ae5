#include "entry/net/shard_thread.h"

#include <unistd.h>

namespace hy::entry {

Status ShardThread::start(Shard& shard) {
  shard_ = &shard;
  HY_TRY_VOID(sockets_.open());
  net::ErrorCode failed;
  const int copy = dup(sockets_.descriptor());
  if (copy >= 0) ready_.assign(copy, failed);
  if (copy < 0 || failed) return fail(Errc::kLimitTooLow, "no descriptor for readiness");
  wait_ready();
  wait_tick();
  return {};
}

void ShardThread::stop() {
  stopped_ = true;
  net::ErrorCode ignored;
  ready_.cancel(ignored);
  timer_.cancel();
  soon_.cancel();
}

void ShardThread::call_soon() {
  soon_.expires_after(Shard::kSoon);
  soon_.async_wait([this](net::ErrorCode failed) {
    if (failed || stopped_) return;
    shard_->soon();
  });
}

void ShardThread::wait_ready() {
  ready_.async_wait(asio::posix::stream_descriptor::wait_read, [this](net::ErrorCode failed) {
    if (failed || stopped_) return;
    shard_->turn();
    wait_ready();
  });
}

void ShardThread::wait_tick() {
  timer_.expires_after(Shard::kTick);
  timer_.async_wait([this](net::ErrorCode failed) {
    if (failed || stopped_) return;
    shard_->tick();
    wait_tick();
  });
}

}  // namespace hy::entry
