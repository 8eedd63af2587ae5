#pragma once

#include <vector>

#include "common/flat/flat_map.h"
#include "common/flat/small_vector.h"
#include "logic/command/client_body.h"
#include "logic/delivery/deliverer.h"
#include "logic/delivery/group_directory.h"
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
/// loop, whatever was confirmed in it. No read of the store, but for the members of a group that is
/// not known here.
class Receipts {
 public:
  /// Of confirmations that wait for a group's members; more are dropped.
  static constexpr std::size_t kHeldMax = 8'192;

  /// group_members_max: larger groups get none.
  Receipts(Deliverer& deliverer, TraceRing& trace, GroupDirectory& groups, const Clock& clock,
           std::size_t group_members_max)
      : deliverer_(deliverer),
        trace_(trace),
        groups_(groups),
        clock_(clock),
        group_members_max_(group_members_max) {}

  void confirmed(const Confirmation& confirmation);
  /// `by` read the pair up to `seq`: told to the other person.
  void read(ConversationId conversation, Uid by, Slot by_slot, Seq seq);
  /// At the end of a turn.
  void flush();

 private:
  void confirmed_in_group(const Confirmation& confirmation);
  void hold(const Confirmation& confirmation);
  void answered(Gid gid, const Result<GroupPtr>& group);
  [[nodiscard]] bool earns(const KnownGroup& group, const Confirmation& confirmation) const;
  void earned(const Confirmation& confirmation);
  void add(Uid to, const ReceiptItem& item);

  Deliverer& deliverer_;
  TraceRing& trace_;
  GroupDirectory& groups_;
  const Clock& clock_;
  std::size_t group_members_max_;
  struct Line {
    Uid to;
    SmallVector<ReceiptItem, 1> items;
  };
  std::vector<Line> lines_;  ///< senders in the order of their first item: no map order leaks out
  FlatMap<Uid, std::size_t> line_of_;
  FlatMap<Gid, std::vector<Confirmation>> held_;  ///< until the group's members are known
  std::size_t held_count_ = 0;
};

}  // namespace hy::logic
