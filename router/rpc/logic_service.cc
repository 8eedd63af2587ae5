#include "router/rpc/logic_service.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/obs/log.h"

namespace hy::router {
namespace {

constexpr std::uint32_t kStreamVersion = 1;
constexpr std::size_t kSmallBytes = 32;
constexpr std::size_t kOutcomeBytes = 16;
constexpr int kQueryUidsMax = 10'000;

}  // namespace

class LogicService::LogicStream final : public rpc::Handler<Out, In> {
 public:
  LogicStream(LogicService& service, rpc::Stream<Out> stream, LogicId id)
      : service_(service), stream_(stream), id_(id) {}

  void on_batch(In& batch) override {
    if (batch.has_hello()) on_hello(batch.hello());
    if (!open_) return;
    const MonoTime now = service_.loop_.now();
    for (const v1::Deliver& deliver : batch.delivers()) on_deliver(deliver, now);
    for (const v1::KickKey& kick : batch.kicks()) {
      if (kick.slot() > kSlotMax) continue;
      service_.link_->kick(Uid{kick.uid()}, static_cast<Slot>(kick.slot()),
                           {kick.below_auth_epoch(), kick.below_conn_counter()},
                           static_cast<Errc>(kick.code()), kick.reason());
    }
    for (const v1::Query& query : batch.queries()) on_query(query, now);
  }

  void on_close(const std::string& why) override {
    if (service_.streams_.erase(id_) > 0) log::info("logic_stream_ended", {{"why", why}});
  }

  void end(Errc code, const std::string& detail) {
    service_.fill_hello(stream_.next());
    auto& goodbye = *stream_.next().mutable_goodbye();
    goodbye.set_code(static_cast<std::uint32_t>(code));
    goodbye.set_detail(detail);
    stream_.queued(detail.size() + kSmallBytes);
    open_ = false;
    stream_.close();
  }

  [[nodiscard]] rpc::Stream<Out> stream() const { return stream_; }

 private:
  void on_hello(const common::v1::Hello& hello) {
    if (hello.role() != "logic" || hello.version_low() > kStreamVersion ||
        hello.version_high() < kStreamVersion) {
      log::warn("logic_refused", {{"role", hello.role()}, {"peer", stream_.peer().address}});
      return end(Errc::kTopologyMismatch,
                 "this router speaks stream version 1 with logics, not with \"" + hello.role() +
                     "\" " + std::to_string(hello.version_low()) + " to " +
                     std::to_string(hello.version_high()));
    }
    open_ = true;
    service_.streams_[id_] = this;
    log::info("logic_hello", {{"logic", hello.name()}});
    service_.fill_hello(stream_.next());
    stream_.queued(kSmallBytes);
  }

  void on_deliver(const v1::Deliver& in, MonoTime now) {
    const Delivery delivery{.id = in.id(),
                            .type = in.type(),
                            .body = in.body(),
                            .conversation = in.conversation(),
                            .seq = in.seq(),
                            .sender = in.sender(),
                            .client_msg_id = in.client_msg_id(),
                            .remaining_ms = in.remaining_ms(),
                            .numbered = in.numbered(),
                            .until_ack = in.until_ack(),
                            .trace = in.trace(),
                            .ephemeral = in.ephemeral(),
                            .no_receipt = in.no_receipt(),
                            .brief = in.brief()};
    std::vector<Target>& targets = service_.targets_;
    targets.clear();
    for (const v1::Target& target : in.targets()) {
      targets.push_back({Uid{target.uid()}, target.slots()});
    }
    const std::size_t named = targets.size();
    for (const std::uint64_t uid : in.everyone()) {
      const bool is_named = std::ranges::any_of(
          std::span(targets).first(named), [uid](const Target& t) { return t.uid == Uid{uid}; });
      if (!is_named) targets.push_back({Uid{uid}, 0});
    }
    service_.fanout_->deliver(id_, delivery, targets, now);
  }

  void on_query(const v1::Query& query, MonoTime now) {
    if (query.uids_size() > kQueryUidsMax || !stream_.has_room()) return;
    std::vector<Uid> uids;
    uids.reserve(static_cast<std::size_t>(query.uids_size()));
    for (const std::uint64_t uid : query.uids()) uids.emplace_back(uid);
    const auto answers = service_.fanout_->query(uids, now);
    stream_.next().set_ready(service_.link_->is_ready());
    v1::QueryAnswer& out = *stream_.next().add_answers();
    out.set_id(query.id());
    for (const PlacedAnswer& answer : answers) {
      v1::Placed& placed = *out.add_placed();
      placed.set_uid(answer.uid.value());
      placed.set_slots_found(answer.slots_found);
      placed.set_unknown(answer.unknown);
    }
    stream_.queued(kSmallBytes + answers.size() * kOutcomeBytes);
  }

  LogicService& service_;
  rpc::Stream<Out> stream_;
  LogicId id_;
  bool open_ = false;
};

LogicService::LogicService(rpc::Loop& loop, Identity identity)
    : loop_(loop), identity_(std::move(identity)) {}

void LogicService::bind(RouterLink& link, DeliverFanout& fanout) {
  link_ = &link;
  fanout_ = &fanout;
}

std::unique_ptr<rpc::RawHandler> LogicService::open(rpc::Stream<Out> stream) {
  HY_CHECK(link_ != nullptr);
  return std::make_unique<LogicStream>(*this, stream, LogicId{++last_logic_});
}

void LogicService::fill_hello(Out& batch) const {
  auto& hello = *batch.mutable_hello();
  hello.set_role("router");
  hello.set_name(identity_.instance);
  hello.set_incarnation(identity_.boot);
  hello.set_version_low(kStreamVersion);
  hello.set_version_high(kStreamVersion);
  hello.set_topology_version(identity_.topology_version);
  batch.set_ready(link_->is_ready());
}

void LogicService::results(LogicId logic, std::uint64_t id,
                           std::span<const TargetOutcome> outcomes) {
  const auto found = streams_.find(logic);
  // A full queue towards a logic that does not read: it takes silence for "unknown" by deadline.
  if (found == streams_.end() || !found->second->stream().has_room()) return;
  const auto stream = found->second->stream();
  stream.next().set_ready(link_->is_ready());
  auto& out = *stream.next().mutable_outcomes();
  for (const TargetOutcome& outcome : outcomes) {
    const bool is_count = outcome.uid == Uid{};
    const std::uint64_t high = is_count ? outcome.count : static_cast<std::uint64_t>(outcome.slot);
    out.Add(id);
    out.Add(outcome.uid.value());
    out.Add(high << 3U | static_cast<std::uint64_t>(outcome.result));
  }
  stream.queued(kSmallBytes + outcomes.size() * kOutcomeBytes);
}

void LogicService::tell_ready(bool changed) {
  for (const auto& logic : streams_) {
    const auto stream = logic.second->stream();
    if (!stream.has_room()) continue;
    stream.next().set_ready(link_->is_ready());
    if (changed) stream.next().set_ready_changed(true);
    stream.queued(kSmallBytes);
  }
}

void LogicService::goodbye(Errc code, const std::string& detail) {
  const auto all = std::exchange(streams_, {});
  for (const auto& logic : all) logic.second->end(code, detail);
}

}  // namespace hy::router
