#include "logic/rpc/entry_service.h"

#include <algorithm>
#include <limits>

#include "common/obs/log.h"
#include "common/obs/trace.h"
#include "logic/command/client_body.h"
#include "logic/command/dispatcher.h"
#include "logic/delivery/receipts.h"
#include "logic/metrics.h"
#include "logic/rpc/hello.h"

namespace hy::logic {
namespace pb = hy::logic::v1;
namespace {

constexpr std::size_t kReplyOverheadBytes = 64;
constexpr std::size_t kSessionBytes = 48;

SessionInfo session_of(const hy::common::v1::Session& in) {
  SessionInfo out;
  out.uid = Uid{in.uid()};
  // A slot that does not exist has no valid grant: the HMAC covers it.
  out.slot = is_valid_slot(in.slot()) ? static_cast<Slot>(in.slot()) : Slot::kNone;
  out.auth_epoch = in.auth_epoch();
  out.conn_counter = in.conn_counter();
  out.grant_expires_s = in.grant_expires_s();
  // Of another length it is none: zeros never pass.
  if (in.grant().size() == out.grant.size()) std::ranges::copy(in.grant(), out.grant.begin());
  return out;
}

void fill(const SessionInfo& session, hy::common::v1::Session& out) {
  out.set_uid(session.uid.value());
  out.set_slot(static_cast<std::uint32_t>(session.slot));
  out.set_auth_epoch(session.auth_epoch);
  out.set_conn_counter(session.conn_counter);
  out.set_grant_expires_s(session.grant_expires_s);
  out.set_grant(session.grant.data(), session.grant.size());
}

}  // namespace

/// One stream of one entry.
class EntryService::Session final : public rpc::Handler<Out, In> {
 public:
  Session(EntryService& service, rpc::Stream<Out> stream, std::uint64_t number)
      : service_(service), stream_(stream), number_(number) {}
  ~Session() override { service_.streams_.erase(number_); }

  void on_batch(In& batch) override { service_.take(*this, batch); }
  void on_close(const std::string& why) override {
    log::info("entry_stream_closed", {{"entry", name_}, {"why", why}});
    service_.streams_.erase(number_);
    service_.metrics_.entry_streams(static_cast<std::int64_t>(service_.streams_.size()));
  }

  EntryService& service_;
  rpc::Stream<Out> stream_;
  std::uint64_t number_;
  std::string name_;
  EntryId entry_{};
  bool has_hello_ = false;
};

EntryService::EntryService(const Clock& clock, Metrics& metrics, Options options)
    : clock_(clock), metrics_(metrics), options_(std::move(options)) {}

EntryService::~EntryService() = default;

std::unique_ptr<rpc::Handler<EntryService::Out, EntryService::In>> EntryService::make_handler(
    rpc::Stream<Out> stream) {
  auto session = std::make_unique<Session>(*this, stream, ++last_stream_);
  streams_.emplace(session->number_, session.get());
  metrics_.entry_streams(static_cast<std::int64_t>(streams_.size()));
  fill_hello(options_.instance, options_.incarnation, *stream.next().mutable_hello());
  stream.queued(kReplyOverheadBytes);
  return session;
}

// Without a Hello of an entry nothing is taken: its number is part of every grant.
void EntryService::take(Session& session, In& batch) {
  if (batch.has_hello() && !session.has_hello_) {
    const auto& hello = batch.hello();
    const bool is_entry = hello.role() == "entry" && hello.entry_id() > 0 &&
                          hello.entry_id() <= std::numeric_limits<std::uint16_t>::max();
    // With certificates an entry is who its certificate says, not who it says.
    const rpc::PeerInfo& peer = session.stream_.peer();
    const bool is_itself = !peer.authenticated || hello.name() == peer.role + "-" + peer.name;
    if (!is_entry || !is_itself || !speaks_our_version(hello)) {
      log::warn("entry_hello_failed", {{"code", Errc::kBadVersion}, {"peer", hello.name()}});
      return session.stream_.close();
    }
    session.name_ = hello.name();
    session.entry_ = EntryId{static_cast<std::uint16_t>(hello.entry_id())};
    session.has_hello_ = true;
    log::info("entry_stream_opened", {{"entry", session.name_}, {"entry_id", session.entry_}});
  }
  if (!session.has_hello_) return session.stream_.close();
  // One time for the batch: what stands behind in it waits, and that is queueing time.
  const MonoTime arrival = clock_.now();
  for (pb::Forward& in : *batch.mutable_forwards()) forward(session, in, arrival);
  for (const pb::Confirm& in : batch.confirms()) {
    if (in.conversation().size() != 16) continue;
    metrics_.confirmed();
    receipts_->confirmed(
        {.by = Uid{in.uid()},
         .by_slot = is_valid_slot(in.slot()) ? static_cast<Slot>(in.slot()) : Slot::kNone,
         .conversation = ConversationId::from_bytes(in.conversation()),
         .seq = Seq{in.seq()},
         .sender = Uid{in.sender()},
         .trace = TraceId{in.trace()}});
  }
}

void EntryService::forward(Session& session, pb::Forward& in, MonoTime arrival) {
  RequestContext context;
  context.stream = session.number_;
  context.entry = session.entry_;
  context.forward_id = in.id();
  context.conn = ConnId{in.conn()};
  context.type = static_cast<std::uint16_t>(in.type() & 0xFFFF);
  context.request_id = in.request_id();
  if (in.has_session()) context.session = session_of(in.session());
  context.arrival = arrival;
  const Millis remaining{in.remaining_ms() == 0 ? options_.deadline_max.count()
                                                : static_cast<std::int64_t>(in.remaining_ms())};
  context.deadline = context.arrival + std::min(remaining, options_.deadline_max);
  context.trace =
      in.trace() != 0 ? TraceId{in.trace()} : make_trace_id(options_.incarnation, ++last_request_);
  context.dyed = in.dyed();
  if (!in.peer_ip().empty()) context.peer_ip = in.peer_ip();
  ++in_flight_;
  dispatcher_->dispatch(std::move(context), in.body());
}

void EntryService::reply(const RequestContext& context, Answer answer) {
  --in_flight_;
  const auto it = streams_.find(context.stream);
  if (it == streams_.end()) return;  // the entry is gone, and with it whoever asked
  Session& session = *it->second;
  if (!session.stream_.has_room()) return;  // the device asks again
  pb::Reply& out = *session.stream_.next().add_replies();
  out.set_id(context.forward_id);
  out.set_conn(context.conn.value());
  out.set_type(answer.type);
  out.set_flags(answer.refused ? kFlagRefused : 0U);
  out.set_request_id(context.request_id);
  std::size_t bytes = answer.body.size() + kReplyOverheadBytes;
  out.set_body(std::move(answer.body));
  if (answer.session_opened) {
    fill(*answer.session_opened, *out.mutable_session_opened());
    bytes += kSessionBytes;
  }
  if (answer.close != Errc::kOk) out.set_close_code(static_cast<std::uint32_t>(answer.close));
  out.set_no_compress(answer.no_compress);
  out.set_trace(context.trace.value());
  out.set_heartbeat_ms(static_cast<std::uint32_t>(answer.heartbeat.count()));
  if (answer.refused) out.set_refused_code(static_cast<std::uint32_t>(answer.code));
  session.stream_.queued(bytes);
}

void EntryService::say_goodbye() {
  for (const auto& [number, session] : streams_) {
    auto& goodbye = *session->stream_.next().mutable_goodbye();
    goodbye.set_code(static_cast<std::uint32_t>(Errc::kDraining));
    goodbye.set_detail("logic is about to stop");
    session->stream_.queued(kReplyOverheadBytes);
  }
}

}  // namespace hy::logic
