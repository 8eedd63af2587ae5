// What a client may do wrong before it is logged in. Until the channel is up, and for every frame
// that cannot be opened, there is one answer: the connection closes and nothing is said
// (wire-protocol.md, "Header" and "DATA").
#include <thread>

#include "common/wire/server_key.h"
#include "tests/e2e/wire_fixture.h"

namespace hy {
namespace {

Bytes header(std::uint32_t version, std::uint32_t magic, std::uint32_t command,
             std::uint32_t length) {
  Bytes out(16, '\0');
  auto* p = reinterpret_cast<std::uint8_t*>(out.data());
  put_be(p, version);
  put_be(p + 4, magic);
  put_be(p + 8, command);
  put_be(p + 12, length);
  return out;
}

constexpr std::uint32_t kHello = 1;
constexpr std::uint32_t kHandshake1 = 3;
constexpr std::uint32_t kData = 5;
const Bytes kGarbage(4'096, '\x5A');  // completes a frame whose length was raised

}  // namespace

class WireHandshake : public WireTest {};

TEST_F(WireHandshake, BadHeadersCloseSilently) {
  const struct {
    const char* what;
    Bytes bytes;
  } cases[] = {
      {"magic", header(wire::kProtocolVersion, 0x48545450, kHello, 16)},
      {"version 2", header(0x0002'0000, wire::kMagic, kHello, 16)},
      {"version 0", header(0, wire::kMagic, kHello, 16)},
      {"unknown command", header(wire::kProtocolVersion, wire::kMagic, 6, 16)},
      {"command 0", header(wire::kProtocolVersion, wire::kMagic, 0, 16)},
      {"server's command", header(wire::kProtocolVersion, wire::kMagic, 4, 48)},
      {"DATA first", header(wire::kProtocolVersion, wire::kMagic, kData, 64)},
      {"HANDSHAKE_1 first", header(wire::kProtocolVersion, wire::kMagic, kHandshake1, 48)},
      {"HELLO too long", header(wire::kProtocolVersion, wire::kMagic, kHello, 129)},
      {"length 2^32-1", header(wire::kProtocolVersion, wire::kMagic, kHello, 0xFFFF'FFFF)},
      {"length 2^31", header(wire::kProtocolVersion, wire::kMagic, kHello, 0x8000'0000)},
      {"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const auto client = connection();
    // No body is needed: the header alone decides.
    ASSERT_TRUE(client->write(c.bytes));
    EXPECT_CLOSES_SILENTLY(*client);
  }
}

TEST_F(WireHandshake, LengthOverLimitBeforeLogin) {
  for (const auto& [command, length] : {std::pair{kHandshake1, 1'025U}, std::pair{kData, 1'025U}}) {
    SCOPED_TRACE(command);
    const auto client = command == kData ? channel() : connection();
    Bytes bytes;
    if (command == kHandshake1) wire::append_hello(client->hello(), bytes);
    bytes += header(wire::kProtocolVersion, wire::kMagic, command, length);
    ASSERT_TRUE(client->write(bytes));
    EXPECT_CLOSES_SILENTLY(*client);
  }
}

TEST_F(WireHandshake, HelloOfNoKnownLayout) {
  for (const std::size_t size : {0U, 1U, 15U, 17U, 31U}) {
    SCOPED_TRACE(size);
    const auto client = connection();
    ASSERT_TRUE(client->write(
        header(wire::kProtocolVersion, wire::kMagic, kHello, static_cast<std::uint32_t>(size)) +
        Bytes(size, '\1')));
    EXPECT_CLOSES_SILENTLY(*client);
  }
}

TEST_F(WireHandshake, UnknownSuiteAndPattern) {
  for (const auto& [suite, pattern] :
       {std::pair{0, 1}, std::pair{3, 1}, std::pair{255, 1}, std::pair{1, 0}, std::pair{1, 2}}) {
    SCOPED_TRACE(std::to_string(suite) + "/" + std::to_string(pattern));
    const auto client = connection();
    wire::Hello hello = client->hello();
    hello.suite = static_cast<std::uint8_t>(suite);
    hello.pattern = static_cast<std::uint8_t>(pattern);
    ASSERT_TRUE(client->write(client->first_flight(hello)));
    EXPECT_CLOSES_SILENTLY(*client);
  }
}

TEST_F(WireHandshake, BothSuitesAndLongerHelloWork) {
  for (const std::uint8_t suite : {wire::kSuiteAesGcm, wire::kSuiteChaChaPoly}) {
    raw::Client::Options with = options();
    with.suite = suite;
    raw::Client client(with);
    ASSERT_TRUE(client.connect());
    wire::Hello hello = client.hello();
    hello.flags = 0xFFFF;  // reserved: ignored
    hello.ticket = wire::Ticket{};
    ASSERT_TRUE(client.write(client.first_flight(hello)));
    EXPECT_TRUE(client.finish_handshake());
    EXPECT_TRUE(client.call(pb::LOGIN, login_of(somebody()).SerializeAsString()).ok());
  }
}

TEST_F(WireHandshake, WrongServerKey) {
  raw::Client::Options wrong = options();
  wrong.server_key.fill(9);
  {
    raw::Client client(wrong);
    ASSERT_TRUE(client.connect());
    ASSERT_TRUE(client.write(client.first_flight()));
    EXPECT_CLOSES_SILENTLY(client);
  }
  // The right name of the key, but not the key: what a forged notice would lead to.
  raw::Client client(wrong);
  ASSERT_TRUE(client.connect());
  wire::Hello hello = client.hello();
  hello.key_id = wire::key_id(options().server_key);
  ASSERT_TRUE(client.write(client.first_flight(hello)));
  EXPECT_CLOSES_SILENTLY(client);
}

TEST_F(WireHandshake, SplitAtEveryByte) {
  const Somebody who = somebody();
  std::uint32_t counter = 1;
  for (std::size_t at = 1;; ++at) {
    const auto client = connection();
    const Bytes flight = client->first_flight();
    const bool in_flight = at < flight.size();
    ASSERT_TRUE(client->write(in_flight ? flight.substr(0, at) : flight));
    if (in_flight) {
      // Gives the server the chance to see the first part alone.
      std::this_thread::yield();
      ASSERT_TRUE(client->write(flight.substr(at)));
    }
    ASSERT_TRUE(client->finish_handshake()) << "split at " << at;
    pb::LoginRequest login = login_of(who);
    login.set_conn_counter(++counter);
    const std::uint32_t id = client->fresh_id();
    const Bytes frame = client->seal(pb::LOGIN, id, login.SerializeAsString());
    const std::size_t cut = in_flight ? std::min(at, frame.size() - 1) : at - flight.size() + 1;
    if (cut >= frame.size()) break;
    ASSERT_TRUE(client->write(frame.substr(0, cut)));
    std::this_thread::yield();
    ASSERT_TRUE(client->write(frame.substr(cut)));
    ASSERT_TRUE(client->await(id).ok()) << "split at " << at;
  }
}

TEST_F(WireHandshake, OneByteAtATime) {
  const auto client = connection();
  for (const char byte : client->first_flight()) ASSERT_TRUE(client->write({&byte, 1}));
  ASSERT_TRUE(client->finish_handshake());
  const std::uint32_t id = client->fresh_id();
  for (const char byte : client->seal(pb::LOGIN, id, login_of(somebody()).SerializeAsString()))
    ASSERT_TRUE(client->write({&byte, 1}));
  EXPECT_TRUE(client->await(id).ok());
}

TEST_F(WireHandshake, TruncatedAtEveryByte) {
  const Somebody who = somebody();
  std::size_t length = 1;
  for (std::size_t at = 0; at < length; at += at < 120 ? 1 : 7) {
    const auto client = connection();
    const Bytes flight = client->first_flight();
    if (at < flight.size()) {
      length = flight.size() + 1;
      ASSERT_TRUE(client->write(flight.substr(0, at)));
      client->half_close();
      EXPECT_CLOSES_SILENTLY(*client) << "after " << at << " bytes";
      continue;
    }
    ASSERT_TRUE(client->write(flight));
    ASSERT_TRUE(client->finish_handshake());
    const Bytes frame = client->seal(pb::LOGIN, 1, login_of(who).SerializeAsString());
    length = flight.size() + frame.size();
    ASSERT_TRUE(client->write(frame.substr(0, at - flight.size())));
    client->half_close();
    EXPECT_CLOSES_SILENTLY(*client) << "after " << at << " bytes";
  }
  // A LOGIN that never came whole signed nobody in: his first session is the first.
  EXPECT_NE(sign_in(who), nullptr);
}

TEST_F(WireHandshake, EveryFlippedBitOfHelloAndHandshake) {
  const std::size_t size = connection()->first_flight().size();
  for (std::size_t at = 0; at < size; ++at) {
    for (const int bit : {0, 5, 7}) {
      const auto client = connection();
      Bytes flight = client->first_flight();
      flight[at] = static_cast<char>(flight[at] ^ (1 << bit));
      // The rest may find the connection closed already.
      (void)client->write(flight);
      (void)client->write(kGarbage);
      EXPECT_CLOSES_SILENTLY(*client) << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(WireHandshake, EveryFlippedByteOfLogin) {
  const Somebody who = somebody();
  std::size_t size = 1;
  for (std::size_t at = 0; at < size; ++at) {
    const auto client = channel();
    Bytes frame = client->seal(pb::LOGIN, 1, login_of(who).SerializeAsString());
    size = frame.size();
    frame[at] = static_cast<char>(frame[at] ^ (1 << (at % 8)));
    (void)client->write(frame);
    (void)client->write(kGarbage);
    EXPECT_CLOSES_SILENTLY(*client) << "byte " << at;
  }
}

TEST_F(WireHandshake, ReplayedHandshakeMovesNothing) {
  const Somebody who = somebody();
  const auto original = connection();
  const Bytes flight = original->first_flight();
  ASSERT_TRUE(original->write(flight));
  ASSERT_TRUE(original->finish_handshake());
  const Bytes login = original->seal(pb::LOGIN, 1, login_of(who).SerializeAsString());
  ASSERT_TRUE(original->write(login));
  ASSERT_TRUE(original->await(1).ok());
  // Recorded and played back, byte for byte: the server's fresh half makes other keys.
  const auto replay = connection();
  ASSERT_TRUE(replay->write(flight));
  EXPECT_EQ(replay->next(Millis(3'000)).closed, true);  // HANDSHAKE_2 of another channel
  const auto again = connection();
  ASSERT_TRUE(again->write(flight));
  ASSERT_EQ(again->wait_end(), raw::End::kSaidSomething);  // HANDSHAKE_2
  ASSERT_TRUE(again->write(login));
  EXPECT_CLOSES_SILENTLY(*again);
  // The session of the original was not replaced.
  EXPECT_TRUE(original->call(pb::PING, {}).ok());
}

TEST_F(WireHandshake, HandshakeTwiceAndEarlyData) {
  {
    const auto client = connection();
    const Bytes flight = client->first_flight();
    ASSERT_TRUE(client->write(flight + flight.substr(32)));
    EXPECT_NE(client->wait_end(), raw::End::kStillOpen);
  }
  const auto client = channel();
  ASSERT_TRUE(client->write(header(wire::kProtocolVersion, wire::kMagic, kHandshake1, 48)));
  EXPECT_CLOSES_SILENTLY(*client);
}

TEST_F(WireHandshake, OnlyLoginIsLegalBeforeLogin) {
  for (const int type : {pb::PING, pb::SEND, pb::SYNC, pb::LOGOUT, pb::PUSH_ACK, pb::USER_LOOKUP}) {
    SCOPED_TRACE(type);
    const auto client = channel();
    ASSERT_TRUE(client->write(client->seal(static_cast<std::uint16_t>(type), 1, {})));
    EXPECT_CLOSES_SILENTLY(*client);
  }
  // Nor anything between LOGIN and its answer.
  const auto client = channel();
  ASSERT_TRUE(client->write(client->seal(pb::LOGIN, 1, login_of(somebody()).SerializeAsString()) +
                            client->seal(pb::PING, 2, {})));
  EXPECT_EQ(client->next().closed, true);
}

TEST_F(WireHandshake, BadInnerFramesBeforeLogin) {
  const auto inner = [](std::uint16_t type, std::uint16_t flags, const Bytes& body) {
    Bytes out(8, '\0');
    auto* p = reinterpret_cast<std::uint8_t*>(out.data());
    put_be(p, type);
    put_be(p + 2, flags);
    put_be<std::uint32_t>(p + 4, 1);
    return out + body;
  };
  const Bytes login = login_of(somebody()).SerializeAsString();
  const struct {
    const char* what;
    Bytes text;
  } cases[] = {
      {"shorter than an inner header", Bytes(7, '\0')},
      {"empty", Bytes()},
      {"unknown flag", inner(pb::LOGIN, 0x0008, login)},
      {"all flags", inner(pb::LOGIN, 0xFFFF, login)},
      {"compressed", inner(pb::LOGIN, wire::kFlagCompressed, login)},
      {"padding of 0", inner(pb::LOGIN, wire::kFlagPadded, login + Bytes("\0\0", 2))},
      {"padding of 1", inner(pb::LOGIN, wire::kFlagPadded, login + Bytes("\0\1", 2))},
      {"padding beyond the body", inner(pb::LOGIN, wire::kFlagPadded, login + "\xFF\xFF")},
      {"padding without room", inner(pb::LOGIN, wire::kFlagPadded, "x")},
      {"an acknowledgement", inner(pb::LOGIN | wire::kTypeAck, 0, login)},
      {"a notification", inner(pb::PUSH, 0, {})},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const auto client = channel();
    ASSERT_TRUE(client->write(client->seal_inner(c.text)));
    EXPECT_CLOSES_SILENTLY(*client);
  }
}

TEST_F(WireHandshake, SilenceIsEndedHoweverItIsFilled) {
  const auto silent = connection();
  const auto dripping = connection();
  const auto no_login = channel();
  const auto began = std::chrono::steady_clock::now();
  const Bytes flight = dripping->first_flight();
  // A byte now and then does not extend the time.
  bool dripped = true;
  for (std::size_t i = 0; i < 7 && dripped; ++i) {
    dripped = dripping->write(flight.substr(i, 1));
    if (dripping->wait_end(Millis(700)) != raw::End::kStillOpen) break;
  }
  EXPECT_CLOSES_SILENTLY(*silent);
  const auto handshake_took = std::chrono::steady_clock::now() - began;
  EXPECT_GT(handshake_took, std::chrono::seconds(4));
  EXPECT_LT(handshake_took, std::chrono::seconds(8));
  EXPECT_FALSE(dripping->write(kGarbage) && dripping->write(kGarbage) &&
               dripping->wait_end() == raw::End::kStillOpen);
  EXPECT_EQ(no_login->wait_end(Millis(10'000)), raw::End::kClosedSilently);
  const auto login_took = std::chrono::steady_clock::now() - began;
  EXPECT_GT(login_took, std::chrono::seconds(9));
  EXPECT_LT(login_took, std::chrono::seconds(14));
}

}  // namespace hy
