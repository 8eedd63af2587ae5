#include "das/cache/versioned_cache.h"

#include <algorithm>

#include "common/base/test_hooks.h"

namespace hy::das {

const VersionedCache::Entry* VersionedCache::find(const ConversationId& conv) const {
  if (const auto it = young_heads_.find(conv); it != young_heads_.end()) return &it->second;
  if (const auto it = old_heads_.find(conv); it != old_heads_.end()) return &it->second;
  return nullptr;
}

void VersionedCache::prefetch(const ConversationId& conv) const {
  young_heads_.prefetch(conv);
  if (conv.is_group()) return;
  young_counters_.prefetch(Uid{conv.hi});
  young_counters_.prefetch(Uid{conv.lo});
}

void VersionedCache::fill(const CommittedHead& head, std::int64_t read_ms, std::int64_t now_ms) {
  // A read "from the future" is a clock that stepped: it must not live longer than one made now.
  const bool blind = mutant(Mutant::kCacheFilledWithoutVersion);
  const std::int64_t expires = (blind ? now_ms : std::min(read_ms, now_ms)) + kHeadLifeMs;
  if (expires <= now_ms) return;
  Entry entry{head.head, head.head_ms, expires};
  if (const Entry* known = find(head.conv);
      known != nullptr && known->expires_ms > now_ms && !blind) {
    if (known->head > entry.head) return;
    entry.head_ms = std::max(entry.head_ms, known->head_ms);
    entry.expires_ms = std::max(entry.expires_ms, known->expires_ms);
  }
  if (young_heads_.size() >= entries_max_) {
    old_heads_ = std::move(young_heads_);
    young_heads_.clear();
  }
  young_heads_[head.conv] = entry;
}

std::optional<CommittedHead> VersionedCache::head(const ConversationId& conv,
                                                  std::int64_t now_ms) const {
  const Entry* entry = find(conv);
  if (entry == nullptr || entry->expires_ms <= now_ms) return std::nullopt;
  return CommittedHead{conv, entry->head, entry->head_ms};
}

void VersionedCache::changed(Uid uid) {
  if (young_counters_.size() >= entries_max_ && !young_counters_.contains(uid)) {
    // Who falls out now answers with a base that nobody was told before.
    if (!old_counters_.empty()) base_ = ++stamp_;
    old_counters_ = std::move(young_counters_);
    young_counters_.clear();
  }
  young_counters_[uid] = ++stamp_;
}

std::uint64_t VersionedCache::counter(Uid uid) const {
  if (const auto it = young_counters_.find(uid); it != young_counters_.end()) return it->second;
  if (const auto it = old_counters_.find(uid); it != old_counters_.end()) return it->second;
  return base_;
}

void VersionedCache::lose_all() {
  young_heads_.clear();
  old_heads_.clear();
  young_counters_.clear();
  old_counters_.clear();
  base_ = ++stamp_;
}

}  // namespace hy::das
