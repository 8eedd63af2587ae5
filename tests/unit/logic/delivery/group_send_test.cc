#include "logic/delivery/group_send.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "logic/delivery/group_directory.h"
#include "logic/delivery/group_push.h"
#include "logic/domain/group_facts_cache.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

const Gid kGid{7};
const ConversationId kGroup = ConversationId::group(kGid);
const Uid kCarol{3};
const Uid kDave{4};

GroupFacts facts_of(std::vector<Uid> members, std::uint64_t version = 1, Seq join = Seq{1}) {
  GroupFacts out{.gid = kGid, .name = "club", .members = {}, .member_version = version};
  for (const Uid uid : members) out.members.push_back({uid, uid == kAlice, join});
  return out;
}

struct GroupSendTest : ::testing::Test {
  explicit GroupSendTest(const Rates::Limits& limits = {}) : bench(limits) {}
  static pb::SendRequest hello(std::uint8_t id = 9) {
    pb::SendRequest in;
    in.set_client_msg_id(message_id(id).to_bytes());
    in.set_to_gid(kGid.value());
    in.set_kind(1);
    in.set_body("hello");
    return in;
  }
  std::uint64_t send(const pb::SendRequest& in, Uid from = kAlice) {
    return bench.ask_as(from, pb::SEND, in.SerializeAsString());
  }
  void know(GroupFacts facts) { bench.directory.learn(std::move(facts), bench.clock.now()); }
  LogicBench bench;
};

struct SlowGroupTest : GroupSendTest {
  SlowGroupTest() : GroupSendTest({.send = {0, 0}, .group = {1, 2}}) {}
};

TEST_F(GroupSendTest, StoredIsSaidAfterTheCommitAndThenOneDeliveryGoesToAll) {
  const std::uint64_t id = send(hello());
  ASSERT_EQ(bench.groups.opens.size(), 1U);
  EXPECT_TRUE(bench.log.appends.empty());
  take(bench.groups.opens).answer(facts_of({kAlice, kBob, kCarol}, 5));
  ASSERT_EQ(bench.log.appends.size(), 1U);
  EXPECT_EQ(bench.answer_to(id), nullptr);
  EXPECT_TRUE(bench.router.sent.empty());
  auto append = take(bench.log.appends);
  EXPECT_EQ(append.query->conversation, kGroup);
  EXPECT_EQ(append.query->member_version, 5U);
  ASSERT_NE(append.query->tell, nullptr);
  EXPECT_EQ(*append.query->tell, (std::vector<Uid>{kAlice, kBob, kCarol}));
  append.answer({.seq = Seq{8}, .server_ms = 77});
  const auto answer = bench.body_of<pb::SendAnswer>(id);
  EXPECT_EQ(answer.ack(), pb::STORED);
  EXPECT_EQ(answer.seq(), 8U);
  EXPECT_EQ(answer.conversation(), kGroup.to_bytes());
  ASSERT_EQ(bench.router.sent.size(), 1U) << "one delivery, whatever the size";
  const FakeRouter::Sent& sent = bench.router.sent[0];
  EXPECT_TRUE(sent.with_everyone);
  EXPECT_EQ(*sent.delivery.everyone, (std::vector<Uid>{kAlice, kBob, kCarol}));
  ASSERT_EQ(sent.targets.size(), 1U);
  EXPECT_EQ(sent.targets[0].uid, kAlice);
  const auto own = 1U << static_cast<unsigned>(Slot::kDesktop);
  EXPECT_EQ(sent.targets[0].slots, 0b111110U & ~own) << "his other devices, not the sending one";
  EXPECT_TRUE(sent.delivery.numbered);
  EXPECT_FALSE(sent.delivery.no_receipt) << "three members: receipts";
  pb::Push push;
  ASSERT_TRUE(push.ParseFromString(sent.delivery.body));
  EXPECT_EQ(push.seq(), 8U);
  EXPECT_EQ(push.conversation(), kGroup.to_bytes());
}

TEST_F(GroupSendTest, TheListOfMembersIsSharedByAllMessagesOfAVersion) {
  know(facts_of({kAlice, kBob, kCarol}));
  send(hello(1));
  take(bench.log.appends).answer({.seq = Seq{2}});
  // Asked again and found the same: still the same list.
  know(facts_of({kAlice, kBob, kCarol}));
  send(hello(2), kBob);
  take(bench.log.appends).answer({.seq = Seq{3}});
  EXPECT_EQ(bench.router.sent[0].delivery.everyone.get(),
            bench.router.sent[1].delivery.everyone.get());
}

TEST_F(GroupSendTest, CountersMoveInSmallGroupsAlone) {
  std::vector<Uid> members;
  for (std::uint64_t uid = 1; uid <= 51; ++uid) members.emplace_back(uid);
  know(facts_of(members));
  send(hello(1));
  auto append = take(bench.log.appends);
  EXPECT_EQ(append.query->tell, nullptr);
  append.answer({.seq = Seq{2}});
  members.pop_back();
  know(facts_of(members, 2));
  send(hello(2));
  append = take(bench.log.appends);
  ASSERT_NE(append.query->tell, nullptr);
  EXPECT_EQ(append.query->tell->size(), 50U);
}

TEST_F(GroupSendTest, LargerGroupsEarnNoReceipts) {
  know(facts_of({kAlice, kBob, kCarol, kDave}));
  send(hello());
  take(bench.log.appends).answer({.seq = Seq{2}});
  EXPECT_TRUE(bench.router.sent[0].delivery.no_receipt);
}

TEST_F(GroupSendTest, StrangersAreRefusedAndAsTheyWouldBeWithoutAGroup) {
  know(facts_of({kBob, kCarol}));
  const std::uint64_t id = send(hello());
  take(bench.log.finds).fail_with(Errc::kNotMember);
  EXPECT_EQ(bench.code_of(id), Errc::kNotMember);
  bench.directory.forget(kGid);
  const std::uint64_t nowhere = send(hello());
  take(bench.groups.opens).answer(GroupFacts{});
  take(bench.log.finds).fail_with(Errc::kNotMember);
  EXPECT_EQ(bench.code_of(nowhere), Errc::kNotMember);
  EXPECT_EQ(bench.refusal_of(id).error.detail, bench.refusal_of(nowhere).error.detail);
  EXPECT_TRUE(bench.log.appends.empty());
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(GroupSendTest, AnOldNoMemberIsAskedForAgain) {
  know(facts_of({kBob}));
  bench.clock.advance(Millis{2'001});
  const std::uint64_t id = send(hello());
  take(bench.groups.opens).answer(facts_of({kAlice, kBob}, 2));
  take(bench.log.appends).answer({.seq = Seq{3}});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
}

TEST_F(GroupSendTest, WhoWasRemovedMeanwhileIsRefusedAndNobodyGetsIt) {
  know(facts_of({kAlice, kBob}));
  const std::uint64_t id = send(hello());
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  take(bench.groups.opens).answer(facts_of({kBob}, 2));
  take(bench.log.finds).fail_with(Errc::kMessageNotFound);
  EXPECT_EQ(bench.code_of(id), Errc::kNotMember);
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(GroupSendTest, WhatWasStoredBeforeTheRemovalIsNotDenied) {
  know(facts_of({kBob}));
  const std::uint64_t id = send(hello());
  auto find = take(bench.log.finds);
  EXPECT_EQ(find.query.client_msg_id, message_id(9));
  find.answer({.message = {.seq = Seq{4}, .server_ms = 55}, .peer_read = Seq{}});
  take(bench.log.pulls)
      .answer({.messages = {{.seq = Seq{4}, .kind = 1, .body = "hello", .server_ms = 55}}});
  const auto answer = bench.body_of<pb::SendAnswer>(id);
  EXPECT_EQ(answer.ack(), pb::STORED);
  EXPECT_EQ(answer.seq(), 4U);
  EXPECT_TRUE(answer.repeat());
}

TEST_F(GroupSendTest, MembersThatChangedAreJudgedAgainAndOnlyTheNewOnesGetIt) {
  know(facts_of({kAlice, kBob, kCarol}));
  const std::uint64_t id = send(hello());
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  take(bench.groups.opens).answer(facts_of({kAlice, kCarol}, 2));
  auto again = take(bench.log.appends);
  EXPECT_EQ(again.query->member_version, 2U);
  again.answer({.seq = Seq{9}});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
  ASSERT_EQ(bench.router.sent.size(), 1U);
  EXPECT_EQ(*bench.router.sent[0].delivery.everyone, (std::vector<Uid>{kAlice, kCarol}));
}

TEST_F(GroupSendTest, WhatWasRefusedUnderAnOldVersionUsesANewerOneThatIsKnown) {
  know(facts_of({kAlice, kBob}));
  send(hello());
  know(facts_of({kAlice, kBob, kCarol}, 2));
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  EXPECT_TRUE(bench.groups.opens.empty()) << "nobody has to be asked";
  EXPECT_EQ(take(bench.log.appends).query->member_version, 2U);
}

TEST_F(GroupSendTest, AfterTwoChangesTheDeviceTriesAgainLater) {
  know(facts_of({kAlice, kBob}));
  const std::uint64_t id = send(hello());
  for (std::uint64_t version = 2; version <= 3; ++version) {
    take(bench.log.appends).fail_with(Errc::kMembersChanged);
    if (bench.groups.opens.empty()) break;
    take(bench.groups.opens).answer(facts_of({kAlice, kBob}, version));
  }
  EXPECT_TRUE(bench.groups.opens.empty());
  EXPECT_TRUE(bench.log.appends.empty());
  EXPECT_EQ(bench.code_of(id), Errc::kMembersChanged);
}

TEST_F(GroupSendTest, AMessageIsPushedToThoseItWasSaidTo) {
  // Its first try was stored at 4. Dave had left at 3, which is not known here; Bob joined at 6.
  know(facts_of({kAlice, kCarol, kDave}));
  const std::uint64_t id = send(hello());
  take(bench.log.appends).answer({.seq = Seq{4}, .repeat = true});
  EXPECT_EQ(bench.body_of<pb::SendAnswer>(id).seq(), 4U);
  EXPECT_TRUE(bench.router.sent.empty()) << "nobody compared whom this logic takes for members";
  GroupFacts facts = facts_of({kAlice, kBob, kCarol}, 3);
  facts.members[1].join_seq = Seq{6};
  take(bench.groups.opens).answer(std::move(facts));
  ASSERT_EQ(bench.router.sent.size(), 1U);
  EXPECT_EQ(*bench.router.sent[0].delivery.everyone, (std::vector<Uid>{kAlice, kCarol}));
}

TEST_F(GroupSendTest, ARepeatOfWhichNobodySaysWhoMayHaveItIsNotPushed) {
  know(facts_of({kAlice, kBob}));
  const std::uint64_t id = send(hello());
  take(bench.log.appends).answer({.seq = Seq{4}, .repeat = true});
  take(bench.groups.opens).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.body_of<pb::SendAnswer>(id).ack(), pb::STORED);
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(GroupSendTest, NothingIsRelayedWhileTheStoreIsAway) {
  know(facts_of({kAlice, kBob}));
  const std::uint64_t id = send(hello());
  take(bench.log.appends).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(id), Errc::kStoreDown);
  EXPECT_GT(bench.refusal_of(id).error.retry_after, Millis{0});
  EXPECT_TRUE(bench.router.sent.empty());
  // Not known and the store away: the same, not "no member".
  bench.directory.forget(kGid);
  const std::uint64_t unknown = send(hello(2));
  take(bench.groups.opens).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(unknown), Errc::kStoreDown);
  // And with facts that say no, which only the log could prove.
  know(facts_of({kBob}, 2));
  const std::uint64_t out = send(hello(3));
  take(bench.log.finds).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(out), Errc::kStoreDown);
}

TEST_F(GroupSendTest, UnknownOutcomeIsNeverAnswered) {
  know(facts_of({kAlice, kBob}));
  const std::uint64_t id = send(hello());
  take(bench.log.appends).fail_with(Errc::kOutcomeUnknown);
  EXPECT_EQ(bench.answer_to(id), nullptr);
  EXPECT_EQ(bench.replies.left, 1);
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(GroupSendTest, OneQuestionServesAllWhoWait) {
  send(hello(1));
  bench.conn = ConnId{78};
  send(hello(2), kBob);
  ASSERT_EQ(bench.groups.opens.size(), 1U);
  take(bench.groups.opens).answer(facts_of({kAlice, kBob}));
  EXPECT_EQ(bench.log.appends.size(), 2U);
}

TEST_F(SlowGroupTest, TheGroupsRateIsForMembersAndForAllOfThem) {
  know(facts_of({kAlice, kBob}));
  for (std::uint8_t i = 0; i < 5; ++i) {
    const std::uint64_t stranger = send(hello(i), kDave);
    take(bench.log.finds).fail_with(Errc::kNotMember);
    EXPECT_EQ(bench.code_of(stranger), Errc::kNotMember);
  }
  send(hello(10));
  bench.conn = ConnId{78};
  send(hello(11), kBob);
  EXPECT_EQ(bench.log.appends.size(), 2U) << "strangers used up nothing";
  bench.conn = ConnId{79};
  const std::uint64_t third = send(hello(12), kBob);
  EXPECT_EQ(bench.code_of(third), Errc::kRateLimited);
  EXPECT_GT(bench.refusal_of(third).error.retry_after, Millis{0});
}

TEST_F(SlowGroupTest, AJudgementThatIsRepeatedCostsNoSecondPlace) {
  know(facts_of({kAlice, kBob}));
  const std::uint64_t id = send(hello());
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  take(bench.groups.opens).answer(facts_of({kAlice, kBob}, 2));
  take(bench.log.appends).answer({.seq = Seq{1}});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
  bench.conn = ConnId{78};
  send(hello(2), kBob);
  EXPECT_EQ(bench.log.appends.size(), 1U);
}

TEST_F(GroupSendTest, DraftsNameOnePersonOrOneGroup) {
  auto both = hello();
  both.set_to_uid(kBob.value());
  EXPECT_EQ(bench.code_of(send(both)), Errc::kMalformedBody);
  auto event = hello();
  event.set_kind(3);
  EXPECT_EQ(bench.code_of(send(event)), Errc::kMalformedBody) << "events are the server's";
  auto beyond = hello();
  beyond.set_to_gid(1ULL << 63U);
  EXPECT_EQ(bench.code_of(send(beyond)), Errc::kNotMember);
  EXPECT_TRUE(bench.groups.opens.empty());
}

TEST(GroupFactsCache, ForgetsTheLeastRecentByMembersInAll) {
  GroupFactsCache cache(10);
  const auto group = [](std::uint64_t gid, std::size_t members, std::uint64_t version = 1) {
    GroupFacts out{.gid = Gid{gid}, .name = {}, .members = {}, .member_version = version};
    for (std::size_t i = 1; i <= members; ++i) out.members.push_back({Uid{i}, i == 1, Seq{1}});
    return out;
  };
  cache.put(group(1, 4), {});
  cache.put(group(2, 4), {});
  EXPECT_EQ(cache.size(), 2U);
  ASSERT_NE(cache.find(Gid{1}), nullptr);
  cache.put(group(3, 3), {});
  EXPECT_EQ(cache.find(Gid{2}), nullptr) << "used least recently";
  EXPECT_NE(cache.find(Gid{1}), nullptr);
  cache.put(group(4, 100), {});
  EXPECT_EQ(cache.size(), 1U) << "one group stays, however large";
  EXPECT_NE(cache.find(Gid{4}), nullptr);
  // A slow answer does not put back what a later one replaced.
  cache.put(group(4, 2, 3), {});
  EXPECT_EQ(cache.put(group(4, 5, 2), {})->facts.member_version, 3U);
}

}  // namespace
}  // namespace hy::logic::test
