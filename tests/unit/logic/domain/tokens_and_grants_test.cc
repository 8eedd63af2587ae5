#include <gtest/gtest.h>

#include "logic/domain/grant.h"
#include "logic/domain/token_desk.h"

namespace hy::logic {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;
const Secret kSeed{std::string(32, 's')};

TEST(TokenDeskTest, MadeTokensHoldAndDiffer) {
  SeededRandom random(1);
  TokenDesk desk(kSeed, "demo", random);
  const auto make = [&desk] {
    return desk.make(Uid{5}, Slot::kPhone, "d", 3, kNow, std::chrono::seconds{60});
  };
  const Bytes token = make();
  EXPECT_EQ(token.size(), 144U);
  EXPECT_NE(token, make()) << "each has its own id";
  const auto claims = desk.check(token, Slot::kPhone, "d", kNow);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->uid, Uid{5});
  EXPECT_EQ(claims->auth_epoch, 3U);
}

TEST(TokenDeskTest, OtherSeedIsAForgery) {
  SeededRandom random(1);
  TokenDesk ours(kSeed, "demo", random);
  TokenDesk theirs(Secret(std::string(32, 't')), "demo", random);
  const Bytes token = theirs.make(Uid{5}, Slot::kPhone, "d", 3, kNow, std::chrono::seconds{60});
  EXPECT_EQ(ours.check(token, Slot::kPhone, "d", kNow).error().code, Errc::kTokenForged);
}

TEST(GrantsTest, EveryLogicWithTheSeedAgrees) {
  const Grants one(kSeed, std::chrono::seconds{600});
  const Grants other(kSeed, std::chrono::seconds{60});
  SessionInfo session{.uid = Uid{5}, .slot = Slot::kPad, .auth_epoch = 1, .conn_counter = 2};
  one.give(session, EntryId{3}, ConnId{4}, kNow);
  EXPECT_EQ(session.grant_expires_s, kNow + 600);
  EXPECT_TRUE(other.check(session, EntryId{3}, ConnId{4}, kNow));
  EXPECT_FALSE(one.wants_renewal(session, kNow + 299));
  EXPECT_TRUE(one.wants_renewal(session, kNow + 301));
}

TEST(GrantsTest, WhatWasProvenOnceHoldsForTheSameBytesAndTheirTimeAlone) {
  const Grants grants(kSeed, std::chrono::seconds{600});
  SessionInfo session{.uid = Uid{5}, .slot = Slot::kPad, .auth_epoch = 1, .conn_counter = 2};
  const ConnId conn{7ULL << 32U | 1};
  grants.give(session, EntryId{3}, conn, kNow);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(grants.check(session, EntryId{3}, conn, kNow));
  EXPECT_FALSE(grants.check(session, EntryId{3}, conn, kNow + 601)) << "its time is over";
  // The same row of the table: the next life of the slot, and the same slot of another entry.
  EXPECT_FALSE(grants.check(session, EntryId{3}, ConnId{7ULL << 32U | 2}, kNow));
  EXPECT_FALSE(grants.check(session, EntryId{4}, conn, kNow));
  SessionInfo forged = session;
  forged.grant[15] = static_cast<std::uint8_t>(forged.grant[15] ^ 1);
  EXPECT_FALSE(grants.check(forged, EntryId{3}, conn, kNow));
  EXPECT_TRUE(grants.check(session, EntryId{3}, conn, kNow)) << "a refusal is not remembered";
}

TEST(Operator, OnlyTheWholeTokenAndNeverAnEmptyOne) {
  const Secret token(std::string(32, 'o'));
  EXPECT_TRUE(is_operator(token, std::string(32, 'o')));
  EXPECT_FALSE(is_operator(token, std::string(31, 'o')));
  EXPECT_FALSE(is_operator(token, std::string(33, 'o')));
  EXPECT_FALSE(is_operator(Secret{}, ""));
}

}  // namespace
}  // namespace hy::logic
