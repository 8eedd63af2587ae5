#include "logic/delivery/receipts.h"

#include <gtest/gtest.h>

#include "hy/client/v1/message.pb.h"
#include "tests/support/fake_ports.h"

namespace hy::logic::test {
namespace {

const Uid kAlice{1};
const Uid kBob{2};
const ConversationId kPair = ConversationId::pair(kAlice, kBob);

struct ReceiptsTest : ::testing::Test {
  void confirm(std::uint64_t seq, ConversationId conversation = kPair, Uid by = kBob,
               Uid sender = kAlice) {
    receipts.confirmed({.by = by,
                        .by_slot = Slot::kPhone,
                        .conversation = conversation,
                        .seq = Seq{seq},
                        .sender = sender});
  }
  hy::client::v1::Receipts told(std::size_t index) {
    hy::client::v1::Receipts out;
    HY_CHECK(out.ParseFromString(router.sent[index].delivery.body));
    return out;
  }
  HandClock clock;
  obs::Registry registry;
  Metrics metrics{registry};
  FakeRouter router;
  Deliverer deliverer{router, clock, metrics, {}};
  TraceRing trace{64};
  FakeGroups groups;
  GroupFactsCache facts{1'000};
  GroupDirectory directory{groups, facts, clock};
  Receipts receipts{deliverer, trace, directory, clock, 3};
};

TEST_F(ReceiptsTest, OneNotificationPerSenderAndTurn) {
  confirm(1);
  confirm(3);
  confirm(2);
  const auto other = ConversationId::pair(kAlice, Uid{3});
  confirm(7, other, Uid{3});
  confirm(5, ConversationId::pair(kBob, Uid{4}), Uid{4}, kBob);
  EXPECT_TRUE(router.sent.empty());
  receipts.flush();
  ASSERT_EQ(router.sent.size(), 2U);
  EXPECT_EQ(router.sent[0].targets[0].uid, kAlice);
  EXPECT_FALSE(router.sent[0].delivery.numbered);
  const auto alice = told(0);
  ASSERT_EQ(alice.receipts_size(), 2);
  EXPECT_EQ(alice.receipts(0).up_to_seq(), 3U) << "cumulative";
  EXPECT_EQ(alice.receipts(0).by_uid(), kBob.value());
  EXPECT_EQ(alice.receipts(0).by_slot(), 1U);
  EXPECT_EQ(alice.receipts(1).conversation(), other.to_bytes());
  EXPECT_EQ(router.sent[1].targets[0].uid, kBob);
  receipts.flush();
  EXPECT_EQ(router.sent.size(), 2U);
}

TEST_F(ReceiptsTest, WhatProvesNothingEarnsNothing) {
  confirm(0);                         // provisional
  confirm(1, kPair, kAlice, kAlice);  // own other device
  confirm(1, kPair, Uid{9}, kAlice);  // not of the pair
  confirm(1, kPair, kBob, Uid{9});    // sender not of the pair
  receipts.flush();
  EXPECT_TRUE(router.sent.empty());
}

TEST_F(ReceiptsTest, ReadAndDeliveredAreApart) {
  confirm(4);
  receipts.read(kPair, kBob, Slot::kPhone, Seq{2});
  receipts.flush();
  ASSERT_EQ(router.sent.size(), 1U);
  const auto all = told(0);
  ASSERT_EQ(all.receipts_size(), 2);
  EXPECT_EQ(all.receipts(0).kind(), hy::client::v1::DELIVERED);
  EXPECT_EQ(all.receipts(1).kind(), hy::client::v1::READ_BY);
  EXPECT_EQ(all.receipts(1).up_to_seq(), 2U);
}

struct GroupReceiptsTest : ReceiptsTest {
  static constexpr Gid kGid{7};
  static constexpr Uid kCarol{3};
  const ConversationId group = ConversationId::group(kGid);
  static GroupFacts of(std::vector<Uid> members, std::uint64_t version = 1) {
    GroupFacts out{.gid = kGid, .name = {}, .members = {}, .member_version = version};
    for (const Uid uid : members) out.members.push_back({uid, false, Seq{1}});
    return out;
  }
};

TEST_F(GroupReceiptsTest, MembersConfirmToTheSender) {
  directory.learn(of({kAlice, kBob, kCarol}), clock.now());
  confirm(4, group, kBob);
  confirm(5, group, kBob);
  confirm(4, group, kCarol);
  receipts.flush();
  ASSERT_EQ(router.sent.size(), 1U);
  EXPECT_EQ(router.sent[0].targets[0].uid, kAlice);
  const auto all = told(0);
  ASSERT_EQ(all.receipts_size(), 2);
  EXPECT_EQ(all.receipts(0).by_uid(), kBob.value());
  EXPECT_EQ(all.receipts(0).up_to_seq(), 5U);
  EXPECT_EQ(all.receipts(1).by_uid(), kCarol.value());
  EXPECT_EQ(all.receipts(1).conversation(), group.to_bytes());
}

TEST_F(GroupReceiptsTest, TheMembersAreAskedForOnceWhereTheyAreNotKnown) {
  confirm(4, group, kBob);
  confirm(5, group, kBob);
  receipts.flush();
  EXPECT_TRUE(router.sent.empty());
  ASSERT_EQ(groups.opens.size(), 1U);
  take(groups.opens).answer(of({kAlice, kBob}));
  receipts.flush();
  ASSERT_EQ(router.sent.size(), 1U);
  EXPECT_EQ(told(0).receipts(0).up_to_seq(), 5U);
}

TEST_F(GroupReceiptsTest, WhoIsNoMemberEarnsNothing) {
  directory.learn(of({kAlice, kBob}), clock.now());
  confirm(4, group, kCarol);
  confirm(4, group, kBob, kCarol);
  receipts.flush();
  EXPECT_TRUE(router.sent.empty());
  EXPECT_TRUE(groups.opens.empty()) << "known a moment ago: nobody is asked for each of them";
  // Later the members may be others.
  clock.advance(Millis{2'001});
  confirm(4, group, kCarol);
  ASSERT_EQ(groups.opens.size(), 1U);
  take(groups.opens).answer(of({kAlice, kBob, kCarol}, 2));
  receipts.flush();
  ASSERT_EQ(router.sent.size(), 1U);
  EXPECT_EQ(told(0).receipts(0).by_uid(), kCarol.value());
}

TEST_F(GroupReceiptsTest, LargerGroupsHaveNone) {
  directory.learn(of({kAlice, kBob, kCarol, Uid{4}}), clock.now());
  confirm(4, group, kBob);
  receipts.flush();
  EXPECT_TRUE(router.sent.empty());
}

TEST_F(GroupReceiptsTest, WhatWaitsForMembersIsBounded) {
  for (std::uint64_t i = 0; i < Receipts::kHeldMax + 10; ++i) confirm(i + 1, group, kBob);
  take(groups.opens).answer(of({kAlice, kBob}));
  receipts.flush();
  EXPECT_EQ(told(0).receipts(0).up_to_seq(), Receipts::kHeldMax);
  // And there is room again.
  clock.advance(Millis{2'001});
  confirm(9'000, group, kCarol);
  EXPECT_EQ(groups.opens.size(), 1U);
}

}  // namespace
}  // namespace hy::logic::test
