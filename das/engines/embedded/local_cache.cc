#include "das/engines/embedded/local_cache.h"

#include <algorithm>

namespace hy::das::embedded {

// Unix ms << 20: a process that raises less than a million counters a millisecond ends below where
// the next one starts.
LocalCache::LocalCache(const Clock& clock, std::size_t entries_max)
    : counters_(entries_max, static_cast<std::uint64_t>(std::max<std::int64_t>(clock.wall_ms(), 1))
                                 << 20) {}

void LocalCache::committed(std::span<const CommittedHead> heads) {
  const std::scoped_lock guard(mutex_);
  for (const CommittedHead& head : heads) counters_.prefetch(head.conv);
  for (const CommittedHead& head : heads) {
    if (head.conv.is_group()) continue;
    counters_.changed(Uid{head.conv.hi});
    counters_.changed(Uid{head.conv.lo});
  }
}

void LocalCache::changed(std::span<const Uid> uids) {
  const std::scoped_lock guard(mutex_);
  for (const Uid uid : uids) counters_.changed(uid);
}

std::vector<std::uint64_t> LocalCache::change_counters(std::span<const Uid> uids) {
  std::vector<std::uint64_t> values;
  values.reserve(uids.size());
  const std::scoped_lock guard(mutex_);
  for (const Uid uid : uids) values.push_back(counters_.counter(uid));
  return values;
}

void LocalCache::lose_all() {
  const std::scoped_lock guard(mutex_);
  counters_.lose_all();
}

}  // namespace hy::das::embedded
