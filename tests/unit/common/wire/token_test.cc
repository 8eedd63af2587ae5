#include "common/wire/token.h"

#include <gtest/gtest.h>

#include "common/wire/grant.h"
#include "common/wire/key_notice.h"
#include "tests/unit/common/wire/wire_support.h"

namespace hy::wire {
namespace {

crypto::Ed25519Key signing_key(std::uint8_t fill) {
  crypto::Bytes32 seed;
  seed.fill(fill);
  return crypto::Ed25519Key::from_seed(seed);
}

class TokenTest : public testing::Test {
 protected:
  crypto::Ed25519Key key_ = signing_key(1);
  std::vector<TokenKey> keys_{{.number = 3, .public_key = key_.public_key()}};
  Token token_{.slot = Slot::kPad,
               .kind = TokenKind::kSession,
               .uid = Uid{1001},
               .device = device_hash("device-1"),
               .auth_epoch = 4,
               .issued_s = 1'000'000,
               .expires_s = 1'086'400,
               .audience = audience_of("demo"),
               .id = {1, 2, 3}};
  TokenExpectation expected_{.audience = audience_of("demo"),
                             .kind = TokenKind::kSession,
                             .slot = Slot::kPad,
                             .device = device_hash("device-1"),
                             .now_s = 1'000'100,
                             .auth_epoch_min = 4};

  Errc verify(const Bytes& bytes) {
    const auto out = verify_token(as_bytes(bytes), keys_, expected_);
    return out ? Errc::kOk : out.error().code;
  }
  Errc check() {
    const auto out = check_token(token_, expected_);
    return out ? Errc::kOk : out.error().code;
  }
};

TEST_F(TokenTest, RoundTripAndLayout) {
  const Bytes bytes = sign_token(token_, 3, key_);
  ASSERT_EQ(bytes.size(), kTokenBytes);
  EXPECT_EQ(to_hex(as_bytes(bytes).first(80)),
            "48595431"
            "0003"
            "02"
            "01"
            "00000000000003e9" +
                to_hex(device_hash("device-1")) +
                "00000004"
                "00000000"
                "00000000000f4240"
                "00000000001093c0" +
                to_hex(audience_of("demo")) + "01020300000000000000000000000000");
  const auto out = verify_token(as_bytes(bytes), keys_, expected_);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->uid, Uid{1001});
  EXPECT_EQ(out->auth_epoch, 4U);
  EXPECT_EQ(out->expires_s, 1'086'400);
  EXPECT_EQ(out->id, token_.id);
}

TEST_F(TokenTest, EveryMutatedBitIsRefused) {
  const Bytes bytes = sign_token(token_, 3, key_);
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    Bytes bad = bytes;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    const Errc code = verify(bad);
    ASSERT_TRUE(code == Errc::kTokenForged || code == Errc::kTokenMalformed) << i;
  }
}

TEST_F(TokenTest, EveryLengthIsRefused) {
  const Bytes bytes = sign_token(token_, 3, key_) + Bytes(8, 'x');
  for (std::size_t n = 0; n <= bytes.size(); ++n)
    ASSERT_EQ(verify(bytes.substr(0, n)), n == kTokenBytes ? Errc::kOk : Errc::kTokenMalformed);
}

TEST_F(TokenTest, UnknownOrForeignKeyIsForged) {
  EXPECT_EQ(verify(sign_token(token_, 4, key_)), Errc::kTokenForged);
  EXPECT_EQ(verify(sign_token(token_, 3, signing_key(2))), Errc::kTokenForged);
  keys_.push_back({.number = 4, .public_key = signing_key(2).public_key()});
  EXPECT_EQ(verify(sign_token(token_, 4, signing_key(2))), Errc::kOk);
  EXPECT_EQ(verify(sign_token(token_, 4, key_)), Errc::kTokenForged);
}

TEST_F(TokenTest, SignatureIsBoundToItsDomain) {
  // The same 80 bytes signed without the domain text must not pass.
  Bytes bytes = sign_token(token_, 3, key_);
  const auto bare = key_.sign(as_bytes(bytes).first(80));
  std::copy(bare.begin(), bare.end(), bytes.begin() + 80);
  EXPECT_EQ(verify(bytes), Errc::kTokenForged);
}

TEST_F(TokenTest, SlotAndKindInRange) {
  for (int slot = 0; slot < 256; ++slot) {
    token_.slot = static_cast<Slot>(slot);
    expected_.slot = token_.slot;
    EXPECT_EQ(verify(sign_token(token_, 3, key_)),
              slot >= 1 && slot <= 5 ? Errc::kOk : Errc::kTokenMalformed);
  }
  token_.slot = expected_.slot = Slot::kPhone;
  token_.kind = expected_.kind = static_cast<TokenKind>(3);
  EXPECT_EQ(verify(sign_token(token_, 3, key_)), Errc::kTokenMalformed);
}

TEST_F(TokenTest, ChecksAgainstLoginInOrder) {
  EXPECT_EQ(check(), Errc::kOk);
  const auto with = [&](auto change) {
    const auto saved = expected_;
    change(expected_);
    const Errc code = check();
    expected_ = saved;
    return code;
  };
  EXPECT_EQ(with([](auto& e) { e.audience = audience_of("other"); }), Errc::kTokenMisused);
  EXPECT_EQ(with([](auto& e) { e.kind = TokenKind::kRenewal; }), Errc::kTokenMisused);
  EXPECT_EQ(with([](auto& e) { e.slot = Slot::kPhone; }), Errc::kTokenMisused);
  EXPECT_EQ(with([](auto& e) { e.device = device_hash("device-2"); }), Errc::kTokenMisused);
  EXPECT_EQ(with([](auto& e) { e.now_s = 1'086'700; }), Errc::kOk);
  EXPECT_EQ(with([](auto& e) { e.now_s = 1'086'701; }), Errc::kTokenExpired);
  EXPECT_EQ(with([](auto& e) { e.now_s = 999'700; }), Errc::kOk);
  EXPECT_EQ(with([](auto& e) { e.now_s = 999'699; }), Errc::kTokenExpired);
  EXPECT_EQ(with([](auto& e) { e.auth_epoch_min = 5; }), Errc::kRevoked);
  EXPECT_EQ(with([](auto& e) { e.auth_epoch_min = 0; }), Errc::kOk);
  EXPECT_EQ(with([](auto& e) { e.now_s = 9'999'999, e.slot = Slot::kPhone; }), Errc::kTokenMisused);
}

class KeyNoticeTest : public testing::Test {
 protected:
  crypto::Ed25519Key root_ = signing_key(8);
  std::vector<crypto::Bytes32> roots_{signing_key(7).public_key(), root_.public_key()};
  KeyNotice notice_{
      .root = 1,
      .key_epoch = 5,
      .min_epoch = 3,
      .public_key = test::key32("31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62"),
      .not_before_s = 1'000'000,
      .not_after_s = 2'000'000,
      .audience = audience_of("demo")};
  KeyTrust trust_{
      .roots = roots_, .audience = audience_of("demo"), .key_epoch_seen = 5, .now_s = 1'500'000};

  bool accepts() { return verify_key_notice(sign_key_notice(notice_, root_), trust_).has_value(); }
};

TEST_F(KeyNoticeTest, RoundTrip) {
  const auto out = verify_key_notice(sign_key_notice(notice_, root_), trust_);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->public_key, notice_.public_key);
  EXPECT_EQ(out->key_epoch, 5U);
  EXPECT_EQ(out->not_after_s, 2'000'000);
}

TEST_F(KeyNoticeTest, EveryMutatedBitAndLengthIsRefused) {
  const KeyNoticeBytes good = sign_key_notice(notice_, root_);
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    KeyNoticeBytes bad = good;
    bad[i / 8] ^= static_cast<std::uint8_t>(1 << (i % 8));
    ASSERT_FALSE(verify_key_notice(bad, trust_)) << i;
  }
  for (std::size_t n = 0; n < good.size(); ++n)
    ASSERT_FALSE(verify_key_notice(ByteView(good).first(n), trust_));
}

TEST_F(KeyNoticeTest, EachRule) {
  EXPECT_TRUE(accepts());
  const auto saved_notice = notice_;
  const auto saved_trust = trust_;
  const auto refused = [&](auto change) {
    change();
    const bool out = !accepts();
    notice_ = saved_notice;
    trust_ = saved_trust;
    return out;
  };
  EXPECT_TRUE(refused([&] { notice_.root = 0; }));  // signed by root 1
  EXPECT_TRUE(refused([&] { notice_.root = 2; }));
  EXPECT_TRUE(refused([&] { trust_.audience = audience_of("other"); }));
  EXPECT_TRUE(refused([&] { trust_.key_epoch_seen = 6; }));
  EXPECT_TRUE(refused([&] { notice_.min_epoch = 6; }));
  EXPECT_TRUE(refused([&] { trust_.now_s = 1'000'000 - kKeyNoticeToleranceS - 1; }));
  EXPECT_TRUE(refused([&] { trust_.now_s = 2'000'000 + kKeyNoticeToleranceS + 1; }));
  EXPECT_FALSE(refused([&] { trust_.now_s = 1'000'000 - kKeyNoticeToleranceS; }));
  EXPECT_FALSE(refused([&] { trust_.now_s = 2'000'000 + kKeyNoticeToleranceS; }));
  EXPECT_FALSE(refused([&] { trust_.key_epoch_seen = 4; }));
}

TEST(ServerKey, IdsAreFirstBytesOfSha256) {
  const auto pub = test::key32("31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62");
  EXPECT_EQ(to_hex(key_id(pub)), to_hex(ByteView(crypto::sha256(pub)).first(8)));
  EXPECT_EQ(to_hex(audience_of("demo")),
            to_hex(ByteView(crypto::sha256(as_bytes("hy-audience-v1demo"))).first(16)));
  EXPECT_NE(audience_of("demo"), audience_of("demp"));
}

TEST(Grant, BindsEveryFact) {
  crypto::Bytes32 seed;
  seed.fill(5);
  const GrantKey key = GrantKey::from_token_seed(seed);
  const GrantFacts facts{.uid = Uid{7},
                         .slot = Slot::kPhone,
                         .epoch = {.auth = 2, .conn = 9},
                         .entry = EntryId{1},
                         .conn = ConnId{0x0000000500000003},
                         .expires_s = 1000};
  const ConnGrant grant = key.make(facts);
  EXPECT_TRUE(key.check(facts, grant, 1000));
  EXPECT_EQ(key.check(facts, grant, 1001).error().code, Errc::kGrantInvalid);
  const auto refused = [&](auto change) {
    GrantFacts other = facts;
    change(other);
    return !key.check(other, grant, 0);
  };
  EXPECT_TRUE(refused([](auto& f) { f.uid = Uid{8}; }));
  EXPECT_TRUE(refused([](auto& f) { f.slot = Slot::kPad; }));
  EXPECT_TRUE(refused([](auto& f) { f.epoch.auth = 3; }));
  EXPECT_TRUE(refused([](auto& f) { f.epoch.conn = 10; }));
  EXPECT_TRUE(refused([](auto& f) { f.entry = EntryId{2}; }));
  EXPECT_TRUE(refused([](auto& f) { f.conn = ConnId{0x0000000500000004}; }));
  EXPECT_TRUE(refused([](auto& f) { f.expires_s = 1001; }));
  for (std::size_t i = 0; i < grant.size(); ++i) {
    ConnGrant bad = grant;
    bad[i] ^= 1;
    EXPECT_FALSE(key.check(facts, bad, 0));
    EXPECT_FALSE(key.check(facts, ByteView(grant).first(i), 0));
  }
  seed.fill(6);
  EXPECT_FALSE(GrantKey::from_token_seed(seed).check(facts, grant, 0));
}

}  // namespace
}  // namespace hy::wire
