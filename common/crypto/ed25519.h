#pragma once

#include "common/crypto/keys.h"

namespace hy::crypto {

using Signature = Bytes64;

/// An Ed25519 signing key (RFC 8032), made from its 32-byte seed. Any thread. Signing costs about
/// 30 µs.
class Ed25519Key {
 public:
  static Ed25519Key from_seed(View32 seed);
  [[nodiscard]] const Bytes32& public_key() const { return public_key_; }
  /// Deterministic: the same message gives the same signature (RFC 8032 §5.1.6).
  [[nodiscard]] Signature sign(ByteView message) const;

 private:
  Ed25519Key() = default;
  /// sign(), as libsodium does it.
  [[nodiscard]] Signature compute(ByteView message) const;

  WipedArray<64> key_;  ///< the seed, then the public key: libsodium's form
  Bytes32 public_key_{};
};

/// False for any wrong signature, message or key, also for 32 bytes that are no point or one of
/// small order. About 55 µs.
[[nodiscard]] bool ed25519_verify(View32 public_key, ByteView message,
                                  std::span<const std::uint8_t, 64> signature);
/// ed25519_verify(), as libsodium does it.
[[nodiscard]] bool ed25519_verify_now(View32 public_key, ByteView message,
                                      std::span<const std::uint8_t, 64> signature);

}  // namespace hy::crypto
