#include <gtest/gtest.h>

#include "hy/client/v1/message.pb.h"
#include "tests/unit/entry/net/rig.h"

/// Groups' messages at an I/O thread: counted results, no receipts above a size, and pairs first.
namespace hy::entry::test {
namespace {

const ConversationId kGroup = ConversationId::group(Gid{7});

struct CrowdTest : ::testing::Test {
  explicit CrowdTest(const ShardOptions& options = {}) : rig(options) { rig.router_follows(); }

  std::unique_ptr<RawClient> member(std::uint64_t uid) {
    auto client = rig.logged_in(Uid{uid});
    conns.push_back(rig.last_conn);
    return client;
  }
  void say(std::uint64_t seq, std::vector<ConnId> to, bool no_receipt = false) {
    auto payload = std::make_shared<PushPayload>();
    payload->type = inner_type::kPush;
    payload->body = "to all";
    payload->conversation = kGroup;
    payload->seq = Seq{seq};
    payload->sender = kAlice;
    payload->no_receipt = no_receipt;
    RouterForward out;
    out.id = seq;
    out.payload = std::move(payload);
    out.conns = std::move(to);
    out.numbered = true;
    out.brief = true;
    out.remaining = Millis{2'000};
    rig.hub().on_forward(0, std::move(out), rig.clock.now());
  }
  Rig rig;
  std::vector<ConnId> conns;
};

TEST_F(CrowdTest, ResultsAreCountedButForWhoIsGone) {
  auto one = member(1);
  auto two = member(2);
  auto three = member(3);
  three->hang_up();
  rig.run();
  say(1, conns);
  rig.run();
  EXPECT_EQ(one->receive().size(), 1U);
  EXPECT_EQ(two->receive().size(), 1U);
  ASSERT_EQ(rig.router.results.size(), 2U);
  std::size_t written = 0;
  std::size_t gone = 0;
  for (const DeliveryResult& result : rig.router.results) {
    EXPECT_EQ(result.ref.id, 1U);
    if (result.conn == ConnId{}) {
      EXPECT_EQ(result.outcome, DeliverOutcome::kWritten);
      written += result.count;
    } else {
      EXPECT_EQ(result.conn, conns[2]);
      EXPECT_EQ(result.outcome, DeliverOutcome::kGone);
      ++gone;
    }
  }
  EXPECT_EQ(written, 2U);
  EXPECT_EQ(gone, 1U);
}

TEST_F(CrowdTest, AConfirmationWithoutReceiptEndsHere) {
  auto one = member(1);
  say(1, conns, true);
  rig.run();
  auto got = one->receive();
  ASSERT_EQ(got.size(), 1U);
  one->send(inner_type::kPushAck, got[0].request_id);
  rig.run();
  EXPECT_TRUE(rig.logic.confirms.empty());
  say(2, conns, false);
  rig.run();
  got = one->receive();
  ASSERT_FALSE(got.empty());
  one->send(inner_type::kPushAck, got.back().request_id);
  rig.run();
  ASSERT_EQ(rig.logic.confirms.size(), 1U);
  EXPECT_EQ(rig.logic.confirms[0].seq, Seq{2});
}

TEST_F(CrowdTest, AHotGroupMakesNoPairWait) {
  auto one = member(1);
  auto bob = rig.logged_in(kBob);
  const ConnId bobs = rig.last_conn;
  // Ten messages to more connections than one turn serves; all but one are gone.
  std::vector<ConnId> crowd(600, make_conn_id(0, 9'999, 1));
  crowd.front() = conns.front();
  for (std::uint64_t seq = 1; seq <= 10; ++seq) say(seq, crowd);
  rig.push(bobs, {.id = 99, .seq = 1});
  rig.shard().give(rig.hub().down().front());
  rig.one_turn();
  EXPECT_EQ(bob->receive().size(), 1U) << "in the first turn, behind ten messages of a group";
  const auto first = one->receive();
  // 603 for the first message, 600 for each that follows, of 3,584 a turn.
  EXPECT_EQ(first.size(), 6U) << "one turn's part of the crowd";
  rig.run();
  const auto rest = one->receive();
  ASSERT_EQ(first.size() + rest.size(), 10U) << "and all of it in the end";
  for (std::size_t i = 1; i < rest.size(); ++i) {
    EXPECT_EQ(rest[i].request_id, rest[i - 1].request_id + 1);
  }
}

TEST_F(CrowdTest, WhatWaitsForAGroupLeavesInOneTurn) {
  std::vector<std::unique_ptr<RawClient>> members;
  for (std::uint64_t uid = 1; uid <= 3; ++uid) members.push_back(member(uid));
  // Behind three hundred that are gone: more deliveries than a turn may have sends.
  std::vector<ConnId> crowd(300, make_conn_id(0, 9'999, 1));
  crowd.insert(crowd.end(), conns.begin(), conns.end());
  for (std::uint64_t seq = 1; seq <= 4; ++seq) say(seq, crowd);
  rig.shard().give(rig.hub().down().front());
  rig.one_turn();
  for (const auto& one : members) {
    const auto got = one->receive();
    ASSERT_EQ(got.size(), 4U);
    for (std::size_t i = 1; i < got.size(); ++i)
      EXPECT_EQ(got[i].request_id, got[i - 1].request_id + 1);
  }
}

struct FullCrowdTest : CrowdTest {
  static ShardOptions small() {
    ShardOptions options;
    options.waiting_deliveries_max = 100;
    return options;
  }
  FullCrowdTest() : CrowdTest(small()) {}
};

TEST_F(FullCrowdTest, GroupsAreDroppedFirstWhenTheThreadIsFarBehind) {
  auto one = member(1);
  auto bob = rig.logged_in(kBob);
  const ConnId bobs = rig.last_conn;
  const std::vector<ConnId> crowd(60, conns.front());
  say(1, crowd);
  rig.shard().give(rig.hub().down().front());
  say(2, crowd);
  rig.push(bobs, {.id = 99, .seq = 1});
  rig.shard().give(rig.hub().down().front());
  rig.run();
  EXPECT_EQ(bob->receive().size(), 1U) << "half of the room is the pairs' own";
  std::size_t pushes = 0;
  for (const auto& message : one->receive()) pushes += message.type == inner_type::kPush ? 1 : 0;
  EXPECT_EQ(pushes, 1U) << "the second message of the group went";
}

}  // namespace
}  // namespace hy::entry::test
