#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "common/base/random.h"
#include "common/wire/noise_session.h"
#include "tests/vectors/noise_interpreter.h"

namespace hy::vectors {
namespace {

using google::protobuf::Struct;

struct Message {
  Bytes payload;
  Bytes ciphertext;
};
struct Vector {
  Protocol protocol;
  Party initiator;
  Party responder;
  Bytes handshake_hash;
  std::vector<Message> messages;
};
struct Vectors {
  std::vector<Vector> known;
  int unknown = 0;
};

Bytes hex_field(const Struct& in, const std::string& name) {
  const auto it = in.fields().find(name);
  return it == in.fields().end() ? Bytes() : from_hex(it->second.string_value()).value();
}

Party party_of(const Struct& in, const std::string& who) {
  Party out{.prologue = hex_field(in, who + "_prologue"),
            .static_private = hex_field(in, who + "_static"),
            .ephemeral_private = hex_field(in, who + "_ephemeral"),
            .remote_static = hex_field(in, who + "_remote_static"),
            .psks = {}};
  const auto psks = in.fields().find(who + "_psks");
  if (psks != in.fields().end())
    for (const auto& psk : psks->second.list_value().values())
      out.psks.push_back(from_hex(psk.string_value()).value());
  return out;
}

/// Adds the vectors of one file; false when it is not a file of this form.
bool load(const std::filesystem::path& path, Vectors& out) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!text.str().starts_with("{")) return false;
  Struct root;
  if (!google::protobuf::util::JsonStringToMessage(text.str(), &root).ok()) return false;
  const auto vectors = root.fields().find("vectors");
  if (vectors == root.fields().end()) return false;
  for (const auto& value : vectors->second.list_value().values()) {
    const Struct& item = value.struct_value();
    Vector v;
    const auto name = item.fields().find("protocol_name");
    if (name == item.fields().end() || !parse_protocol(name->second.string_value(), v.protocol)) {
      ++out.unknown;
      continue;
    }
    v.initiator = party_of(item, "init");
    v.responder = party_of(item, "resp");
    v.handshake_hash = hex_field(item, "handshake_hash");
    for (const auto& message : item.fields().at("messages").list_value().values())
      v.messages.push_back({hex_field(message.struct_value(), "payload"),
                            hex_field(message.struct_value(), "ciphertext")});
    out.known.push_back(std::move(v));
  }
  return true;
}

/// Read once. Empty and with a message when HY_NOISE_VECTORS is not set.
const Vectors& public_vectors() {
  static const Vectors all = [] {
    Vectors out;
    const char* folder = std::getenv("HY_NOISE_VECTORS");
    if (folder == nullptr) return out;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      const bool taken = load(entry.path(), out);
      std::cout << entry.path().filename().string() << (taken ? ": read\n" : ": not vectors\n");
    }
    return out;
  }();
  return all;
}

#define HY_NEEDS_PUBLIC_VECTORS()                                                                 \
  if (std::getenv("HY_NOISE_VECTORS") == nullptr)                                                 \
  GTEST_SKIP() << "HY_NOISE_VECTORS is not set: the public Noise vectors were not run, only our " \
                  "own"

void run_interpreter(const Vector& v) {
  Interpreter initiator(v.protocol, true, v.initiator);
  Interpreter responder(v.protocol, false, v.responder);
  for (std::size_t i = 0; i < v.messages.size(); ++i) {
    const bool from_initiator = v.protocol.one_way || i % 2 == 0;
    Interpreter& sender = from_initiator ? initiator : responder;
    Interpreter& receiver = from_initiator ? responder : initiator;
    const Message& m = v.messages[i];
    Bytes text;
    if (!sender.done()) {
      ASSERT_EQ(to_hex(as_bytes(sender.write(m.payload))), to_hex(as_bytes(m.ciphertext)));
      ASSERT_TRUE(receiver.read(m.ciphertext, text));
    } else {
      ASSERT_EQ(sender.sending().encrypt("", m.payload), m.ciphertext);
      ASSERT_TRUE(receiver.receiving().decrypt("", m.ciphertext, text));
    }
    ASSERT_EQ(text, m.payload);
  }
  EXPECT_EQ(initiator.handshake_hash(), v.handshake_hash);
  EXPECT_EQ(responder.handshake_hash(), v.handshake_hash);
}

TEST(PublicVectors, InterpreterPassesAll) {
  HY_NEEDS_PUBLIC_VECTORS();
  const Vectors& all = public_vectors();
  for (const Vector& v : all.known) {
    SCOPED_TRACE(v.protocol.name);
    run_interpreter(v);
    if (HasFatalFailure()) return;
  }
  std::cout << all.known.size() << " vectors run, " << all.unknown << " of unknown form\n";
  EXPECT_GT(all.known.size(), 0U) << "the folder holds no vectors";
  EXPECT_EQ(all.unknown, 0);
}

const wire::ChannelSuite* suite_of(std::string_view noise_name) {
  for (const std::uint8_t number : {wire::kSuiteAesGcm, wire::kSuiteChaChaPoly})
    if (wire::find_suite(number)->noise_name == noise_name) return wire::find_suite(number);
  return nullptr;
}

crypto::X25519KeyPair pair_of(const Bytes& private_key) {
  return crypto::X25519KeyPair::from_private(as_bytes(private_key).first<32>());
}

Bytes seal(wire::Transport& t, const Bytes& ad, const Bytes& text) {
  Bytes out(text.size() + 16, '\0');
  EXPECT_TRUE(t.seal(as_bytes(ad), as_bytes(text), reinterpret_cast<std::uint8_t*>(out.data())));
  return out;
}

Bytes open(wire::Transport& t, const Bytes& ad, Bytes sealed) {
  const auto text =
      t.open(as_bytes(ad), {reinterpret_cast<std::uint8_t*>(sealed.data()), sealed.size()});
  EXPECT_TRUE(text);
  return text ? Bytes(as_text(*text)) : Bytes("failed");
}

/// What the production channel says for the inputs of a vector.
struct Production {
  Bytes one;
  Bytes two;
  Bytes hash;
  wire::Transport client;
  wire::Transport server;
};

Production run_production(const wire::ChannelSuite& suite, const Party& init, const Party& resp,
                          const Bytes& payload_1, const Bytes& payload_2) {
  Production out;
  wire::NkInitiator initiator(suite, as_bytes(init.prologue),
                              as_bytes(init.remote_static).first<32>(),
                              pair_of(init.ephemeral_private));
  const auto static_key = pair_of(resp.static_private);
  wire::NkResponder responder(suite, as_bytes(resp.prologue), static_key);
  Bytes payload;
  EXPECT_TRUE(initiator.write_1(as_bytes(payload_1), out.one));
  EXPECT_TRUE(responder.read_1(as_bytes(out.one), payload));
  EXPECT_EQ(payload, payload_1);
  auto server = responder.write_2(pair_of(resp.ephemeral_private), as_bytes(payload_2), out.two);
  auto client = initiator.read_2(as_bytes(out.two), payload);
  EXPECT_TRUE(server && client);
  EXPECT_EQ(payload, payload_2);
  EXPECT_EQ(initiator.handshake_hash(), responder.handshake_hash());
  out.hash = Bytes(as_text(initiator.handshake_hash()));
  if (server) out.server = std::move(*server);
  if (client) out.client = std::move(*client);
  return out;
}

TEST(PublicVectors, ProductionPassesItsSuites) {
  HY_NEEDS_PUBLIC_VECTORS();
  int run = 0;
  for (const Vector& v : public_vectors().known) {
    const wire::ChannelSuite* suite = suite_of(v.protocol.name);
    if (suite == nullptr) continue;
    SCOPED_TRACE(v.protocol.name);
    ++run;
    ASSERT_GE(v.messages.size(), 2U);
    Production p = run_production(*suite, v.initiator, v.responder, v.messages[0].payload,
                                  v.messages[1].payload);
    EXPECT_EQ(p.one, v.messages[0].ciphertext);
    EXPECT_EQ(p.two, v.messages[1].ciphertext);
    EXPECT_EQ(p.hash, v.handshake_hash);
    for (std::size_t i = 2; i < v.messages.size(); ++i) {
      auto& sender = i % 2 == 0 ? p.client : p.server;
      auto& receiver = i % 2 == 0 ? p.server : p.client;
      EXPECT_EQ(seal(sender, "", v.messages[i].payload), v.messages[i].ciphertext);
      EXPECT_EQ(open(receiver, "", v.messages[i].ciphertext), v.messages[i].payload);
    }
  }
  EXPECT_EQ(run, 2);
}

Bytes random_bytes(SeededRandom& random, std::size_t size) {
  Bytes out(size, '\0');
  random.fill({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

/// HY_NOISE_TRANSCRIPTS raises the number; 1,000,000 before a release.
TEST(RandomTranscripts, ProductionEqualsTheInterpreter) {
  const char* wanted = std::getenv("HY_NOISE_TRANSCRIPTS");
  const long count = wanted != nullptr ? std::atol(wanted) : 2000;
  SeededRandom random(20'261'121);
  for (long i = 0; i < count; ++i) {
    const wire::ChannelSuite& suite = *wire::find_suite(i % 2 == 0 ? 1 : 2);
    Protocol protocol;
    ASSERT_TRUE(parse_protocol(suite.noise_name, protocol));
    Party init{.prologue = random_bytes(random, random.below(144)),
               .static_private = {},
               .ephemeral_private = random_bytes(random, 32),
               .remote_static = {},
               .psks = {}};
    Party resp{.prologue = init.prologue,
               .static_private = random_bytes(random, 32),
               .ephemeral_private = random_bytes(random, 32),
               .remote_static = {},
               .psks = {}};
    init.remote_static = key_pair("25519", resp.static_private).public_key;
    const Bytes payload_1 = random_bytes(random, random.below(64));
    const Bytes payload_2 = random_bytes(random, random.below(64));
    Interpreter initiator(protocol, true, init);
    Interpreter responder(protocol, false, resp);
    Production p = run_production(suite, init, resp, payload_1, payload_2);
    Bytes text;
    ASSERT_EQ(initiator.write(payload_1), p.one) << i;
    ASSERT_TRUE(responder.read(p.one, text));
    ASSERT_EQ(responder.write(payload_2), p.two) << i;
    ASSERT_TRUE(initiator.read(p.two, text));
    ASSERT_EQ(initiator.handshake_hash(), p.hash);
    const std::uint64_t frames = 1 + random.below(8);
    for (std::uint64_t f = 0; f < frames; ++f) {
      const Bytes ad = random_bytes(random, 16);
      const Bytes body = random_bytes(random, random.below(200));
      const bool up = random.below(2) == 0;
      const Bytes sealed = seal(up ? p.client : p.server, ad, body);
      auto& cipher = up ? initiator.sending() : responder.sending();
      ASSERT_EQ(cipher.encrypt(ad, body), sealed) << i << " " << f;
      ASSERT_EQ(open(up ? p.server : p.client, ad, sealed), body);
    }
  }
  std::cout << count << " random transcripts are equal\n";
}

/// Across the rekey, which no public vector reaches: production against the interpreter.
TEST(Rekey, ProductionEqualsTheInterpreterAcrossTwoRekeys) {
  for (const std::uint8_t number : {wire::kSuiteAesGcm, wire::kSuiteChaChaPoly}) {
    const wire::ChannelSuite& suite = *wire::find_suite(number);
    const Bytes key(32, 'k');
    const crypto::SecretKey32 secret(as_bytes(key).first<32>());
    wire::Transport transport(suite, secret, secret);
    Protocol protocol;
    ASSERT_TRUE(parse_protocol(suite.noise_name, protocol));
    CipherState cipher(protocol.cipher, key);
    for (int n = 0; n < 2 * 65'536 + 2; ++n) {
      ASSERT_EQ(seal(transport, "header", "text"), cipher.encrypt("header", "text")) << n;
      if (cipher.n() % 65'536 == 0) cipher.rekey();
    }
  }
}

}  // namespace
}  // namespace hy::vectors
