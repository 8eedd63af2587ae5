#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/result.h"

namespace hy::wire {

// wire-protocol.md#header: version u32 | magic u32 | command u32 | length u32, big-endian.

inline constexpr std::uint32_t kProtocolVersion = 0x0001'0000;
inline constexpr std::uint32_t kMagic = 0x4859'494D;  // "HYIM"

enum class Outer : std::uint32_t {
  kHello = 1,
  kKeyNotice = 2,
  kHandshake1 = 3,
  kHandshake2 = 4,
  kData = 5,
};

using HeaderBytes = std::array<std::uint8_t, limits::kHeaderBytes>;

struct Header {
  Outer command = Outer::kData;
  std::uint32_t length = 0;  ///< bytes of the body
  friend constexpr bool operator==(const Header&, const Header&) = default;
};

/// What a reader waits for: which commands are legal and how long their bodies may be.
enum class ReadState : std::uint8_t {
  kServerHello,        ///< HELLO
  kServerHandshake,    ///< HANDSHAKE_1
  kServerAfterNotice,  ///< HELLO, or the one HANDSHAKE_1 that was pipelined behind the first HELLO
  kServerSecondHello,  ///< HELLO: the pipelined HANDSHAKE_1 was discarded
  kServerLogin,        ///< DATA, at most 1,024 bytes
  kServerOpen,         ///< DATA, at most 65,535 bytes
  kClientHandshake,    ///< HANDSHAKE_2 or KEY_NOTICE
  kClientAfterNotice,  ///< HANDSHAKE_2
  kClientOpen,         ///< DATA, at most 65,535 bytes
};

/// Longest legal body of `command` in `state`; nullopt: not legal there.
std::optional<std::uint32_t> body_bytes_max(ReadState state, std::uint32_t command);

void pack_header(std::uint8_t* out, Header header);
[[nodiscard]] HeaderBytes pack_header(Header header);

/// Judges a received header in the order version, magic, command, length, before any byte of the
/// body is stored. Errors: kBadVersion, kBadMagic, kWrongState, kFrameTooLarge. Each closes.
[[nodiscard]] Result<Header> parse_header(std::span<const std::uint8_t, limits::kHeaderBytes> in,
                                          ReadState state);

/// Appends header and body of a clear frame (HELLO, KEY_NOTICE, HANDSHAKE_1, HANDSHAKE_2).
void append_frame(Outer command, ByteView body, Bytes& out);

}  // namespace hy::wire
