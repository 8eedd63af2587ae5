#pragma once

#include <memory>

#include "common/base/random.h"
#include "common/base/result.h"
#include "common/crypto/keys.h"

typedef struct evp_pkey_st EVP_PKEY;  // NOLINT: OpenSSL's own name, so that its headers stay inside

namespace hy::crypto {

/// An X25519 key pair (RFC 7748). Copies share one imported key: importing costs as much as a DH,
/// so a server's static key is imported once. Any thread.
class X25519KeyPair {
 public:
  /// Any 32 bytes are a private key (clamped inside the function, RFC 7748 §5).
  static X25519KeyPair from_private(View32 private_key);
  /// A fresh pair from `random`, which must be cryptographic outside of tests.
  static X25519KeyPair generate(Random& random);

  [[nodiscard]] const Bytes32& public_key() const { return public_key_; }

  /// The shared secret with a peer. kHandshakeFailed: the peer's point is of low order (the result
  /// would be all zero; Noise rev 34 §12.1 allows to refuse it).
  [[nodiscard]] Result<SecretKey32> derive(View32 peer_public) const;

 private:
  explicit X25519KeyPair(std::shared_ptr<EVP_PKEY> key, const Bytes32& public_key)
      : key_(std::move(key)), public_key_(public_key) {}
  /// derive(), as OpenSSL does it.
  [[nodiscard]] Result<SecretKey32> compute(View32 peer_public) const;

  std::shared_ptr<EVP_PKEY> key_;
  Bytes32 public_key_;
};

}  // namespace hy::crypto
