#include "common/crypto/hash.h"

#include <gtest/gtest.h>

namespace hy::crypto {
namespace {

Bytes unhex(std::string_view text) {
  return from_hex(text).value();
}

TEST(Sha256, Fips180) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256(ByteView())),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, PartsAreOneText) {
  EXPECT_EQ(sha256({as_bytes("a"), ByteView(), as_bytes("bc")}), sha256(as_bytes("abc")));
}

TEST(Hmac, Rfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes(Bytes(20, '\x0b')), {as_bytes("Hi There")})),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"),
                               {as_bytes("what do ya want "), as_bytes("for nothing?")})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // Case 6: a key longer than a block.
  EXPECT_EQ(
      to_hex(hmac_sha256(as_bytes(Bytes(131, '\xaa')),
                         {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, EmptyKeyIsAKeyAndNotThePreviousOne) {
  const auto empty = hmac_sha256({}, {as_bytes("x")});
  (void)hmac_sha256(as_bytes("another"), {as_bytes("x")});
  EXPECT_EQ(hmac_sha256({}, {as_bytes("x")}), empty);
  // RFC 2104: short keys are padded with zeros, so one zero byte is the same key.
  EXPECT_EQ(hmac_sha256(as_bytes(Bytes(1, '\0')), {as_bytes("x")}), empty);
}

TEST(Hkdf, Rfc5869) {
  const Bytes ikm(22, '\x0b');
  std::array<std::uint8_t, 42> out;
  hkdf_sha256(as_bytes(unhex("000102030405060708090a0b0c")), as_bytes(ikm),
              as_bytes(unhex("f0f1f2f3f4f5f6f7f8f9")), out);
  EXPECT_EQ(to_hex(out),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  hkdf_sha256({}, as_bytes(ikm), {}, out);
  EXPECT_EQ(to_hex(out),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(NoiseHkdf, IsHkdfWithTheChainingKeyAsSalt) {
  // Noise rev 34 §4.3: HKDF of RFC 5869 with an empty info, two outputs.
  Bytes32 ck;
  ck.fill(7);
  const Bytes ikm = "some input key material";
  std::array<std::uint8_t, 64> expected;
  hkdf_sha256(ck, as_bytes(ikm), {}, expected);
  const NoiseKeys keys = noise_hkdf(ck, as_bytes(ikm));
  EXPECT_EQ(to_hex(keys.first.reveal()) + to_hex(keys.second.reveal()), to_hex(expected));
}

TEST(EqualConstantTime, ComparesSizesAndBytes) {
  EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
  EXPECT_TRUE(equal_constant_time({}, {}));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
}

TEST(PayloadHash, CoversKindAndBody) {
  const auto digest = sha256(as_bytes(Bytes("\0\0\0\x01hello", 9)));
  EXPECT_EQ(to_hex(payload_hash(1, as_bytes("hello"))), to_hex(ByteView(digest).first(16)));
  EXPECT_NE(payload_hash(1, as_bytes("hello")), payload_hash(2, as_bytes("hello")));
  EXPECT_NE(payload_hash(1, as_bytes("hello")), payload_hash(1, as_bytes("hellp")));
}

TEST(WipedArray, MovedFromIsEmpty) {
  Bytes32 in;
  in.fill(9);
  SecretKey32 a(in);
  const SecretKey32 b(std::move(a));
  EXPECT_EQ(to_hex(b.reveal()), to_hex(in));
  EXPECT_EQ(to_hex(a.reveal()), to_hex(Bytes32{}));  // NOLINT: what moving promises
}

}  // namespace
}  // namespace hy::crypto
