#include "das/cache/change_counters.h"

#include <utility>

#include "common/base/test_hooks.h"

namespace hy::das {

void ChangeCounters::prefetch(const ConversationId& conv) const {
  if (conv.is_group()) return;
  young_.prefetch(Uid{conv.hi});
  young_.prefetch(Uid{conv.lo});
}

void ChangeCounters::changed(Uid uid) {
  if (young_.size() >= entries_max_ && !young_.contains(uid)) {
    // Who falls out now answers with a base that nobody was told before.
    if (!old_.empty()) base_ = ++stamp_;
    old_ = std::move(young_);
    young_.clear();
  }
  young_[uid] = ++stamp_;
}

std::uint64_t ChangeCounters::counter(Uid uid) const {
  if (const auto it = young_.find(uid); it != young_.end()) return it->second;
  if (const auto it = old_.find(uid); it != old_.end()) return it->second;
  return mutant(Mutant::kLostCounterBeginsAgain) ? 1 : base_;
}

void ChangeCounters::lose_all() {
  young_.clear();
  old_.clear();
  base_ = ++stamp_;
}

}  // namespace hy::das
