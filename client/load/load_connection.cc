#include "client/load/load_connection.h"

#include <algorithm>

#include "client/core/message_id.h"
#include "common/wire/hello.h"
#include "common/wire/refused.h"
#include "common/wire/server_key.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::load {
namespace {

namespace pb = hy::client::v1;

constexpr std::uint16_t ack_of(int command) {
  return static_cast<std::uint16_t>(command | wire::kTypeAck);
}

}  // namespace

LoadConnection::LoadConnection(Shared& shared, Totals& totals, const Hooks& hooks, Uid uid,
                               Bytes token)
    : shared_(shared),
      totals_(totals),
      hooks_(hooks),
      uid_(uid),
      token_(std::move(token)),
      socket_(shared.context) {}

void LoadConnection::connect(const net::Tcp::endpoint& to, const asio::ip::address& from) {
  net::ErrorCode error;
  socket_.open(to.protocol(), error);
  // Binding spreads the swarm over source addresses: one address reaches one port with 28,000
  // sockets at most.
  if (!error && !from.is_unspecified()) socket_.bind({from, 0}, error);
  if (error) return fail(true);
  socket_.async_connect(to,
                        [this](const net::ErrorCode& e) { e ? fail(true) : start_handshake(); });
}

void LoadConnection::start_handshake() {
  net::ErrorCode ignored;
  socket_.set_option(net::Tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  wire::Hello hello;
  hello.suite = shared_.suite;
  hello.key_id = wire::key_id(shared_.server_key);
  wire::append_hello(hello, out_);
  handshake_ = std::make_unique<wire::NkInitiator>(*wire::find_suite(shared_.suite), as_bytes(out_),
                                                   shared_.server_key,
                                                   crypto::X25519KeyPair::generate(shared_.random));
  Bytes first;
  if (!handshake_->write_1({}, first)) return fail(true);
  wire::append_frame(wire::Outer::kHandshake1, as_bytes(first), out_);
  flush();
  wait_readable();
}

void LoadConnection::wait_readable() {
  if (closed_) return;
  socket_.async_wait(net::Tcp::socket::wait_read, [this](const net::ErrorCode& e) {
    if (!e) on_readable();
  });
}

void LoadConnection::on_readable() {
  net::ErrorCode error;
  const std::size_t n = socket_.read_some(asio::buffer(shared_.buffer), error);
  if (error == asio::error::would_block) return wait_readable();
  if (error || !take(std::span(shared_.buffer).first(n))) return fail(!ready_);
  flush_later();
  wait_readable();
}

bool LoadConnection::take(std::span<std::uint8_t> input) {
  for (;;) {
    const auto state =
        handshake_ ? wire::ReadState::kClientHandshake : wire::ReadState::kClientOpen;
    const auto frame = decoder_.next(input, state);
    if (!frame) return false;
    if (!*frame) return true;
    if (!on_frame(**frame)) return false;
  }
}

bool LoadConnection::on_frame(const wire::Frame& frame) {
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
  if (!inner) return false;
  on_inner(*inner);
  return true;
}

void LoadConnection::login() {
  pb::LoginRequest login;
  login.set_token(token_);
  login.set_uid(uid_.value());
  login.set_slot(static_cast<std::uint32_t>(shared_.slot));
  login.set_device_id(shared_.device_prefix + std::to_string(uid_.value()));
  login.set_conn_counter(shared_.conn_counter);
  login.set_client_version("load");
  request(pb::LOGIN, next_request_++, login.SerializeAsString());
}

void LoadConnection::on_inner(const wire::Inner& inner) {
  if (inner.type == ack_of(pb::LOGIN)) {
    if ((inner.flags & wire::kFlagRefused) != 0) {
      if (const auto refusal = wire::decode_refused(inner.body))
        totals_.last_refusal = refusal->error.code;
      return fail(true);
    }
    ready_ = true;
    ++totals_.logged_in;
    token_.clear();
    token_.shrink_to_fit();
    request(pb::SYNC, next_request_++, pb::SyncRequest().SerializeAsString());
    if (hooks_.on_ready) hooks_.on_ready(*this);
  } else if (inner.type == ack_of(pb::SEND)) {
    on_send_ack(inner);
  } else if (inner.type == pb::PUSH) {
    on_push(inner);
  } else if (inner.type == pb::RECEIPT) {
    pb::Receipts receipts;
    receipts.ParseFromArray(inner.body.data(), static_cast<int>(inner.body.size()));
    for (const pb::Receipt& receipt : receipts.receipts()) {
      if (receipt.kind() == pb::DELIVERED)
        receipted_to_ = std::max(receipted_to_, receipt.up_to_seq());
    }
    const auto covered =
        std::ranges::partition(own_seqs_, [&](std::uint64_t seq) { return seq > receipted_to_; });
    totals_.receipted += covered.size();
    own_seqs_.erase(covered.begin(), covered.end());
  }
}

void LoadConnection::know(std::uint64_t seq) {
  highest_seq_ = std::max(highest_seq_, seq);
  ++known_seqs_;
}

void LoadConnection::on_send_ack(const wire::Inner& inner) {
  const auto it = std::ranges::find(waiting_, inner.request_id, &Waiting::request_id);
  if (it == waiting_.end()) return;
  const MonoTime sent = it->sent;
  waiting_.erase(it);
  if ((inner.flags & wire::kFlagRefused) != 0) {
    ++totals_.refused;
    if (const auto refusal = wire::decode_refused(inner.body)) {
      totals_.last_refusal = refusal->error.code;
      if (refusal->error.retry_after.count() > 0) ++totals_.refused_with_time;
    }
    return;
  }
  pb::SendAnswer answer;
  answer.ParseFromArray(inner.body.data(), static_cast<int>(inner.body.size()));
  if (answer.ack() == pb::RELAYED) {
    ++totals_.relayed;
    return;
  }
  ++totals_.stored;
  know(answer.seq());
  if (answer.seq() <= receipted_to_) {
    ++totals_.receipted;  // the receipt overtook the answer on another stream
  } else {
    own_seqs_.push_back(answer.seq());
  }
  if (hooks_.on_stored) hooks_.on_stored(*this, sent);
}

void LoadConnection::on_push(const wire::Inner& inner) {
  pb::Push push;
  push.ParseFromArray(inner.body.data(), static_cast<int>(inner.body.size()));
  unacked_push_ = inner.request_id;
  dirty_ = true;
  if (push.sender() == uid_.value()) return;
  if (push.seq() == last_pushed_) {
    ++totals_.twice;
  } else if (push.seq() < last_pushed_) {
    ++totals_.disorder;
  } else {
    know(push.seq());
    ++totals_.pushed;
  }
  last_pushed_ = std::max(last_pushed_, push.seq());
  if (hooks_.on_pushed) hooks_.on_pushed(*this);
}

void LoadConnection::send(Uid to, std::string_view body) {
  pb::SendRequest send;
  send.set_client_msg_id(
      client::make_message_id(SystemClock().wall_ms(), shared_.random).to_bytes());
  send.set_to_uid(to.value());
  send.set_kind(1);
  send.set_body(body.data(), body.size());
  send.set_try_number(1);
  waiting_.push_back({next_request_, std::chrono::steady_clock::now()});
  ++totals_.sent;
  request(pb::SEND, next_request_++, send.SerializeAsString());
}

void LoadConnection::ping() {
  request(pb::PING, next_request_++, {});
}

void LoadConnection::request(std::uint16_t type, std::uint32_t request_id, std::string_view body) {
  const wire::Inner inner{type, 0, request_id, as_bytes(body)};
  if (!wire::seal_frame(transport_, inner, {}, out_)) return fail(!ready_);
  flush_later();
}

void LoadConnection::flush_later() {
  if (closed_ || (out_.empty() && !dirty_)) return;
  flush();
}

void LoadConnection::flush() {
  if (dirty_) {
    dirty_ = false;
    const wire::Inner ack{static_cast<std::uint16_t>(pb::PUSH_ACK), 0, unacked_push_};
    if (!wire::seal_frame(transport_, ack, {}, out_)) return fail(false);
  }
  net::ErrorCode error;
  const std::size_t n = socket_.write_some(asio::buffer(out_), error);
  if (error && error != asio::error::would_block) return fail(!ready_);
  out_.erase(0, error ? 0 : n);
  if (out_.empty()) {
    if (out_.capacity() > 4'096) Bytes().swap(out_);
    return;
  }
  socket_.async_wait(net::Tcp::socket::wait_write, [this](const net::ErrorCode& e) {
    if (!e && !closed_) flush();
  });
}

void LoadConnection::fail(bool before_login) {
  if (closed_) return;
  ++(before_login ? totals_.login_failed : totals_.lost_connections);
  close();
}

void LoadConnection::close() {
  closed_ = true;
  ready_ = false;
  net::ErrorCode ignored;
  socket_.close(ignored);
}

}  // namespace hy::load
