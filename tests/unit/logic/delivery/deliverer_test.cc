#include "logic/delivery/deliverer.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/fake_ports.h"

namespace hy::logic::test {
namespace {

const Uid kBob{2};
const Uid kAlice{1};

struct DelivererTest : ::testing::Test {
  Delivery push(ConversationId conversation = ConversationId::pair(kAlice, kBob)) {
    Delivery d;
    d.type = 0x4001;
    d.conversation = conversation;
    d.targets = {{kBob, 0}, {kAlice, 0b110U}};
    d.deadline = clock.now() + Millis{2'000};
    return d;
  }
  void result(std::size_t index, std::vector<TargetResult> results) {
    deliverer.on_results(router.sent[index].replica, router.sent[index].id, results);
  }
  void pass(Millis by) {
    clock.advance(by);
    deliverer.tick();
  }
  HandClock clock;
  obs::Registry registry;
  Metrics metrics{registry};
  FakeRouter router{3};
  Deliverer deliverer{router, clock, metrics, {}};
};

TEST_F(DelivererTest, OneConversationKeepsToOneReplicaAndAllAreUsed) {
  std::set<std::size_t> used;
  for (std::uint64_t n = 2; n < 50; ++n) {
    const auto conversation = ConversationId::pair(Uid{1}, Uid{n});
    deliverer.deliver(push(conversation));
    deliverer.deliver(push(conversation));
    const auto count = router.sent.size();
    EXPECT_EQ(router.sent[count - 1].replica, router.sent[count - 2].replica);
    used.insert(router.sent.back().replica);
  }
  EXPECT_EQ(used.size(), 3U);
}

TEST_F(DelivererTest, ATimerIsNeededWhileADeliveryIsUnderWayAndNoLonger) {
  EXPECT_FALSE(deliverer.due());
  deliverer.deliver(push());
  ASSERT_TRUE(deliverer.due());
  EXPECT_EQ(*deliverer.due(), clock.now() + Millis{50});
  pass(Millis{50});
  ASSERT_TRUE(deliverer.due()) << "late results are still waited for";
  pass(Millis{3'000});
  EXPECT_FALSE(deliverer.due());
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(DelivererTest, ReadyReplicasComeFirstWarmingOnesServeAlone) {
  deliverer.deliver(push());
  const std::size_t usual = router.sent[0].replica;
  router.ready[usual] = false;
  deliverer.deliver(push());
  EXPECT_NE(router.sent[1].replica, usual);
  EXPECT_FALSE(deliverer.pushes_may_be_missing());
  router.ready = {false, false, false};
  deliverer.deliver(push());
  EXPECT_EQ(router.sent.size(), 3U);
  EXPECT_TRUE(deliverer.pushes_may_be_missing());
}

TEST_F(DelivererTest, UnknownTargetsAreTriedOnceElsewhere) {
  deliverer.deliver(push());
  result(0, {{kBob, 0, DeliverResult::kUnknown}, {kAlice, 1, DeliverResult::kWritten}});
  ASSERT_EQ(router.sent.size(), 2U);
  EXPECT_NE(router.sent[1].replica, router.sent[0].replica);
  ASSERT_EQ(router.sent[1].targets.size(), 1U);
  EXPECT_EQ(router.sent[1].targets[0].uid, kBob);
  result(1, {{kBob, 0, DeliverResult::kUnknown}});
  pass(Millis{100});
  EXPECT_EQ(router.sent.size(), 2U) << "never a third replica";
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(DelivererTest, UnknownSlotIsRetriedForThatSlotAlone) {
  deliverer.deliver(push());
  result(0, {{kBob, 3, DeliverResult::kWritten},
             {kBob, 1, DeliverResult::kUnknown},
             {kAlice, 0, DeliverResult::kGone}});
  ASSERT_EQ(router.sent.size(), 2U);
  EXPECT_EQ(router.sent[1].targets[0].slots, 1U << 1);
}

TEST_F(DelivererTest, SilenceOf50MsGoesToOneOtherReplica) {
  deliverer.deliver(push());
  pass(Millis{49});
  EXPECT_EQ(router.sent.size(), 1U);
  pass(Millis{1});
  ASSERT_EQ(router.sent.size(), 2U);
  EXPECT_NE(router.sent[1].replica, router.sent[0].replica);
  EXPECT_EQ(router.sent[1].targets.size(), 2U);
  pass(Millis{200});
  EXPECT_EQ(router.sent.size(), 2U);
}

TEST_F(DelivererTest, AnsweredTargetsAreNotSentAgain) {
  deliverer.deliver(push());
  result(0, {{kBob, 3, DeliverResult::kQueued}});
  pass(Millis{60});
  ASSERT_EQ(router.sent.size(), 2U);
  ASSERT_EQ(router.sent[1].targets.size(), 1U);
  EXPECT_EQ(router.sent[1].targets[0].uid, kAlice);
}

TEST_F(DelivererTest, NoRetryBehindTheDeadline) {
  Delivery late = push();
  late.deadline = clock.now() + Millis{40};
  deliverer.deliver(std::move(late));
  pass(Millis{60});
  EXPECT_EQ(router.sent.size(), 1U);
}

TEST_F(DelivererTest, LateAnswerOfTheGivenUpReplicaStillCounts) {
  deliverer.deliver(push());
  pass(Millis{60});
  result(0, {{kBob, 3, DeliverResult::kWritten}, {kAlice, 0, DeliverResult::kGone}});
  EXPECT_EQ(deliverer.pending(), 0U);
  result(1, {{kBob, 3, DeliverResult::kWritten}});
  EXPECT_EQ(router.sent.size(), 2U);
}

TEST_F(DelivererTest, LostReplicaHandsItsWorkOnInOrder) {
  for (int i = 0; i < 20; ++i) deliverer.deliver(push());
  const std::size_t lost = router.sent[0].replica;
  router.up[lost] = false;
  deliverer.on_replica_down(lost);
  ASSERT_EQ(router.sent.size(), 40U);
  for (std::size_t i = 21; i < 40; ++i) {
    EXPECT_LT(router.sent[i - 1].id, router.sent[i].id);
    EXPECT_NE(router.sent[i].replica, lost);
  }
}

TEST_F(DelivererTest, WithoutARouterThePushIsDroppedAndCounted) {
  router.up = {false, false, false};
  deliverer.deliver(push());
  EXPECT_TRUE(router.sent.empty());
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(DelivererTest, SilentDeliveriesAreForgotten) {
  deliverer.deliver(push());
  pass(Millis{60});
  pass(Millis{3'000});
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(DelivererTest, AckedElsewhereAfterARetryCounts) {
  bool acked = false;
  deliverer.deliver_until_ack(push(), kBob, [&acked](bool a) { acked = a; });
  pass(Millis{60});
  ASSERT_EQ(router.sent.size(), 2U);
  result(1, {{kBob, 3, DeliverResult::kWritten}});
  EXPECT_FALSE(acked);
  result(1, {{kBob, 3, DeliverResult::kAcked}});
  EXPECT_TRUE(acked);
  EXPECT_EQ(deliverer.pending(), 0U);
}

struct EveryoneTest : DelivererTest {
  static constexpr Uid kNobody{};
  Delivery to_everyone() {
    Delivery d = push(ConversationId::group(Gid{7}));
    d.targets = {{kAlice, 0b110U}};
    d.everyone =
        std::make_shared<const std::vector<Uid>>(std::vector<Uid>{kAlice, kBob, Uid{3}, Uid{4}});
    return d;
  }
  static TargetResult expect(std::uint64_t n) { return {kNobody, 0, DeliverResult::kNone, n}; }
  static TargetResult written(std::uint64_t n) { return {kNobody, 0, DeliverResult::kWritten, n}; }
};

TEST_F(EveryoneTest, IsOverWhenAsManyResultsCameAsWereAnnounced) {
  deliverer.deliver(to_everyone());
  EXPECT_TRUE(router.sent[0].with_everyone);
  EXPECT_EQ(router.sent[0].targets.size(), 1U);
  result(0, {expect(5), {kNobody, 0, DeliverResult::kGone, 1}});
  EXPECT_EQ(deliverer.pending(), 1U);
  result(0, {written(3)});
  EXPECT_EQ(deliverer.pending(), 1U);
  result(0, {{kNobody, 0, DeliverResult::kQueued, 1}});
  EXPECT_EQ(deliverer.pending(), 0U);
  EXPECT_EQ(router.sent.size(), 1U);
}

TEST_F(EveryoneTest, AReplicaThatAnsweredIsNotGivenUpForItsEntriesSilence) {
  deliverer.deliver(to_everyone());
  result(0, {expect(4)});
  pass(Millis{60});
  EXPECT_EQ(router.sent.size(), 1U);
  pass(Millis{3'000});
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(EveryoneTest, SilenceSendsAllOfItElsewhereOnce) {
  deliverer.deliver(to_everyone());
  pass(Millis{60});
  ASSERT_EQ(router.sent.size(), 2U);
  EXPECT_NE(router.sent[1].replica, router.sent[0].replica);
  EXPECT_TRUE(router.sent[1].with_everyone);
  EXPECT_EQ(router.sent[1].targets.size(), 1U) << "the sender's mask goes with it";
  result(1, {expect(4), {kNobody, 0, DeliverResult::kGone, 4}});
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(EveryoneTest, UnknownPeopleAloneAreTriedElsewhere) {
  deliverer.deliver(to_everyone());
  result(0, {expect(5),
             written(2),
             {kBob, 0, DeliverResult::kUnknown},
             {kAlice, 0, DeliverResult::kUnknown},
             {Uid{4}, 3, DeliverResult::kUnknown}});
  ASSERT_EQ(router.sent.size(), 2U);
  EXPECT_FALSE(router.sent[1].with_everyone);
  const auto& again = router.sent[1].targets;
  ASSERT_EQ(again.size(), 3U);
  EXPECT_EQ(again[0].uid, kBob);
  EXPECT_EQ(again[0].slots, 0U);
  EXPECT_EQ(again[1].uid, kAlice);
  EXPECT_EQ(again[1].slots, 0b110U) << "not the sending device";
  EXPECT_EQ(again[2].slots, 1U << 3U);
  EXPECT_EQ(deliverer.pending(), 1U);
  result(1, {expect(3), {kBob, 0, DeliverResult::kUnknown}, written(2)});
  EXPECT_EQ(router.sent.size(), 2U) << "never a third replica";
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(EveryoneTest, WhoWasNotMeantIsNotTriedElsewhere) {
  deliverer.deliver(to_everyone());
  result(0, {expect(1), {Uid{99}, 0, DeliverResult::kUnknown}});
  EXPECT_EQ(router.sent.size(), 1U);
}

TEST_F(EveryoneTest, ALostReplicasWorkIsDoneAgain) {
  deliverer.deliver(to_everyone());
  result(0, {expect(5), written(2)});
  const std::size_t lost = router.sent[0].replica;
  router.up[lost] = false;
  deliverer.on_replica_down(lost);
  ASSERT_EQ(router.sent.size(), 2U);
  EXPECT_TRUE(router.sent[1].with_everyone);
}

TEST_F(EveryoneTest, CountsReachTheMetrics) {
  deliverer.deliver(to_everyone());
  result(0, {expect(500), written(498), {kNobody, 0, DeliverResult::kQueued, 2}});
  double seen = -1;
  for (const obs::Family& family : registry.collect()) {
    for (const obs::Sample& sample : family.samples) {
      const obs::Labels wanted{{"result", "written"}};
      if (family.name == "hy_logic_push_results_total" && sample.labels == wanted) {
        seen = sample.value;
      }
    }
  }
  EXPECT_EQ(seen, 498);
}

}  // namespace
}  // namespace hy::logic::test
