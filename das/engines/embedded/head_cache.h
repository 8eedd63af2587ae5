#pragma once

#include <vector>

#include "common/base/ids.h"
#include "common/flat/flat_map.h"

namespace hy::das::embedded {

/// What an append must know of its conversation.
struct Head {
  Seq seq;
  std::uint64_t countable = 0;
  std::uint64_t member_version = 0;
  Seq low_last;
  Seq high_last;
  std::int64_t head_ms = 0;
  std::int64_t last_id = 0;  ///< row of seq
};

/// Heads as the writer's last committed transactions left them, so that a batch does not look each
/// of its conversations up twice. Right because one connection writes the file: whoever changes a
/// conversation's row stages the new head or forgets the old one, under the writer's turn.
/// Thread: whoever has the turn (StoreFile::turn).
class HeadCache {
 public:
  /// entries_max: it starts anew when full; about 100 bytes each.
  explicit HeadCache(std::size_t entries_max) : entries_max_(entries_max) {}

  /// Begins to fetch what find() will look at. With many conversations every look-up is a miss of
  /// the processor's caches; those of a batch overlap when all of them are asked for first.
  void prefetch(const ConversationId& conv) const { heads_.prefetch(conv); }
  /// nullptr: ask the file. Until the next call of another method.
  [[nodiscard]] const Head* find(const ConversationId& conv) const {
    const auto it = heads_.find(conv);
    return it == heads_.end() ? nullptr : &it->second;
  }
  /// The head that this transaction gives; valid once it is committed.
  void stage(const ConversationId& conv, const Head& head) { staged_.emplace_back(conv, head); }
  /// This transaction changes the row in another way.
  void forget(const ConversationId& conv) { heads_.erase(conv); }
  void committed() {
    if (heads_.size() + staged_.size() > entries_max_) heads_.clear();
    for (const auto& [conv, head] : staged_) heads_.insert_or_assign(conv, head);
    staged_.clear();
  }
  /// COMMIT did not return success, or never came: what is in the file is asked again.
  void not_committed() {
    for (const auto& [conv, head] : staged_) heads_.erase(conv);
    staged_.clear();
  }
  void clear() {
    heads_.clear();
    staged_.clear();
  }

 private:
  std::size_t entries_max_;
  FlatMap<ConversationId, Head> heads_;
  std::vector<std::pair<ConversationId, Head>> staged_;
};

}  // namespace hy::das::embedded
