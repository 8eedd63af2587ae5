#include "router/rpc/entry_service.h"

#include <utility>

#include "common/base/check.h"
#include "common/obs/log.h"

namespace hy::router {
namespace {

constexpr std::uint32_t kStreamVersion = 1;
constexpr std::size_t kForwardOverheadBytes = 96;
constexpr std::size_t kSmallBytes = 32;
constexpr int kOutcomeNumbers = 3;

std::vector<OfferedRow> rows_of(const google::protobuf::RepeatedPtrField<v1::Row>& rows) {
  std::vector<OfferedRow> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  for (const v1::Row& row : rows) {
    out.push_back({.uid = row.uid(),
                   .slot = row.slot(),
                   .epoch = {row.auth_epoch(), row.conn_counter()},
                   .conn = ConnId{row.conn()},
                   .dead = row.dead()});
  }
  return out;
}

std::vector<flow::DigestBucket> buckets_of(const v1::EntryBatch& batch) {
  std::vector<flow::DigestBucket> out;
  for (int i = 0; i + 1 < batch.bucket_digests_size(); i += 2) {
    out.push_back({batch.bucket_digests(i), batch.bucket_digests(i + 1)});
  }
  return out;
}

}  // namespace

/// One entry's stream, or one that has not said Hello yet.
class EntryService::EntryStream final : public rpc::Handler<Out, In> {
 public:
  EntryStream(EntryService& service, rpc::Stream<Out> stream)
      : service_(service), stream_(stream) {}

  void on_batch(In& batch) override {
    const MonoTime now = service_.loop_.now();
    if (batch.has_hello()) on_hello(batch, now);
    if (entry_ == EntryId{}) return;  // nothing counts before an accepted Hello
    RouterLink& link = *service_.link_;
    for (const v1::Ops& ops : batch.ops()) {
      link.on_ops(entry_, ops.after(), ops.last(), rows_of(ops.rows()), now);
    }
    for (const v1::Snapshot& part : batch.snapshots()) {
      link.on_snapshot(entry_, rows_of(part.rows()), part.end(), part.last_op(), now);
    }
    for (const v1::BucketRows& rows : batch.bucket_rows()) {
      link.on_bucket_rows(entry_, rows.bucket(), rows_of(rows.rows()), now);
    }
    for (const v1::ForwardResult& result : batch.results()) on_result(result, now);
    on_outcomes(batch.outcomes(), now);
    if (batch.has_heartbeat()) {
      const v1::Heartbeat& beat = batch.heartbeat();
      link.on_heartbeat(entry_,
                        {Incarnation{beat.incarnation()}, beat.last_op(), beat.rows(),
                         beat.digest_root(), beat.draining()},
                        now);
    }
    if (batch.bucket_digests_size() > 0) {
      link.on_buckets(entry_, buckets_of(batch), batch.bucket_digests_op(), now);
    }
  }

  void on_close(const std::string& why) override {
    if (entry_ == EntryId{}) return;
    log::info("entry_stream_ended", {{"entry", entry_}, {"why", why}});
    service_.on_closed(*this);
  }

  void refuse(Errc code, const std::string& detail) {
    service_.fill_hello(stream_.next());
    auto& goodbye = *stream_.next().mutable_goodbye();
    goodbye.set_code(static_cast<std::uint32_t>(code));
    goodbye.set_detail(detail);
    stream_.queued(detail.size() + kSmallBytes);
    entry_ = EntryId{};
    stream_.close();
  }

  [[nodiscard]] rpc::Stream<Out> stream() const { return stream_; }
  [[nodiscard]] EntryId entry() const { return entry_; }

 private:
  /// With mTLS an entry speaks under its own name alone.
  [[nodiscard]] bool may_be(EntryId entry) const {
    const rpc::PeerInfo& peer = stream_.peer();
    if (!peer.authenticated) return true;
    return peer.role == "entry" && service_.identity_.entry_of_name(peer.name) == entry;
  }

  void on_hello(const In& batch, MonoTime now) {
    const auto& hello = batch.hello();
    if (hello.entry_id() == 0 || hello.entry_id() > UINT16_MAX) {
      return refuse(Errc::kTopologyMismatch, "no entry id");
    }
    const EntryHello offered{.entry = EntryId{static_cast<std::uint16_t>(hello.entry_id())},
                             .incarnation = Incarnation{hello.incarnation()},
                             .role = hello.role(),
                             .version_low = hello.version_low(),
                             .version_high = hello.version_high(),
                             .topology_version = hello.topology_version(),
                             .digest_key = batch.digest_key(),
                             .first_op_held = batch.first_op_held()};
    if (!may_be(offered.entry)) {
      return refuse(Errc::kTopologyMismatch, "the certificate is another entry's");
    }
    const HelloVerdict verdict = service_.link_->check(offered);
    if (verdict.kind == HelloVerdict::Kind::kRefused) {
      log::warn("entry_refused", {{"entry", offered.entry},
                                  {"code", verdict.code},
                                  {"detail", verdict.detail},
                                  {"peer", stream_.peer().address}});
      return refuse(verdict.code, verdict.detail);
    }
    service_.fill_hello(stream_.next());
    if (verdict.kind == HelloVerdict::Kind::kBadIncarnation) {
      // The stream stays: the entry says Hello again with a higher incarnation, or exits.
      stream_.next().set_bad_incarnation_known(verdict.known.value());
      stream_.queued(kSmallBytes);
      return;
    }
    stream_.queued(kSmallBytes);
    EntryStream*& current = service_.streams_[offered.entry];
    if (current != nullptr && current != this) {
      EntryStream* const old = std::exchange(current, nullptr);
      service_.fanout_->on_entry_lost(offered.entry);
      old->refuse(Errc::kBadIncarnation, "replaced by a newer stream");
    }
    current = this;
    entry_ = offered.entry;
    log::info("entry_hello", {{"entry", entry_}, {"incarnation", offered.incarnation}});
    service_.link_->accept(offered, now);
  }

  /// What entries wrote before there were outcomes.
  void on_result(const v1::ForwardResult& result, MonoTime now) {
    outcomes_.clear();
    for (const v1::ConnResult& conn : result.results()) add(conn.conn(), conn.result());
    service_.fanout_->on_results(entry_, result.id(), outcomes_, now);
  }

  /// (forward, connection, result) one after another; those of one forward stand together.
  void on_outcomes(const google::protobuf::RepeatedField<std::uint64_t>& all, MonoTime now) {
    for (int i = 0; i + kOutcomeNumbers <= all.size();) {
      const std::uint64_t id = all[i];
      outcomes_.clear();
      for (; i + kOutcomeNumbers <= all.size() && all[i] == id; i += kOutcomeNumbers) {
        add(all[i + 1], all[i + 2]);
      }
      service_.fanout_->on_results(entry_, id, outcomes_, now);
    }
  }

  /// conn 0: counted ones, the result stands in the low three bits.
  void add(std::uint64_t conn, std::uint64_t result) {
    if (conn == 0) {
      outcomes_.push_back({ConnId{}, static_cast<DeliverResult>(result & 7U), result >> 3U});
      return;
    }
    outcomes_.push_back({ConnId{conn}, result > UINT8_MAX ? DeliverResult::kNone
                                                          : static_cast<DeliverResult>(result)});
  }

  EntryService& service_;
  rpc::Stream<Out> stream_;
  EntryId entry_;  // 0: no accepted Hello
  std::vector<DeliverFanout::ConnOutcome> outcomes_;
};

EntryService::EntryService(rpc::Loop& loop, Identity identity)
    : loop_(loop), identity_(std::move(identity)) {}

void EntryService::bind(RouterLink& link, DeliverFanout& fanout) {
  link_ = &link;
  fanout_ = &fanout;
}

std::unique_ptr<rpc::RawHandler> EntryService::open(rpc::Stream<Out> stream) {
  HY_CHECK(link_ != nullptr);
  return std::make_unique<EntryStream>(*this, stream);
}

void EntryService::fill_hello(Out& batch) const {
  auto& hello = *batch.mutable_hello();
  hello.set_role("router");
  hello.set_name(identity_.instance);
  hello.set_incarnation(identity_.boot);
  hello.set_version_low(kStreamVersion);
  hello.set_version_high(kStreamVersion);
  hello.set_topology_version(identity_.topology_version);
}

void EntryService::on_closed(const EntryStream& stream) {
  const auto found = streams_.find(stream.entry());
  if (found == streams_.end() || found->second != &stream) return;
  streams_.erase(found);
  link_->on_lost(stream.entry(), loop_.now());
  fanout_->on_entry_lost(stream.entry());
}

void EntryService::drop(EntryId entry, Errc code, const std::string& detail) {
  const auto found = streams_.find(entry);
  if (found == streams_.end()) return;
  EntryStream* const stream = found->second;
  streams_.erase(found);
  link_->on_lost(entry, loop_.now());
  fanout_->on_entry_lost(entry);
  stream->refuse(code, detail);
}

void EntryService::goodbye(Errc code, const std::string& detail) {
  const auto all = streams_;
  for (const auto& stream : all) drop(stream.first, code, detail);
}

rpc::Stream<EntryService::Out> EntryService::stream_of(EntryId entry) const {
  const auto found = streams_.find(entry);
  return found == streams_.end() ? rpc::Stream<Out>{} : found->second->stream();
}

bool EntryService::is_up(EntryId entry) const {
  return streams_.contains(entry);
}

bool EntryService::has_room(EntryId entry) const {
  return stream_of(entry).has_room();
}

void EntryService::forward(EntryId entry, std::uint64_t id, const Delivery& delivery,
                           std::span<const ConnId> conns) {
  const auto stream = stream_of(entry);
  if (!stream) return;
  v1::Forward& out = *stream.next().add_forwards();
  out.set_id(id);
  out.set_type(delivery.type);
  out.set_body(delivery.body.data(), delivery.body.size());
  out.set_conversation(delivery.conversation.data(), delivery.conversation.size());
  out.set_seq(delivery.seq);
  out.set_sender(delivery.sender);
  if (!delivery.client_msg_id.empty()) {
    out.set_client_msg_id(delivery.client_msg_id.data(), delivery.client_msg_id.size());
  }
  out.mutable_conns()->Reserve(static_cast<int>(conns.size()));
  for (const ConnId conn : conns) out.mutable_conns()->AddAlreadyReserved(conn.value());
  out.set_remaining_ms(delivery.remaining_ms);
  out.set_numbered(delivery.numbered);
  out.set_until_ack(delivery.until_ack);
  out.set_trace(delivery.trace);
  out.set_ephemeral(delivery.ephemeral);
  out.set_no_receipt(delivery.no_receipt);
  out.set_brief(delivery.brief);
  stream.queued(delivery.body.size() + kForwardOverheadBytes + conns.size() * sizeof(ConnId));
}

void EntryService::kick(EntryId entry, const KickOrder& order) {
  const auto stream = stream_of(entry);
  if (!stream) return;
  v1::Kick& out = *stream.next().add_kicks();
  out.set_conn(order.conn.value());
  out.set_uid(order.uid.value());
  out.set_slot(static_cast<std::uint32_t>(order.slot));
  out.set_below_auth_epoch(order.below.auth);
  out.set_below_conn_counter(order.below.conn);
  out.set_code(static_cast<std::uint32_t>(order.code));
  out.set_reason(order.reason);
  stream.queued(order.reason.size() + kSmallBytes);
}

void EntryService::ack(EntryId entry, std::uint64_t op) {
  const auto stream = stream_of(entry);
  if (!stream) return;
  if (op > 0) stream.next().set_acked_op(op);  // cumulative: the last one of a batch stands
  stream.queued(kSmallBytes);
}

void EntryService::need_snapshot(EntryId entry) {
  const auto stream = stream_of(entry);
  if (!stream) return;
  stream.next().set_need_snapshot(true);
  stream.queued(kSmallBytes);
}

void EntryService::ask_digests(EntryId entry) {
  const auto stream = stream_of(entry);
  if (!stream) return;
  stream.next().set_digests_wanted(true);
  stream.queued(kSmallBytes);
}

void EntryService::ask_rows(EntryId entry, const std::vector<std::uint32_t>& buckets) {
  const auto stream = stream_of(entry);
  if (!stream) return;
  for (const std::uint32_t bucket : buckets) stream.next().add_rows_wanted(bucket);
  stream.queued(buckets.size() * 2 + kSmallBytes);
}

}  // namespace hy::router
