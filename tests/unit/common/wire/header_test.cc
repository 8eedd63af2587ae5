#include "common/wire/header.h"

#include <gtest/gtest.h>

#include "tests/unit/common/wire/wire_support.h"

namespace hy::wire {
namespace {

constexpr ReadState kStates[] = {
    ReadState::kServerHello,       ReadState::kServerHandshake,   ReadState::kServerAfterNotice,
    ReadState::kServerSecondHello, ReadState::kServerLogin,       ReadState::kServerOpen,
    ReadState::kClientHandshake,   ReadState::kClientAfterNotice, ReadState::kClientOpen};

TEST(Header, BytesAreThePublishedOnes) {
  EXPECT_EQ(to_hex(pack_header({.command = Outer::kData, .length = 29})),
            "000100004859494d000000050000001d");
}

/// The table of wire-protocol.md#states: what each state takes, and how much of it.
TEST(Header, LegalCommandsOfEachState) {
  using enum ReadState;
  const auto max = [](ReadState state, std::uint32_t command) {
    return body_bytes_max(state, command).value_or(0);
  };
  const std::uint32_t expected[][6] = {
      // 0, HELLO, KEY_NOTICE, HANDSHAKE_1, HANDSHAKE_2, DATA
      {0, 128, 0, 0, 0, 0},    {0, 0, 0, 1024, 0, 0}, {0, 128, 0, 1024, 0, 0},
      {0, 128, 0, 0, 0, 0},    {0, 0, 0, 0, 0, 1024}, {0, 0, 0, 0, 0, 65535},
      {0, 0, 148, 0, 1024, 0}, {0, 0, 0, 0, 1024, 0}, {0, 0, 0, 0, 0, 65535},
  };
  for (std::size_t s = 0; s < std::size(kStates); ++s) {
    for (std::uint32_t command = 0; command < 6; ++command)
      EXPECT_EQ(max(kStates[s], command), expected[s][command]) << s << " " << command;
    EXPECT_FALSE(body_bytes_max(kStates[s], 6));
    EXPECT_FALSE(body_bytes_max(kStates[s], 0xFFFFFFFF));
  }
}

TEST(Header, ChecksInOrder) {
  const auto judge = [](std::uint32_t version, std::uint32_t magic, std::uint32_t command,
                        std::uint32_t length) {
    HeaderBytes bytes;
    put_be(bytes.data(), version);
    put_be(bytes.data() + 4, magic);
    put_be(bytes.data() + 8, command);
    put_be(bytes.data() + 12, length);
    const auto out = parse_header(bytes, ReadState::kServerHello);
    return out ? Errc::kOk : out.error().code;
  };
  // Each row breaks one field and everything behind it: the first broken one is what is said.
  EXPECT_EQ(judge(0x00010001, 0, 9, ~0U), Errc::kBadVersion);
  EXPECT_EQ(judge(kProtocolVersion, kMagic + 1, 9, ~0U), Errc::kBadMagic);
  EXPECT_EQ(judge(kProtocolVersion, kMagic, 9, ~0U), Errc::kWrongState);
  EXPECT_EQ(judge(kProtocolVersion, kMagic, 5, 16), Errc::kWrongState);
  EXPECT_EQ(judge(kProtocolVersion, kMagic, 1, 129), Errc::kFrameTooLarge);
  EXPECT_EQ(judge(kProtocolVersion, kMagic, 1, ~0U), Errc::kFrameTooLarge);
  EXPECT_EQ(judge(kProtocolVersion, kMagic, 1, 128), Errc::kOk);
  EXPECT_EQ(judge(kProtocolVersion, kMagic, 1, 0), Errc::kOk);
}

TEST(Header, EveryFlippedBitIsRefusedOrAnotherLegalLength) {
  const HeaderBytes good = pack_header({.command = Outer::kHello, .length = 16});
  for (std::size_t i = 0; i < 128; ++i) {
    HeaderBytes bad = good;
    bad[i / 8] ^= static_cast<std::uint8_t>(1 << (i % 8));
    const auto out = parse_header(bad, ReadState::kServerHello);
    if (i / 8 < 12)
      EXPECT_FALSE(out) << i;
    else if (out)
      EXPECT_LE(out->length, limits::kHelloBytesMax) << i;
  }
}

TEST(Hello, RoundTripWithAndWithoutTicket) {
  Hello in{.suite = 2, .flags = 0x0102, .sdk = 0x03040506, .key_id = {1, 2, 3, 4, 5, 6, 7, 8}};
  Bytes bytes;
  append_hello(in, bytes);
  EXPECT_EQ(to_hex(as_bytes(bytes)),
            "000100004859494d0000000100000010"
            "02010102030405060102030405060708");
  auto out = parse_hello(as_bytes(bytes).subspan(16));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->suite, 2);
  EXPECT_EQ(out->sdk, 0x03040506U);
  EXPECT_EQ(out->key_id, in.key_id);
  EXPECT_FALSE(out->ticket);

  in.ticket = Ticket{9, 9, 9};
  bytes.clear();
  append_hello(in, bytes);
  out = parse_hello(as_bytes(bytes).subspan(16));
  ASSERT_TRUE(out && out->ticket);
  EXPECT_EQ(*out->ticket, *in.ticket);
}

TEST(Hello, EveryLength) {
  Bytes body(limits::kHelloBytesMax, '\0');
  body[0] = 1;
  body[1] = 1;
  for (std::size_t n = 0; n <= body.size(); ++n) {
    const auto out = parse_hello(as_bytes(body).first(n));
    EXPECT_EQ(out.has_value(), n == 16 || n >= 32) << n;
    if (!out) EXPECT_EQ(out.error().code, Errc::kBadFrame);
  }
}

TEST(Hello, UnknownSuiteOrPattern) {
  Bytes body(16, '\0');
  for (int suite = 0; suite < 256; ++suite)
    for (int pattern : {0, 1, 2, 255}) {
      body[0] = static_cast<char>(suite);
      body[1] = static_cast<char>(pattern);
      const auto out = parse_hello(as_bytes(body));
      EXPECT_EQ(out.has_value(), (suite == 1 || suite == 2) && pattern == 1);
      if (!out) EXPECT_EQ(out.error().code, Errc::kUnsupportedSuite);
    }
}

}  // namespace
}  // namespace hy::wire
