#pragma once

#include <span>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/ed25519.h"
#include "common/wire/server_key.h"

namespace hy::wire {

// wire-protocol.md#token: 144 bytes, one layout, no algorithm field (RFC 8725 says what one costs).

inline constexpr std::size_t kTokenBytes = 144;
inline constexpr std::int64_t kTokenToleranceS = 300;

enum class TokenKind : std::uint8_t { kSession = 1, kRenewal = 2 };
using TokenId = std::array<std::uint8_t, 16>;

struct Token {
  Slot slot = Slot::kNone;
  TokenKind kind = TokenKind::kSession;
  Uid uid{};
  DeviceHash device{};
  std::uint32_t auth_epoch = 0;
  std::int64_t issued_s = 0;  ///< unix seconds
  std::int64_t expires_s = 0;
  Audience audience{};
  TokenId id{};
};

/// A key that tokens are verified with, and its number in the token.
struct TokenKey {
  std::uint16_t number = 0;
  crypto::Bytes32 public_key{};
};

/// What LOGIN and the clock say about the token that came with it.
struct TokenExpectation {
  Audience audience{};
  TokenKind kind = TokenKind::kSession;
  Slot slot = Slot::kNone;
  DeviceHash device{};
  std::int64_t now_s = 0;
  std::uint32_t auth_epoch_min = 0;  ///< what logic knows of (uid, slot); 0 = nothing
};

/// Lays out and signs. Logic alone has a signing key.
[[nodiscard]] Bytes sign_token(const Token& token, std::uint16_t key_number,
                               const crypto::Ed25519Key& key);

/// Length, tag, zeros, key and signature: nothing of the token is believed before these. Errors:
/// kTokenMalformed (length, tag, zeros, a slot or kind out of range), kTokenForged (unknown key
/// number, signature).
[[nodiscard]] Result<Token> open_token(ByteView bytes, std::span<const TokenKey> keys);

/// The checks against LOGIN, in order: audience, kind, slot and device (kTokenMisused), times
/// ± 300 s (kTokenExpired), auth_epoch (kRevoked).
[[nodiscard]] Status check_token(const Token& token, const TokenExpectation& expected);

/// open_token, then check_token.
[[nodiscard]] Result<Token> verify_token(ByteView bytes, std::span<const TokenKey> keys,
                                         const TokenExpectation& expected);

}  // namespace hy::wire
