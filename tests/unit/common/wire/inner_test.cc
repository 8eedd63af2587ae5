#include "common/wire/inner.h"

#include <gtest/gtest.h>

#include "tests/unit/common/wire/wire_support.h"

namespace hy::wire {
namespace {

using test::Channel;
using test::make_channel;
using test::open_bytes;

Bytes inner_bytes(std::uint16_t flags, const Bytes& rest) {
  Bytes out(8, '\0');
  auto* p = reinterpret_cast<std::uint8_t*>(out.data());
  put_be<std::uint16_t>(p, 0x0101);
  put_be(p + 2, flags);
  put_be<std::uint32_t>(p + 4, 7);
  return out + rest;
}

/// Words of a small language: compresses, but not like a run of one byte.
Bytes text_of(std::size_t bytes, std::uint64_t seed = 1) {
  static constexpr std::string_view kWords[] = {"wild ", "goose ", "carries ", "letter ", "north ",
                                                "over ", "river ", "and ",     "home "};
  SeededRandom random(seed);
  Bytes out;
  while (out.size() < bytes) out += kWords[random.below(std::size(kWords))];
  out.resize(bytes);
  return out;
}

TEST(Padding, Steps) {
  EXPECT_EQ(padded_bytes(8), 64U);
  EXPECT_EQ(padded_bytes(62), 64U);
  EXPECT_EQ(padded_bytes(63), 128U) << "no room for the count: the next step";
  EXPECT_EQ(padded_bytes(64), 64U) << "a step needs no padding";
  EXPECT_EQ(padded_bytes(65), 128U);
  EXPECT_EQ(padded_bytes(1022), 1024U);
  EXPECT_EQ(padded_bytes(1023), 1023U) << "nothing above the last step";
  EXPECT_EQ(padded_bytes(1024), 1024U);
  EXPECT_EQ(padded_bytes(1025), 1025U);
  EXPECT_EQ(padded_bytes(600, 1008), 1008U);
  EXPECT_EQ(padded_bytes(1008, 1008), 1008U);
  EXPECT_EQ(padded_bytes(1007, 1008), 1007U);
}

TEST(Padding, EverySizeComesBack) {
  Channel c = make_channel(kSuiteAesGcm);
  for (std::size_t size = 0; size <= 1100; ++size) {
    const Bytes body(size, 'b');
    Bytes wire;
    Bytes scratch;
    ASSERT_TRUE(
        seal_frame(c.client, {.type = 0x0101, .request_id = 9, .body = as_bytes(body)}, {}, wire));
    const std::size_t inner = 8 + size;
    ASSERT_EQ(wire.size(), 32 + padded_bytes(inner)) << size;
    const auto out = open_bytes(c.server, wire, scratch);
    ASSERT_TRUE(out) << size;
    ASSERT_EQ(as_text(out->body), body);
    ASSERT_EQ(out->flags, 0);
    ASSERT_EQ(out->request_id, 9U);
  }
}

TEST(ParseInner, TooShort) {
  for (std::size_t n = 0; n < 8; ++n)
    EXPECT_EQ(parse_inner(as_bytes(Bytes(n, '\0'))).error().code, Errc::kBadFrame);
  EXPECT_TRUE(parse_inner(as_bytes(inner_bytes(0, ""))));
}

TEST(ParseInner, EveryPaddingCountOfASmallFrame) {
  for (std::uint32_t count = 0; count <= 0xFFFF; ++count) {
    Bytes rest = "abcdef";
    rest.push_back(static_cast<char>(count >> 8));
    rest.push_back(static_cast<char>(count));
    const Bytes whole = inner_bytes(kFlagPadded, rest);
    const auto out = parse_inner(as_bytes(whole));
    ASSERT_EQ(out.has_value(), count >= 2 && count <= 8) << count;
    if (out) ASSERT_EQ(as_text(out->body), std::string_view("abcdef").substr(0, 8 - count));
  }
  EXPECT_FALSE(parse_inner(as_bytes(inner_bytes(kFlagPadded, ""))));
  EXPECT_FALSE(parse_inner(as_bytes(inner_bytes(kFlagPadded, "\x01"))));
}

TEST(ParseInner, UnknownFlagsAreRefused) {
  for (int bit = 3; bit < 16; ++bit)
    EXPECT_FALSE(parse_inner(as_bytes(inner_bytes(static_cast<std::uint16_t>(1 << bit), ""))));
  EXPECT_TRUE(parse_inner(as_bytes(inner_bytes(kFlagRefused, ""))));
}

TEST(SealFrame, EveryFlippedBitOfTheFrameFails) {
  for (const std::uint8_t suite : {kSuiteAesGcm, kSuiteChaChaPoly}) {
    Channel c = make_channel(suite);
    Bytes wire;
    ASSERT_TRUE(seal_frame(c.client, {.type = 3, .body = as_bytes("hello")}, {}, wire));
    for (std::size_t i = 0; i < wire.size() * 8; ++i) {
      Bytes bad = wire;
      bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
      Bytes scratch;
      ASSERT_FALSE(open_bytes(c.server, bad, scratch)) << i;
    }
    EXPECT_EQ(c.server.received_frames(), 0U);
    Bytes scratch;
    EXPECT_TRUE(open_bytes(c.server, wire, scratch));
  }
}

TEST(SealFrame, AppendsAndKeepsWhatIsThere) {
  Channel c = make_channel(kSuiteAesGcm);
  Bytes wire = "before";
  ASSERT_TRUE(seal_frame(c.client, {.type = 1}, {}, wire));
  ASSERT_TRUE(seal_frame(c.client, {.type = 2}, {.padding = Padding::kOff}, wire));
  EXPECT_TRUE(wire.starts_with("before"));
  EXPECT_EQ(wire.size(), 6 + (16 + 64 + 16) + (16 + 8 + 16));
}

TEST(SealFrame, SuffixFollowsBody) {
  Channel c = make_channel(kSuiteAesGcm);
  Bytes wire;
  Bytes scratch;
  ASSERT_TRUE(seal_frame(c.server, {.type = 1, .body = as_bytes("ab"), .suffix = as_bytes("cd")},
                         {}, wire));
  EXPECT_EQ(as_text(open_bytes(c.client, wire, scratch).value().body), "abcd");
}

TEST(SealFrame, TooLargeLeavesEverythingAsItWas) {
  Channel c = make_channel(kSuiteAesGcm);
  const Bytes body(limits::kInnerBodyBytesMax + 1, 'x');
  Bytes wire = "kept";
  const auto out = seal_frame(c.client, {.type = 1, .body = as_bytes(body)}, {}, wire);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Errc::kFrameTooLarge);
  EXPECT_EQ(wire, "kept");
  EXPECT_EQ(c.client.sent_frames(), 0U);
  wire.clear();
  EXPECT_TRUE(seal_frame(c.client, {.type = 1, .body = as_bytes(body).subspan(1)}, {}, wire));
  EXPECT_EQ(wire.size(), 16 + limits::kBodyBytesMax);
}

TEST(SealFrame, ExhaustedCounterLeavesTheBufferAsItWas) {
  Channel c = make_channel(kSuiteAesGcm);
  TransportTestAccess::set_send(c.client, limits::kNonceStop);
  Bytes wire = "kept";
  EXPECT_EQ(seal_frame(c.client, {.type = 1}, {}, wire).error().code, Errc::kConnectionTooOld);
  EXPECT_EQ(wire, "kept");
}

TEST(SealFrame, LoginFitsTheCapBeforeLogin) {
  Channel c = make_channel(kSuiteAesGcm);
  const SealOptions login{.wire_bytes_max = limits::kBodyBeforeLoginMax};
  for (std::size_t size : {0U, 504U, 505U, 900U, 998U, 999U, 1000U}) {
    Bytes wire;
    Bytes scratch;
    const Bytes body(size, 'p');
    ASSERT_TRUE(seal_frame(c.client, {.type = 1, .body = as_bytes(body)}, login, wire)) << size;
    EXPECT_LE(wire.size(), 16U + 1024U);
    const auto out =
        open_bytes(c.server, wire, scratch, Compression::kForbidden, ReadState::kServerLogin);
    ASSERT_TRUE(out) << size;
    EXPECT_EQ(as_text(out->body), body);
  }
  Bytes wire;
  EXPECT_FALSE(seal_frame(c.client, {.type = 1, .body = as_bytes(Bytes(1001, 'p'))}, login, wire));
}

TEST(SealFrame, CompressesWhenAllowedAndWorthIt) {
  Channel c = make_channel(kSuiteChaChaPoly);
  const Bytes body = text_of(30'000);
  Bytes wire;
  Bytes scratch;
  ASSERT_TRUE(seal_frame(c.server, {.type = 0x8202, .body = as_bytes(body)},
                         {.compression = Compression::kAllowed}, wire));
  EXPECT_LT(wire.size(), body.size() / 2);
  const auto out =
      open_bytes(c.client, wire, scratch, Compression::kAllowed, ReadState::kClientOpen);
  ASSERT_TRUE(out);
  EXPECT_EQ(as_text(out->body), body);
  EXPECT_EQ(out->flags, 0);

  wire.clear();
  ASSERT_TRUE(seal_frame(c.server, {.type = 1, .body = as_bytes(body)}, {}, wire));
  EXPECT_GT(wire.size(), body.size()) << "not allowed, so not done";
}

TEST(OpenFrame, CompressionBeforeLoginIsRefused) {
  Channel c = make_channel(kSuiteAesGcm);
  const Bytes body = text_of(4000);
  Bytes wire;
  Bytes scratch;
  ASSERT_TRUE(seal_frame(c.client, {.type = 1, .body = as_bytes(body)},
                         {.compression = Compression::kAllowed}, wire));
  const auto out = open_bytes(c.server, wire, scratch, Compression::kForbidden);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Errc::kBadCompression);
}

}  // namespace
}  // namespace hy::wire
