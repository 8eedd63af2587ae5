#pragma once

#include <optional>

#include "common/wire/header.h"
#include "common/wire/server_key.h"

namespace hy::wire {

using Ticket = std::array<std::uint8_t, 16>;

/// wire-protocol.md#hello: suite u8 | pattern u8 | flags u16 | sdk u32 | key_id 8 | [ticket 16].
struct Hello {
  std::uint8_t suite = 1;
  std::uint8_t pattern = 1;
  std::uint16_t flags = 0;  ///< reserved: 0 when sent, ignored when received
  std::uint32_t sdk = 0;    ///< version of the client library, for statistics alone
  KeyId key_id{};
  std::optional<Ticket> ticket{};  ///< reconnect ticket: a place in the queue, no right
};

/// Appends the whole HELLO frame, header and body: these bytes are the handshake's prologue.
void append_hello(const Hello& hello, Bytes& out);

/// Reads a HELLO's body. A body longer than this version knows is legal (its bytes are in the
/// prologue, so they are authenticated). Errors: kBadFrame (a length that fits no layout),
/// kUnsupportedSuite (also a pattern other than NK).
[[nodiscard]] Result<Hello> parse_hello(ByteView body);

/// The prologue: header and body of the HELLO that directly precedes HANDSHAKE_1.
[[nodiscard]] Bytes hello_prologue(ByteView header, ByteView body);

}  // namespace hy::wire
