#include "common/wire/compression.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <chrono>

#include "common/base/limits.h"
#include "common/base/random.h"

namespace hy::wire {
namespace {

Bytes text_of(std::size_t bytes) {
  SeededRandom random(1);
  Bytes out;
  while (out.size() < bytes) out += "word" + std::to_string(random.below(50)) + " ";
  out.resize(bytes);
  return out;
}

Bytes zstd(const Bytes& in, int window_log = 0) {
  ZSTD_CCtx* ctx = ZSTD_createCCtx();
  if (window_log != 0) {
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
  }
  Bytes out(ZSTD_compressBound(in.size()), '\0');
  std::size_t size = 0;
  if (window_log == 0) {
    size = ZSTD_compress2(ctx, out.data(), out.size(), in.data(), in.size());
  } else {  // streaming without a pledged size keeps the window that was asked for
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    ZSTD_compressStream2(ctx, &to, &from, ZSTD_e_flush);
    ZSTD_compressStream2(ctx, &to, &from, ZSTD_e_end);
    size = to.pos;
  }
  ZSTD_freeCCtx(ctx);
  out.resize(size);
  return out;
}

Errc code_of(const Bytes& in) {
  Bytes out;
  const auto status = decompress_body(as_bytes(in), out);
  if (status) return Errc::kOk;
  EXPECT_TRUE(out.empty());
  EXPECT_LE(out.capacity(), limits::kDecompressedBytesMax * 2 + 64 * 1024U);
  return status.error().code;
}

TEST(Compression, RoundTripAtManySizes) {
  for (std::size_t size : {1024U, 1025U, 4000U, 16384U, 65519U, 262144U}) {
    const Bytes in = text_of(size);
    Bytes packed;
    Bytes out;
    ASSERT_TRUE(compress_body(as_bytes(in), packed)) << size;
    EXPECT_LT(packed.size(), in.size());
    ASSERT_TRUE(decompress_body(as_bytes(packed), out)) << size;
    EXPECT_EQ(out, in);
  }
}

TEST(Compression, NotWorthIt) {
  Bytes out;
  EXPECT_FALSE(compress_body(as_bytes(text_of(1023)), out)) << "below 1 KiB";
  Bytes noise(5000, '\0');
  SeededRandom(1).fill({reinterpret_cast<std::uint8_t*>(noise.data()), noise.size()});
  EXPECT_FALSE(compress_body(as_bytes(noise), out)) << "noise grows";
  EXPECT_FALSE(compress_body(as_bytes(Bytes(60'000, 'x')), out)) << "above the ratio of a receiver";
  EXPECT_FALSE(compress_body(as_bytes(text_of(262'145)), out)) << "above the longest body";
}

TEST(Compression, BombsStopEarly) {
  const auto begin = std::chrono::steady_clock::now();
  for (const std::size_t size : {100'000U, 10'000'000U, 200'000'000U})
    EXPECT_EQ(code_of(zstd(Bytes(size, 'x')).substr(0, 65'000)), Errc::kBadCompression) << size;
  // A ratio within bounds, but too long.
  EXPECT_EQ(code_of(zstd(text_of(262'145))), Errc::kBadCompression);
  EXPECT_EQ(code_of(zstd(text_of(262'144))), Errc::kOk);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(Compression, RatioAboveTwentyIsABomb) {
  const Bytes packed = zstd(Bytes(4000, 'x'));
  ASSERT_LT(packed.size() * limits::kDecompressRatioMax, 4000U);
  EXPECT_EQ(code_of(packed), Errc::kBadCompression);
}

TEST(Compression, ExactlyOneFrame) {
  const Bytes good = zstd(text_of(4000));
  EXPECT_EQ(code_of(good), Errc::kOk);
  EXPECT_EQ(code_of(good + good), Errc::kBadCompression);
  EXPECT_EQ(code_of(good + "x"), Errc::kBadCompression);
  EXPECT_EQ(code_of(""), Errc::kBadCompression);
  EXPECT_EQ(code_of(text_of(2000)), Errc::kBadCompression);
  Bytes skippable("\x50\x2a\x4d\x18\x04\x00\x00\x00skip", 12);
  EXPECT_EQ(code_of(skippable), Errc::kBadCompression);
  EXPECT_EQ(code_of(skippable + good), Errc::kBadCompression);
  for (std::size_t n = 0; n < good.size(); ++n)
    ASSERT_EQ(code_of(good.substr(0, n)), Errc::kBadCompression) << n;
  EXPECT_EQ(code_of(zstd(text_of(1023))), Errc::kBadCompression) << "below 1 KiB";
}

TEST(Compression, LargeWindowsAreRefused) {
  EXPECT_EQ(code_of(zstd(text_of(8000), 18)), Errc::kOk);
  EXPECT_EQ(code_of(zstd(text_of(8000), 19)), Errc::kBadCompression);
  EXPECT_EQ(code_of(zstd(text_of(8000), 27)), Errc::kBadCompression);
}

TEST(Compression, FlippedBytesNeverCrashAndAFailureLeavesNoTrace) {
  const Bytes text = text_of(3000);
  const Bytes good = zstd(text);
  Bytes out;
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x55);
    (void)decompress_body(as_bytes(bad), out);
    ASSERT_TRUE(decompress_body(as_bytes(good), out)) << i;
    ASSERT_EQ(out, text);
  }
}

}  // namespace
}  // namespace hy::wire
