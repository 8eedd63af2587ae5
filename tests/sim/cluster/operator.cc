#include "tests/sim/cluster/operator.h"

#include <utility>

#include "common/rpc/stream.h"
#include "hy/logic/v1/admin.pb.h"

namespace hy::sim {

namespace pb = hy::logic::v1;

std::string operator_token() {
  return std::string(32, 'o');
}

struct OperatorCall::Life final : rpc::ClientEvents<pb::AdminBatch, pb::AdminAnswerBatch> {
  explicit Life(OperatorCall& o) : call(o), client(loop, options(o.address_), *this) {
    client.start();
  }

  static rpc::ClientOptions options(const std::string& address) {
    rpc::ClientOptions out;
    out.target = address;
    out.method = "/hy.logic.v1.Admin/Call";
    out.peer_name = out.peer_role = "logic";
    return out;
  }

  /// A stream that was lost before the answer is opened anew, and the call made again.
  void on_up(rpc::Stream<pb::AdminBatch> stream) override {
    pb::AdminBatch& batch = stream.next();
    batch.mutable_hello()->set_role("admin");
    batch.mutable_hello()->set_name("hy");
    batch.mutable_hello()->set_version_low(1);
    batch.mutable_hello()->set_version_high(1);
    batch.set_operator_token(operator_token());
    pb::AdminCall& out = *batch.add_calls();
    out.set_id(1);
    out.mutable_revoke_user()->set_uid(call.uid_.value());
    out.mutable_revoke_user()->set_slot(static_cast<std::uint32_t>(call.slot_));
    stream.queued(batch.ByteSizeLong());
  }
  void on_batch(pb::AdminAnswerBatch& batch) override {
    for (const pb::AdminAnswer& answer : batch.answers())
      call.answer_ = static_cast<Errc>(answer.has_failure() ? answer.failure().code() : 0);
    if (call.answer_) loop.post([this] { client.stop(); });
  }
  void on_down(const std::string& /*why*/) override {}

  OperatorCall& call;
  rpc::Loop loop;
  rpc::Client client;
};

OperatorCall::OperatorCall(World& world, std::string logic_address, Uid uid, Slot slot)
    : world_(world),
      node_(world.add_node("operator")),
      address_(std::move(logic_address)),
      uid_(uid),
      slot_(slot) {
  node_.boot = [this] { life_ = std::make_unique<Life>(*this); };
  node_.destroy = [this] { life_.reset(); };
  world.start(node_);
}

OperatorCall::~OperatorCall() {
  world_.kill(node_);
  node_.boot = nullptr;
  node_.destroy = nullptr;
}

}  // namespace hy::sim
