#include "common/crypto/x25519.h"

namespace hy::crypto {

// Alone in its file: programs on virtual time have their own (tests/sim/kernel/sim_x25519.cc).
X25519KeyPair X25519KeyPair::generate(Random& random) {
  SecretKey32 seed;
  random.fill(seed.writable());
  return from_private(seed.reveal());
}

}  // namespace hy::crypto
