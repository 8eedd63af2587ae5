#pragma once

#include <memory>
#include <vector>

#include "common/flat/flat_map.h"
#include "logic/delivery/relay.h"
#include "logic/delivery/store_return.h"
#include "logic/delivery/trace_ring.h"
#include "logic/domain/pair_facts_cache.h"
#include "logic/ports/message_log_port.h"
#include "logic/ports/relation_port.h"
#include "logic/session/session_fifo.h"

namespace hy::logic {

class Rates;

/// One message, its own rules already checked.
struct SendOrder {
  ConversationId conversation{};
  Uid sender{};
  Slot sender_slot = Slot::kNone;
  Uid receiver{};
  Gid group{};  ///< instead of a receiver: for GroupSend
  ClientMsgId client_msg_id{};
  std::optional<ClientMsgId> after{};
  std::uint32_t kind = 0;
  Bytes body{};
  PayloadHash payload_hash{};
  CallContext call;
  bool dyed = false;
};

struct SendOutcome {
  ConversationId conversation{};
  bool relayed = false;  ///< else stored
  Seq seq{};
  std::int64_t server_ms = 0;
  bool repeat = false;
  Millis recheck_after{0};  ///< relayed only
};

/// rules → append → acknowledge → deliver, in that order, never otherwise. STORED is said only
/// after das answered that the message is committed: every interleaving of a push and a sync then
/// shows it (guarantees.md §6). RELAYED is said only after a device of the receiver confirmed. When
/// the outcome is unknown `done` gets kOutcomeUnknown, which means: say nothing.
class SendPipeline {
 public:
  struct Ports {
    MessageLogPort& log;
    RelationPort& relations;
    Deliverer& deliverer;
    Relay& relay;
    StoreReturn& store_return;
    PairFactsCache& facts;
    TraceRing& trace;
    Rates& rates;
    const Clock& clock;
    Metrics& metrics;
  };
  explicit SendPipeline(const Ports& ports) : p_(ports) {}

  /// `turn` is released when the append was issued (or nothing will be).
  void run(SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done);

 private:
  struct Op {
    SendOrder order;
    AppendRequest append;
    SessionFifo::Turn turn;
    Done<SendOutcome> done;
    TraceRing::Ref trace;
    MonoTime began{};
    int judgements = 0;
  };
  using OpPtr = std::shared_ptr<Op>;

  void judge(const OpPtr& op);
  /// A question of its own: its answer is younger than what the operation was told before.
  void ask_and_judge(const OpPtr& op);
  /// The pair is not known: whoever else wants to know waits for the same answer.
  void wait_for_facts(const OpPtr& op);
  void ask(const OpPtr& op, Done<PairFacts> done);
  void on_facts(const OpPtr& op, const Result<PairFacts>& facts);
  void append(const OpPtr& op, std::uint64_t member_version);
  void on_append(const OpPtr& op, Result<Appended> result);
  void on_stored(const OpPtr& op, const Appended& stored);
  void push(const OpPtr& op, const StoredMessage& message);
  void relay(const OpPtr& op, const Error& why);
  void refuse(const OpPtr& op, Error error);
  /// Without its body.
  [[nodiscard]] static StoredMessage message_of(const Op& op, Seq seq, std::int64_t server_ms);

  Ports p_;
  FlatMap<ConversationId, std::vector<OpPtr>> asking_;  ///< wait_for_facts
};

}  // namespace hy::logic
