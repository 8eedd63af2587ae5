
#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"
#include "common/obs/trace.h"
#include "common/wire/hello.h"
#include "entry/net/shard.h"
#include "entry/session/small_bodies.h"

namespace hy::entry {
namespace {

/// Gathered confirmations, and whoever comes next makes room by handing all of them up.
constexpr std::size_t kConfirmsMax = 8'192;

}  // namespace

void Shard::on_readable(Connection& c) {
  if (!c.reading) {
    close(c, Errc::kOk);  // nothing was asked for, so this is the peer's end
    return;
  }
  const Sockets::Moved got = sockets_.receive(c.fd, read_buffer_);
  if (got.outcome == Sockets::Outcome::kWouldBlock) return;
  if (got.outcome == Sockets::Outcome::kEnded) {
    close(c, c.closing ? c.close_why : Errc::kOk);
    return;
  }
  if (c.closing) return;  // only its end is of interest
  metrics_.bytes_in(got.bytes);
  c.heard_ms = now_ms();
  consume(c, std::span(read_buffer_).first(got.bytes));
}

bool Shard::consume(Connection& c, std::span<std::uint8_t> input) {
  // A decoder is kept only by a connection with an unfinished frame.
  wire::FrameDecoder scratch;
  const bool has_own = c.activity != nullptr;
  wire::FrameDecoder& decoder = has_own ? activity(c).decoder : scratch;
  const bool was_inside = decoder.is_inside_frame();
  bool took_frame = false;
  for (;;) {
    if (c.activity && !c.activity->handshake.empty()) {
      if (input.empty()) return true;
      close(c, Errc::kWrongState);  // nobody can know a key before HANDSHAKE_2
      return false;
    }
    if (c.in_flight >= options_.in_flight_max && c.fsm.is_open()) {
      set_interest(c, false, c.blocked);
      activity(c).unread.append(as_text(input));
      break;
    }
    auto frame = decoder.next(input, c.fsm.read_state());
    if (!frame) {
      close(c, frame.error().code);
      return false;
    }
    if (!*frame) break;
    took_frame = true;
    if (!on_frame(c, **frame)) return false;
    if (c.closing) return true;
  }
  if (decoder.is_inside_frame()) {
    Activity& a = activity(c);
    if (!has_own) a.decoder = std::move(scratch);
    if (!was_inside || took_frame) {
      a.frame_since_ms = now_ms();
      arm(c, kFrameGrace);
    }
  }
  return true;
}

bool Shard::on_frame(Connection& c, const wire::Frame& frame) {
  switch (frame.header.command) {
    case wire::Outer::kHello: return on_hello(c, frame);
    case wire::Outer::kHandshake1:
      if (!c.fsm.on_handshake()) return true;
      if (frame.body.size() < wire::kHandshakeBytesMin) break;
      // Before any key is computed: a flood costs a line of this length and no more.
      if (handshakes_.size() >= options_.handshakes_waiting_max) {
        close(c, Errc::kOverloaded);
        return false;
      }
      activity(c).handshake.assign(as_text(frame.body));
      handshakes_.push_back(id_of(c));
      return true;
    case wire::Outer::kData: return on_data(c, frame);
    case wire::Outer::kKeyNotice:
    case wire::Outer::kHandshake2: break;
  }
  close(c, Errc::kHandshakeFailed);
  return false;
}

const ServerKey* Shard::find_key(const wire::KeyId& id) const {
  for (const ServerKey& key : options_.keys) {
    if (key.id == id) return &key;
  }
  return nullptr;
}

bool Shard::on_hello(Connection& c, const wire::Frame& frame) {
  const auto hello = wire::parse_hello(frame.body);
  if (!hello) {
    close(c, hello.error().code);
    return false;
  }
  const ServerKey* key = find_key(hello->key_id);
  switch (c.fsm.on_hello(key != nullptr, options_.notice.has_value())) {
    case HelloAction::kProceed: {
      Activity& a = activity(c);
      a.prologue = wire::hello_prologue(frame.header_bytes, frame.body);
      a.suite = wire::find_suite(hello->suite);
      a.server_key = &key->pair;
      return true;
    }
    case HelloAction::kNotice:
      wire::append_frame(wire::Outer::kKeyNotice, *options_.notice, activity(c).unsent);
      mark_dirty(c);
      return true;
    case HelloAction::kClose: break;
  }
  close(c, Errc::kUnknownServerKey);
  return false;
}

void Shard::run_handshakes() {
  if (handshakes_.empty()) return;
  std::size_t taken = 0;
  for (std::uint32_t made = 0; taken < handshakes_.size() && made < options_.handshakes_per_turn;) {
    Connection* c = table_.find(handshakes_[taken++]);
    if (c == nullptr) continue;  // has gone while it waited: costs nothing
    finish_handshake(*c);
    ++made;
  }
  handshakes_.erase(handshakes_.begin(), handshakes_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (handshakes_.empty() || more_handshakes_posted_) return;
  // The rest waits for the next turn: those who are logged in come first.
  more_handshakes_posted_ = true;
  post_([this] {
    more_handshakes_posted_ = false;
    now_ = clock_.now();
    end_turn();
  });
}

void Shard::finish_handshake(Connection& c) {
  Activity& a = activity(c);
  HY_CHECK(a.suite != nullptr && a.server_key != nullptr);
  wire::NkResponder responder(*a.suite, as_bytes(a.prologue), *a.server_key);
  Bytes payload;
  if (!responder.read_1(as_bytes(a.handshake), payload)) {
    close(c, Errc::kHandshakeFailed);
    return;
  }
  if (spare_pairs_.empty()) spare_pairs_.push_back(crypto::X25519KeyPair::generate(random_));
  const crypto::X25519KeyPair pair = std::move(spare_pairs_.back());
  spare_pairs_.pop_back();
  Bytes answer;
  auto transport = responder.write_2(pair, {}, answer);
  if (!transport) {
    close(c, Errc::kHandshakeFailed);
    return;
  }
  c.transport = std::move(*transport);
  wire::append_frame(wire::Outer::kHandshake2, as_bytes(answer), a.unsent);
  a.prologue.clear();
  a.handshake.clear();
  a.suite = nullptr;
  a.server_key = nullptr;
  sync_point("entry.after_handshake");
  c.fsm.on_channel_up();
  metrics_.handshake(static_cast<double>(now_ms() - c.accepted_ms) / 1'000.0);
  mark_dirty(c);
  arm_next(c);
}

bool Shard::on_data(Connection& c, const wire::Frame& frame) {
  const bool is_open = c.fsm.is_open();
  const auto inner = wire::open_frame(
      c.transport, frame, is_open ? wire::Compression::kAllowed : wire::Compression::kForbidden,
      inflated_);
  if (!inner) {
    if (mutant(Mutant::kNonceMovesOnFailure) && inner.error().code == Errc::kBadFrame) return true;
    close(c, inner.error().code);
    return false;
  }
  metrics_.frame_in(inner->type);
  const InnerVerdict verdict = c.fsm.on_inner(inner->type, inner->flags);
  switch (verdict.action) {
    case InnerAction::kClose: close(c, verdict.code); return false;
    case InnerAction::kRefuse: refuse(c, *inner, verdict.code, Millis{0}); return true;
    case InnerAction::kPushAck: return on_push_ack(c, PushNumber{inner->request_id});
    case InnerAction::kLogin:
    case InnerAction::kForward: break;
  }
  on_command(c, *inner, verdict.action == InnerAction::kLogin);
  return true;
}

void Shard::on_command(Connection& c, const wire::Inner& inner, bool is_login) {
  if (!is_login && !c.frames.take(now_ms(), options_.frames)) {
    refuse(c, inner, Errc::kRateLimited, c.frames.wait(options_.frames));
    return;
  }
  if (hub_backlog_ + up_.commands.size() + pings_.size() >= options_.waiting_commands_max) {
    if (is_login) (void)c.fsm.on_login_refused();
    refuse(c, inner, Errc::kOverloaded, kOverloadedRetry);
    return;
  }
  const bool is_ping = inner.type == inner_type::kPing;
  if (!is_login && !is_ping && logics_full_.load(std::memory_order_relaxed)) {
    refuse(c, inner, Errc::kOverloaded, kOverloadedRetry);
    return;
  }
  ++commands_;
  sync_point("entry.command_before_hub");
  // Nobody waits for a PONG either: the hub is woken once a tick for all of them.
  Command& command = is_ping ? pings_.emplace_back() : up_.commands.emplace_back();
  command.conn = id_of(c);
  if (is_login) {
    command.peer_ip = c.address.text();
    c.seen_login = true;
  } else {
    command.session = c.session;
  }
  command.type = inner.type;
  command.request_id = inner.request_id;
  command.body.assign(as_text(inner.body));
  command.deadline = now_ + options_.command_within;
  command.trace = make_trace_id(options_.incarnation + options_.shard, ++traces_);
  // A PING waits for others, and nobody is to wait behind it.
  if (!is_ping) ++c.in_flight;
}

void Shard::refuse(Connection& c, const wire::Inner& inner, Errc code, Millis retry_after) {
  metrics_.refused_command(code);
  queue_frame(c, inner.type | inner_type::kAnswerBit, wire::kFlagRefused, inner.request_id,
              code == Errc::kOverloaded ? overloaded_ : refused_body(code, retry_after), false,
              patience_with_refusal(c, code));
}

bool Shard::on_push_ack(Connection& c, PushNumber number) {
  acked_.confirmed.clear();
  acked_.waiters.clear();
  PushWindow* window = c.activity ? activity(c).window.get() : nullptr;
  const bool is_known =
      window != nullptr ? window->ack(number, now_, c.round_trip, acked_) : number < c.next_push;
  if (!is_known) {
    close(c, Errc::kBadFrame);
    return false;
  }
  if (acked_.confirmed.empty()) {
    // A repeated acknowledgement is fine, a stream of them is not worth answers.
    if (!c.frames.take(now_ms(), options_.frames)) return true;
  } else {
    sync_point("entry.after_push_ack_before_forward");
    metrics_.window_shrank(static_cast<std::int64_t>(acked_.confirmed.size()));
    confirm(c);
    if (window->empty()) {
      c.next_push = window->next();
      c.activity->window.reset();
    }
    recover_queue(c);
  }
  queue_frame(c, inner_type::kPushAck | inner_type::kAnswerBit, 0, number.value(), {}, false,
              Patience::kOk);
  return true;
}

void Shard::confirm(const Connection& c) {
  const ConnId conn = id_of(c);
  for (const auto& payload : acked_.confirmed) {
    // Only another person's message earns a receipt.
    const bool earns = payload->type == inner_type::kPush && !payload->no_receipt &&
                       payload->sender != Uid{} && payload->sender != c.session.uid;
    if (!earns) continue;
    confirms_.add({.conn = conn,
                   .uid = c.session.uid,
                   .slot = c.session.slot,
                   .conversation = payload->conversation,
                   .seq = payload->seq,
                   .sender = payload->sender,
                   .client_msg_id = payload->client_msg_id,
                   .trace = payload->trace});
    ask_soon();
  }
  if (confirms_.size() >= kConfirmsMax) confirms_.take(up_.confirms);
  for (const DeliveryRef& waiter : acked_.waiters) {
    up_.results.push_back({.ref = waiter, .conn = conn, .outcome = DeliverOutcome::kAcked});
  }
}

}  // namespace hy::entry
