#include "common/wire/frame_decoder.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/common/wire/wire_support.h"

namespace hy::wire {
namespace {

using test::writable;

Bytes data_frame(std::size_t body_bytes, std::uint8_t fill) {
  Bytes out;
  append_frame(Outer::kData, as_bytes(Bytes(body_bytes, static_cast<char>(fill))), out);
  return out;
}

/// Feeds `stream` in the given pieces; what came out, as "header|body" texts.
std::vector<Bytes> run(FrameDecoder& decoder, Bytes stream, std::vector<std::size_t> cuts) {
  std::vector<Bytes> out;
  cuts.push_back(stream.size());
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    Bytes piece = stream.substr(at, cut - at);  // its own memory: a view into the last one is a bug
    at = cut;
    auto rest = writable(piece);
    while (true) {
      const auto frame = decoder.next(rest, ReadState::kServerOpen);
      EXPECT_TRUE(frame);
      if (!frame || !*frame) break;
      out.emplace_back(Bytes(as_text((*frame)->header_bytes)) + Bytes(as_text((*frame)->body)));
    }
    EXPECT_TRUE(rest.empty());
  }
  return out;
}

TEST(FrameDecoder, EverySplitOfThreeFrames) {
  const std::vector<Bytes> frames = {data_frame(5, 1), data_frame(0, 2), data_frame(29, 3)};
  const Bytes stream = frames[0] + frames[1] + frames[2];
  for (std::size_t a = 0; a <= stream.size(); ++a)
    for (std::size_t b = a; b <= stream.size(); ++b) {
      FrameDecoder decoder;
      ASSERT_EQ(run(decoder, stream, {a, b}), frames) << a << " " << b;
      ASSERT_EQ(decoder.tail_bytes(), 0U);
    }
}

TEST(FrameDecoder, OneByteAtATime) {
  const std::vector<Bytes> frames = {data_frame(64, 1), data_frame(1, 2)};
  const Bytes stream = frames[0] + frames[1];
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < stream.size(); ++i) cuts.push_back(i);
  FrameDecoder decoder;
  EXPECT_EQ(run(decoder, stream, cuts), frames);
}

TEST(FrameDecoder, WholeFramesAreNotCopied) {
  Bytes stream = data_frame(100, 1) + data_frame(200, 2);
  FrameDecoder decoder;
  auto rest = writable(stream);
  const auto first = decoder.next(rest, ReadState::kServerOpen);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->body.data(), writable(stream).data() + 16);
  const auto second = decoder.next(rest, ReadState::kServerOpen);
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->body.data(), writable(stream).data() + 116 + 16);
  EXPECT_EQ(decoder.tail_bytes(), 0U);
}

TEST(FrameDecoder, KeepsOnlyAnUnfinishedTailAndFreesIt) {
  FrameDecoder decoder;
  Bytes stream = data_frame(1000, 1);
  auto rest = writable(stream).first(700);
  auto got = decoder.next(rest, ReadState::kServerOpen);
  ASSERT_TRUE(got && !*got);
  EXPECT_EQ(decoder.tail_bytes(), 700U);
  EXPECT_TRUE(decoder.is_inside_frame());
  rest = writable(stream).subspan(700);
  got = decoder.next(rest, ReadState::kServerOpen);
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->body.size(), 1000U);
  EXPECT_FALSE(decoder.is_inside_frame());
  got = decoder.next(rest, ReadState::kServerOpen);
  ASSERT_TRUE(got && !*got);
  EXPECT_EQ(decoder.tail_bytes(), 0U);
}

TEST(FrameDecoder, NoBodyIsStoredBeforeTheHeaderIsJudged) {
  Bytes stream = data_frame(2000, 1);
  for (std::size_t cut = 0; cut <= 100; ++cut) {
    FrameDecoder decoder;
    auto rest = writable(stream).first(cut);
    auto got = decoder.next(rest, ReadState::kServerLogin);  // 2,000 is above this state's cap
    if (cut < 16) {
      ASSERT_TRUE(got && !*got);
      EXPECT_EQ(decoder.tail_bytes(), cut);
      rest = writable(stream).subspan(cut);
      got = decoder.next(rest, ReadState::kServerLogin);
    }
    ASSERT_FALSE(got) << cut;
    EXPECT_EQ(got.error().code, Errc::kFrameTooLarge);
    EXPECT_LE(decoder.tail_bytes(), 16U);
  }
}

TEST(FrameDecoder, ANewStateRulesTheNextFrame) {
  Bytes stream;
  append_frame(Outer::kHello, as_bytes(Bytes(16, 'h')), stream);
  append_frame(Outer::kHandshake1, as_bytes(Bytes(48, '1')), stream);
  FrameDecoder decoder;
  auto rest = writable(stream);
  auto got = decoder.next(rest, ReadState::kServerHello);
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->header.command, Outer::kHello);
  auto again = rest;
  EXPECT_FALSE(FrameDecoder().next(again, ReadState::kServerHello)) << "HANDSHAKE_1 too early";
  got = decoder.next(rest, ReadState::kServerHandshake);
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->header.command, Outer::kHandshake1);
}

TEST(FrameDecoder, LargestFrame) {
  const Bytes frame = data_frame(limits::kBodyBytesMax, 7);
  FrameDecoder decoder;
  EXPECT_EQ(run(decoder, frame, {1, 17, 40000}), std::vector<Bytes>{frame});
  Bytes over;
  append_frame(Outer::kData, as_bytes(Bytes(limits::kBodyBytesMax + 1, 'x')), over);
  auto rest = writable(over);
  EXPECT_FALSE(FrameDecoder().next(rest, ReadState::kServerOpen));
}

TEST(FrameDecoder, CostsLittleWhenIdle) {
  EXPECT_LE(sizeof(FrameDecoder), 48U);
}

}  // namespace
}  // namespace hy::wire
