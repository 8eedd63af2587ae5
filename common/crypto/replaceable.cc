#include "common/crypto/ed25519.h"
#include "common/crypto/x25519.h"

// What costs tens of microseconds a call, alone in one file: a program on virtual time brings its
// own (tests/sim/kernel/sim_crypto.cc), and this one is then not linked.
namespace hy::crypto {

X25519KeyPair X25519KeyPair::generate(Random& random) {
  SecretKey32 seed;
  random.fill(seed.writable());
  return from_private(seed.reveal());
}

Result<SecretKey32> X25519KeyPair::derive(View32 peer_public) const {
  return compute(peer_public);
}

Signature Ed25519Key::sign(ByteView message) const {
  return compute(message);
}

bool ed25519_verify(View32 public_key, ByteView message,
                    std::span<const std::uint8_t, 64> signature) {
  return ed25519_verify_now(public_key, message, signature);
}

}  // namespace hy::crypto
