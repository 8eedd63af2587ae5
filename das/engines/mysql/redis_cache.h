#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "das/engines/mysql/redis_connection.h"
#include "das/storage/cache_store.h"

namespace hy::das::mysql {

/// The cache in Redis; contract in das/storage/cache_store.h. Any thread: each call takes a
/// connection of its own from a small pool. After a failure it answers "not known" for a second
/// before it tries again, so that a Redis that is away costs one time-out a second and no more.
class RedisCache final : public CacheStore {
 public:
  /// `seed`: another one for every start of every das, or counters might repeat.
  RedisCache(RedisOptions options, const Clock& clock, std::uint64_t seed);
  void committed(std::span<const CommittedHead> heads) override;
  void changed(std::span<const Uid> uids) override;
  std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) override;
  void lose_all() override;
  [[nodiscard]] bool is_up() const override { return up_.load(std::memory_order_relaxed); }

 private:
  using Commands = std::vector<RedisConnection::Command>;
  /// work(connection) on one of the pool; what it gives is false when the server did not answer,
  /// and a default value is given when it is not even tried.
  template <class Work>
  auto with_connection(Work work) -> decltype(work(std::declval<RedisConnection&>()));
  std::optional<std::vector<RedisConnection::Reply>> run(const Commands& commands);
  void add_change(Commands& commands, Uid uid);
  std::uint64_t fresh_value();

  RedisOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  SeededRandom random_;                                 // under mutex_
  std::vector<std::unique_ptr<RedisConnection>> idle_;  // under mutex_
  MonoTime quiet_until_{};                              // under mutex_
  std::atomic<bool> up_{true};
};

}  // namespace hy::das::mysql
