#include "common/crypto/x25519.h"

#include "common/base/check.h"
#include "common/crypto/openssl.h"

namespace hy::crypto {

X25519KeyPair X25519KeyPair::from_private(View32 private_key) {
  std::shared_ptr<EVP_PKEY> key(
      EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, private_key.data(), 32),
      EVP_PKEY_free);
  HY_CHECK(key != nullptr);
  Bytes32 public_key;
  std::size_t size = public_key.size();
  HY_CHECK(EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &size) == 1 &&
           size == public_key.size());
  return X25519KeyPair(std::move(key), public_key);
}

Result<SecretKey32> X25519KeyPair::compute(View32 peer_public) const {
  const PkeyPtr peer(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, peer_public.data(), 32));
  HY_CHECK(peer != nullptr);
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  HY_CHECK(ctx != nullptr);
  HY_CHECK(EVP_PKEY_derive_init(ctx.get()) == 1);
  SecretKey32 out;
  std::size_t size = 32;
  // Validation of the peer's point is off (0): every 32 bytes are a point; the zero check is
  // derive's own.
  if (EVP_PKEY_derive_set_peer_ex(ctx.get(), peer.get(), 0) != 1 ||
      EVP_PKEY_derive(ctx.get(), out.writable().data(), &size) != 1 || size != 32) {
    clear_openssl_errors();
    return fail(Errc::kHandshakeFailed, "the peer's X25519 point is of low order");
  }
  return out;
}

}  // namespace hy::crypto
