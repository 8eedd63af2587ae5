#include "logic/rpc/router_client.h"

#include "logic/delivery/deliverer.h"
#include "logic/ports/id_bytes.h"

namespace hy::logic {
namespace pb = hy::router::v1;
namespace {

constexpr std::size_t kDeliverOverheadBytes = 128;
constexpr std::size_t kKickBytes = 96;
constexpr std::size_t kUidBytes = 9;
constexpr int kOutcomeNumbers = 3;

}  // namespace

static_assert(static_cast<int>(DeliverResult::kWritten) == 1 &&
              static_cast<int>(DeliverResult::kAcked) == 5);

RouterClient::RouterClient(std::vector<std::string> names) {
  for (std::string& name : names) {
    Replica replica;
    replica.name = std::move(name);
    replicas_.push_back(std::move(replica));
  }
}

void RouterClient::on_up(std::size_t replica, Out stream) {
  replicas_[replica].stream = stream;
  replicas_[replica].is_up = true;
  replicas_[replica].is_ready = false;
  replicas_[replica].is_leaving = false;
}

void RouterClient::on_down(std::size_t replica) {
  replicas_[replica].is_up = false;
  replicas_[replica].is_ready = false;
  replicas_[replica].stream = {};
  deliverer_->on_replica_down(replica);
}

void RouterClient::on_batch(std::size_t replica, pb::RouterAnswerBatch& batch) {
  if (batch.has_hello() || batch.ready_changed()) replicas_[replica].is_ready = batch.ready();
  if (batch.has_goodbye()) replicas_[replica].is_leaving = true;
  // What routers wrote before there were outcomes.
  for (const pb::DeliverResults& answer : batch.results()) {
    results_.clear();
    for (const pb::TargetResult& r : answer.results()) add_result(r.uid(), r.slot(), r.result());
    deliverer_->on_results(replica, answer.id(), results_);
  }
  const auto& all = batch.outcomes();
  for (int i = 0; i + kOutcomeNumbers <= all.size();) {
    const std::uint64_t id = all[i];
    results_.clear();
    for (; i + kOutcomeNumbers <= all.size() && all[i] == id; i += kOutcomeNumbers) {
      add_result(all[i + 1], all[i + 2] >> 3U, all[i + 2] & 7U);
    }
    deliverer_->on_results(replica, id, results_);
  }
}

/// A result of a newer router counts as unknown. uid 0: counted ones, `slot` says how many.
void RouterClient::add_result(std::uint64_t uid, std::uint64_t slot, std::uint64_t result) {
  if (uid == 0) {
    if (result <= 5) results_.push_back({Uid{}, 0, static_cast<DeliverResult>(result), slot});
    return;
  }
  const bool is_known = result >= 1 && result <= 5;
  results_.push_back({Uid{uid}, static_cast<std::uint32_t>(slot),
                      is_known ? static_cast<DeliverResult>(result) : DeliverResult::kUnknown});
}

std::vector<std::string> RouterClient::missing() const {
  std::vector<std::string> out;
  for (const Replica& replica : replicas_) {
    if (!replica.is_up) out.push_back(replica.name);
  }
  return out;
}

bool RouterClient::is_up(std::size_t replica) const {
  return replicas_[replica].is_up && replicas_[replica].stream.has_room();
}

bool RouterClient::is_ready(std::size_t replica) const {
  return is_up(replica) && replicas_[replica].is_ready && !replicas_[replica].is_leaving;
}

void RouterClient::deliver(std::size_t replica, std::uint64_t id, const Delivery& delivery,
                           std::span<const Target> targets, bool with_everyone, Millis remaining) {
  const Out& stream = replicas_[replica].stream;
  pb::Deliver& out = *stream.next().add_delivers();
  out.set_id(id);
  out.set_type(delivery.type);
  out.set_body(delivery.body);
  if (delivery.conversation != ConversationId{}) {
    put_id(delivery.conversation, *out.mutable_conversation());
  }
  out.set_seq(delivery.seq.value());
  out.set_sender(delivery.sender.value());
  if (delivery.client_msg_id) put_id(*delivery.client_msg_id, *out.mutable_client_msg_id());
  for (const Target& target : targets) {
    pb::Target& t = *out.add_targets();
    t.set_uid(target.uid.value());
    t.set_slots(target.slots);
  }
  out.set_remaining_ms(static_cast<std::uint32_t>(std::max<std::int64_t>(remaining.count(), 1)));
  out.set_numbered(delivery.numbered);
  out.set_until_ack(delivery.until_ack);
  out.set_trace(delivery.trace.value());
  out.set_no_receipt(delivery.no_receipt);
  out.set_brief(delivery.everyone != nullptr);
  std::size_t bytes = delivery.body.size() + kDeliverOverheadBytes;
  if (with_everyone) {
    const std::vector<Uid>& everyone = *delivery.everyone;
    auto& uids = *out.mutable_everyone();
    uids.Reserve(static_cast<int>(everyone.size()));
    for (const Uid uid : everyone) uids.AddAlreadyReserved(uid.value());
    bytes += everyone.size() * kUidBytes;
  }
  stream.queued(bytes);
}

void RouterClient::kick(const KickOrder& order) {
  for (const Replica& replica : replicas_) {
    if (!replica.is_up || !replica.stream.has_room()) continue;
    pb::KickKey& out = *replica.stream.next().add_kicks();
    out.set_uid(order.uid.value());
    out.set_slot(static_cast<std::uint32_t>(order.slot));
    out.set_below_auth_epoch(order.below_auth_epoch);
    out.set_below_conn_counter(order.below_conn_counter);
    out.set_code(static_cast<std::uint32_t>(order.code));
    out.set_reason(order.reason);
    replica.stream.queued(kKickBytes);
  }
}

}  // namespace hy::logic
