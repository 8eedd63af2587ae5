#pragma once

#include <memory>
#include <vector>

#include "common/flat/flat_map.h"
#include "logic/delivery/send_steps.h"
#include "logic/domain/pair_facts_cache.h"
#include "logic/ports/relation_port.h"

namespace hy::logic {

class Rates;

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
  explicit SendPipeline(const Ports& ports)
      : p_(ports),
        steps_({ports.log, ports.relay, ports.store_return, ports.trace, ports.clock,
                ports.metrics}) {}

  /// `turn` is released when the append was issued (or nothing will be).
  void run(SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done);

 private:
  using OpPtr = SendSteps::OpPtr;

  void judge(const OpPtr& op);
  /// A question of its own: its answer is younger than what the operation was told before.
  void ask_and_judge(const OpPtr& op);
  /// The pair is not known: whoever else wants to know waits for the same answer.
  void wait_for_facts(const OpPtr& op);
  void ask(const OpPtr& op, Done<PairFacts> done);
  void on_facts(const OpPtr& op, const Result<PairFacts>& facts);
  void append(const OpPtr& op, std::uint64_t member_version);
  void on_append(const OpPtr& op, Result<Appended> result);
  void push(const SendOp& op, const StoredMessage& message);
  void relay(const OpPtr& op, const Error& why);

  Ports p_;
  SendSteps steps_;
  FlatMap<ConversationId, std::vector<OpPtr>> asking_;  ///< wait_for_facts
};

}  // namespace hy::logic
