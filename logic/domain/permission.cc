#include "logic/domain/permission.h"

namespace hy::logic {

Status may_send(ConversationId pair, Uid sender, const PairFacts& facts) {
  if (!facts.a_exists || !facts.b_exists) return fail(Errc::kUnknownUser);
  const bool sender_is_a = pair.hi == sender.value();
  const bool blocked = sender_is_a ? facts.b_blocks_a : facts.a_blocks_b;
  if (blocked) return fail(Errc::kBlocked);
  return {};
}

}  // namespace hy::logic
