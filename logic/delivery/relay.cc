#include "logic/delivery/relay.h"

#include <algorithm>

#include "logic/command/client_body.h"
#include "logic/domain/permission.h"

namespace hy::logic {

std::uint32_t slots_but(Slot slot) {
  std::uint32_t others = 0;
  for (std::uint32_t other = 1; other <= kSlotMax; ++other) {
    if (other != static_cast<std::uint32_t>(slot)) others |= 1U << other;
  }
  return others;
}

Targets pair_targets(Uid receiver, Uid sender, Slot sender_slot) {
  return {{receiver, 0}, {sender, slots_but(sender_slot)}};
}

Status Relay::may_relay(ConversationId pair, Uid sender) const {
  const PairFactsCache::Entry* known = facts_.find(pair);
  if (known == nullptr || clock_.now() - known->read_at > PairFactsCache::kRelayAgeMax) {
    return fail(Errc::kStoreDown, "this pair is not known well enough to relay");
  }
  return may_send(pair, sender, known->facts);
}

Millis Relay::recheck_after() {
  const MonoTime now = clock_.now();
  if (!away_since_) away_since_ = now;
  const auto away = std::chrono::duration_cast<Millis>(now - *away_since_);
  return std::clamp(away, std::min(options_.recheck_min, options_.recheck_after),
                    options_.recheck_after);
}

void Relay::run(const StoredMessage& message, Slot sender_slot, Uid receiver, CallContext call,
                std::move_only_function<void(bool)> done) {
  Delivery delivery;
  delivery.type = kTypePush;
  delivery.body = encode_push(message, true);
  delivery.conversation = message.conversation;
  delivery.sender = message.sender;
  delivery.client_msg_id = message.client_msg_id;
  delivery.targets = pair_targets(receiver, message.sender, sender_slot);
  delivery.numbered = true;
  delivery.deadline = call.deadline;
  delivery.trace = call.trace;
  deliverer_.deliver_until_ack(std::move(delivery), receiver, std::move(done));
}

}  // namespace hy::logic
