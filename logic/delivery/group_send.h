#pragma once

#include <memory>

#include "logic/delivery/group_directory.h"
#include "logic/delivery/send_steps.h"

namespace hy::logic {

class Deliverer;
class Rates;

/// One message into a group: member? → rate of the group → append → acknowledge → deliver to all
/// members, in that order, as SendPipeline does for pairs. The store compares member_version under
/// the row lock, so those who are pushed to are exactly the members at the message's seq. With the
/// store away nothing is relayed (an online member is not the group): the sender is refused, told
/// when to try again, and its outbox does. When the outcome is unknown `done` gets kOutcomeUnknown:
/// say nothing. Thread: loop.
class GroupSend {
 public:
  struct Ports {
    MessageLogPort& log;
    GroupDirectory& groups;
    Deliverer& deliverer;
    Relay& relay;
    StoreReturn& store_return;
    TraceRing& trace;
    Rates& rates;
    const Clock& clock;
    Metrics& metrics;
  };
  /// receipts_up_to: members; larger groups get no receipts.
  GroupSend(const Ports& ports, std::uint32_t receipts_up_to)
      : p_(ports),
        steps_(
            {ports.log, ports.relay, ports.store_return, ports.trace, ports.clock, ports.metrics}),
        receipts_up_to_(receipts_up_to) {}

  /// `turn` is released when the append was issued (or nothing will be).
  void run(SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done);

 private:
  struct Op : SendOp {
    bool has_rate = false;
    GroupPtr group;  ///< as judged
  };
  using OpPtr = std::shared_ptr<Op>;

  void judge(const OpPtr& op);
  void ask(const OpPtr& op);
  void on_group(const OpPtr& op, const Result<GroupPtr>& group);
  void append(const OpPtr& op);
  void on_append(const OpPtr& op, Result<Appended> result);
  void judge_again(const OpPtr& op);
  void push_repeat(const OpPtr& op, const StoredMessage& message);
  void push(const Op& op, const StoredMessage& message);

  Ports p_;
  SendSteps steps_;
  std::uint32_t receipts_up_to_;
};

}  // namespace hy::logic
