#pragma once

// Private to common/crypto and its tests.

#include "common/crypto/aead.h"

namespace hy::crypto {

/// aead_seal() and aead_open() by OpenSSL: for ChaCha20-Poly1305, and for AES-256-GCM on processors
/// that libsodium has no code for. One context per thread, kind and direction, re-keyed per call.
void openssl_seal(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad, ByteView plaintext,
                  std::uint8_t* out);
[[nodiscard]] bool openssl_open(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad,
                                ByteView sealed, std::uint8_t* out);

}  // namespace hy::crypto
