#include "tests/vectors/conversation.h"

#include <cstdio>

#include "common/base/check.h"
#include "common/wire/hello.h"
#include "common/wire/inner.h"
#include "common/wire/key_notice.h"
#include "common/wire/refused.h"
#include "common/wire/token.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::vectors {
namespace {

constexpr std::int64_t kServerMs = 1'763'700'000'000;

crypto::Bytes32 counted(std::uint8_t from) {
  crypto::Bytes32 out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(from + i);
  return out;
}

Bytes session_token(const crypto::Ed25519Key& key) {
  return wire::sign_token({.slot = Slot::kPhone,
                           .kind = wire::TokenKind::kSession,
                           .uid = Uid{1001},
                           .device = wire::device_hash("device-1"),
                           .auth_epoch = 1,
                           .issued_s = kServerMs / 1000,
                           .expires_s = kServerMs / 1000 + 86'400,
                           .audience = wire::audience_of("demo"),
                           .id = {0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA,
                                  0xAB, 0xAC, 0xAD, 0xAE, 0xAF}},
                          1, key);
}

wire::KeyNoticeBytes notice_for(const crypto::Bytes32& server_public,
                                const crypto::Ed25519Key& root) {
  return wire::sign_key_notice({.root = 0,
                                .key_epoch = 2,
                                .min_epoch = 1,
                                .public_key = server_public,
                                .not_before_s = kServerMs / 1000,
                                .not_after_s = kServerMs / 1000 + 90 * 86'400,
                                .audience = wire::audience_of("demo")},
                               root);
}

// The bodies, in the order of the conversation.

Bytes login_body(const Bytes& token) {
  client::v1::LoginRequest m;
  m.set_token(token);
  m.set_slot(1);
  m.set_device_id("device-1");
  m.set_conn_counter(7);
  m.set_client_version("vectors");
  return m.SerializeAsString();
}

Bytes login_ack_body() {
  client::v1::LoginAnswer m;
  m.set_uid(1001);
  m.set_name("ana");
  m.set_auth_epoch(1);
  m.set_conn_counter(7);
  m.set_heartbeat_ms(240'000);
  m.set_storm_window_ms(10'000);
  m.set_server_ms(kServerMs);
  m.set_change_counter(41);
  m.set_store_epoch(1);
  return m.SerializeAsString();
}

const Bytes kClientMsgId =
    Bytes("\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");

Bytes send_body() {
  client::v1::SendRequest m;
  m.set_client_msg_id(kClientMsgId);
  m.set_to_uid(1002);
  m.set_kind(1);
  m.set_body("hello");
  m.set_try_number(1);
  return m.SerializeAsString();
}

Bytes send_ack_body() {
  client::v1::SendAnswer m;
  m.set_ack(client::v1::STORED);
  m.set_conversation(ConversationId::pair(Uid{1001}, Uid{1002}).to_bytes());
  m.set_seq(1);
  m.set_server_ms(kServerMs + 5);
  return m.SerializeAsString();
}

Bytes push_body() {
  client::v1::Push m;
  m.set_conversation(ConversationId::pair(Uid{1001}, Uid{1002}).to_bytes());
  m.set_seq(2);
  m.set_sender(1002);
  m.set_client_msg_id(Bytes(16, '\x2a'));
  m.set_kind(1);
  m.set_body("hello yourself");
  m.set_server_ms(kServerMs + 900);
  return m.SerializeAsString();
}

Bytes receipt_body() {
  client::v1::Receipts m;
  auto* r = m.add_receipts();
  r->set_conversation(ConversationId::pair(Uid{1001}, Uid{1002}).to_bytes());
  r->set_up_to_seq(1);
  r->set_by_uid(1002);
  r->set_by_slot(1);
  r->set_kind(client::v1::DELIVERED);
  return m.SerializeAsString();
}

Bytes ping_ack_body() {
  client::v1::PingAnswer m;
  m.set_change_counter(43);
  m.set_server_ms(kServerMs + 240'000);
  return m.SerializeAsString();
}

Bytes refused_body() {
  return wire::encode_refused(
      {Errc::kRateLimited, "5 messages a second", std::chrono::milliseconds(1500)});
}

/// 1,200 bytes of "message N of the slice; ", N = 0, 1, 2 …, as one zstd frame. It is fixed:
/// another compressor may write other bytes; every decompressor reads these.
Bytes packed_body() {
  return from_hex(
             "28b52ffd60b00375040082c40d13a0ab03cbb1ca26e3ff1b7afe36a558ecbfaa01e8ffffffb66ddb76db"
             "b66d4b922449020d4270972bea5898b4529e21ce805562a4544d302090a3d203a0801764a0040f64a004"
             "0f6441010f6441012fc840012fc840091ec840091ec882021ec8024a1ff0f8816c2f28fa83970764f840"
             "b90b9efd20d7018dbe30b5d4a766b5d4b766b5a84f54c6be080f")
      .value();
}

struct Recorder {
  Conversation out;
  wire::Transport client;
  wire::Transport server;

  void clear_frame(std::string name, bool from_client, Bytes wire) {
    out.frames.push_back({.name = std::move(name),
                          .from_client = from_client,
                          .is_data = false,
                          .body = {},
                          .inner = {},
                          .wire = std::move(wire)});
  }
  void data(std::string name, bool from_client, wire::Inner inner,
            std::size_t wire_bytes_max = limits::kBodyBytesMax) {
    wire::Transport& sender = from_client ? client : server;
    wire::Transport& receiver = from_client ? server : client;
    RecordedFrame f{.name = std::move(name),
                    .from_client = from_client,
                    .n = sender.sent_frames(),
                    .type = inner.type,
                    .request_id = inner.request_id,
                    .body = Bytes(as_text(inner.body)),
                    .inner = {},
                    .wire = {}};
    HY_CHECK(wire::seal_frame(sender, inner, {.wire_bytes_max = wire_bytes_max}, f.wire));
    Bytes sealed = f.wire;
    auto* p = reinterpret_cast<std::uint8_t*>(sealed.data());
    const auto text = receiver.open({p, 16}, {p + 16, sealed.size() - 16});
    HY_CHECK(text.has_value());
    f.inner = Bytes(as_text(*text));
    f.flags = get_be<std::uint16_t>(text->data() + 2);
    out.frames.push_back(std::move(f));
  }
};

void record_handshake(Recorder& r, std::uint8_t suite_number, const crypto::X25519KeyPair& server) {
  const wire::ChannelSuite& suite = *wire::find_suite(suite_number);
  Bytes hello;
  wire::append_hello(
      {.suite = suite_number, .sdk = 0x00010000, .key_id = wire::key_id(server.public_key())},
      hello);
  wire::NkInitiator initiator(
      suite, as_bytes(hello), server.public_key(),
      crypto::X25519KeyPair::from_private(as_bytes(r.out.client_ephemeral).first<32>()));
  wire::NkResponder responder(suite, as_bytes(hello), server);
  Bytes one;
  Bytes two;
  Bytes payload;
  HY_CHECK(initiator.write_1({}, one).has_value());
  HY_CHECK(responder.read_1(as_bytes(one), payload).has_value());
  auto server_side = responder.write_2(
      crypto::X25519KeyPair::from_private(as_bytes(r.out.server_ephemeral).first<32>()), {}, two);
  auto client_side = initiator.read_2(as_bytes(two), payload);
  HY_CHECK(server_side.has_value() && client_side.has_value());
  r.server = *server_side;
  r.client = *client_side;
  r.out.facts.emplace_back("handshake_hash", to_hex(initiator.handshake_hash()));
  r.clear_frame("HELLO", true, hello);
  Bytes frame_1;
  wire::append_frame(wire::Outer::kHandshake1, as_bytes(one), frame_1);
  r.clear_frame("HANDSHAKE_1", true, frame_1);
  Bytes frame_2;
  wire::append_frame(wire::Outer::kHandshake2, as_bytes(two), frame_2);
  r.clear_frame("HANDSHAKE_2", false, frame_2);
}

void record_commands(Recorder& r, const Bytes& token) {
  const auto say = [&r](const char* name, bool from_client, std::uint16_t type,
                        std::uint32_t request_id, const Bytes& body, std::uint16_t flags = 0) {
    r.data(name, from_client,
           {.type = type, .flags = flags, .request_id = request_id, .body = as_bytes(body)});
  };
  const Bytes login = login_body(token);
  r.data("LOGIN", true, {.type = 0x0001, .request_id = 1, .body = as_bytes(login)},
         limits::kBodyBeforeLoginMax);
  say("LOGIN acknowledgement", false, 0x8001, 1, login_ack_body());
  say("SEND", true, 0x0101, 2, send_body());
  say("SEND acknowledgement (STORED)", false, 0x8101, 2, send_ack_body());
  say("RECEIPT (delivered)", false, 0x4002, 0, receipt_body());
  say("PUSH, number 1", false, 0x4001, 1, push_body());
  say("PUSH_ACK up to 1", true, 0x0102, 1, "");
  say("PUSH_ACK acknowledgement (ok)", false, 0x8102, 1, "");
  say("PING", true, 0x0003, 3, "");
  say("PING acknowledgement", false, 0x8003, 3, ping_ack_body());
  say("SEND, the same message again", true, 0x0101, 4, send_body());
  say("SEND acknowledgement (refused)", false, 0x8101, 4, refused_body(), wire::kFlagRefused);
  say("An acknowledgement with a compressed body", false, 0x8202, 5, packed_body(),
      wire::kFlagCompressed);
}

std::string wrapped(const std::string& label, const Bytes& bytes) {
  constexpr std::size_t kPerLine = 80;
  const std::string hex = to_hex(as_bytes(bytes));
  std::string out;
  for (std::size_t at = 0; at == 0 || at < hex.size(); at += kPerLine)
    out += (at == 0 ? label + std::string(8 - label.size(), ' ') : std::string(8, ' ')) +
           hex.substr(at, kPerLine) + "\n";
  return out;
}

std::string hex16(std::uint16_t value) {
  char text[8];
  (void)std::snprintf(text, sizeof text, "0x%04x", value);
  return text;
}

}  // namespace

Conversation record_conversation(std::uint8_t suite) {
  Recorder r;
  const auto server = crypto::X25519KeyPair::from_private(counted(0x01));
  const auto token_key = crypto::Ed25519Key::from_seed(counted(0x61));
  const auto root = crypto::Ed25519Key::from_seed(counted(0x81));
  r.out.server_private = Bytes(as_text(counted(0x01)));
  r.out.client_ephemeral = Bytes(as_text(counted(0x21)));
  r.out.server_ephemeral = Bytes(as_text(counted(0x41)));
  const Bytes token = session_token(token_key);
  r.out.facts = {
      {"suite", std::to_string(suite)},
      {"noise_name", std::string(wire::find_suite(suite)->noise_name)},
      {"server_static_private", to_hex(counted(0x01))},
      {"server_static_public", to_hex(server.public_key())},
      {"client_ephemeral_private", to_hex(counted(0x21))},
      {"server_ephemeral_private", to_hex(counted(0x41))},
      {"cluster", "demo"},
      {"audience", to_hex(wire::audience_of("demo"))},
      {"token_key_seed", to_hex(counted(0x61))},
      {"token_key_public", to_hex(token_key.public_key())},
      {"token", to_hex(as_bytes(token))},
      {"root_seed", to_hex(counted(0x81))},
      {"root_public", to_hex(root.public_key())},
      {"key_notice", to_hex(notice_for(server.public_key(), root))},
  };
  record_handshake(r, suite, server);
  record_commands(r, token);
  return r.out;
}

std::string to_json(const Conversation& conversation) {
  std::string out = "{\n";
  for (const auto& [name, value] : conversation.facts)
    out += "  \"" + name + "\": \"" + value + "\",\n";
  out += "  \"frames\": [\n";
  for (const RecordedFrame& f : conversation.frames) {
    out += "    {\"name\": \"" + f.name + "\", \"from\": \"" +
           (f.from_client ? "client" : "server") + "\",\n";
    if (f.is_data) {
      out += "     \"n\": " + std::to_string(f.n) + ", \"type\": " + std::to_string(f.type) +
             ", \"flags\": " + std::to_string(f.flags) +
             ", \"request_id\": " + std::to_string(f.request_id) + ",\n";
      out += "     \"body\": \"" + to_hex(as_bytes(f.body)) + "\",\n";
      out += "     \"inner\": \"" + to_hex(as_bytes(f.inner)) + "\",\n";
    }
    out += "     \"frame\": \"" + to_hex(as_bytes(f.wire)) + "\"}";
    out += &f == &conversation.frames.back() ? "\n" : ",\n";
  }
  return out + "  ]\n}\n";
}

std::string to_markdown(const Conversation& conversation) {
  std::string out = "```\n";
  for (const auto& [name, value] : conversation.facts) {
    constexpr std::size_t kPerLine = 80;
    for (std::size_t at = 0; at == 0 || at < value.size(); at += kPerLine)
      out += (at == 0 ? name + std::string(26 - name.size(), ' ') : std::string(26, ' ')) +
             value.substr(at, kPerLine) + "\n";
  }
  out += "```\n";
  for (const RecordedFrame& f : conversation.frames) {
    out += "\n" + f.name + ", " + (f.from_client ? "client → server" : "server → client");
    if (f.is_data)
      out += ": n = " + std::to_string(f.n) + ", type " + hex16(f.type) + ", flags " +
             hex16(f.flags) + ", request_id " + std::to_string(f.request_id);
    out += "\n\n```\n";
    if (f.is_data) out += wrapped("body", f.body) + wrapped("inner", f.inner);
    out += wrapped("frame", f.wire) + "```\n";
  }
  return out;
}

}  // namespace hy::vectors
