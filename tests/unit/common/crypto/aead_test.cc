#include "common/crypto/aead.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "common/base/random.h"
#include "common/crypto/aead_openssl.h"

namespace hy::crypto {
namespace {

struct Case {
  const char* name;
  AeadKind kind;
  const char* key;
  const char* nonce;
  const char* ad;
  const char* text;
  const char* sealed;
};

const Case kCases[] = {
    {"GcmSpecTestCase13", AeadKind::kAes256Gcm,
     "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"GcmSpecTestCase14", AeadKind::kAes256Gcm,
     "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"GcmSpecTestCase16", AeadKind::kAes256Gcm,
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
     "b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
     "8838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
    {"Rfc8439Section282", AeadKind::kChaCha20Poly1305,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a2049662049"
     "20636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c20"
     "73756e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92"
     "728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b"
     "4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"},
};

struct Inputs {
  Bytes32 key{};
  Nonce nonce{};
  Bytes ad;
  Bytes text;
  Bytes sealed;
};

Inputs inputs_of(const Case& c) {
  Inputs in;
  const Bytes key = from_hex(c.key).value();
  const Bytes nonce = from_hex(c.nonce).value();
  std::copy(key.begin(), key.end(), in.key.begin());
  std::copy(nonce.begin(), nonce.end(), in.nonce.begin());
  in.ad = from_hex(c.ad).value();
  in.text = from_hex(c.text).value();
  in.sealed = from_hex(c.sealed).value();
  return in;
}

std::uint8_t* data_of(Bytes& bytes) {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

class Aead : public testing::TestWithParam<Case> {};

TEST_P(Aead, SealsToThePublishedBytes) {
  const Inputs in = inputs_of(GetParam());
  Bytes out(in.text.size() + kAeadTagBytes, '\0');
  aead_seal(GetParam().kind, in.key, in.nonce, as_bytes(in.ad), as_bytes(in.text), data_of(out));
  EXPECT_EQ(to_hex(as_bytes(out)), GetParam().sealed);
}

TEST_P(Aead, OpensInPlace) {
  Inputs in = inputs_of(GetParam());
  ASSERT_TRUE(aead_open(GetParam().kind, in.key, in.nonce, as_bytes(in.ad), as_bytes(in.sealed),
                        data_of(in.sealed)));
  EXPECT_EQ(in.sealed.substr(0, in.text.size()), in.text);
}

TEST_P(Aead, RefusesEveryFlippedBitAndShowsNothing) {
  const Inputs in = inputs_of(GetParam());
  for (std::size_t i = 0; i < in.sealed.size() * 8; ++i) {
    Bytes bad = in.sealed;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    Bytes out(in.text.size(), 'x');
    ASSERT_FALSE(
        aead_open(GetParam().kind, in.key, in.nonce, as_bytes(in.ad), as_bytes(bad), data_of(out)));
    ASSERT_EQ(out, Bytes(in.text.size(), '\0'));
  }
  for (std::size_t i = 0; i < in.ad.size(); ++i) {
    Bytes ad = in.ad;
    ad[i] = static_cast<char>(ad[i] ^ 1);
    Bytes out(in.text.size(), 'x');
    ASSERT_FALSE(aead_open(GetParam().kind, in.key, in.nonce, as_bytes(ad), as_bytes(in.sealed),
                           data_of(out)));
  }
}

TEST_P(Aead, RefusesWrongKeyNonceAndLength) {
  const Inputs in = inputs_of(GetParam());
  Bytes out(in.sealed.size() + 1, '\0');
  const auto opens = [&](const Bytes32& key, const Nonce& nonce, const Bytes& sealed) {
    return aead_open(GetParam().kind, key, nonce, as_bytes(in.ad), as_bytes(sealed), data_of(out));
  };
  Bytes32 key = in.key;
  key[31] ^= 1;
  Nonce nonce = in.nonce;
  nonce[11] ^= 1;
  EXPECT_TRUE(opens(in.key, in.nonce, in.sealed));
  EXPECT_FALSE(opens(key, in.nonce, in.sealed));
  EXPECT_FALSE(opens(in.key, nonce, in.sealed));
  EXPECT_FALSE(opens(in.key, in.nonce, in.sealed + "x"));
  EXPECT_FALSE(opens(in.key, in.nonce, in.sealed.substr(1)));
  EXPECT_FALSE(opens(in.key, in.nonce, in.sealed.substr(0, kAeadTagBytes - 1)));
  EXPECT_FALSE(opens(in.key, in.nonce, ""));
  EXPECT_TRUE(opens(in.key, in.nonce, in.sealed)) << "a failure must leave nothing behind";
}

INSTANTIATE_TEST_SUITE_P(Published, Aead, testing::ValuesIn(kCases),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

/// aead_seal() and aead_open() take the faster library that this processor can run: what the other
/// one does is the same, to the byte.
TEST(AeadTwoLibraries, SealTheSameBytesAndOpenEachOthersInPlace) {
  SeededRandom random(7);
  for (const auto kind : {AeadKind::kAes256Gcm, AeadKind::kChaCha20Poly1305}) {
    for (std::size_t size = 0; size < 700; ++size) {
      Bytes32 key{};
      Nonce nonce{};
      Bytes text(size, '\0');
      Bytes ad(size % 41, '\0');
      random.fill(key);
      random.fill(nonce);
      random.fill({data_of(text), text.size()});
      random.fill({data_of(ad), ad.size()});
      Bytes one = text + Bytes(kAeadTagBytes, '\0');
      Bytes other = one;
      aead_seal(kind, key, nonce, as_bytes(ad), as_bytes(one).first(size), data_of(one));
      openssl_seal(kind, key, nonce, as_bytes(ad), as_bytes(text), data_of(other));
      ASSERT_EQ(to_hex(as_bytes(one)), to_hex(as_bytes(other))) << size;
      Bytes bad = one;
      bad[size / 2] = static_cast<char>(bad[size / 2] ^ 0x10);
      ASSERT_FALSE(aead_open(kind, key, nonce, as_bytes(ad), as_bytes(bad), data_of(bad)));
      ASSERT_EQ(bad.substr(0, size), Bytes(size, '\0')) << "in place too";
      ASSERT_TRUE(aead_open(kind, key, nonce, as_bytes(ad), as_bytes(other), data_of(other)));
      ASSERT_TRUE(openssl_open(kind, key, nonce, as_bytes(ad), as_bytes(one), data_of(one)));
      ASSERT_EQ(one.substr(0, size), text);
      ASSERT_EQ(other.substr(0, size), text);
    }
  }
}

TEST(AeadThreads, EachHasItsOwnContext) {
  const Inputs gcm = inputs_of(kCases[2]);
  const Inputs chacha = inputs_of(kCases[3]);
  std::vector<std::jthread> threads;
  std::array<int, 4> wrong{};
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const bool even = (i + static_cast<int>(t)) % 2 == 0;
        const Inputs& in = even ? gcm : chacha;
        const auto kind = even ? AeadKind::kAes256Gcm : AeadKind::kChaCha20Poly1305;
        Bytes out(in.text.size() + kAeadTagBytes, '\0');
        aead_seal(kind, in.key, in.nonce, as_bytes(in.ad), as_bytes(in.text), data_of(out));
        if (out != in.sealed) ++wrong[t];
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, (std::array<int, 4>{}));
}

}  // namespace
}  // namespace hy::crypto
