#include "common/crypto/password.h"

#include <gtest/gtest.h>

namespace hy::crypto {
namespace {

constexpr PasswordCost kCheap{.memory_kib = 64, .passes = 1, .lanes = 1};

TEST(Password, AcceptsTheReferenceString) {
  // phc-winner-argon2, src/test.c: version 19, t = 2, m = 2^16, p = 1.
  constexpr std::string_view kPhc =
      "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  EXPECT_EQ(verify_password(Secret("password"), kPhc).value(), true);
  EXPECT_EQ(verify_password(Secret("passwore"), kPhc).value(), false);
}

TEST(Password, RoundTripAndFormat) {
  SeededRandom random(1);
  const auto phc = hash_password(Secret("correct horse"), kCheap, random);
  ASSERT_TRUE(phc);
  EXPECT_TRUE(phc->starts_with("$argon2id$v=19$m=64,t=1,p=1$")) << *phc;
  // 16 bytes of salt are 22 characters, 32 of tag are 43.
  EXPECT_EQ(phc->size(), std::string_view("$argon2id$v=19$m=64,t=1,p=1$").size() + 22 + 1 + 43);
  EXPECT_TRUE(verify_password(Secret("correct horse"), *phc).value());
  EXPECT_FALSE(verify_password(Secret("correct horsf"), *phc).value());
  EXPECT_FALSE(verify_password(Secret(""), *phc).value());
}

TEST(Password, SameTextDifferentSalt) {
  SeededRandom random(2);
  const auto a = hash_password(Secret("same"), kCheap, random);
  const auto b = hash_password(Secret("same"), kCheap, random);
  EXPECT_NE(a.value(), b.value());
}

TEST(Password, BytesWithZerosCount) {
  SeededRandom random(3);
  const std::string with_zero("ab\0cd", 5);
  const auto phc = hash_password(Secret(with_zero), kCheap, random);
  EXPECT_TRUE(verify_password(Secret(with_zero), phc.value()).value());
  EXPECT_FALSE(verify_password(Secret("ab"), phc.value()).value());
}

TEST(Password, CostIsReadBackAndRehashIsAsked) {
  SeededRandom random(4);
  const auto phc = hash_password(Secret("x"), kCheap, random).value();
  EXPECT_EQ(password_cost(phc).value(), kCheap);
  EXPECT_FALSE(needs_rehash(phc, kCheap));
  EXPECT_TRUE(needs_rehash(phc, {.memory_kib = 128, .passes = 1, .lanes = 1}));
  EXPECT_TRUE(needs_rehash(phc, {.memory_kib = 64, .passes = 2, .lanes = 1}));
  EXPECT_TRUE(needs_rehash("", kCheap));
}

TEST(Password, StoredGarbageIsAnErrorAndCostsNothing) {
  for (const std::string_view bad :
       {"", "x", "$argon2id$", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAA",
        "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$AAAA", "$argon2id$v=19$m=64,t=1,p=1$!!$AAAA",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AA",
        "$argon2id$v=19$m=64,t=4000000000,p=1$c29tZXNhbHQ$AAAA"}) {
    const auto out = verify_password(Secret("x"), bad);
    ASSERT_FALSE(out) << bad;
    EXPECT_EQ(out.error().code, Errc::kInternal) << bad;
  }
}

}  // namespace
}  // namespace hy::crypto
