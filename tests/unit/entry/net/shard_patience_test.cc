// Frames that nobody waits for ride with the next one, and leave by themselves within a bound.
#include <gtest/gtest.h>

#include "tests/unit/entry/net/rig.h"

namespace hy::entry::test {
namespace {

constexpr std::uint16_t kPushAckOk = 0x8102;

/// Turns are taken by hand where a frame waits: Rig::run() lets the thread's own timer in.
struct Pushed : Rig {
  Pushed() : bob(logged_in(kBob)) {
    hold_soon = true;
    push(last_conn, {.id = 1, .seq = 1});
    run();
    EXPECT_EQ(bob->receive().size(), 1U);
  }
  std::unique_ptr<RawClient> bob;
};

TEST(ShardPatience, TheOkOfAPushAckRidesWithTheNextFrame) {
  Pushed rig;
  rig.bob->send(inner_type::kPushAck, 1);
  rig.shard().turn();
  EXPECT_TRUE(rig.bob->receive().empty()) << "nobody waits for it";
  rig.push(rig.last_conn, {.id = 2, .seq = 2});
  rig.run();
  const auto got = rig.bob->receive();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].type, kPushAckOk);
  EXPECT_EQ(got[1].type, inner_type::kPush);
}

TEST(ShardPatience, TheOkLeavesByItselfWhenItsTimeHasCome) {
  Pushed rig;
  rig.bob->send(inner_type::kPushAck, 1);
  rig.shard().turn();
  EXPECT_TRUE(rig.bob->receive().empty());
  rig.shard().soon();
  const auto got = rig.bob->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, kPushAckOk);
}

/// Forty connections that have acknowledged a push: more than a quiet shard has.
struct Busy : Pushed {
  Busy() {
    for (std::uint64_t i = 0; i < 40; ++i) {
      others.push_back(logged_in(Uid{50'000 + i}));
      conns.push_back(last_conn);
      push(last_conn, {.id = 10 + i, .seq = 1});
      run();
      EXPECT_EQ(others.back()->receive().size(), 1U);
    }
    for (const auto& other : others) other->send(inner_type::kPushAck, 1);
    shard().turn();
  }
  void pass(Millis time) {
    clock.advance(time);
    shard().soon();
  }
  std::vector<std::unique_ptr<RawClient>> others;
  std::vector<ConnId> conns;
};

TEST(ShardPatience, OnABusyShardTheOkWaitsForItsPatienceAndNoLonger) {
  Busy rig;
  rig.pass(Shard::kSoon);
  rig.pass(Shard::kReceiptPatience);
  EXPECT_TRUE(rig.others.front()->receive().empty()) << "forty sends are worth a wait";
  rig.pass(Shard::kOkPatience);
  for (const auto& other : rig.others) EXPECT_EQ(other->receive().size(), 1U);
}

TEST(ShardPatience, OnABusyShardAReceiptWaitsLessAndTakesTheOkAlong) {
  Busy rig;
  rig.push(rig.conns[7], {.id = 900, .ephemeral = true, .type = inner_type::kReceipt});
  rig.run();
  rig.pass(Shard::kSoon);
  EXPECT_TRUE(rig.others[7]->receive().empty());
  rig.pass(Shard::kReceiptPatience);
  EXPECT_EQ(rig.others[7]->receive().size(), 2U);
  EXPECT_TRUE(rig.others[8]->receive().empty());
}

TEST(ShardPatience, APlaceInLineIsThatOfTheFrameThatTookItAlone) {
  Busy rig;
  const auto receipt = [&rig](std::uint64_t id) {
    rig.push(rig.conns[7], {.id = id, .ephemeral = true, .type = inner_type::kReceipt});
    rig.run();
  };
  receipt(900);
  rig.push(rig.conns[7], {.id = 901, .seq = 2});
  rig.run();
  EXPECT_EQ(rig.others[7]->receive().size(), 3U) << "company";
  rig.pass(Shard::kReceiptPatience / 2);
  receipt(902);
  rig.pass(Shard::kReceiptPatience / 2);
  EXPECT_TRUE(rig.others[7]->receive().empty()) << "it has waited for half of its patience";
  rig.pass(Shard::kReceiptPatience / 2);
  EXPECT_EQ(rig.others[7]->receive().size(), 1U);
}

TEST(ShardPatience, OnABusyShardResultsOfPushesThatWentWellAreGathered) {
  Busy rig;
  rig.router_follows();
  rig.router.results.clear();
  rig.push(rig.conns[1], {.id = 500, .seq = 2});
  rig.push(rig.conns[2], {.id = 501, .seq = 2});
  rig.run();
  EXPECT_TRUE(rig.router.results.empty());
  rig.pass(Shard::kSoon);
  rig.run();
  EXPECT_EQ(rig.router.results.size(), 2U);
}

TEST(ShardPatience, WhoIsGoneOrAwaitedIsToldAtOnceAlsoByABusyShard) {
  Busy rig;
  rig.router_follows();
  rig.router.results.clear();
  rig.others[1]->hang_up();
  rig.run();
  rig.push(rig.conns[1], {.id = 500, .seq = 2});
  rig.push(rig.conns[2], {.id = 501, .seq = 2, .until_ack = true});
  rig.run();
  ASSERT_EQ(rig.router.results.size(), 2U);
  EXPECT_EQ(rig.router.results[0].outcome, DeliverOutcome::kGone);
  EXPECT_EQ(rig.router.results[1].outcome, DeliverOutcome::kWritten);
}

TEST(ShardPatience, WhileLogicsAreFullTheShardRefusesByItselfAndSoDoesNotWakeTheHub) {
  Pushed rig;
  rig.shard().logics_are_full(true);
  rig.bob->send(0x0101, 77, "hello");
  rig.shard().turn();
  UpBatch up;
  rig.shard().up().take(up);
  EXPECT_TRUE(up.commands.empty());
  const auto got = rig.bob->receive();
  ASSERT_EQ(got.size(), 1U) << "a quiet shard says so at once";
  EXPECT_EQ(got[0].request_id, 77U);
  EXPECT_EQ(got[0].flags & wire::kFlagRefused, wire::kFlagRefused);
  const auto refused = wire::decode_refused(as_bytes(got[0].body));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error.code, Errc::kOverloaded);
  EXPECT_EQ(refused->error.retry_after, Shard::kOverloadedRetry);
  rig.shard().logics_are_full(false);
  rig.bob->send(0x0101, 78, "hello");
  rig.shard().turn();
  rig.shard().up().take(up);
  EXPECT_EQ(up.commands.size(), 1U);
}

TEST(ShardPatience, OnABusyShardARefusalForLoadWaitsForCompanyAsLongAsAReceipt) {
  Busy rig;
  rig.shard().logics_are_full(true);
  rig.others[3]->send(0x0101, 77, "hello");
  rig.shard().turn();
  rig.pass(Shard::kSoon);
  EXPECT_TRUE(rig.others[3]->receive().empty());
  rig.pass(Shard::kReceiptPatience);
  EXPECT_EQ(rig.others[3]->receive().size(), 2U) << "with the ok that waited";
}

TEST(ShardPatience, ConfirmationsOfOneConversationGoUpAsOneWhenTheirTimeHasCome) {
  Pushed rig;
  for (std::uint64_t seq = 2; seq <= 5; ++seq) rig.push(rig.last_conn, {.id = seq, .seq = seq});
  rig.run();
  for (std::uint32_t n = 1; n <= 5; ++n) rig.bob->send(inner_type::kPushAck, n);
  rig.shard().turn();
  EXPECT_TRUE(rig.logic.confirms.empty());
  rig.shard().soon();
  rig.run();
  ASSERT_EQ(rig.logic.confirms.size(), 1U);
  EXPECT_EQ(rig.logic.confirms.front().seq, Seq{5});
}

TEST(ShardPatience, PingsWakeTheHubOnceATick) {
  Pushed rig;
  for (std::uint32_t n = 1; n <= 3; ++n) rig.bob->send(inner_type::kPing, n);
  rig.shard().turn();
  UpBatch up;
  rig.shard().up().take(up);
  EXPECT_TRUE(up.commands.empty());
  rig.shard().tick();
  rig.shard().up().take(up);
  EXPECT_EQ(up.commands.size(), 3U);
}

}  // namespace
}  // namespace hy::entry::test
