#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/wire/frame_decoder.h"
#include "common/wire/noise_session.h"

namespace hy::wire {

// wire-protocol.md#inner: type u16 | flags u16 | request_id u32 | body [| zeros | pad u16].

inline constexpr std::uint16_t kFlagCompressed = 0x0001;
inline constexpr std::uint16_t kFlagPadded = 0x0002;
inline constexpr std::uint16_t kFlagRefused = 0x0004;
inline constexpr std::uint16_t kFlagsKnown = kFlagCompressed | kFlagPadded | kFlagRefused;
inline constexpr std::uint16_t kTypeAck = 0x8000;
inline constexpr std::uint16_t kTypeNotice = 0x4000;

/// What one DATA frame says. The views belong to somebody else.
struct Inner {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t request_id = 0;
  ByteView body{};
  ByteView suffix{};  ///< sending only: follows body, e.g. a protobuf field added to a message
};

enum class Padding : std::uint8_t { kOn, kOff };
enum class Compression : std::uint8_t { kAllowed, kForbidden };

/// Size of an inner frame of `bytes` after padding: the next of 64, 128, 256, 512, 1,024 that
/// leaves room for the count, `bytes` itself when it is one of them or longer. Never above `cap`.
std::size_t padded_bytes(std::size_t bytes, std::size_t cap = limits::kInnerBytesMax);

/// Takes a decrypted inner frame apart and cuts off the padding. The body still may be compressed.
/// Error: kBadFrame (too short, an unknown flag, a padding count below 2 or beyond the body).
[[nodiscard]] Result<Inner> parse_inner(ByteView text);

struct SealOptions {
  Padding padding = Padding::kOn;
  /// Allowed: a body of 1 KiB or more is compressed when that makes it smaller. Only after login,
  /// never for a body that holds a credential.
  Compression compression = Compression::kForbidden;
  /// Longest wire body that the peer takes in its state: limits::kBodyBeforeLoginMax for LOGIN.
  std::size_t wire_bytes_max = limits::kBodyBytesMax;
};

/// Appends one DATA frame to `out`: header and sealed inner, written in place, without a buffer of
/// its own. Errors, with `out` and the counter as they were: kFrameTooLarge, kConnectionTooOld.
[[nodiscard]] Status seal_frame(Transport& transport, const Inner& inner,
                                const SealOptions& options, Bytes& out);

/// Decrypts a DATA frame in place, takes it apart and, when its flag says so and that is allowed,
/// decompresses the body into `scratch` (which must outlive the answer). The answer's flags lack
/// kFlagCompressed and kFlagPadded then. Errors: kBadFrame, kConnectionTooOld, kBadCompression:
/// close without a word for all of them.
[[nodiscard]] Result<Inner> open_frame(Transport& transport, const Frame& frame,
                                       Compression compression, Bytes& scratch);

}  // namespace hy::wire
