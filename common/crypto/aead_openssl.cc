#include "common/crypto/aead_openssl.h"

#include <openssl/err.h>

#include "common/base/check.h"
#include "common/crypto/openssl.h"

namespace hy::crypto {
namespace {

enum class Direction : std::uint8_t { kSeal, kOpen };

/// Fetched once for the process and kept: an implicit fetch costs 0.4–0.8 µs at each use.
const EVP_CIPHER* cipher_of(AeadKind kind) {
  static const EVP_CIPHER* const aes = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  static const EVP_CIPHER* const chacha = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
  HY_CHECK(aes != nullptr && chacha != nullptr);
  return kind == AeadKind::kAes256Gcm ? aes : chacha;
}

CipherCtxPtr make_context(AeadKind kind, Direction direction) {
  CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  HY_CHECK(ctx != nullptr);
  HY_CHECK(EVP_CipherInit_ex2(ctx.get(), cipher_of(kind), nullptr, nullptr,
                              direction == Direction::kSeal ? 1 : 0, nullptr) == 1);
  HY_CHECK(EVP_CIPHER_CTX_get_iv_length(ctx.get()) == static_cast<int>(kAeadNonceBytes));
  return ctx;
}

EVP_CIPHER_CTX* context_of(AeadKind kind, Direction direction) {
  thread_local CipherCtxPtr contexts[2][2];
  auto& slot =
      contexts[kind == AeadKind::kAes256Gcm ? 0 : 1][direction == Direction::kSeal ? 0 : 1];
  if (!slot) slot = make_context(kind, direction);
  return slot.get();
}

int length_of(ByteView bytes) {
  HY_CHECK(bytes.size() < (1ULL << 31) - kAeadTagBytes);
  return static_cast<int>(bytes.size());
}

}  // namespace

void clear_openssl_errors() {
  ERR_clear_error();
}

void openssl_seal(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad, ByteView plaintext,
                  std::uint8_t* out) {
  EVP_CIPHER_CTX* ctx = context_of(kind, Direction::kSeal);
  int written = 0;
  HY_CHECK(EVP_EncryptInit_ex2(ctx, nullptr, key.data(), nonce.data(), nullptr) == 1);
  if (!ad.empty())
    HY_CHECK(EVP_EncryptUpdate(ctx, nullptr, &written, ad.data(), length_of(ad)) == 1);
  const int size = length_of(plaintext);
  if (size > 0) {
    HY_CHECK(EVP_EncryptUpdate(ctx, out, &written, plaintext.data(), size) == 1);
    HY_CHECK(written == size);
  }
  HY_CHECK(EVP_EncryptFinal_ex(ctx, out + size, &written) == 1);
  HY_CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kAeadTagBytes),
                               out + size) == 1);
}

bool openssl_open(AeadKind kind, View32 key, const Nonce& nonce, ByteView ad, ByteView sealed,
                  std::uint8_t* out) {
  if (sealed.size() < kAeadTagBytes) return false;
  EVP_CIPHER_CTX* ctx = context_of(kind, Direction::kOpen);
  const ByteView text = sealed.first(sealed.size() - kAeadTagBytes);
  // Copied: EVP takes a non-const pointer, and in-place decryption must not touch it first.
  std::array<std::uint8_t, kAeadTagBytes> tag;
  std::memcpy(tag.data(), sealed.data() + text.size(), tag.size());
  int written = 0;
  HY_CHECK(EVP_DecryptInit_ex2(ctx, nullptr, key.data(), nonce.data(), nullptr) == 1);
  HY_CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()),
                               tag.data()) == 1);
  if (!ad.empty())
    HY_CHECK(EVP_DecryptUpdate(ctx, nullptr, &written, ad.data(), length_of(ad)) == 1);
  const int size = length_of(text);
  if (size > 0) HY_CHECK(EVP_DecryptUpdate(ctx, out, &written, text.data(), size) == 1);
  std::uint8_t none[kAeadTagBytes];
  if (EVP_DecryptFinal_ex(ctx, none, &written) == 1) return true;
  // Nothing of an unauthenticated text may be read by anyone.
  wipe(out, text.size());
  clear_openssl_errors();
  return false;
}

}  // namespace hy::crypto
