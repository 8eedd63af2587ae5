#pragma once

#include <optional>

#include "logic/domain/lru_map.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// Facts by which pairs were judged. A hint: the store compares member_version under the row lock
/// of each append, so an old "allowed" costs a second look and never a wrong message. A "refused"
/// from here refuses nobody: the store is asked first.
class PairFactsCache {
 public:
  /// With the store down, facts up to this age still allow a relay (guarantees §7, rule 4).
  static constexpr Millis kRelayAgeMax{3'600'000};

  explicit PairFactsCache(std::size_t pairs_max) : pairs_(pairs_max) {}

  struct Entry {
    PairFacts facts;
    MonoTime read_at{};
  };

  /// nullptr: not known.
  [[nodiscard]] const Entry* find(ConversationId pair) { return pairs_.find(pair); }
  /// `asked_at`: when the question left, which is the latest moment that the facts speak of.
  void put(ConversationId pair, const PairFacts& facts, MonoTime asked_at);
  void forget(ConversationId pair) { pairs_.erase(pair); }
  [[nodiscard]] std::size_t size() const { return pairs_.size(); }

 private:
  LruMap<ConversationId, Entry> pairs_;
};

}  // namespace hy::logic
