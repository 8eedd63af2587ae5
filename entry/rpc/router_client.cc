#include "entry/rpc/router_client.h"

#include <atomic>
#include <utility>

#include "common/obs/log.h"
#include "hy/router/v1/entry_stream.pb.h"

namespace hy::entry {
namespace {

namespace rv1 = router::v1;

constexpr std::uint32_t kStreamVersion = 1;
constexpr std::size_t kEnvelopeBytes = 32;
constexpr std::size_t kRowBytes = 40;
constexpr Millis kSilenceMax{3'000};  // replicas speak at least once a second (router.md §4)

void to_proto(const PlacementRow& row, rv1::Row& out) {
  out.set_uid(row.uid.value());
  out.set_slot(static_cast<std::uint32_t>(row.slot));
  out.set_auth_epoch(row.epoch.auth);
  out.set_conn_counter(row.epoch.conn);
  out.set_conn(row.conn.value());
  out.set_dead(row.dead);
}

bool is_id(const std::string& bytes) {
  return bytes.size() == 16;
}

}  // namespace

class RouterClient::Link final : public rpc::ClientEvents<rv1::EntryBatch, rv1::RouterBatch> {
 public:
  Link(rpc::Loop& loop, std::uint32_t index, EntryName name, std::string target,
       std::string peer_name, const rpc::TlsFiles& tls)
      : loop_(loop),
        index_(index),
        name_(std::move(name)),
        peer_name_(std::move(peer_name)),
        client_(
            loop,
            {.target = std::move(target),
             .method = kMethod,
             .peer_name = peer_name_.substr(peer_name_.find('-') + 1),  // as its certificate says
             .peer_role = "router",
             .tls = tls,
             .backoff_min = Millis{200},
             .backoff_max = Millis{1'000},
             .silence_max = kSilenceMax},
            *this) {}

  void start(Hub& hub, std::function<void()> name_taken) {
    hub_ = &hub;
    name_taken_ = std::move(name_taken);
    client_.start();
  }
  void stop() { client_.stop(); }
  void redial(const std::string& why) { client_.redial(why); }
  [[nodiscard]] bool is_up() const { return up_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::string& peer_name() const { return peer_name_; }
  [[nodiscard]] rpc::Stream<rv1::EntryBatch>& stream() { return stream_; }

  void say_hello(const LinkHello& hello) {
    rv1::EntryBatch& out = stream_.next();
    common::v1::Hello& common = *out.mutable_hello();
    common.set_role("entry");
    common.set_name(name_.name);
    common.set_incarnation(hello.incarnation.value());
    common.set_version_low(kStreamVersion);
    common.set_version_high(kStreamVersion);
    common.set_entry_id(name_.id.value());
    common.set_topology_version(name_.topology_version);
    out.set_digest_key(hello.digest_key);
    out.set_first_op_held(hello.first_op_held);
    stream_.queued(kEnvelopeBytes * 4);
  }

  void on_up(rpc::Stream<rv1::EntryBatch> stream) override {
    stream_ = stream;
    up_.store(true, std::memory_order_relaxed);
    log::info("router_up", {{"peer", peer_name_}});
    hub_->on_router_up(index_, loop_.now());
  }

  void on_batch(rv1::RouterBatch& batch) override {
    const MonoTime now = loop_.now();
    RouterNews news;
    news.acked_op = batch.acked_op();
    news.need_snapshot = batch.need_snapshot();
    news.digests_wanted = batch.digests_wanted();
    news.rows_wanted.assign(batch.rows_wanted().begin(), batch.rows_wanted().end());
    news.bad_incarnation_known = batch.bad_incarnation_known();
    switch (hub_->on_router_news(index_, news, now)) {
      case RouterLink::Verdict::kFine: break;
      case RouterLink::Verdict::kReannounce:
        log::warn("incarnation_raised",
                  {{"peer", peer_name_}, {"incarnation", news.bad_incarnation_known + 1}});
        reannounce_ = true;
        break;
      case RouterLink::Verdict::kNameTaken: name_taken_(); return;
    }
    for (const rv1::Kick& kick : batch.kicks()) hub_->on_kick(to_kick(kick));
    for (rv1::Forward& forward : *batch.mutable_forwards()) take_forward(forward, now);
    if (batch.has_goodbye()) {
      log::info("router_leaves", {{"peer", peer_name_},
                                  {"code", static_cast<Errc>(batch.goodbye().code())},
                                  {"detail", batch.goodbye().detail()}});
    }
  }

  void on_down(const std::string& why) override {
    stream_ = {};
    up_.store(false, std::memory_order_relaxed);
    log::warn("router_down", {{"peer", peer_name_}, {"why", why}});
    hub_->on_router_down(index_, loop_.now());
  }

  /// True once after the incarnation was raised: all streams have to be opened anew.
  [[nodiscard]] bool take_reannounce() { return std::exchange(reannounce_, false); }

 private:
  static RouterKick to_kick(const rv1::Kick& in) {
    return {.conn = ConnId{in.conn()},
            .uid = Uid{in.uid()},
            .slot = is_valid_slot(in.slot()) ? static_cast<Slot>(in.slot()) : Slot::kNone,
            .below = {in.below_auth_epoch(), in.below_conn_counter()},
            .code = in.code() == 0 ? Errc::kKicked : static_cast<Errc>(in.code()),
            .reason = in.reason()};
  }

  void take_forward(rv1::Forward& in, MonoTime now) {
    auto payload = std::make_shared<PushPayload>();
    payload->type = static_cast<std::uint16_t>(in.type());
    payload->body = std::move(*in.mutable_body());
    if (is_id(in.conversation())) {
      payload->conversation = ConversationId::from_bytes(in.conversation());
    }
    payload->seq = Seq{in.seq()};
    payload->sender = Uid{in.sender()};
    if (is_id(in.client_msg_id())) {
      payload->client_msg_id = ClientMsgId::from_bytes(in.client_msg_id());
    }
    payload->trace = TraceId{in.trace()};
    payload->no_receipt = in.no_receipt();
    RouterForward out;
    out.id = in.id();
    out.payload = std::move(payload);
    out.conns.reserve(static_cast<std::size_t>(in.conns_size()));
    for (const std::uint64_t conn : in.conns()) out.conns.push_back(ConnId{conn});
    out.numbered = in.numbered();
    out.until_ack = in.until_ack();
    out.ephemeral = in.ephemeral();
    out.brief = in.brief();
    out.remaining = Millis{in.remaining_ms()};
    hub_->on_forward(index_, std::move(out), now);
  }

  rpc::Loop& loop_;
  std::uint32_t index_;
  EntryName name_;
  std::string peer_name_;
  Hub* hub_ = nullptr;
  std::function<void()> name_taken_;
  rpc::Stream<rv1::EntryBatch> stream_;
  std::atomic<bool> up_{false};
  bool reannounce_ = false;
  rpc::Client client_;  // last: its callbacks use the rest
};

RouterClient::RouterClient(rpc::Loop& loop, EntryName name, const std::vector<std::string>& targets,
                           const std::vector<std::string>& peer_names, const rpc::TlsFiles& tls) {
  for (std::uint32_t i = 0; i < targets.size(); ++i) {
    links_.push_back(std::make_unique<Link>(loop, i, name, targets[i], peer_names[i], tls));
  }
  // A raised incarnation has to be announced on every stream, also on those that were content.
  loop.at_turn_end([this] {
    bool again = false;
    for (const auto& link : links_) again = link->take_reannounce() || again;
    if (!again) return;
    for (const auto& link : links_) link->redial("incarnation raised");
  });
}

RouterClient::~RouterClient() = default;

void RouterClient::start(Hub& hub, std::function<void()> name_taken) {
  for (const auto& link : links_) link->start(hub, name_taken);
}

void RouterClient::goodbye(Errc code, const std::string& detail) {
  for (const auto& link : links_) {
    auto& stream = link->stream();
    if (!stream) continue;
    common::v1::Goodbye& out = *stream.next().mutable_goodbye();
    out.set_code(static_cast<std::uint32_t>(code));
    out.set_detail(detail);
    stream.queued(kEnvelopeBytes);
  }
}

void RouterClient::stop() {
  for (const auto& link : links_) link->stop();
}

std::vector<std::string> RouterClient::missing() const {
  std::vector<std::string> out;
  for (const auto& link : links_) {
    if (!link->is_up()) out.push_back(link->peer_name());
  }
  return out;
}

bool RouterClient::has_room(std::uint32_t replica) const {
  return links_[replica]->stream().has_room();
}

void RouterClient::hello(std::uint32_t replica, const LinkHello& hello) {
  links_[replica]->say_hello(hello);
}

void RouterClient::ops(std::uint32_t replica, std::uint64_t after, std::uint64_t last,
                       std::span<const PlacementRow> rows) {
  auto& stream = links_[replica]->stream();
  rv1::Ops& out = *stream.next().add_ops();
  out.set_after(after);
  out.set_last(last);
  for (const PlacementRow& row : rows) to_proto(row, *out.add_rows());
  // The replica takes ops before bucket rows, also when they joined the batch later: a bucket that
  // still waits there must not deny a row that is newer than it.
  rv1::EntryBatch& batch = stream.next();
  for (rv1::BucketRows& bucket : *batch.mutable_bucket_rows()) {
    for (const PlacementRow& row : rows) {
      const bool belongs = !row.dead && flow::digest_bucket_of(row.uid) == bucket.bucket();
      if (belongs) to_proto(row, *bucket.add_rows());
    }
  }
  stream.queued(kEnvelopeBytes + rows.size() * kRowBytes);
}

void RouterClient::snapshot(std::uint32_t replica, std::span<const PlacementRow> rows, bool end,
                            std::uint64_t last_op) {
  auto& stream = links_[replica]->stream();
  rv1::Snapshot& out = *stream.next().add_snapshots();
  for (const PlacementRow& row : rows) to_proto(row, *out.add_rows());
  out.set_end(end);
  out.set_last_op(last_op);
  stream.queued(kEnvelopeBytes + rows.size() * kRowBytes);
}

void RouterClient::bucket_rows(std::uint32_t replica, std::uint32_t bucket,
                               std::span<const PlacementRow> rows) {
  auto& stream = links_[replica]->stream();
  rv1::BucketRows& out = *stream.next().add_bucket_rows();
  out.set_bucket(bucket);
  for (const PlacementRow& row : rows) to_proto(row, *out.add_rows());
  stream.queued(kEnvelopeBytes + rows.size() * kRowBytes);
}

void RouterClient::bucket_digests(
    std::uint32_t replica, std::uint64_t last_op,
    const std::array<flow::DigestBucket, flow::kDigestBuckets>& buckets) {
  auto& stream = links_[replica]->stream();
  rv1::EntryBatch& out = stream.next();
  out.clear_bucket_digests();
  for (const flow::DigestBucket& bucket : buckets) {
    out.add_bucket_digests(bucket.count);
    out.add_bucket_digests(bucket.xor_of_hashes);
  }
  out.set_bucket_digests_op(last_op);
  stream.queued(kEnvelopeBytes + flow::kDigestBuckets * 12);
}

void RouterClient::heartbeat(std::uint32_t replica, const LinkHeartbeat& heartbeat) {
  auto& stream = links_[replica]->stream();
  rv1::Heartbeat& out = *stream.next().mutable_heartbeat();
  out.set_incarnation(heartbeat.incarnation.value());
  out.set_last_op(heartbeat.last_op);
  out.set_rows(heartbeat.rows);
  out.set_digest_root(heartbeat.digest_root);
  out.set_draining(heartbeat.draining);
  stream.queued(kEnvelopeBytes);
}

void RouterClient::result(std::uint32_t replica, const DeliveryResult& result) {
  auto& stream = links_[replica]->stream();
  rv1::EntryBatch& batch = stream.next();
  auto& out = *batch.mutable_outcomes();
  out.Add(result.ref.id);
  out.Add(result.conn.value());
  const auto outcome = static_cast<std::uint64_t>(result.outcome);
  out.Add(result.conn == ConnId{} ? std::uint64_t{result.count} << 3U | outcome : outcome);
  stream.queued(kEnvelopeBytes);
}

void RouterClient::redial(std::uint32_t replica, const std::string& why) {
  links_[replica]->redial(why);
}

}  // namespace hy::entry
