#include "common/crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/crypto/openssl.h"

namespace hy::crypto {
namespace {

EVP_MAC_CTX* hmac_context() {
  thread_local const MacCtxPtr ctx = [] {
    // Fetched once for the process; every thread's context is made from it.
    static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    HY_CHECK(mac != nullptr);
    MacCtxPtr made(EVP_MAC_CTX_new(mac));
    HY_CHECK(made != nullptr);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    HY_CHECK(EVP_MAC_CTX_set_params(made.get(), params) == 1);
    return made;
  }();
  return ctx.get();
}

}  // namespace

Bytes32 sha256(std::initializer_list<ByteView> parts) {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const MdCtxPtr ctx(EVP_MD_CTX_new());
  HY_CHECK(md != nullptr && ctx != nullptr);
  HY_CHECK(EVP_DigestInit_ex2(ctx.get(), md, nullptr) == 1);
  for (const ByteView part : parts)
    HY_CHECK(EVP_DigestUpdate(ctx.get(), part.data(), part.size()) == 1);
  Bytes32 out;
  unsigned size = 0;
  HY_CHECK(EVP_DigestFinal_ex(ctx.get(), out.data(), &size) == 1 && size == out.size());
  return out;
}

Bytes32 hmac_sha256(ByteView key, std::initializer_list<ByteView> parts) {
  static constexpr std::uint8_t kNoKey = 0;
  EVP_MAC_CTX* ctx = hmac_context();
  // A null key would keep the previous one: an empty key must still point somewhere.
  const std::uint8_t* data = key.empty() ? &kNoKey : key.data();
  HY_CHECK(EVP_MAC_init(ctx, data, key.size(), nullptr) == 1);
  for (const ByteView part : parts) HY_CHECK(EVP_MAC_update(ctx, part.data(), part.size()) == 1);
  Bytes32 out;
  std::size_t size = 0;
  HY_CHECK(EVP_MAC_final(ctx, out.data(), &size, out.size()) == 1 && size == out.size());
  return out;
}

NoiseKeys noise_hkdf(View32 chaining_key, ByteView ikm) {
  static constexpr std::uint8_t kOne[] = {1};
  static constexpr std::uint8_t kTwo[] = {2};
  Bytes32 temp = hmac_sha256(chaining_key, {ikm});
  Bytes32 first = hmac_sha256(temp, {kOne});
  Bytes32 second = hmac_sha256(temp, {first, kTwo});
  NoiseKeys keys{SecretKey32(first), SecretKey32(second)};
  wipe(temp.data(), temp.size());
  wipe(first.data(), first.size());
  wipe(second.data(), second.size());
  return keys;
}

void hkdf_sha256(ByteView salt, ByteView ikm, ByteView info, std::span<std::uint8_t> out) {
  HY_CHECK(out.size() <= 255 * 32);
  static constexpr Bytes32 kZeroSalt{};
  Bytes32 prk = hmac_sha256(salt.empty() ? ByteView(kZeroSalt) : salt, {ikm});
  Bytes32 block{};
  std::uint8_t counter = 0;
  for (std::size_t at = 0; at < out.size();) {
    const ByteView previous = counter == 0 ? ByteView() : ByteView(block);
    ++counter;
    block = hmac_sha256(prk, {previous, info, ByteView(&counter, 1)});
    const std::size_t take = std::min(block.size(), out.size() - at);
    std::copy_n(block.begin(), take, out.begin() + static_cast<std::ptrdiff_t>(at));
    at += take;
  }
  wipe(prk.data(), prk.size());
  wipe(block.data(), block.size());
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

PayloadHash payload_hash(std::uint32_t kind, ByteView body) {
  std::uint8_t prefix[4];
  put_be(prefix, kind);
  const Bytes32 digest = sha256({ByteView(prefix), body});
  PayloadHash out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

}  // namespace hy::crypto
