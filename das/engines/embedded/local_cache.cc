#include "das/engines/embedded/local_cache.h"

namespace hy::das::embedded {

// Unix ms << 20: a process that raises less than a million counters a millisecond ends below where
// the next one starts.
LocalCache::LocalCache(const Clock& clock, std::size_t entries_max)
    : clock_(clock),
      cache_(entries_max, static_cast<std::uint64_t>(std::max<std::int64_t>(clock.wall_ms(), 1))
                              << 20) {}

void LocalCache::committed(std::span<const CommittedHead> heads) {
  const std::int64_t now_ms = clock_.wall_ms();
  const std::scoped_lock guard(mutex_);
  for (const CommittedHead& head : heads) cache_.prefetch(head.conv);
  for (const CommittedHead& head : heads) {
    cache_.fill(head, now_ms, now_ms);
    if (head.conv.is_group()) continue;
    cache_.changed(Uid{head.conv.hi});
    cache_.changed(Uid{head.conv.lo});
  }
}

void LocalCache::changed(std::span<const Uid> uids) {
  const std::scoped_lock guard(mutex_);
  for (const Uid uid : uids) cache_.changed(uid);
}

std::vector<std::uint64_t> LocalCache::change_counters(std::span<const Uid> uids) {
  std::vector<std::uint64_t> values;
  values.reserve(uids.size());
  const std::scoped_lock guard(mutex_);
  for (const Uid uid : uids) values.push_back(cache_.counter(uid));
  return values;
}

std::vector<std::optional<CommittedHead>> LocalCache::heads(std::span<const ConversationId> convs) {
  std::vector<std::optional<CommittedHead>> out;
  out.reserve(convs.size());
  const std::int64_t now_ms = clock_.wall_ms();
  const std::scoped_lock guard(mutex_);
  for (const ConversationId& conv : convs) out.push_back(cache_.head(conv, now_ms));
  return out;
}

void LocalCache::fill_heads(std::span<const CommittedHead> heads, std::int64_t read_began_ms) {
  const std::int64_t now_ms = clock_.wall_ms();
  const std::scoped_lock guard(mutex_);
  for (const CommittedHead& head : heads) cache_.fill(head, read_began_ms, now_ms);
}

void LocalCache::lose_all() {
  const std::scoped_lock guard(mutex_);
  cache_.lose_all();
}

}  // namespace hy::das::embedded
