#include "common/crypto/aead.h"

#include "common/base/check.h"
#include "common/crypto/aead_openssl.h"
#include "common/crypto/sodium_ready.h"

namespace hy::crypto {
namespace {

constexpr std::size_t kBytesMax = (1ULL << 31U) - kAeadTagBytes;

/// libsodium's AES-256-GCM costs a third of OpenSSL's for one frame (ADR 14). It needs the
/// processor's instructions for AES; where they are missing OpenSSL does it.
bool by_sodium(AeadKind kind) {
  static const bool has_aes = [] {
    sodium_ready();
    return crypto_aead_aes256gcm_is_available() == 1;
  }();
  return kind == AeadKind::kAes256Gcm && has_aes;
}

}  // namespace

void aead_seal(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad, ByteView plaintext,
               std::uint8_t* out) {
  if (!by_sodium(kind)) return openssl_seal(kind, key, nonce, ad, plaintext, out);
  HY_CHECK(plaintext.size() < kBytesMax);
  HY_CHECK(crypto_aead_aes256gcm_encrypt(out, nullptr, plaintext.data(), plaintext.size(),
                                         ad.data(), ad.size(), nullptr, nonce.data(),
                                         key.data()) == 0);
}

bool aead_open(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad, ByteView sealed,
               std::uint8_t* out) {
  if (!by_sodium(kind)) return openssl_open(kind, key, nonce, ad, sealed, out);
  if (sealed.size() < kAeadTagBytes) return false;
  HY_CHECK(sealed.size() < kBytesMax);
  if (crypto_aead_aes256gcm_decrypt(out, nullptr, nullptr, sealed.data(), sealed.size(), ad.data(),
                                    ad.size(), nonce.data(), key.data()) == 0)
    return true;
  // Nothing of an unauthenticated text may be read by anyone.
  wipe(out, sealed.size() - kAeadTagBytes);
  return false;
}

}  // namespace hy::crypto
