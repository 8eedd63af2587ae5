#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "client/core/backoff.h"
#include "client/core/turn.h"

namespace hy::client {

/// When the person's read marks go to the server. Each leaves at once; one that was refused for a
/// while, or not answered, is offered again by itself: the connection may live for days, and until
/// then the other devices would count wrong and the other person would not know.
class ReadOffers {
 public:
  static constexpr Millis kAgainMin{1'000};
  static constexpr Millis kAgainMax{30'000};
  using Mark = std::pair<ConversationId, Seq>;

  /// Of the marks that the server has not confirmed: those that go out now. Each counts as sent.
  [[nodiscard]] std::vector<Mark> take(MonoTime now, const std::vector<Mark>& unconfirmed) {
    std::vector<Mark> out;
    for (const Mark& mark : unconfirmed) {
      Offer& offer = offers_[mark.first];
      const bool waits = offer.again != kNever ? now < offer.again : offer.sent >= mark.second;
      if (waits) continue;
      offer.sent = mark.second;
      offer.again = kNever;
      out.push_back(mark);
    }
    // What is due and was not asked for: confirmed meanwhile by another device's READ.
    std::erase_if(offers_, [now](const auto& offer) { return offer.second.again <= now; });
    return out;
  }
  /// The server has everything up to `seq`; a larger mark that was offered since still waits.
  void confirmed(ConversationId conversation, Seq seq) {
    const auto at = offers_.find(conversation);
    if (at != offers_.end() && at->second.sent <= seq) offers_.erase(at);
  }
  /// Not before `retry_after`, with full jitter that doubles on top.
  void failed(MonoTime now, ConversationId conversation, Millis retry_after, Random& random) {
    Offer& offer = offers_[conversation];
    offer.again = now + retry_after + full_jitter(random, kAgainMin, kAgainMax, offer.failures++);
  }
  /// The next login offers everything.
  void disconnected() { offers_.clear(); }
  /// When take() has one to offer again; kNever: none waits.
  [[nodiscard]] MonoTime wake_at() const {
    MonoTime at = kNever;
    for (const auto& [conversation, offer] : offers_) at = std::min(at, offer.again);
    return at;
  }

 private:
  struct Offer {
    Seq sent{};
    MonoTime again = kNever;
    std::uint32_t failures = 0;
  };
  std::map<ConversationId, Offer> offers_;  ///< sent and not confirmed
};

}  // namespace hy::client
