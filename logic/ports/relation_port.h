#pragma once

#include "logic/ports/types.h"

namespace hy::logic {

/// Who may talk to whom. Thread: loop.
class RelationPort {
 public:
  virtual ~RelationPort() = default;
  /// Makes the rows of the pair if they are missing and says what to judge by. Idempotent.
  virtual void open_pair(ConversationId pair, CallContext call, Done<PairFacts> done) = 0;
  /// `uid` blocks `peer`, or no longer. Idempotent; the facts after it. kUnknownUser.
  virtual void set_block(Uid uid, Uid peer, bool on, CallContext call, Done<PairFacts> done) = 0;
};

}  // namespace hy::logic
