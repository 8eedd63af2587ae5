#include "common/wire/noise_session.h"

#include <gtest/gtest.h>

#include <set>

#include "common/wire/rekey_hook.h"
#include "tests/unit/common/wire/wire_support.h"

namespace hy::wire {
namespace {

using test::Channel;
using test::key32;
using test::make_channel;
using test::unhex;
using test::writable;

struct SelfMade {
  std::uint8_t suite;
  const char* key;
  const char* sealed_0;
  const char* rekeyed;
  const char* sealed_65536;
};
// Header as AD and rekey, which no public vector covers; made with an independent implementation.
constexpr SelfMade kSelfMade[] = {
    {1, "2a2b04c2bbc4d5cc8085992a5dfbc72d5ab21505c092cca5108869faf60556d1",
     "7760508252b31f56882287c93683779e4605d9c6a69b079ad813fab991",
     "6bf365ed1816297610c8ee4c785b6e3986db1d04859e16a44fb369eb5677cef5",
     "4cc36be1b17bac79467959bf8b255cf1662cf915bc9a661efd944d825f"},
    {2, "a7f345b0181da7b70c79c182ac68d511c4332e69c4e3ee28ee68aed44601f222",
     "e102c2ddcc5cf06454d447f34773abf5cbe59335a2eed31c85db79742d",
     "a37d2545bacf8a531c74ee10eac511eb46a1f5cd31d9581c9b9cb076491b530d",
     "f12e17421603976d476ed2bcb3071e833d53e7819ada4f4dd1e44fde77"},
};
const Bytes kHeader = unhex("000100004859494d000000050000001d");
const Bytes kText = unhex("010100000000000768656c6c6f");

Bytes seal(Transport& t, ByteView ad, ByteView text) {
  Bytes out(text.size() + 16, '\0');
  EXPECT_TRUE(t.seal(ad, text, writable(out).data()));
  return out;
}

class Suites : public testing::TestWithParam<std::uint8_t> {};
INSTANTIATE_TEST_SUITE_P(Both, Suites, testing::Values(kSuiteAesGcm, kSuiteChaChaPoly));

TEST(SelfMadeVectors, HeaderAsAdAndRekey) {
  for (const SelfMade& v : kSelfMade) {
    const crypto::SecretKey32 key(key32(v.key));
    Transport sender(*find_suite(v.suite), key, key);
    EXPECT_EQ(to_hex(as_bytes(seal(sender, as_bytes(kHeader), as_bytes(kText)))), v.sealed_0);
    TransportTestAccess::set_send(sender, 65'535);
    (void)seal(sender, as_bytes(kHeader), as_bytes(kText));
    EXPECT_EQ(sender.sent_frames(), 65'536U) << "rekey must not touch n";
    EXPECT_EQ(to_hex(TransportTestAccess::send_key(sender)), v.rekeyed);
    EXPECT_EQ(to_hex(as_bytes(seal(sender, as_bytes(kHeader), as_bytes(kText)))), v.sealed_65536);

    Transport receiver(*find_suite(v.suite), key, key);
    Bytes sealed = unhex(v.sealed_0);
    const auto text = receiver.open(as_bytes(kHeader), writable(sealed));
    ASSERT_TRUE(text);
    EXPECT_EQ(as_text(*text), kText);
  }
}

TEST_P(Suites, EmptyFirstPayloadsAnd48Bytes) {
  SeededRandom random(1);
  const auto server = crypto::X25519KeyPair::generate(random);
  NkInitiator i(*find_suite(GetParam()), as_bytes("p"), server.public_key(),
                crypto::X25519KeyPair::generate(random));
  Bytes one;
  ASSERT_TRUE(i.write_1({}, one));
  EXPECT_EQ(one.size(), kHandshakeBytesMin);
}

TEST_P(Suites, BothDirectionsAndTheRightRoles) {
  Channel c = make_channel(GetParam());
  EXPECT_EQ(to_hex(TransportTestAccess::send_key(c.client)),
            to_hex(TransportTestAccess::receive_key(c.server)));
  EXPECT_NE(to_hex(TransportTestAccess::send_key(c.client)),
            to_hex(TransportTestAccess::send_key(c.server)));
  for (int n = 0; n < 50; ++n) {
    Bytes up = seal(c.client, as_bytes(kHeader), as_bytes(kText));
    Bytes down = seal(c.server, as_bytes(kHeader), as_bytes(kText));
    EXPECT_NE(up, down);
    ASSERT_TRUE(c.server.open(as_bytes(kHeader), writable(up)));
    ASSERT_TRUE(c.client.open(as_bytes(kHeader), writable(down)));
  }
}

TEST_P(Suites, SwappedSplitRolesFail) {
  Channel c = make_channel(GetParam());
  const crypto::SecretKey32 send(TransportTestAccess::send_key(c.server));
  const crypto::SecretKey32 receive(TransportTestAccess::receive_key(c.server));
  Transport swapped(*find_suite(GetParam()), receive, send);
  Bytes up = seal(c.client, as_bytes(kHeader), as_bytes(kText));
  EXPECT_FALSE(swapped.open(as_bytes(kHeader), writable(up)));
}

TEST_P(Suites, FailureMovesNothing) {
  Channel c = make_channel(GetParam());
  const Bytes sealed = seal(c.client, as_bytes(kHeader), as_bytes(kText));
  const Bytes key(as_text(TransportTestAccess::receive_key(c.server)));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes bad = sealed;
    bad[i] = static_cast<char>(bad[i] ^ 0x80);
    const auto out = c.server.open(as_bytes(kHeader), writable(bad));
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::kBadFrame);
  }
  for (std::size_t i = 0; i < kHeader.size(); ++i) {
    Bytes header = kHeader;
    header[i] = static_cast<char>(header[i] ^ 1);
    Bytes copy = sealed;
    ASSERT_FALSE(c.server.open(as_bytes(header), writable(copy))) << "header byte " << i;
  }
  EXPECT_EQ(c.server.received_frames(), 0U);
  EXPECT_EQ(as_text(TransportTestAccess::receive_key(c.server)), key);
  Bytes good = sealed;
  EXPECT_TRUE(c.server.open(as_bytes(kHeader), writable(good)));
}

TEST_P(Suites, ReplayReorderAndDropFail) {
  Channel c = make_channel(GetParam());
  Bytes frames[3];
  for (Bytes& f : frames) f = seal(c.client, as_bytes(kHeader), as_bytes(kText));
  const auto opens = [&](Bytes f) {
    return c.server.open(as_bytes(kHeader), writable(f)).has_value();
  };
  EXPECT_FALSE(opens(frames[1])) << "dropped or reordered";
  EXPECT_TRUE(opens(frames[0]));
  EXPECT_FALSE(opens(frames[0])) << "replayed";
  EXPECT_FALSE(opens(frames[2]));
  EXPECT_TRUE(opens(frames[1]));
}

TEST_P(Suites, FramesOfAnotherConnectionFail) {
  Channel a = make_channel(GetParam(), 1);
  Channel b = make_channel(GetParam(), 2);
  Bytes f = seal(a.client, as_bytes(kHeader), as_bytes(kText));
  EXPECT_FALSE(b.server.open(as_bytes(kHeader), writable(f)));
}

TEST_P(Suites, RekeysByCountOnBothSides) {
  Channel c = make_channel(GetParam());
  const Bytes key_0(as_text(TransportTestAccess::send_key(c.client)));
  for (std::uint64_t n = 0; n < 2 * limits::kRekeyEveryFrames + 3; ++n) {
    Bytes f = seal(c.client, as_bytes(kHeader), as_bytes(kText));
    ASSERT_TRUE(c.server.open(as_bytes(kHeader), writable(f))) << n;
    const bool first_key = as_text(TransportTestAccess::send_key(c.client)) == key_0;
    ASSERT_EQ(first_key, n < limits::kRekeyEveryFrames - 1) << n;
  }
  EXPECT_EQ(c.client.sent_frames(), 2 * limits::kRekeyEveryFrames + 3);
}

#if defined(HY_TEST_HOOKS)
TEST_P(Suites, KeysThatServeFewFramesChangeOnBothSides) {
  set_rekey_every(3);
  Channel c = make_channel(GetParam());
  std::set<Bytes> keys;
  for (int n = 0; n < 10; ++n) {
    Bytes f = seal(c.client, as_bytes(kHeader), as_bytes(kText));
    EXPECT_TRUE(c.server.open(as_bytes(kHeader), writable(f))) << n;
    keys.emplace(as_text(TransportTestAccess::send_key(c.client)));
  }
  set_rekey_every(0);
  EXPECT_EQ(keys.size(), 4U);
  EXPECT_EQ(rekey_every(), limits::kRekeyEveryFrames);
}
#endif

TEST_P(Suites, StopsAtTwoToThe32) {
  Channel c = make_channel(GetParam());
  TransportTestAccess::set_send(c.client, limits::kNonceStop - 1);
  TransportTestAccess::set_receive(c.server, limits::kNonceStop - 1);
  Bytes last = seal(c.client, as_bytes(kHeader), as_bytes(kText));
  EXPECT_TRUE(c.server.open(as_bytes(kHeader), writable(last)));
  Bytes out(kText.size() + 16, '\0');
  const auto sealed = c.client.seal(as_bytes(kHeader), as_bytes(kText), writable(out).data());
  ASSERT_FALSE(sealed);
  EXPECT_EQ(sealed.error().code, Errc::kConnectionTooOld);
  EXPECT_EQ(out, Bytes(kText.size() + 16, '\0')) << "nothing may be sealed";
  EXPECT_EQ(c.server.open(as_bytes(kHeader), writable(last)).error().code, Errc::kConnectionTooOld);
}

/// One handshake whose messages can be tampered with on the way.
struct Handshake {
  explicit Handshake(std::uint8_t suite_number)
      : suite(*find_suite(suite_number)),
        server_key(crypto::X25519KeyPair::generate(random)),
        initiator(suite, as_bytes("hello"), server_key.public_key(),
                  crypto::X25519KeyPair::generate(random)) {
    EXPECT_TRUE(initiator.write_1(as_bytes("one"), message_1));
  }
  SeededRandom random{7};
  const ChannelSuite& suite;
  crypto::X25519KeyPair server_key;
  NkInitiator initiator;
  Bytes message_1;
  Bytes payload;

  bool server_takes(const Bytes& message, std::string_view prologue = "hello") {
    NkResponder responder(suite, as_bytes(prologue), server_key);
    return responder.read_1(as_bytes(message), payload).has_value();
  }
};

TEST_P(Suites, EveryFlippedBitOfHandshake1Fails) {
  Handshake h(GetParam());
  ASSERT_TRUE(h.server_takes(h.message_1));
  EXPECT_EQ(h.payload, "one");
  for (std::size_t i = 0; i < h.message_1.size() * 8; ++i) {
    Bytes bad = h.message_1;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    ASSERT_FALSE(h.server_takes(bad)) << i;
  }
  for (std::size_t n = 0; n < h.message_1.size(); ++n)
    ASSERT_FALSE(h.server_takes(h.message_1.substr(0, n))) << n;
  EXPECT_FALSE(h.server_takes(h.message_1 + "x"));
  EXPECT_FALSE(h.server_takes(h.message_1, "hellp")) << "the prologue is HELLO";
}

TEST_P(Suites, EveryFlippedBitOfHandshake2Fails) {
  Handshake h(GetParam());
  NkResponder responder(h.suite, as_bytes("hello"), h.server_key);
  Bytes payload;
  ASSERT_TRUE(responder.read_1(as_bytes(h.message_1), payload));
  Bytes message_2;
  ASSERT_TRUE(
      responder.write_2(crypto::X25519KeyPair::generate(h.random), as_bytes("two"), message_2));
  const auto client_takes = [&](const Bytes& message) {
    NkInitiator copy = h.initiator;  // every try starts where the client stands
    return copy.read_2(as_bytes(message), payload).has_value();
  };
  ASSERT_TRUE(client_takes(message_2));
  EXPECT_EQ(payload, "two");
  for (std::size_t i = 0; i < message_2.size() * 8; ++i) {
    Bytes bad = message_2;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    ASSERT_FALSE(client_takes(bad)) << i;
  }
  for (std::size_t n = 0; n < message_2.size(); ++n)
    ASSERT_FALSE(client_takes(message_2.substr(0, n))) << n;
}

TEST_P(Suites, AnotherServerKeyCannotAnswer) {
  Handshake h(GetParam());
  h.server_key = crypto::X25519KeyPair::generate(h.random);
  EXPECT_FALSE(h.server_takes(h.message_1));
}

TEST_P(Suites, ReplayedHandshake1GivesKeysThatTheReplayerCannotUse) {
  Handshake h(GetParam());
  Bytes answers[2];
  Transport servers[2];
  for (int i = 0; i < 2; ++i) {
    NkResponder responder(h.suite, as_bytes("hello"), h.server_key);
    ASSERT_TRUE(responder.read_1(as_bytes(h.message_1), h.payload));
    auto made = responder.write_2(crypto::X25519KeyPair::generate(h.random), {}, answers[i]);
    ASSERT_TRUE(made);
    servers[i] = std::move(*made);
  }
  auto client = h.initiator.read_2(as_bytes(answers[0]), h.payload);
  ASSERT_TRUE(client);
  Bytes recorded = seal(*client, as_bytes(kHeader), as_bytes(kText));
  Bytes replayed = recorded;
  EXPECT_TRUE(servers[0].open(as_bytes(kHeader), writable(recorded)));
  EXPECT_FALSE(servers[1].open(as_bytes(kHeader), writable(replayed)));
}

TEST_P(Suites, LowOrderPointsTakeTheCommonErrorPath) {
  Handshake h(GetParam());
  Bytes zero = h.message_1;
  zero.replace(0, 32, Bytes(32, '\0'));
  NkResponder responder(h.suite, as_bytes("hello"), h.server_key);
  EXPECT_EQ(responder.read_1(as_bytes(zero), h.payload).error().code, Errc::kHandshakeFailed);
  Bytes flipped = h.message_1;
  flipped[47] = static_cast<char>(flipped[47] ^ 1);
  NkResponder other(h.suite, as_bytes("hello"), h.server_key);
  EXPECT_EQ(other.read_1(as_bytes(flipped), h.payload).error().code, Errc::kHandshakeFailed);
}

TEST(Suite, NamesFitTheHashWithoutHashing) {
  EXPECT_EQ(find_suite(1)->noise_name.size(), 28U);
  EXPECT_EQ(find_suite(2)->noise_name.size(), 32U);
  EXPECT_EQ(find_suite(0), nullptr);
  EXPECT_EQ(find_suite(3), nullptr);
}

TEST(Suite, NonceByteOrder) {
  EXPECT_EQ(to_hex(make_nonce(*find_suite(1), 0x0102030405060708)), "000000000102030405060708");
  EXPECT_EQ(to_hex(make_nonce(*find_suite(2), 0x0102030405060708)), "000000000807060504030201");
}

TEST(TransportSize, FitsTheIdleBudget) {
  EXPECT_LE(sizeof(Transport), 96U);
}

}  // namespace
}  // namespace hy::wire
