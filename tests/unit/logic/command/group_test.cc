#include "logic/command/group.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/group.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"
#include "logic/domain/message_rules.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

const Gid kGid{7};
const ConversationId kGroup = ConversationId::group(kGid);
const Uid kCarol{3};

GroupFacts facts_of(std::vector<GroupMember> members, std::uint64_t version) {
  return {.gid = kGid, .name = "club", .members = std::move(members), .member_version = version};
}

StoredMessage event_at(Seq seq, Uid by) {
  return {.conversation = kGroup,
          .seq = seq,
          .sender = by,
          .client_msg_id = message_id(1),
          .kind = kKindGroupEvent,
          .body = "event",
          .server_ms = 99};
}

struct GroupTest : ::testing::Test {
  template <class Message>
  std::uint64_t ask(std::uint16_t type, const Message& in, Uid who = kAlice) {
    return bench.ask_as(who, type, in.SerializeAsString());
  }
  static pb::GroupCreateRequest club(std::vector<Uid> members) {
    pb::GroupCreateRequest in;
    in.set_name("club");
    in.set_creation_id(std::string(16, 'c'));
    for (const Uid uid : members) in.add_members(uid.value());
    return in;
  }
  static pb::GroupChangeRequest change(std::vector<Uid> add, std::vector<Uid> remove) {
    pb::GroupChangeRequest in;
    in.set_gid(kGid.value());
    for (const Uid uid : add) in.add_add(uid.value());
    for (const Uid uid : remove) in.add_remove(uid.value());
    return in;
  }
  LogicBench bench;
};

TEST_F(GroupTest, CreateAsksTheStoreAnswersAndTellsAllMembers) {
  const std::uint64_t id = ask(pb::GROUP_CREATE, club({kCarol, kBob, kBob, kAlice}));
  auto asked = take(bench.groups.creates);
  EXPECT_EQ(asked.query.owner, kAlice);
  EXPECT_EQ(asked.query.members, (std::vector<Uid>{kBob, kCarol}))
      << "each once, without the owner";
  EXPECT_EQ(asked.query.members_max, kGroupMembersMax);
  asked.answer({.facts = facts_of({{kAlice, true, Seq{1}}, {kBob, false, Seq{1}}}, 1),
                .event = event_at(Seq{1}, kAlice)});
  const auto answer = bench.body_of<pb::GroupCreateAnswer>(id);
  EXPECT_EQ(answer.group().gid(), kGid.value());
  EXPECT_EQ(answer.group().conversation(), kGroup.to_bytes());
  ASSERT_EQ(answer.group().members_size(), 2);
  EXPECT_TRUE(answer.group().members(0).owner());
  EXPECT_EQ(answer.group().members(1).join_seq(), 1U);
  ASSERT_EQ(bench.router.sent.size(), 1U);
  const FakeRouter::Sent& sent = bench.router.sent[0];
  EXPECT_EQ(*sent.delivery.everyone, (std::vector<Uid>{kAlice, kBob}));
  EXPECT_TRUE(sent.targets.empty()) << "all devices of the actor too";
  EXPECT_TRUE(sent.delivery.no_receipt);
  EXPECT_TRUE(sent.delivery.numbered);
  pb::Push push;
  ASSERT_TRUE(push.ParseFromString(sent.delivery.body));
  EXPECT_EQ(push.kind(), kKindGroupEvent);
  EXPECT_EQ(push.body(), "event");
  // Known from now on: the first message asks nobody.
  pb::SendRequest hello;
  hello.set_client_msg_id(message_id(9).to_bytes());
  hello.set_to_gid(kGid.value());
  hello.set_kind(1);
  ask(pb::SEND, hello);
  EXPECT_TRUE(bench.groups.opens.empty());
  EXPECT_EQ(bench.log.appends.size(), 1U);
}

TEST_F(GroupTest, CreateThatWasDoneBeforeIsNotToldAgain) {
  const std::uint64_t id = ask(pb::GROUP_CREATE, club({kBob}));
  take(bench.groups.creates).answer({.facts = facts_of({{kAlice, true, Seq{1}}}, 1)});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(GroupTest, CreateIsRefusedBeforeTheStoreIsAsked) {
  auto nameless = club({kBob});
  nameless.set_name("");
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CREATE, nameless)), Errc::kNameInvalid);
  auto without_id = club({kBob});
  without_id.set_creation_id("short");
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CREATE, without_id)), Errc::kMalformedBody);
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CREATE, club({Uid{0}}))), Errc::kUnknownUser);
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CREATE, club({Uid{2}, Uid{3}, Uid{4}, Uid{5}, Uid{6}}))),
            Errc::kGroupFull);
  // Five a burst, refused ones counted.
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CREATE, club({Uid{2}, Uid{3}, Uid{4}, Uid{5}}))),
            Errc::kOutcomeUnknown);
  EXPECT_EQ(bench.groups.creates.size(), 1U);
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CREATE, club({kBob}))), Errc::kRateLimited);
}

TEST_F(GroupTest, InfoIsForMembersAlone) {
  pb::GroupInfoRequest in;
  in.set_gid(kGid.value());
  const std::uint64_t member = ask(pb::GROUP_INFO, in);
  take(bench.groups.opens).answer(facts_of({{kAlice, true, Seq{1}}, {kBob, false, Seq{4}}}, 3));
  const auto answer = bench.body_of<pb::GroupInfoAnswer>(member);
  EXPECT_EQ(answer.group().name(), "club");
  EXPECT_EQ(answer.group().member_version(), 3U);
  const std::uint64_t stranger = ask(pb::GROUP_INFO, in, kCarol);
  take(bench.groups.opens).answer(facts_of({{kAlice, true, Seq{1}}}, 4));
  EXPECT_EQ(bench.code_of(stranger), Errc::kNotMember);
  const std::uint64_t nowhere = ask(pb::GROUP_INFO, in, kCarol);
  take(bench.groups.opens).answer(GroupFacts{});
  EXPECT_EQ(bench.code_of(nowhere), Errc::kNotMember);
  const std::uint64_t down = ask(pb::GROUP_INFO, in);
  take(bench.groups.opens).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(down), Errc::kStoreDown);
}

TEST_F(GroupTest, ChangeTellsMembersAndThoseWhoWereRemoved) {
  const std::uint64_t id = ask(pb::GROUP_CHANGE, change({kCarol}, {kBob}));
  auto asked = take(bench.groups.changes);
  EXPECT_EQ(asked.query.actor, kAlice);
  EXPECT_EQ(asked.query.add, (std::vector<Uid>{kCarol}));
  EXPECT_EQ(asked.query.remove, (std::vector<Uid>{kBob}));
  asked.answer({.facts = facts_of({{kAlice, true, Seq{1}}, {kCarol, false, Seq{6}}}, 2),
                .event = event_at(Seq{6}, kAlice),
                .removed = {kBob}});
  const auto answer = bench.body_of<pb::GroupChangeAnswer>(id);
  EXPECT_EQ(answer.seq(), 6U);
  EXPECT_EQ(answer.member_version(), 2U);
  std::vector<Uid> told;
  for (const FakeRouter::Sent& sent : bench.router.sent) {
    told.insert(told.end(), sent.delivery.everyone->begin(), sent.delivery.everyone->end());
    EXPECT_EQ(sent.delivery.seq, Seq{6});
  }
  std::ranges::sort(told);
  EXPECT_EQ(told, (std::vector<Uid>{kAlice, kBob, kCarol}));
}

TEST_F(GroupTest, ChangeOfNothingIsSuccessAndToldToNobody) {
  const std::uint64_t id = ask(pb::GROUP_CHANGE, change({kBob}, {}));
  take(bench.groups.changes)
      .answer({.facts = facts_of({{kAlice, true, Seq{1}}, {kBob, false, Seq{1}}}, 2)});
  EXPECT_EQ(bench.body_of<pb::GroupChangeAnswer>(id).seq(), 0U);
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(GroupTest, ChangeThatTheStoreRefusesIsRefused) {
  for (const Errc code : {Errc::kNotMember, Errc::kForbidden, Errc::kUnknownUser, Errc::kGroupFull,
                          Errc::kStoreDown}) {
    const std::uint64_t id = ask(pb::GROUP_CHANGE, change({kCarol}, {}));
    take(bench.groups.changes).fail_with(code);
    EXPECT_EQ(bench.code_of(id), code);
  }
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CHANGE, change({}, {}))), Errc::kMalformedBody);
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CHANGE, change({kBob}, {kBob}))), Errc::kMalformedBody);
  EXPECT_EQ(bench.code_of(ask(pb::GROUP_CHANGE, change({Uid{0}}, {}))), Errc::kUnknownUser);
  EXPECT_TRUE(bench.groups.changes.empty());
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(GroupTest, AnEventGoesToItsOwnMembersWhenALaterChangeIsKnownAlready) {
  ask(pb::GROUP_CHANGE, change({kBob}, {}));
  auto first = take(bench.groups.changes);
  bench.directory.learn(
      facts_of({{kAlice, true, Seq{1}}, {kBob, false, Seq{2}}, {kCarol, false, Seq{3}}}, 3),
      bench.clock.now());
  first.answer({.facts = facts_of({{kAlice, true, Seq{1}}, {kBob, false, Seq{2}}}, 2),
                .event = event_at(Seq{2}, kAlice)});
  ASSERT_EQ(bench.router.sent.size(), 1U);
  EXPECT_EQ(*bench.router.sent[0].delivery.everyone, (std::vector<Uid>{kAlice, kBob}));
}

TEST_F(GroupTest, ReadsOfGroupsAreTheStoresToJudge) {
  pb::PullRequest pull;
  pull.set_conversation(kGroup.to_bytes());
  pull.set_from(3);
  const std::uint64_t stranger = ask(pb::PULL, pull, kCarol);
  auto asked = take(bench.log.pulls);
  EXPECT_EQ(asked.query.uid, kCarol);
  EXPECT_EQ(asked.query.conversation, kGroup);
  asked.fail_with(Errc::kNotMember);
  EXPECT_EQ(bench.code_of(stranger), Errc::kNotMember);
  pull.set_conversation(ConversationId{}.to_bytes());
  EXPECT_EQ(bench.code_of(ask(pb::PULL, pull)), Errc::kNotMember) << "no group has number 0";
}

TEST_F(GroupTest, ReadTellsOwnDevicesAndNobodyElse) {
  pb::ReadRequest read;
  read.set_conversation(kGroup.to_bytes());
  read.set_seq(4);
  const std::uint64_t id = ask(pb::READ, read);
  take(bench.log.marks_asked).answer({.read = Seq{4}, .changed = true, .useq = Useq{1}});
  bench.turn();
  EXPECT_EQ(bench.body_of<pb::ReadAnswer>(id).read_seq(), 4U);
  ASSERT_EQ(bench.router.sent.size(), 1U);
  EXPECT_EQ(bench.router.sent[0].delivery.type, kTypeReadMark);
  ASSERT_EQ(bench.router.sent[0].targets.size(), 1U);
  EXPECT_EQ(bench.router.sent[0].targets[0].uid, kAlice);
}

TEST_F(GroupTest, SyncNamesTheGroupAndWhereItBegins) {
  const std::uint64_t id = ask(pb::SYNC, pb::SyncRequest{});
  Conversations page;
  page.rows.push_back({.conversation = kGroup,
                       .head = Seq{9},
                       .head_ms = 5,
                       .read = Seq{},
                       .peer_read = Seq{},
                       .unread = 2,
                       .last = std::nullopt,
                       .group_name = "club",
                       .join_seq = Seq{4}});
  take(bench.log.lists).answer(std::move(page));
  const auto answer = bench.body_of<pb::SyncAnswer>(id);
  ASSERT_EQ(answer.conversations_size(), 1);
  EXPECT_EQ(answer.conversations(0).peer(), 0U);
  EXPECT_EQ(answer.conversations(0).group_name(), "club");
  EXPECT_EQ(answer.conversations(0).join_seq(), 4U);
}

}  // namespace
}  // namespace hy::logic::test
