#include "common/wire/header.h"

#include <string>

namespace hy::wire {
namespace {

constexpr std::uint32_t kKeyNoticeBytes = 148;

}  // namespace

std::optional<std::uint32_t> body_bytes_max(ReadState state, std::uint32_t command) {
  const auto is = [command](Outer outer) { return command == static_cast<std::uint32_t>(outer); };
  switch (state) {
    case ReadState::kServerHello:
    case ReadState::kServerSecondHello:
      if (is(Outer::kHello)) return limits::kHelloBytesMax;
      return std::nullopt;
    case ReadState::kServerHandshake:
      if (is(Outer::kHandshake1)) return limits::kBodyBeforeLoginMax;
      return std::nullopt;
    case ReadState::kServerAfterNotice:
      if (is(Outer::kHello)) return limits::kHelloBytesMax;
      if (is(Outer::kHandshake1)) return limits::kBodyBeforeLoginMax;
      return std::nullopt;
    case ReadState::kServerLogin:
      if (is(Outer::kData)) return limits::kBodyBeforeLoginMax;
      return std::nullopt;
    case ReadState::kClientHandshake:
      if (is(Outer::kKeyNotice)) return kKeyNoticeBytes;
      if (is(Outer::kHandshake2)) return limits::kBodyBeforeLoginMax;
      return std::nullopt;
    case ReadState::kClientAfterNotice:
      if (is(Outer::kHandshake2)) return limits::kBodyBeforeLoginMax;
      return std::nullopt;
    case ReadState::kServerOpen:
    case ReadState::kClientOpen:
      if (is(Outer::kData)) return limits::kBodyBytesMax;
      return std::nullopt;
  }
  return std::nullopt;
}

void pack_header(std::uint8_t* out, Header header) {
  put_be(out, kProtocolVersion);
  put_be(out + 4, kMagic);
  put_be(out + 8, static_cast<std::uint32_t>(header.command));
  put_be(out + 12, header.length);
}

HeaderBytes pack_header(Header header) {
  HeaderBytes out;
  pack_header(out.data(), header);
  return out;
}

Result<Header> parse_header(std::span<const std::uint8_t, limits::kHeaderBytes> in,
                            ReadState state) {
  if (get_be<std::uint32_t>(in.data()) != kProtocolVersion) return fail(Errc::kBadVersion);
  if (get_be<std::uint32_t>(in.data() + 4) != kMagic) return fail(Errc::kBadMagic);
  const auto command = get_be<std::uint32_t>(in.data() + 8);
  const auto cap = body_bytes_max(state, command);
  if (!cap) return fail(Errc::kWrongState, "outer command " + std::to_string(command));
  const auto length = get_be<std::uint32_t>(in.data() + 12);
  if (length > *cap) return fail(Errc::kFrameTooLarge, "length " + std::to_string(length));
  return Header{.command = static_cast<Outer>(command), .length = length};
}

void append_frame(Outer command, ByteView body, Bytes& out) {
  const auto header =
      pack_header({.command = command, .length = static_cast<std::uint32_t>(body.size())});
  out.append(as_text(header));
  out.append(as_text(body));
}

}  // namespace hy::wire
