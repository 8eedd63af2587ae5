#include "common/wire/channel_suite.h"

#include <bit>
#include <cstring>

namespace hy::wire {
namespace {

constexpr ChannelSuite kSuites[] = {
    {.number = kSuiteAesGcm,
     .noise_name = "Noise_NK_25519_AESGCM_SHA256",
     .aead = crypto::AeadKind::kAes256Gcm,
     .nonce_big_endian = true},
    {.number = kSuiteChaChaPoly,
     .noise_name = "Noise_NK_25519_ChaChaPoly_SHA256",
     .aead = crypto::AeadKind::kChaCha20Poly1305,
     .nonce_big_endian = false},
};

}  // namespace

const ChannelSuite* find_suite(std::uint8_t number) {
  for (const ChannelSuite& suite : kSuites)
    if (suite.number == number) return &suite;
  return nullptr;
}

crypto::Nonce make_nonce(const ChannelSuite& suite, std::uint64_t n) {
  crypto::Nonce nonce{};
  if (suite.nonce_big_endian)
    put_be(nonce.data() + 4, n);
  else
    put_be(nonce.data() + 4, std::byteswap(n));
  return nonce;
}

}  // namespace hy::wire
