#include "common/wire/inner.h"

#include <algorithm>
#include <cstring>

#include "common/wire/compression.h"

namespace hy::wire {
namespace {

constexpr std::size_t kPadCountBytes = 2;
constexpr std::size_t kPadSteps[] = {64, 128, 256, 512, 1024};

std::uint8_t* put_part(std::uint8_t* at, ByteView part) {
  if (!part.empty()) std::memcpy(at, part.data(), part.size());
  return at + part.size();
}

/// The body compressed in this thread's buffer; empty when it is not to be.
ByteView compressed_body(const Inner& inner, Compression compression) {
  if (compression == Compression::kForbidden) return {};
  if (inner.body.size() < limits::kCompressFromBytes || !inner.suffix.empty()) return {};
  thread_local Bytes buffer;
  return compress_body(inner.body, buffer) ? as_bytes(buffer) : ByteView();
}

}  // namespace

std::size_t padded_bytes(std::size_t bytes, std::size_t cap) {
  for (const std::size_t step : kPadSteps) {
    // The last step shrinks to the cap: a LOGIN of 600 bytes is padded to 1,008, not refused.
    const std::size_t to = std::min(step, cap);
    if (bytes == to || bytes + kPadCountBytes <= to) return to;
  }
  return bytes;
}

Result<Inner> parse_inner(ByteView text) {
  if (text.size() < limits::kInnerHeaderBytes) return fail(Errc::kBadFrame);
  Inner inner{.type = get_be<std::uint16_t>(text.data()),
              .flags = get_be<std::uint16_t>(text.data() + 2),
              .request_id = get_be<std::uint32_t>(text.data() + 4),
              .body = text.subspan(limits::kInnerHeaderBytes)};
  if ((inner.flags & ~kFlagsKnown) != 0) return fail(Errc::kBadFrame);
  if ((inner.flags & kFlagPadded) == 0) return inner;
  if (inner.body.size() < kPadCountBytes) return fail(Errc::kBadFrame);
  const auto pad = get_be<std::uint16_t>(inner.body.data() + inner.body.size() - kPadCountBytes);
  if (pad < kPadCountBytes || pad > inner.body.size()) return fail(Errc::kBadFrame);
  inner.body = inner.body.first(inner.body.size() - pad);
  return inner;
}

Status seal_frame(Transport& transport, const Inner& inner, const SealOptions& options,
                  Bytes& out) {
  const ByteView packed = compressed_body(inner, options.compression);
  const ByteView body = packed.empty() ? inner.body : packed;
  const std::size_t cap =
      std::min<std::size_t>(options.wire_bytes_max, limits::kBodyBytesMax) - limits::kTagBytes;
  const std::size_t bytes = limits::kInnerHeaderBytes + body.size() + inner.suffix.size();
  if (bytes > cap) return fail(Errc::kFrameTooLarge);
  const std::size_t total = options.padding == Padding::kOn ? padded_bytes(bytes, cap) : bytes;
  const std::size_t pad = total - bytes;

  const std::size_t at = out.size();
  out.resize(at + limits::kHeaderBytes + total + limits::kTagBytes);  // resize fills with zeros
  auto* header = reinterpret_cast<std::uint8_t*>(out.data()) + at;
  auto* text = header + limits::kHeaderBytes;
  // The length is final before encryption: it is part of what is authenticated.
  pack_header(header, {.command = Outer::kData,
                       .length = static_cast<std::uint32_t>(total + limits::kTagBytes)});
  std::uint16_t flags = inner.flags;
  if (!packed.empty()) flags |= kFlagCompressed;
  if (pad > 0) flags |= kFlagPadded;
  put_be(text, inner.type);
  put_be(text + 2, flags);
  put_be(text + 4, inner.request_id);
  put_part(put_part(text + limits::kInnerHeaderBytes, body), inner.suffix);
  if (pad > 0) put_be(text + total - kPadCountBytes, static_cast<std::uint16_t>(pad));
  auto sealed = transport.seal({header, limits::kHeaderBytes}, {text, total}, text);
  if (!sealed) out.resize(at);
  return sealed;
}

Result<Inner> open_frame(Transport& transport, const Frame& frame, Compression compression,
                         Bytes& scratch) {
  HY_TRY(const auto text, transport.open(frame.header_bytes, frame.body));
  HY_TRY(Inner inner, parse_inner(text));
  inner.flags &= static_cast<std::uint16_t>(~kFlagPadded);
  if ((inner.flags & kFlagCompressed) == 0) return inner;
  if (compression == Compression::kForbidden) return fail(Errc::kBadCompression);
  HY_TRY_VOID(decompress_body(inner.body, scratch));
  inner.body = as_bytes(scratch);
  inner.flags &= static_cast<std::uint16_t>(~kFlagCompressed);
  return inner;
}

}  // namespace hy::wire
