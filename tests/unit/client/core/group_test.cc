#include <gtest/gtest.h>

#include "client/core/codec.h"
#include "client/core/device.h"
#include "client/core/group_codec.h"
#include "client/core/group_receipts.h"
#include "hy/client/v1/group.pb.h"
#include "hy/client/v1/message.pb.h"
#include "tests/support/sim_world.h"

namespace hy::test {
namespace {

namespace v1 = hy::client::v1;

constexpr Uid kAlice{1};
constexpr Uid kBob{2};
constexpr Uid kCarol{3};
constexpr Gid kGid{7};
const ConversationId kGroup = ConversationId::group(kGid);

class GroupDeviceTest : public testing::Test {
 protected:
  GroupDeviceTest() { world.server.names = {{"alice", kAlice}, {"bob", kBob}, {"carol", kCarol}}; }
  std::unique_ptr<SimDevice> online(const std::string& name) {
    auto device = std::make_unique<SimDevice>(world, name, sim_settings(world.server));
    device->login();
    EXPECT_TRUE(world.run_until(
        [&] { return device->device().link().state() == LinkState::kOnline; }, Millis{5'000}));
    return device;
  }
  Result<ClientMsgId> say(SimDevice& device, const Bytes& body) {
    Result<ClientMsgId> id = fail(Errc::kInternal);
    device.run([&](client::Device& d, client::Turn& turn) {
      id = d.submit(turn, world.now, world.wall_ms, kGid, 1, body);
    });
    return id;
  }
  /// Bodies of people, without the events.
  static std::vector<Bytes> texts(const SimDevice& device) {
    std::vector<Bytes> out;
    for (const Message& m : device.shown) {
      if (m.kind == 1) out.push_back(m.body);
    }
    return out;
  }
  using Texts = std::vector<Bytes>;

  SimWorld world{42};
};

TEST_F(GroupDeviceTest, ThreeTalkAndEachIsShownEverythingOnceInOrder) {
  auto alice = online("alice");
  auto bob = online("bob");
  auto carol = online("carol");
  world.server.change_group(kGid, kAlice, {kBob, kCarol}, {});
  world.run_for(Millis{50});
  const auto first = say(*alice, "one");
  world.run_for(Millis{50});
  const auto second = say(*bob, "two");
  world.run_for(Millis{50});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(alice->step_of(*first), Step::kStored)
      << "of a group nobody's receipt makes a message delivered to all";
  EXPECT_EQ(texts(*alice), (Texts{"two"}));
  EXPECT_EQ(texts(*bob), (Texts{"one"}));
  EXPECT_EQ(texts(*carol), (Texts{"one", "two"}));
  EXPECT_EQ(carol->shown.front().kind, kKindGroupEvent);
  const auto receipts = alice->device().group_receipts().of(kGroup);
  ASSERT_EQ(receipts.size(), 2u);
  EXPECT_EQ(receipts[0].uid, kBob);
  EXPECT_EQ(receipts[0].delivered, Seq{2});
  EXPECT_EQ(receipts[1].uid, kCarol);
  EXPECT_EQ(receipts[1].delivered, Seq{2});
  EXPECT_EQ(receipts[1].read, Seq{0});
  EXPECT_EQ(alice->device().inbox().find(kGroup)->peer_delivered, Seq{0})
      << "one member's confirmation is not the others'";
}

TEST_F(GroupDeviceTest, WhoJoinsLaterSeesNothingBeforeAndPullsNothing) {
  auto alice = online("alice");
  auto bob = online("bob");
  auto carol = online("carol");
  world.server.change_group(kGid, kAlice, {kBob}, {});
  for (int i = 0; i < 5; ++i) world.server.write(kBob, kGid, "before");
  world.run_for(Millis{500});
  world.server.change_group(kGid, kAlice, {kCarol}, {});
  world.run_for(Millis{500});
  world.server.write(kBob, kGid, "after");
  world.run_for(Millis{2'000});
  EXPECT_EQ(texts(*carol), (Texts{"after"}));
  EXPECT_EQ(texts(*alice).size(), 6u);
  EXPECT_EQ(world.server.pulls_seen, 0u) << "the event says where her part begins";
  EXPECT_FALSE(carol->device().inbox().has_holes());
  EXPECT_EQ(carol->device().inbox().find(kGroup)->base, Seq{6});
}

TEST_F(GroupDeviceTest, WhoJoinedWhileAwayLearnsItBySyncAndBeginsAtTheSameSeq) {
  auto alice = online("alice");
  world.server.change_group(kGid, kAlice, {kBob}, {});
  for (int i = 0; i < 5; ++i) world.server.write(kBob, kGid, "before");
  world.server.change_group(kGid, kAlice, {kCarol}, {});
  world.server.write(kBob, kGid, "after");
  auto carol = online("carol");
  world.run_for(Millis{2'000});
  EXPECT_EQ(texts(*carol), (Texts{"after"}));
  EXPECT_EQ(carol->shown.size(), 2u) << "the event too";
  EXPECT_FALSE(carol->device().inbox().has_holes());
}

TEST_F(GroupDeviceTest, ALostEventIsPulledFromTheJoinOnAlone) {
  auto alice = online("alice");
  auto carol = online("carol");
  world.server.change_group(kGid, kAlice, {kBob}, {});
  for (int i = 0; i < 5; ++i) world.server.write(kBob, kGid, "before");
  world.server.knobs.drop_pushes = 1;
  world.server.knobs.drop_pushes_to = kCarol;
  world.server.change_group(kGid, kAlice, {kCarol}, {});
  world.server.write(kBob, kGid, "after");
  ASSERT_TRUE(world.run_until([&] { return !texts(*carol).empty(); }, Millis{5'000}));
  EXPECT_EQ(texts(*carol), (Texts{"after"}));
  EXPECT_EQ(carol->shown.front().kind, kKindGroupEvent) << "and the event came by the PULL";
  EXPECT_LE(world.server.pulls_seen, 2u);
  EXPECT_FALSE(carol->device().inbox().has_holes());
}

TEST_F(GroupDeviceTest, WhoWasRemovedKeepsWhatHeHasGetsNothingMoreAndCannotSend) {
  auto bob = online("bob");
  world.server.change_group(kGid, kAlice, {kBob}, {});
  world.server.write(kAlice, kGid, "kept");
  world.server.change_group(kGid, kAlice, {}, {kBob});
  world.server.write(kAlice, kGid, "not his");
  world.run_for(Millis{500});
  EXPECT_EQ(texts(*bob), (Texts{"kept"}));
  ASSERT_EQ(bob->shown.size(), 3u);
  const auto event = group_event_of(bob->shown.back());
  ASSERT_TRUE(event) << "he is told that he is out";
  EXPECT_EQ(event->removed, std::vector{kBob});
  const auto id = say(*bob, "let me in");
  world.run_for(Millis{500});
  ASSERT_TRUE(id);
  EXPECT_EQ(bob->step_of(*id), Step::kRefused);
  EXPECT_EQ(bob->codes[*id], Errc::kNotMember);
  bob->run([&](client::Device& d, client::Turn&) { d.sync_now(world.now); });
  ASSERT_TRUE(world.run_until([&] { return bob->up_to_date > 0; }, Millis{5'000}));
  EXPECT_EQ(texts(*bob), (Texts{"kept"}));
}

TEST_F(GroupDeviceTest, WhoComesBackBeginsAnewAndIsShownNothingTwice) {
  auto bob = online("bob");
  world.server.change_group(kGid, kAlice, {kBob}, {});
  world.server.write(kAlice, kGid, "first stay");
  world.server.change_group(kGid, kAlice, {}, {kBob});
  for (int i = 0; i < 3; ++i) world.server.write(kAlice, kGid, "without him");
  world.server.change_group(kGid, kAlice, {kBob}, {});
  world.server.write(kAlice, kGid, "second stay");
  world.run_for(Millis{2'000});
  EXPECT_EQ(texts(*bob), (Texts{"first stay", "second stay"}));
  EXPECT_EQ(world.server.pulls_seen, 0u);
}

TEST_F(GroupDeviceTest, MessagesToAGroupSurviveACrashAndAreStoredOnce) {
  auto alice = online("alice");
  auto bob = online("bob");
  world.server.change_group(kGid, kAlice, {kBob}, {});
  world.run_for(Millis{50});
  world.server.knobs.drop_send_acks = 1;
  ASSERT_TRUE(say(*alice, "once"));
  world.run_for(Millis{20});
  alice->crash_and_restart();
  world.run_for(Millis{5'000});
  EXPECT_EQ(texts(*bob), (Texts{"once"}));
  EXPECT_EQ(alice->device().outbox().size(), 0u);
}

TEST_F(GroupDeviceTest, ANumberThatIsNoGidIsRefusedAtOnce) {
  auto alice = online("alice");
  alice->run([&](client::Device& d, client::Turn& turn) {
    for (const std::uint64_t gid : {std::uint64_t{0}, std::uint64_t{1} << 63}) {
      const auto id = d.submit(turn, world.now, world.wall_ms, Gid{gid}, 1, "x");
      ASSERT_FALSE(id);
      EXPECT_EQ(id.error().code, Errc::kNotMember);
    }
  });
}

TEST(GroupInbox, AHoleThatIsNotForThisPersonIsGivenUp) {
  client::Inbox inbox{{}};
  SeededRandom random{3};
  client::Turn turn;
  MonoTime now{std::chrono::hours(1)};
  Message message;
  message.conversation = kGroup;
  message.seq = Seq{9};
  message.sender = kBob;
  inbox.pushed(now, 1, message);
  now = inbox.wake_at();
  const auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  inbox.pull_failed(turn, now, pulls[0], Errc::kNotMember, Millis{0}, Seq{}, random);
  EXPECT_FALSE(inbox.has_holes()) << "or it would ask for ever";
  ASSERT_EQ(inbox.take_rows().size(), 1u);
  EXPECT_EQ(inbox.take_ack(), 1u) << "or the entry would push it for ever";
}

TEST(GroupCodec, ASendNamesTheGroupAndNobody) {
  client::SendOrder order;
  order.conversation = kGroup;
  order.kind = 1;
  order.body = "hi";
  v1::SendRequest request;
  ASSERT_TRUE(request.ParseFromString(client::encode_send(order)));
  EXPECT_EQ(request.to_gid(), 7u);
  EXPECT_EQ(request.to_uid(), 0u);
  order.conversation = ConversationId::pair(kAlice, kBob);
  order.to = kBob;
  ASSERT_TRUE(request.ParseFromString(client::encode_send(order)));
  EXPECT_EQ(request.to_gid(), 0u);
  EXPECT_EQ(request.to_uid(), 2u);
}

TEST(GroupCodec, AnswersAreTakenApartAndJudged) {
  v1::GroupInfoAnswer answer;
  auto* group = answer.mutable_group();
  group->set_gid(7);
  group->set_name("friends");
  group->set_member_version(3);
  auto* owner = group->add_members();
  owner->set_uid(1);
  owner->set_owner(true);
  owner->set_join_seq(1);
  group->add_members()->set_uid(2);
  const auto decode = [&] {
    return client::decode_group_info(as_bytes(answer.SerializeAsString()));
  };
  const auto good = decode();
  ASSERT_TRUE(good);
  EXPECT_EQ(good->gid, kGid);
  EXPECT_EQ(good->name, "friends");
  ASSERT_EQ(good->members.size(), 2u);
  EXPECT_EQ(good->members[0], (GroupMember{kAlice, true, Seq{1}}));
  group->mutable_members(1)->set_uid(1);
  EXPECT_FALSE(decode()) << "nobody is in twice";
  group->mutable_members(1)->set_uid(1ULL << 63);
  EXPECT_FALSE(decode());
  group->mutable_members(1)->set_uid(2);
  group->set_gid(0);
  EXPECT_FALSE(decode());
}

TEST(GroupCodec, OnlyAGroupsOwnEventIsAnEvent) {
  v1::GroupEvent event;
  event.set_created("friends");
  event.add_added(2);
  Message message;
  message.conversation = kGroup;
  message.kind = kKindGroupEvent;
  message.sender = kAlice;
  message.body = event.SerializeAsString();
  ASSERT_TRUE(group_event_of(message));
  EXPECT_TRUE(client::is_own_entry(message, kBob));
  EXPECT_TRUE(client::is_own_entry(message, kAlice)) << "who made it";
  EXPECT_FALSE(client::is_own_entry(message, kCarol));
  message.conversation = ConversationId::pair(kAlice, kBob);
  EXPECT_FALSE(group_event_of(message)) << "of a pair it is what somebody wrote";
  EXPECT_FALSE(client::is_own_entry(message, kBob));
  message.conversation = kGroup;
  message.kind = 2;
  EXPECT_FALSE(group_event_of(message));
  message.kind = kKindGroupEvent;
  message.body = "\xff\xff";
  EXPECT_FALSE(group_event_of(message));
}

TEST(GroupReceipts, ArePerMemberAndNeverFall) {
  client::GroupReceipts receipts;
  ClientMsgId id{};
  id.bytes[0] = 9;
  receipts.stored(kGroup, Seq{5}, id);
  EXPECT_EQ(receipts.receipt(kGroup, kBob, Seq{4}, false).id, ClientMsgId{});
  EXPECT_EQ(receipts.receipt(kGroup, kBob, Seq{5}, true).id, id);
  receipts.receipt(kGroup, kBob, Seq{3}, true);
  receipts.receipt(kGroup, kCarol, Seq{2}, false);
  const auto all = receipts.of(kGroup);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].delivered, Seq{5});
  EXPECT_EQ(all[0].read, Seq{5});
  EXPECT_EQ(all[1].delivered, Seq{2});
  EXPECT_EQ(all[1].read, Seq{0});
  EXPECT_TRUE(receipts.of(ConversationId::group(Gid{8})).empty());
}

TEST(GroupReceipts, AServerThatInventsMembersFillsNoMemory) {
  client::GroupReceipts receipts;
  for (std::uint64_t uid = 1; uid <= 2'000; ++uid) {
    receipts.receipt(kGroup, Uid{uid}, Seq{1}, false);
  }
  EXPECT_EQ(receipts.of(kGroup).size(), client::GroupReceipts::kMembersMax);
}

}  // namespace
}  // namespace hy::test
