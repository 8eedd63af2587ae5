#include "client/load/light_client.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "client/load/proto_scan.h"
#include "common/crypto/x25519.h"
#include "common/wire/hello.h"
#include "common/wire/refused.h"
#include "common/wire/server_key.h"
#include "hy/client/v1/command.pb.h"

namespace hy::load {
namespace {

namespace pb = hy::client::v1;

constexpr std::uint32_t kLoginRequest = 0x8000'0001;
constexpr std::uint32_t kSyncRequest = 0x8000'0002;
constexpr std::uint32_t kPingRequest = 0x8000'0003;
constexpr std::uint32_t kPullRequest = 0x8000'0004;
constexpr std::uint32_t kAskRequest = 0x8000'0005;
constexpr std::size_t kKeptOutBytes = 4'096;

constexpr std::uint16_t ack_of(int command) {
  return static_cast<std::uint16_t>(command | wire::kTypeAck);
}

/// Errors of the generator's own host, rather than of the way or the server.
Blame blame_of(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EINVAL: return Blame::kMine;
    default: return Blame::kKernel;
  }
}

bool parse_push(ByteView message, PushView& out) {
  FieldReader in(message);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        if (in.bytes().size() != 16) return false;
        out.conversation = ConversationId::from_bytes(as_text(in.bytes()));
        break;
      case 2: out.seq = in.number(); break;
      case 3: out.sender = Uid{in.number()}; break;
      case 4: out.id = as_text(in.bytes()); break;
      case 5: out.kind = static_cast<std::uint32_t>(in.number()); break;
      case 6: out.body = as_text(in.bytes()); break;
      case 8: out.is_provisional = in.number() != 0; break;
      default: break;
    }
  }
  return !in.is_broken() && out.id.size() == 16;
}

}  // namespace

std::string_view blame_name(Blame blame) {
  static constexpr std::string_view kNames[kBlames] = {"nobody",  "mine",   "kernel",
                                                       "refused", "server", "broken"};
  return kNames[static_cast<std::size_t>(blame)];
}

LightClient::~LightClient() {
  close();
}

void LightClient::connect(const sockaddr_in& to, in_addr from) {
  close();
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return fail(blame_of(errno));
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (from.s_addr != 0) {
    // The port is chosen at connect(), where it must differ per destination alone.
    ::setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr = from;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
      return fail(Blame::kMine);
  }
  state_ = State::kConnecting;
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS)
    return fail(blame_of(errno));
  if (!shared_.loop.add(fd_, *this)) fail(Blame::kMine);
}

void LightClient::start_handshake() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(blame_of(error));
  state_ = State::kHandshake;
  wire::Hello hello;
  hello.suite = shared_.suite;
  hello.key_id = wire::key_id(shared_.server_key);
  wire::append_hello(hello, out_);
  handshake_ = std::make_unique<wire::NkInitiator>(*wire::find_suite(shared_.suite), as_bytes(out_),
                                                   shared_.server_key,
                                                   crypto::X25519KeyPair::generate(shared_.random));
  Bytes first;
  if (!handshake_->write_1({}, first)) return fail(Blame::kBroken);
  wire::append_frame(wire::Outer::kHandshake1, as_bytes(first), out_);
  shared_.loop.mark_dirty(*this);
}

void LightClient::on_events(std::uint32_t events) {
  if (state_ == State::kConnecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) start_handshake();
    return;
  }
  if ((events & EPOLLOUT) != 0 && !out_.empty()) shared_.loop.mark_dirty(*this);
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  read_all((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
}

void LightClient::read_all(bool to_end) {
  for (;;) {
    const ssize_t n = ::recv(fd_, shared_.buffer.data(), shared_.buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) return fail(blame_of(errno));
    if (n == 0) return fail(refused_ == Errc::kOk ? Blame::kServer : Blame::kRefused, refused_);
    const auto got = static_cast<std::size_t>(n);
    const std::uint32_t life = life_;
    if (!take(std::span(shared_.buffer).first(got))) return fail(Blame::kBroken);
    if (life_ != life) return;
    // A short read of a stream socket has emptied it (epoll(7)); an end that was announced follows.
    if (got < shared_.buffer.size() && !to_end) return;
  }
}

bool LightClient::take(std::span<std::uint8_t> input) {
  const std::uint32_t life = life_;
  for (;;) {
    const auto state =
        handshake_ ? wire::ReadState::kClientHandshake : wire::ReadState::kClientOpen;
    const auto frame = decoder_.next(input, state);
    if (!frame) return false;
    if (!*frame) return true;
    const bool is_good = on_frame(**frame);
    if (life_ != life) return true;  // it was closed, or dialled anew, while the frame was handled
    if (!is_good) return false;
  }
}

bool LightClient::on_frame(const wire::Frame& frame) {
  if (handshake_) {
    Bytes payload;
    auto transport = handshake_->read_2(frame.body, payload);
    handshake_.reset();
    if (!transport) return false;
    transport_ = *transport;
    login();
    return true;
  }
  const auto inner =
      wire::open_frame(transport_, frame, wire::Compression::kAllowed, shared_.scratch);
  return inner && on_inner(*inner);
}

void LightClient::login() {
  state_ = State::kLogin;
  ++conn_counter_;
  Bytes& body = shared_.body;
  body.clear();
  put_bytes(body, 1, token_);
  put_number(body, 2, uid_.value());
  put_number(body, 5, static_cast<std::uint64_t>(shared_.slot));
  put_bytes(body, 6, shared_.device_prefix + std::to_string(uid_.value()));
  put_number(body, 7, conn_counter_);
  put_bytes(body, 8, "load");
  request(pb::LOGIN, kLoginRequest, body);
}

bool LightClient::on_inner(const wire::Inner& inner) {
  switch (inner.type) {
    case ack_of(pb::SEND): return on_send_answer(inner);
    case pb::PUSH: return on_push_frame(inner);
    case pb::RECEIPT: return on_receipts(inner);
    case ack_of(pb::LOGIN): return on_login_answer(inner);
    case ack_of(pb::PULL): return on_pull_answer(inner);
    case ack_of(pb::SYNC): return on_sync_answer(inner);
    case pb::SYNC_HINT: shared_.listener.on_hint(*this); return true;
    case pb::KICKED:
      if (const auto refusal = wire::decode_refused(inner.body)) refused_ = refusal->error.code;
      return true;
    default:
      if (asked_ == 0 || inner.type != ack_of(asked_)) return true;
      return on_asked_answer(inner);
  }
}

bool LightClient::on_asked_answer(const wire::Inner& inner) {
  Errc code = Errc::kOk;
  if ((inner.flags & wire::kFlagRefused) != 0) {
    const auto refusal = wire::decode_refused(inner.body);
    code = refusal ? refusal->error.code : Errc::kMalformedBody;
  }
  shared_.listener.on_answer(*this, std::exchange(asked_, std::uint16_t{0}), code, inner.body);
  return true;
}

bool LightClient::on_login_answer(const wire::Inner& inner) {
  if ((inner.flags & wire::kFlagRefused) != 0) {
    const auto refusal = wire::decode_refused(inner.body);
    if (refusal && refusal->error.code == Errc::kStaleEpoch)
      conn_counter_ = std::max(conn_counter_, refusal->conn_counter);
    fail(Blame::kRefused, refusal ? refusal->error.code : Errc::kBadFrame);
    return true;
  }
  client::AckTerms ack;
  FieldReader in(inner.body);
  while (in.next()) {
    if (in.field() == 6) heartbeat_ms_ = static_cast<std::uint32_t>(in.number());
    if (in.field() == 7) storm_window_ms_ = static_cast<std::uint32_t>(in.number());
    if (in.field() == 14) ack.within = Millis(static_cast<std::uint32_t>(in.number()));
    if (in.field() == 15) ack.owed_max = static_cast<std::uint32_t>(in.number());
    if (in.field() == 16) ack.bytes_max = static_cast<std::uint32_t>(in.number());
  }
  if (in.is_broken()) return false;
  ack_patience_ = client::AckPatience(ack);
  state_ = State::kOpen;
  if (shared_.sync_at_login) sync({});
  shared_.listener.on_open(*this);
  return true;
}

bool LightClient::on_send_answer(const wire::Inner& inner) {
  SendReply reply;
  if ((inner.flags & wire::kFlagRefused) != 0) {
    if (as_text(inner.body) != shared_.refused_body) {
      shared_.refused_body = as_text(inner.body);
      const auto refusal = wire::decode_refused(inner.body);
      shared_.refused = refusal ? refusal->error : Error{Errc::kMalformedBody, {}, {}};
    }
    reply.code = shared_.refused.code;
    reply.retry_after = shared_.refused.retry_after;
  } else {
    FieldReader in(inner.body);
    while (in.next()) {
      if (in.field() == 1 && in.number() == 1) reply.kind = SendReply::Kind::kStored;
      if (in.field() == 1 && in.number() == 2) reply.kind = SendReply::Kind::kRelayed;
      if (in.field() == 3) reply.seq = in.number();
      if (in.field() == 5) reply.is_repeat = in.number() != 0;
    }
    if (in.is_broken()) return false;
  }
  shared_.listener.on_reply(*this, inner.request_id, reply);
  return true;
}

bool LightClient::on_push_frame(const wire::Inner& inner) {
  PushView push;
  if (!parse_push(inner.body, push)) return false;
  const MonoTime now = shared_.loop.now();
  ack_patience_.pushed(now, inner.body.size());
  // One that comes again was not heard of; of a provisional one the sender's answer hangs on it.
  if (push.is_provisional || inner.request_id <= unacked_push_) ack_patience_.at_once(now);
  unacked_push_ = std::max(unacked_push_, inner.request_id);
  shared_.loop.mark_dirty(*this);
  shared_.listener.on_push(*this, inner.request_id, push);
  return true;
}

bool LightClient::on_receipts(const wire::Inner& inner) {
  FieldReader all(inner.body);
  while (all.next()) {
    if (all.field() != 1) continue;
    FieldReader in(all.bytes());
    ConversationId conversation{};
    std::uint64_t up_to = 0;
    Uid by{};
    bool is_delivered = false;
    while (in.next()) {
      if (in.field() == 1 && in.bytes().size() == 16)
        conversation = ConversationId::from_bytes(as_text(in.bytes()));
      if (in.field() == 2) up_to = in.number();
      if (in.field() == 3) by = Uid{in.number()};
      if (in.field() == 5) is_delivered = in.number() == 1;
    }
    if (in.is_broken()) return false;
    if (is_delivered) shared_.listener.on_receipt(*this, conversation, up_to, by);
  }
  return !all.is_broken();
}

bool LightClient::on_pull_answer(const wire::Inner& inner) {
  if ((inner.flags & wire::kFlagRefused) != 0) {
    shared_.listener.on_slice(*this, {}, {}, 0, false);
    return true;
  }
  ConversationId conversation{};
  std::vector<PushView> rows;
  std::uint64_t head = 0;
  bool more = false;
  FieldReader in(inner.body);
  while (in.next()) {
    if (in.field() == 1 && in.bytes().size() == 16)
      conversation = ConversationId::from_bytes(as_text(in.bytes()));
    if (in.field() == 2 && !parse_push(in.bytes(), rows.emplace_back())) return false;
    if (in.field() == 3) head = in.number();
    if (in.field() == 4) more = in.number() != 0;
  }
  if (in.is_broken()) return false;
  // Rows of a slice do not repeat the conversation that they are asked for by.
  for (PushView& row : rows) row.conversation = conversation;
  shared_.listener.on_slice(*this, conversation, rows, head, more);
  return true;
}

bool LightClient::on_sync_answer(const wire::Inner& inner) {
  if ((inner.flags & wire::kFlagRefused) != 0) {
    const auto refusal = wire::decode_refused(inner.body);
    shared_.listener.on_sync_refused(*this, refusal ? refusal->error.retry_after : Millis{0});
    return true;
  }
  std::vector<std::pair<ConversationId, std::uint64_t>> heads;
  bool more = false;
  FieldReader all(inner.body);
  while (all.next()) {
    if (all.field() == 5) more = all.number() != 0;
    if (all.field() != 1) continue;
    FieldReader in(all.bytes());
    auto& [conversation, head] = heads.emplace_back();
    while (in.next()) {
      if (in.field() == 1 && in.bytes().size() == 16)
        conversation = ConversationId::from_bytes(as_text(in.bytes()));
      if (in.field() == 3) head = in.number();
    }
    if (in.is_broken()) return false;
  }
  if (all.is_broken()) return false;
  shared_.listener.on_heads(*this, heads, more);
  return true;
}

void LightClient::send(std::uint32_t number, Uid to, std::string_view id, std::string_view body) {
  send(number, 2, to.value(), id, body);
}

void LightClient::send(std::uint32_t number, Gid to, std::string_view id, std::string_view body) {
  send(number, 7, to.value(), id, body);
}

void LightClient::ask(std::uint16_t type, std::string_view body) {
  asked_ = type;
  request(type, kAskRequest, body);
}

void LightClient::send(std::uint32_t number, std::uint32_t field, std::uint64_t to,
                       std::string_view id, std::string_view body) {
  Bytes& out = shared_.body;
  out.clear();
  put_bytes(out, 1, id);
  put_number(out, field, to);
  put_number(out, 3, 1);
  put_bytes(out, 4, body);
  put_number(out, 6, 1);
  request(pb::SEND, number, out);
}

void LightClient::ping() {
  request(pb::PING, kPingRequest, {});
}

void LightClient::pull(ConversationId conversation, std::uint64_t from, std::uint64_t to) {
  Bytes& out = shared_.body;
  out.clear();
  put_bytes(out, 1, conversation.to_bytes());
  put_number(out, 2, from);
  put_number(out, 3, to);
  request(pb::PULL, kPullRequest, out);
}

void LightClient::sync(std::string_view page_after) {
  Bytes& out = shared_.body;
  out.clear();
  if (!page_after.empty()) put_bytes(out, 3, page_after);
  request(pb::SYNC, kSyncRequest, out);
}

void LightClient::request(std::uint16_t type, std::uint32_t request_id, std::string_view body) {
  const wire::Inner inner{type, 0, request_id, as_bytes(body)};
  if (!wire::seal_frame(transport_, inner, {}, out_)) return fail(Blame::kBroken);
  shared_.loop.mark_dirty(*this);
}

void LightClient::on_turn_end() {
  if (fd_ < 0) return;
  const MonoTime ack_due = ack_patience_.due();
  const bool owes_ack = ack_due != MonoTime::max() && state_ == State::kOpen;
  if (owes_ack && out_.empty() && ack_due > shared_.loop.now()) {
    shared_.loop.call_later(*this, ack_due);
  } else if (owes_ack) {
    ack_patience_.sent();
    const wire::Inner ack{static_cast<std::uint16_t>(pb::PUSH_ACK), 0, unacked_push_};
    if (!wire::seal_frame(transport_, ack, {}, out_)) return fail(Blame::kBroken);
    shared_.listener.on_ack(*this, unacked_push_);
  }
  if (out_.empty()) return;
  const ssize_t n = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) return fail(blame_of(errno));
  if (n > 0) out_.erase(0, static_cast<std::size_t>(n));
  if (out_.empty() && (out_.capacity() > kKeptOutBytes || state_ != State::kOpen))
    Bytes().swap(out_);
}

void LightClient::fail(Blame blame, Errc code) {
  close();
  shared_.listener.on_closed(*this, blame, code);
}

void LightClient::close() {
  if (fd_ >= 0) {
    shared_.loop.remove(fd_, *this);
    ::close(fd_);
  }
  fd_ = -1;
  ++life_;
  state_ = State::kClosed;
  handshake_.reset();
  decoder_ = {};
  Bytes().swap(out_);
  ack_patience_ = {};
  unacked_push_ = 0;
  asked_ = 0;
  refused_ = Errc::kOk;
}

}  // namespace hy::load
