#pragma once

#include <mutex>

#include "common/base/clock.h"
#include "das/cache/versioned_cache.h"
#include "das/storage/cache_store.h"

namespace hy::das::embedded {

/// The in-process cache: cache/versioned_cache.h behind a lock. Lost with the process.
class LocalCache final : public CacheStore {
 public:
  LocalCache(const Clock& clock, std::size_t entries_max);
  void committed(std::span<const CommittedHead> heads) override;
  void changed(std::span<const Uid> uids) override;
  std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) override;
  std::vector<std::optional<CommittedHead>> heads(std::span<const ConversationId> convs) override;
  void fill_heads(std::span<const CommittedHead> heads, std::int64_t read_began_ms) override;
  void lose_all() override;
  [[nodiscard]] bool is_up() const override { return true; }

 private:
  const Clock& clock_;
  std::mutex mutex_;
  VersionedCache cache_;
};

}  // namespace hy::das::embedded
