#pragma once

#include <initializer_list>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/crypto/keys.h"

namespace hy::crypto {

// All of these run on any thread and keep one context per thread; none can fail for its input.

/// SHA-256 (FIPS 180-4) over the parts one after another.
Bytes32 sha256(std::initializer_list<ByteView> parts);
inline Bytes32 sha256(ByteView data) {
  return sha256({data});
}

/// HMAC-SHA256 (RFC 2104) over the parts one after another.
Bytes32 hmac_sha256(ByteView key, std::initializer_list<ByteView> parts);

/// The two-output HKDF of Noise rev 34 §4.3. `ikm` may be empty.
struct NoiseKeys {
  SecretKey32 first;
  SecretKey32 second;
};
NoiseKeys noise_hkdf(View32 chaining_key, ByteView ikm);

/// HKDF-SHA256 (RFC 5869 §2). out.size() ≤ 255 × 32. An empty salt is 32 zero bytes.
void hkdf_sha256(ByteView salt, ByteView ikm, ByteView info, std::span<std::uint8_t> out);

/// Compares in time that depends on the sizes alone. Different sizes are unequal.
[[nodiscard]] bool equal_constant_time(ByteView a, ByteView b);

/// First 16 bytes of SHA-256(kind as u32 big-endian | body): what tells a repeat from a conflict.
PayloadHash payload_hash(std::uint32_t kind, ByteView body);

}  // namespace hy::crypto
