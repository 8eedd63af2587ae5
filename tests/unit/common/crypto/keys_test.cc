#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "common/crypto/ed25519.h"
#include "common/crypto/system_random.h"
#include "common/crypto/x25519.h"

namespace hy::crypto {
namespace {

Bytes unhex(std::string_view text) {
  return from_hex(text).value();
}
Bytes32 key32(std::string_view hex) {
  Bytes32 out;
  const Bytes raw = unhex(hex);
  std::copy(raw.begin(), raw.end(), out.begin());
  return out;
}
Signature sig64(std::string_view hex) {
  Signature out;
  const Bytes raw = unhex(hex);
  std::copy(raw.begin(), raw.end(), out.begin());
  return out;
}

TEST(X25519, Rfc7748Section52) {
  const auto pair = X25519KeyPair::from_private(
      key32("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"));
  const auto out =
      pair.derive(key32("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
  ASSERT_TRUE(out);
  EXPECT_EQ(to_hex(out->reveal()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(X25519, Rfc7748Iterated) {
  Bytes32 k{9};
  Bytes32 u{9};
  for (int i = 0; i < 1000; ++i) {
    const auto out = X25519KeyPair::from_private(k).derive(u);
    ASSERT_TRUE(out);
    u = k;
    std::ranges::copy(out->reveal(), k.begin());
    if (i == 0) {
      EXPECT_EQ(to_hex(k), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(to_hex(k), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(X25519, BothSidesAgree) {
  SeededRandom random(1);
  const auto a = X25519KeyPair::generate(random);
  const auto b = X25519KeyPair::generate(random);
  const auto ab = a.derive(b.public_key());
  const auto ba = b.derive(a.public_key());
  ASSERT_TRUE(ab && ba);
  EXPECT_EQ(to_hex(ab->reveal()), to_hex(ba->reveal()));
  EXPECT_NE(a.public_key(), b.public_key());
}

TEST(X25519, LowOrderPointsAreRefused) {
  SeededRandom random(2);
  const auto pair = X25519KeyPair::generate(random);
  for (const char* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    const auto out = pair.derive(key32(point));
    ASSERT_FALSE(out) << point;
    EXPECT_EQ(out.error().code, Errc::kHandshakeFailed);
  }
}

TEST(Ed25519, Rfc8032Section71) {
  const auto key1 = Ed25519Key::from_seed(
      key32("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  EXPECT_EQ(to_hex(key1.public_key()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(
      to_hex(key1.sign({})),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
      "1cf9b46bd25bf5f0595bbe24655141438e7a100b");
  const auto key2 = Ed25519Key::from_seed(
      key32("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  EXPECT_EQ(
      to_hex(key2.sign(as_bytes("\x72"))),
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
      "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST(Ed25519, RefusesEveryFlippedBitOfSignatureAndMessage) {
  SeededRandom random(3);
  Bytes32 seed;
  random.fill(seed);
  const auto key = Ed25519Key::from_seed(seed);
  Bytes message = "a message of some length";
  Signature signature = key.sign(as_bytes(message));
  ASSERT_TRUE(ed25519_verify(key.public_key(), as_bytes(message), signature));
  for (std::size_t i = 0; i < signature.size() * 8; ++i) {
    Signature bad = signature;
    bad[i / 8] ^= static_cast<std::uint8_t>(1 << (i % 8));
    ASSERT_FALSE(ed25519_verify(key.public_key(), as_bytes(message), bad)) << i;
  }
  message[0] = static_cast<char>(message[0] ^ 1);
  EXPECT_FALSE(ed25519_verify(key.public_key(), as_bytes(message), signature));
  EXPECT_FALSE(ed25519_verify(Bytes32{}, as_bytes("x"), signature));
}

TEST(Ed25519, RefusesASignatureWithSAboveTheOrder) {
  // RFC 8032 §5.1.7: S + L verifies in a careless implementation; a signature must have one form.
  const auto pub = key32("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  auto signature = sig64(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
      "b46bd25bf5f0595bbe24655141438e7a100b");
  ASSERT_TRUE(ed25519_verify(pub, {}, signature));
  const auto order = key32("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += signature[32 + i] + order[i];
    signature[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(ed25519_verify(pub, {}, signature));
}

// The curves are libsodium's; OpenSSL has its own code for them, so each judges the other.
struct OpensslDelete {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* ctx) const { EVP_PKEY_CTX_free(ctx); }
  void operator()(EVP_MD_CTX* ctx) const { EVP_MD_CTX_free(ctx); }
};
using Pkey = std::unique_ptr<EVP_PKEY, OpensslDelete>;

TEST(X25519, AgreesWithOpenSsl) {
  SeededRandom random(4);
  for (int i = 0; i < 100; ++i) {
    Bytes32 ours{};
    Bytes32 theirs{};
    random.fill(ours);
    random.fill(theirs);
    const auto pair = X25519KeyPair::from_private(ours);
    const Pkey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, theirs.data(), 32));
    Bytes32 their_public{};
    std::size_t size = 32;
    ASSERT_EQ(EVP_PKEY_get_raw_public_key(key.get(), their_public.data(), &size), 1);
    ASSERT_EQ(X25519KeyPair::from_private(theirs).public_key(), their_public);
    const Pkey peer(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, pair.public_key().data(), 32));
    const std::unique_ptr<EVP_PKEY_CTX, OpensslDelete> ctx(EVP_PKEY_CTX_new(key.get(), nullptr));
    Bytes32 secret{};
    ASSERT_TRUE(EVP_PKEY_derive_init(ctx.get()) == 1 &&
                EVP_PKEY_derive_set_peer(ctx.get(), peer.get()) == 1 &&
                EVP_PKEY_derive(ctx.get(), secret.data(), &size) == 1);
    const auto derived = pair.derive(their_public);
    ASSERT_TRUE(derived);
    ASSERT_EQ(to_hex(derived->reveal()), to_hex(secret));
  }
}

TEST(Ed25519, AgreesWithOpenSsl) {
  SeededRandom random(5);
  for (std::size_t length = 0; length < 200; length += 7) {
    Bytes32 seed{};
    random.fill(seed);
    std::vector<std::uint8_t> message(length);
    random.fill(message);
    const auto ours = Ed25519Key::from_seed(seed);
    const Pkey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), 32));
    Bytes32 their_public{};
    std::size_t size = 32;
    ASSERT_EQ(EVP_PKEY_get_raw_public_key(key.get(), their_public.data(), &size), 1);
    ASSERT_EQ(ours.public_key(), their_public);
    const std::unique_ptr<EVP_MD_CTX, OpensslDelete> ctx(EVP_MD_CTX_new());
    ASSERT_EQ(EVP_DigestSignInit(ctx.get(), nullptr, nullptr, nullptr, key.get()), 1);
    Signature theirs{};
    size = theirs.size();
    ASSERT_EQ(EVP_DigestSign(ctx.get(), theirs.data(), &size, message.data(), length), 1);
    ASSERT_EQ(ours.sign(message), theirs);
    ASSERT_TRUE(ed25519_verify(their_public, message, theirs));
  }
}

TEST(Ed25519, RefusesAKeyOfSmallOrder) {
  // With such a key one signature fits every message. R is the neutral point, S is 0.
  const Bytes32 neutral{1};
  Signature signature{};
  signature[0] = 1;
  EXPECT_FALSE(ed25519_verify(neutral, as_bytes("any message"), signature));
}

TEST(SystemRandom, FillsAndDiffers) {
  SystemRandom random;
  Bytes32 a{};
  Bytes32 b{};
  random.fill(a);
  random.fill(b);
  EXPECT_NE(a, b);
  EXPECT_NE(a, Bytes32{});
  random.fill({});
}

}  // namespace
}  // namespace hy::crypto
