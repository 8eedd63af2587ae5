#pragma once

#include "common/base/result.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// May `sender` write into the pair? kUnknownUser: the other person (or the sender) does not exist.
/// kBlocked: the receiver blocks the sender. Blocking somebody does not stop one's own messages to
/// them.
Status may_send(ConversationId pair, Uid sender, const PairFacts& facts);

}  // namespace hy::logic
