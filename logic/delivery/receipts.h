#pragma once

#include <vector>

#include "common/flat/flat_map.h"
#include "common/flat/small_vector.h"
#include "logic/command/client_body.h"
#include "logic/delivery/deliverer.h"
#include "logic/delivery/trace_ring.h"

namespace hy::logic {

/// A device confirmed a push, as the entry knows it from its window.
struct Confirmation {
  Uid by;
  Slot by_slot = Slot::kNone;
  ConversationId conversation;
  Seq seq;  ///< 0: a provisional push, which earns no receipt
  Uid sender;
  TraceId trace{};
};

/// Tells senders what was delivered and read: one RECEIPT notification per sender and turn of the
/// loop, whatever was confirmed in it. No read of the store.
class Receipts {
 public:
  Receipts(Deliverer& deliverer, TraceRing& trace, const Clock& clock)
      : deliverer_(deliverer), trace_(trace), clock_(clock) {}

  void confirmed(const Confirmation& confirmation);
  /// `by` read the pair up to `seq`: told to the other person.
  void read(ConversationId conversation, Uid by, Slot by_slot, Seq seq);
  /// At the end of a turn.
  void flush();

 private:
  void add(Uid to, const ReceiptItem& item);

  Deliverer& deliverer_;
  TraceRing& trace_;
  const Clock& clock_;
  struct Line {
    Uid to;
    SmallVector<ReceiptItem, 1> items;
  };
  std::vector<Line> lines_;  ///< senders in the order of their first item: no map order leaks out
  FlatMap<Uid, std::size_t> line_of_;
};

}  // namespace hy::logic
