#include "logic/domain/pair_facts_cache.h"

namespace hy::logic {

void PairFactsCache::put(ConversationId pair, const PairFacts& facts, MonoTime asked_at) {
  // A slow answer must not put back what a later one has replaced.
  if (const Entry* known = pairs_.find(pair);
      known != nullptr && known->facts.member_version > facts.member_version) {
    return;
  }
  pairs_.put(pair, Entry{facts, asked_at});
}

}  // namespace hy::logic
