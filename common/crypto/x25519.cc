#include "common/crypto/x25519.h"

#include "common/base/check.h"
#include "common/crypto/sodium_ready.h"

namespace hy::crypto {

X25519KeyPair X25519KeyPair::from_private(View32 private_key) {
  sodium_ready();
  X25519KeyPair pair;
  pair.private_ = SecretKey32(private_key);
  HY_CHECK(crypto_scalarmult_curve25519_base(pair.public_key_.data(), private_key.data()) == 0);
  return pair;
}

Result<SecretKey32> X25519KeyPair::compute(View32 peer_public) const {
  SecretKey32 out;
  // Not 0: the result would be all zero.
  if (crypto_scalarmult_curve25519(out.writable().data(), private_.reveal().data(),
                                   peer_public.data()) != 0) {
    return fail(Errc::kHandshakeFailed, "the peer's X25519 point is of low order");
  }
  return out;
}

}  // namespace hy::crypto
