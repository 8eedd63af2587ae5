#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "das/storage/cache_store.h"

namespace hy::sim {

/// The model Redis: volatile, shared by all das of a group.
class ModelRedis {
 public:
  /// Answers nothing; das notices after 50 ms and asks again after a second.
  void set_down(bool down);
  /// READONLY, OOM: reads go on, writes are refused.
  void set_refuses_writes(bool on);
  /// Each command takes so long; above 50 ms it counts as no answer.
  void set_latency(Millis latency);
  /// FLUSHALL, or a restart.
  void flush();
  /// The replica has what is here now; fail_over() brings it back, however old it is then.
  void mark_replica();
  void fail_over();
  [[nodiscard]] bool is_down() const;

 private:
  friend class ModelCache;
  struct Data {
    std::map<Uid, std::uint64_t> counters;
  };
  mutable std::mutex mutex_;
  Data data_;
  Data replica_;
  Millis latency_{0};
  bool down_ = false;
  bool refuses_writes_ = false;
};

/// One das's cache: das/storage/cache_store.h over the model Redis.
class ModelCache final : public das::CacheStore {
 public:
  using Alive = std::function<bool()>;
  /// `clock`: of this das. `spent` grows by what calls take.
  ModelCache(ModelRedis& redis, const Clock& clock, std::uint64_t seed, Alive alive,
             std::chrono::nanoseconds& spent);
  void committed(std::span<const das::CommittedHead> heads) override;
  void changed(std::span<const Uid> uids) override;
  std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) override;
  void lose_all() override;
  [[nodiscard]] bool is_up() const override;

 private:
  /// False: no answer. The lock is held.
  bool reach(bool writes);
  void change(Uid uid) { redis_.data_.counters[uid] = random_.next() | 1U; }

  ModelRedis& redis_;
  const Clock& clock_;
  SeededRandom random_;
  Alive alive_;
  std::chrono::nanoseconds& spent_;
  MonoTime quiet_until_{};
};

}  // namespace hy::sim
