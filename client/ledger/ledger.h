#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/ledger/seq_set.h"
#include "common/base/ids.h"
#include "common/flat/flat_map.h"

namespace hy::client {

/// The ledger's numbers (docs: experience, "the ledger").
struct LedgerCounts {
  std::uint64_t sent = 0;          ///< written to an outbox
  std::uint64_t stored = 0;        ///< answered STORED
  std::uint64_t delivered = 0;     ///< stored and shown, per expected receiver
  std::uint64_t in_flight = 0;     ///< stored, not yet shown at an expected receiver
  std::uint64_t relayed = 0;       ///< answered RELAYED and not stored yet
  std::uint64_t lost = 0;          ///< in flight after everything healed and synced
  std::uint64_t shown_twice = 0;   ///< one (conversation, seq) or client_msg_id displayed twice
  std::uint64_t out_of_order = 0;  ///< displayed below a larger seq
  [[nodiscard]] bool is_clean() const { return lost + shown_twice + out_of_order == 0; }
};

/// Counts every message by what the receiving devices showed, never by server counters. For runs of
/// any length: positions are dense, so a conversation costs a few numbers; ids are remembered for
/// the last `ids_max` shown messages of each receiver.
///
/// A receiver is any number that stands for one device. No I/O, no clock; one thread.
class Ledger {
 public:
  explicit Ledger(std::size_t ids_max = 65'536) : ids_max_(ids_max) {}

  /// `receiver` is to see what is stored in `conversation`, but for what it stored itself.
  void expect(std::uint64_t receiver, ConversationId conversation);

  void sent() { ++counts_.sent; }
  void relayed(const ClientMsgId& id);
  /// STORED. writer: the device that wrote it, which is not shown its own message. Once per id; a
  /// repeat is ignored.
  void stored(std::uint64_t writer, ConversationId conversation, Seq seq, const ClientMsgId& id);
  /// A device displayed a message. seq 0: provisional. moved: the provisional row took its place.
  void shown(std::uint64_t receiver, ConversationId conversation, Seq seq, const ClientMsgId& id,
             bool moved = false);

  /// healed: everything has healed and synced, so what is still missing is lost.
  [[nodiscard]] LedgerCounts counts(bool healed) const;
  /// "lost", "shown twice", "out of order" with place and id, at most `max`.
  [[nodiscard]] std::vector<std::string> faults(bool healed, std::size_t max) const;

 private:
  struct View {
    SeqSet due;  // stored by others
    SeqSet shown;
    std::uint64_t largest = 0;
  };
  struct Ids {
    FlatSet<ClientMsgId> known;
    std::deque<ClientMsgId> order;
  };
  void fault(std::string_view what, ConversationId conversation, std::uint64_t seq,
             const ClientMsgId& id);

  std::size_t ids_max_;
  LedgerCounts counts_;
  std::map<ConversationId, SeqSet> stored_;
  std::map<ConversationId, std::map<std::uint64_t, View>> views_;
  std::map<std::uint64_t, Ids> ids_;
  FlatSet<ClientMsgId> relayed_;
  std::vector<std::string> faults_;
};

/// " sent 1204   stored 1204   delivered 1199   in flight 5   relayed 0      LOST 0   SHOWN TWICE 0
/// OUT OF ORDER 0" on one line.
std::string ledger_line(const LedgerCounts& counts);
/// "ledger  sent 1  stored 1  …": the form of scripts.
std::string ledger_text(const LedgerCounts& counts);

}  // namespace hy::client
