#pragma once

#include <mutex>

#include "common/base/clock.h"
#include "das/cache/change_counters.h"
#include "das/storage/cache_store.h"

namespace hy::das::embedded {

/// The in-process cache: cache/change_counters.h behind a lock. Lost with the process.
class LocalCache final : public CacheStore {
 public:
  LocalCache(const Clock& clock, std::size_t entries_max);
  void committed(std::span<const CommittedHead> heads) override;
  void changed(std::span<const Uid> uids) override;
  std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) override;
  void lose_all() override;
  [[nodiscard]] bool is_up() const override { return true; }

 private:
  std::mutex mutex_;
  ChangeCounters counters_;
};

}  // namespace hy::das::embedded
