#include "common/crypto/ed25519.h"

#include "common/base/check.h"
#include "common/crypto/openssl.h"

namespace hy::crypto {

Ed25519Key Ed25519Key::from_seed(View32 seed) {
  std::shared_ptr<EVP_PKEY> key(
      EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, seed.data(), 32), EVP_PKEY_free);
  HY_CHECK(key != nullptr);
  Bytes32 public_key;
  std::size_t size = public_key.size();
  HY_CHECK(EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &size) == 1 &&
           size == public_key.size());
  return {std::move(key), public_key};
}

Signature Ed25519Key::compute(ByteView message) const {
  const MdCtxPtr ctx(EVP_MD_CTX_new());
  HY_CHECK(ctx != nullptr);
  HY_CHECK(EVP_DigestSignInit_ex(ctx.get(), nullptr, nullptr, nullptr, nullptr, key_.get(),
                                 nullptr) == 1);
  Signature out;
  std::size_t size = out.size();
  HY_CHECK(EVP_DigestSign(ctx.get(), out.data(), &size, message.data(), message.size()) == 1 &&
           size == out.size());
  return out;
}

bool ed25519_verify_now(View32 public_key, ByteView message,
                        std::span<const std::uint8_t, 64> signature) {
  const PkeyPtr key(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, public_key.data(), 32));
  HY_CHECK(key != nullptr);
  const MdCtxPtr ctx(EVP_MD_CTX_new());
  HY_CHECK(ctx != nullptr);
  HY_CHECK(EVP_DigestVerifyInit_ex(ctx.get(), nullptr, nullptr, nullptr, nullptr, key.get(),
                                   nullptr) == 1);
  if (EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), message.data(),
                       message.size()) == 1)
    return true;
  clear_openssl_errors();
  return false;
}

}  // namespace hy::crypto
