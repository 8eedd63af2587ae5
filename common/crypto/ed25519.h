#pragma once

#include <initializer_list>
#include <memory>

#include "common/crypto/keys.h"

typedef struct evp_pkey_st EVP_PKEY;  // NOLINT: OpenSSL's own name, so that its headers stay inside

namespace hy::crypto {

using Signature = Bytes64;

/// An Ed25519 signing key (RFC 8032), made from its 32-byte seed. Copies share one imported key.
/// Any thread. Signing costs about 50 µs.
class Ed25519Key {
 public:
  static Ed25519Key from_seed(View32 seed);
  [[nodiscard]] const Bytes32& public_key() const { return public_key_; }
  /// Deterministic: the same message gives the same signature (RFC 8032 §5.1.6).
  [[nodiscard]] Signature sign(ByteView message) const;

 private:
  Ed25519Key(std::shared_ptr<EVP_PKEY> key, const Bytes32& public_key)
      : key_(std::move(key)), public_key_(public_key) {}
  /// sign(), as OpenSSL does it.
  [[nodiscard]] Signature compute(ByteView message) const;

  std::shared_ptr<EVP_PKEY> key_;
  Bytes32 public_key_;
};

/// False for any wrong signature, message or key, also for 32 bytes that are no point. About
/// 120 µs.
[[nodiscard]] bool ed25519_verify(View32 public_key, ByteView message,
                                  std::span<const std::uint8_t, 64> signature);
/// ed25519_verify(), as OpenSSL does it.
[[nodiscard]] bool ed25519_verify_now(View32 public_key, ByteView message,
                                      std::span<const std::uint8_t, 64> signature);

}  // namespace hy::crypto
