#pragma once

#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/crypto/keys.h"

namespace hy::crypto {

enum class AeadKind : std::uint8_t { kAes256Gcm = 1, kChaCha20Poly1305 = 2 };

inline constexpr std::size_t kAeadTagBytes = 16;
inline constexpr std::size_t kAeadNonceBytes = 12;
using Nonce = std::array<std::uint8_t, kAeadNonceBytes>;

// A connection keeps its key and counter and nothing else: the key schedule is made for each call,
// or lies in one context per thread, which holds the last key used there until the next.

/// Writes ciphertext and tag to `out`, which holds plaintext.size() + 16 bytes and may start where
/// `plaintext` starts (in place), but must not overlap it otherwise. plaintext ≤ 2^31 - 17 bytes.
/// The caller never uses a nonce twice with one key. Any thread. Cannot fail for peers' bytes.
void aead_seal(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad, ByteView plaintext,
               std::uint8_t* out);

/// Checks the tag and writes sealed.size() - 16 bytes to `out` (in place allowed as above). False:
/// shorter than a tag, or the tag does not match; `out` then holds zeros. Any thread.
[[nodiscard]] bool aead_open(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad,
                             ByteView sealed, std::uint8_t* out);

}  // namespace hy::crypto
