#include "entry/rpc/logic_client.h"

#include <atomic>
#include <utility>

#include "common/obs/log.h"
#include "entry/rpc/session_proto.h"
#include "hy/logic/v1/entry_stream.pb.h"

namespace hy::entry {
namespace {

namespace lv1 = logic::v1;

constexpr std::uint32_t kStreamVersion = 1;
// What an envelope costs besides its body, for the queue's bound.
constexpr std::size_t kEnvelopeBytes = 96;

}  // namespace

class LogicClient::Link final : public rpc::ClientEvents<lv1::EntryBatch, lv1::LogicBatch> {
 public:
  Link(rpc::Loop& loop, std::uint32_t index, EntryName name, std::uint64_t incarnation,
       std::string target, std::string peer_name, const rpc::TlsFiles& tls)
      : loop_(loop),
        index_(index),
        name_(std::move(name)),
        incarnation_(incarnation),
        peer_name_(std::move(peer_name)),
        client_(
            loop,
            {.target = std::move(target),
             .method = kMethod,
             .peer_name = peer_name_.substr(peer_name_.find('-') + 1),  // as its certificate says
             .peer_role = "logic",
             .tls = tls},
            *this) {}

  void start(Hub& hub) {
    hub_ = &hub;
    client_.start();
  }
  void stop() { client_.stop(); }
  [[nodiscard]] bool is_up() const { return up_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::string& peer_name() const { return peer_name_; }
  [[nodiscard]] rpc::Stream<lv1::EntryBatch>& stream() { return stream_; }

  void on_up(rpc::Stream<lv1::EntryBatch> stream) override {
    stream_ = stream;
    common::v1::Hello& hello = *stream_.next().mutable_hello();
    hello.set_role("entry");
    hello.set_name(name_.name);
    hello.set_incarnation(incarnation_);
    hello.set_version_low(kStreamVersion);
    hello.set_version_high(kStreamVersion);
    hello.set_entry_id(name_.id.value());
    hello.set_topology_version(name_.topology_version);
    stream_.queued(kEnvelopeBytes);
    up_.store(true, std::memory_order_relaxed);
    log::info("logic_up", {{"peer", peer_name_}});
    hub_->on_logic_up(index_);
  }

  void on_batch(lv1::LogicBatch& batch) override {
    const MonoTime now = loop_.now();
    for (lv1::Reply& reply : *batch.mutable_replies()) {
      hub_->on_reply(index_, to_reply(reply), now);
    }
    if (batch.has_goodbye()) leave(batch.goodbye());
  }

  void on_down(const std::string& why) override {
    stream_ = {};
    up_.store(false, std::memory_order_relaxed);
    log::warn("logic_down", {{"peer", peer_name_}, {"why", why}});
    hub_->on_logic_down(index_, loop_.now());
  }

 private:
  static LogicReply to_reply(lv1::Reply& in) {
    LogicReply out;
    out.id = in.id();
    out.answer.type = static_cast<std::uint16_t>(in.type());
    out.answer.flags = static_cast<std::uint16_t>(in.flags());
    out.answer.body = std::move(*in.mutable_body());
    out.answer.refused = static_cast<Errc>(in.refused_code());
    out.answer.close = in.close_code() > 0;
    out.answer.close_why = static_cast<Errc>(in.close_code());
    out.answer.no_compress = in.no_compress();
    if (in.has_session_opened()) out.session_opened = from_proto(in.session_opened());
    out.heartbeat = Millis{in.heartbeat_ms()};
    return out;
  }

  void leave(const common::v1::Goodbye& goodbye) {
    log::info("logic_leaves", {{"peer", peer_name_}, {"detail", goodbye.detail()}});
  }

  rpc::Loop& loop_;
  std::uint32_t index_;
  EntryName name_;
  std::uint64_t incarnation_;
  std::string peer_name_;
  Hub* hub_ = nullptr;
  rpc::Stream<lv1::EntryBatch> stream_;
  std::atomic<bool> up_{false};
  rpc::Client client_;  // last: its callbacks use the rest
};

LogicClient::LogicClient(rpc::Loop& loop, EntryName name, std::uint64_t incarnation,
                         const std::vector<std::string>& targets,
                         const std::vector<std::string>& peer_names, const rpc::TlsFiles& tls) {
  for (std::uint32_t i = 0; i < targets.size(); ++i) {
    links_.push_back(
        std::make_unique<Link>(loop, i, name, incarnation, targets[i], peer_names[i], tls));
  }
}

LogicClient::~LogicClient() = default;

void LogicClient::start(Hub& hub) {
  for (const auto& link : links_) link->start(hub);
}

void LogicClient::goodbye(Errc code, const std::string& detail) {
  for (const auto& link : links_) {
    auto& stream = link->stream();
    if (!stream) continue;
    common::v1::Goodbye& out = *stream.next().mutable_goodbye();
    out.set_code(static_cast<std::uint32_t>(code));
    out.set_detail(detail);
    stream.queued(kEnvelopeBytes);
  }
}

void LogicClient::stop() {
  for (const auto& link : links_) link->stop();
}

std::size_t LogicClient::up_count() const {
  return links_.size() - missing().size();
}

std::vector<std::string> LogicClient::missing() const {
  std::vector<std::string> out;
  for (const auto& link : links_) {
    if (!link->is_up()) out.push_back(link->peer_name());
  }
  return out;
}

bool LogicClient::has_room(std::uint32_t logic) const {
  return links_[logic]->stream().has_room();
}

void LogicClient::forward(std::uint32_t logic, std::uint64_t id, const Command& command,
                          Millis remaining) {
  auto& stream = links_[logic]->stream();
  lv1::Forward& out = *stream.next().add_forwards();
  out.set_id(id);
  out.set_conn(command.conn.value());
  if (command.session) to_proto(*command.session, *out.mutable_session());
  out.set_type(command.type);
  out.set_request_id(command.request_id);
  out.set_body(command.body);
  out.set_remaining_ms(static_cast<std::uint32_t>(remaining.count()));
  out.set_trace(command.trace.value());
  out.set_dyed(command.dyed);
  out.set_peer_ip(command.peer_ip);
  stream.queued(kEnvelopeBytes + command.body.size());
}

void LogicClient::confirm(std::uint32_t logic, const Confirm& confirm) {
  auto& stream = links_[logic]->stream();
  lv1::Confirm& out = *stream.next().add_confirms();
  out.set_uid(confirm.uid.value());
  out.set_slot(static_cast<std::uint32_t>(confirm.slot));
  out.set_conversation(confirm.conversation.to_bytes());
  out.set_seq(confirm.seq.value());
  out.set_sender(confirm.sender.value());
  if (confirm.seq == Seq{}) out.set_client_msg_id(confirm.client_msg_id.to_bytes());
  out.set_trace(confirm.trace.value());
  stream.queued(kEnvelopeBytes);
}

void LogicClient::closed(std::uint32_t logic, ConnId conn, const Session& session) {
  auto& stream = links_[logic]->stream();
  lv1::SessionClosed& out = *stream.next().add_closed();
  out.set_conn(conn.value());
  to_proto(session, *out.mutable_session());
  stream.queued(kEnvelopeBytes);
}

}  // namespace hy::entry
