#include "client/cli/keys.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/crypto/x25519.h"

namespace hy::cli {

Result<std::string> public_key_hex(const std::string& private_hex) {
  const auto bytes = from_hex(private_hex);
  if (!bytes || bytes->size() != 32) {
    return fail(Errc::kConfigWrongType, "a key is 32 bytes in hex, 64 digits");
  }
  crypto::SecretKey32 key;
  std::ranges::copy(as_bytes(*bytes), key.writable().begin());
  return to_hex(crypto::X25519KeyPair::from_private(key.reveal()).public_key());
}

}  // namespace hy::cli
