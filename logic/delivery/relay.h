#pragma once

#include "logic/delivery/deliverer.h"
#include "logic/domain/pair_facts_cache.h"

namespace hy::logic {

/// What remains while the store is away: online to online, provisional, and said as what it is.
class Relay {
 public:
  struct Options {
    Millis recheck_min{1'000};    ///< told to the sender: resend the same id after this …
    Millis recheck_after{5'000};  ///< … growing to this with the time that the store is away
  };
  Relay(Deliverer& deliverer, PairFactsCache& facts, const Clock& clock, Options options)
      : deliverer_(deliverer), facts_(facts), clock_(clock), options_(options) {}

  /// Rights without a store: an allowed pair whose facts are at most an hour old; anything else is
  /// kStoreDown (fail closed), or the refusal that the facts say.
  [[nodiscard]] Status may_relay(ConversationId pair, Uid sender) const;

  /// done(true): a device of the receiver confirmed. done(false): nothing may be said.
  void run(const StoredMessage& message, Slot sender_slot, Uid receiver, CallContext call,
           std::move_only_function<void(bool)> done);

  /// The store answered: the next outage starts anew.
  void store_answered() { away_since_.reset(); }
  /// As long as the store has been away, within the bounds: a short restart costs a short wait, a
  /// long outage is not asked about every second.
  [[nodiscard]] Millis recheck_after();

 private:
  Deliverer& deliverer_;
  PairFactsCache& facts_;
  const Clock& clock_;
  Options options_;
  std::optional<MonoTime> away_since_;
};

/// A target's mask: all slots but this one.
std::uint32_t slots_but(Slot slot);

/// The receiver on all devices, the sender on all others.
Targets pair_targets(Uid receiver, Uid sender, Slot sender_slot);

}  // namespace hy::logic
