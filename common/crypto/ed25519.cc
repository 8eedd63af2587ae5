#include "common/crypto/ed25519.h"

#include "common/base/check.h"
#include "common/crypto/sodium_ready.h"

namespace hy::crypto {

Ed25519Key Ed25519Key::from_seed(View32 seed) {
  sodium_ready();
  Ed25519Key out;
  HY_CHECK(crypto_sign_ed25519_seed_keypair(out.public_key_.data(), out.key_.writable().data(),
                                            seed.data()) == 0);
  return out;
}

Signature Ed25519Key::compute(ByteView message) const {
  Signature out;
  HY_CHECK(crypto_sign_ed25519_detached(out.data(), nullptr, message.data(), message.size(),
                                        key_.reveal().data()) == 0);
  return out;
}

bool ed25519_verify_now(View32 public_key, ByteView message,
                        std::span<const std::uint8_t, 64> signature) {
  sodium_ready();
  return crypto_sign_ed25519_verify_detached(signature.data(), message.data(), message.size(),
                                             public_key.data()) == 0;
}

}  // namespace hy::crypto
