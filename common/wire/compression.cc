#include "common/wire/compression.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "common/base/check.h"
#include "common/base/limits.h"

namespace hy::wire {
namespace {

constexpr int kLevel = 1;
constexpr int kWindowLogMax = 18;  // 256 KiB, the longest body: a larger window has no use
constexpr std::size_t kStepBytes = 16 * 1024;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* ctx) const { ZSTD_freeCCtx(ctx); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* ctx) const { ZSTD_freeDCtx(ctx); }
};

ZSTD_CCtx* compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeCompressor> ctx = [] {
    std::unique_ptr<ZSTD_CCtx, FreeCompressor> made(ZSTD_createCCtx());
    HY_CHECK(made != nullptr);
    HY_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(made.get(), ZSTD_c_compressionLevel, kLevel)));
    HY_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(made.get(), ZSTD_c_windowLog, kWindowLogMax)));
    return made;
  }();
  return ctx.get();
}

ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeDecompressor> ctx = [] {
    std::unique_ptr<ZSTD_DCtx, FreeDecompressor> made(ZSTD_createDCtx());
    HY_CHECK(made != nullptr);
    HY_CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(made.get(), ZSTD_d_windowLogMax, kWindowLogMax)));
    return made;
  }();
  return ctx.get();
}

}  // namespace

bool compress_body(ByteView in, Bytes& out) {
  if (in.size() < limits::kCompressFromBytes || in.size() > limits::kDecompressedBytesMax)
    return false;
  out.resize(ZSTD_compressBound(in.size()));
  const std::size_t size =
      ZSTD_compress2(compressor(), out.data(), out.size(), in.data(), in.size());
  if (ZSTD_isError(size)) return false;
  out.resize(size);
  // Beyond the ratio a receiver takes it for a bomb.
  return size < in.size() && size * limits::kDecompressRatioMax >= in.size();
}

Status decompress_body(ByteView in, Bytes& out) {
  ZSTD_DCtx* ctx = decompressor();
  HY_CHECK(!ZSTD_isError(ZSTD_DCtx_reset(ctx, ZSTD_reset_session_only)));
  const std::size_t cap = std::min<std::size_t>(
      limits::kDecompressedBytesMax, in.size() * std::size_t{limits::kDecompressRatioMax});
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  out.clear();
  std::size_t left = 1;  // 0: the frame is complete
  while (left != 0) {
    const std::size_t have = out.size();
    if (have > cap) break;
    out.resize(have + kStepBytes);
    ZSTD_outBuffer to{out.data() + have, kStepBytes, 0};
    left = ZSTD_decompressStream(ctx, &to, &from);
    out.resize(have + to.pos);
    if (ZSTD_isError(left)) break;
    if (to.pos == 0 && from.pos == from.size && left != 0) break;  // it wants more: cut short
  }
  if (left == 0 && from.pos == from.size && out.size() <= cap &&
      out.size() >= limits::kCompressFromBytes)
    return {};
  out.clear();
  return fail(Errc::kBadCompression);
}

}  // namespace hy::wire
