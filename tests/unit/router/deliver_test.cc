#include "router/deliver/deliver_fanout.h"

#include <gtest/gtest.h>

#include "tests/unit/router/router_fixture.h"

namespace hy::router::testing {
namespace {

class RouterDeliver : public ::testing::Test {
 protected:
  RouterDeliver() {
    r.bring_up(kA, 1, {put(1, {1, 1}, 11), put(2, {1, 1}, 12)});
    r.bring_up(kB, 1, {put(1, {1, 1}, 21, Slot::kDesktop)});
  }
  Replica r;  // READY; user 1 has a phone at A and a desktop at B
};

TEST_F(RouterDeliver, OneForwardPerEntryWithOneBody) {
  Delivery delivery;
  delivery.id = 5;
  delivery.body = "hello";
  delivery.remaining_ms = 1'000;
  const std::vector<Target> targets = {{Uid{1}, 0}, {Uid{2}, 0}};
  r.fanout.deliver(kLogic, delivery, targets, r.now);
  ASSERT_EQ(r.entries.forwards.size(), 2U);
  std::map<EntryId, std::size_t> conns;
  for (const auto& forward : r.entries.forwards) {
    conns[forward.entry] = forward.conns.size();
    EXPECT_EQ(forward.delivery.body, "hello");
  }
  EXPECT_EQ(conns[kA], 2U);
  EXPECT_EQ(conns[kB], 1U);
  EXPECT_TRUE(r.logics.all.empty()) << "the entries have not answered";
}

TEST_F(RouterDeliver, ResultsGoBackPerUidAndSlot) {
  r.deliver(1);
  ASSERT_EQ(r.entries.forwards.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& forward = r.entries.forwards[i];
    const bool at_a = forward.entry == kA;
    EXPECT_EQ(
        r.answer(i, forward.conns[0], DeliverResult::kWritten),
        std::vector{outcome(1, at_a ? Slot::kPhone : Slot::kDesktop, DeliverResult::kWritten)});
  }
  EXPECT_EQ(r.fanout.pending(), 0U);
  EXPECT_TRUE(r.answer(0, ConnId{11}, DeliverResult::kWritten).empty()) << "a second answer";
  EXPECT_GE(r.stats.results_late, 1U);
}

TEST_F(RouterDeliver, TheSlotMaskChooses) {
  r.deliver(1, 1U << static_cast<unsigned>(Slot::kDesktop));
  ASSERT_EQ(r.entries.forwards.size(), 1U);
  EXPECT_EQ(r.entries.forwards[0].entry, kB);
  EXPECT_EQ(r.deliver(1, 1U << static_cast<unsigned>(Slot::kPad)),
            std::vector{outcome(1, Slot::kNone, DeliverResult::kGone)});
}

TEST_F(RouterDeliver, NoResultWantedLeavesNothingBehind) {
  Delivery delivery;
  r.fanout.deliver(kLogic, delivery, std::vector{Target{Uid{2}, 0}, Target{Uid{99}, 0}}, r.now);
  ASSERT_EQ(r.entries.forwards.size(), 1U);
  EXPECT_EQ(r.entries.forwards[0].id, 0U);
  EXPECT_EQ(r.fanout.pending(), 0U);
  EXPECT_TRUE(r.logics.all.empty());
}

TEST_F(RouterDeliver, ADeadlineThatPassesIsUnknown) {
  r.deliver(2);
  r.run(Millis{750}, {kA, kB});
  EXPECT_TRUE(r.outcomes().empty());
  r.run(Millis{250}, {kA, kB});
  EXPECT_EQ(r.outcomes(), std::vector{outcome(2, Slot::kPhone, DeliverResult::kUnknown)});
  EXPECT_EQ(r.fanout.pending(), 0U);
}

TEST_F(RouterDeliver, ABrokenStreamIsUnknownNotGone) {
  r.deliver(2);
  r.lose(kA);
  EXPECT_EQ(r.outcomes(), std::vector{outcome(2, Slot::kPhone, DeliverResult::kUnknown)});
  EXPECT_EQ(r.deliver(2), std::vector{outcome(2, Slot::kPhone, DeliverResult::kUnknown)})
      << "its entry is suspect";
}

TEST_F(RouterDeliver, SuspectThenRecentlyDeadThenGone) {  // case l
  r.lose(kA);
  r.run(Millis{9'000}, {kB});
  EXPECT_EQ(r.deliver(2)[0].result, DeliverResult::kUnknown);
  r.run(Millis{1'500}, {kB});
  EXPECT_EQ(r.leases.state(kA), LeaseState::kDead);
  EXPECT_EQ(r.deliver(2)[0].result, DeliverResult::kUnknown) << "another replica may see it";
  r.run(Millis{61'000}, {kB});
  EXPECT_EQ(r.deliver(2)[0].result, DeliverResult::kGone);
}

TEST_F(RouterDeliver, AFullQueueIsUnknown) {
  r.entries.full.insert(kA);
  EXPECT_EQ(r.deliver(2), std::vector{outcome(2, Slot::kPhone, DeliverResult::kUnknown)});
  EXPECT_TRUE(r.entries.forwards.empty());
  EXPECT_EQ(r.stats.refused_overload, 1U);
}

TEST_F(RouterDeliver, GoneOfAConnectionThatMovedIsUnknown) {
  r.deliver(2);
  r.op(kB, put(2, {1, 2}, 22));
  EXPECT_EQ(r.answer(0, ConnId{12}, DeliverResult::kGone),
            std::vector{outcome(2, Slot::kPhone, DeliverResult::kUnknown)});
  EXPECT_TRUE(r.holds(2, kB, 22)) << "the row is its owner's";
}

TEST_F(RouterDeliver, GoneFromTheEntryIsGoneAndTheRowStaysItsOwners) {
  r.deliver(2);
  EXPECT_EQ(r.answer(0, ConnId{12}, DeliverResult::kGone),
            std::vector{outcome(2, Slot::kPhone, DeliverResult::kGone)});
  EXPECT_TRUE(r.holds(2, kA, 12)) << "never deleted on hearsay";
}

TEST_F(RouterDeliver, UntilAckGivesASecondResult) {
  r.deliver(2, 0, true);
  EXPECT_EQ(r.answer(0, ConnId{12}, DeliverResult::kWritten)[0].result, DeliverResult::kWritten);
  EXPECT_EQ(r.answer(0, ConnId{12}, DeliverResult::kAcked)[0].result, DeliverResult::kAcked);
  EXPECT_EQ(r.fanout.pending(), 0U);
}

TEST_F(RouterDeliver, AnAckCountsOnce) {
  r.op(kA, put(1, {1, 1}, 13, Slot::kPad));
  r.deliver(1, (1U << 1) | (1U << 2), true);  // two legs at A
  for (const std::uint64_t conn : {11U, 13U}) {
    r.answer(0, ConnId{conn}, DeliverResult::kWritten);
  }
  EXPECT_EQ(r.answer(0, ConnId{11}, DeliverResult::kAcked).size(), 1U);
  EXPECT_TRUE(r.answer(0, ConnId{11}, DeliverResult::kAcked).empty());
}

TEST_F(RouterDeliver, UntilAckEndsInSilenceAfterThreeSeconds) {
  r.deliver(2, 0, true);
  r.answer(0, ConnId{12}, DeliverResult::kWritten);
  r.logics.all.clear();
  r.run(Millis{2'750}, {kA, kB});
  EXPECT_EQ(r.fanout.pending(), 1U);
  r.run(Millis{500}, {kA, kB});
  EXPECT_EQ(r.fanout.pending(), 0U);
  EXPECT_TRUE(r.outcomes().empty()) << "written alone is never RELAYED";
}

TEST_F(RouterDeliver, ResultsOfAnotherEntryOrConnectionAreNotBelieved) {
  r.deliver(2);
  const auto id = r.entries.forwards[0].id;
  const std::vector<DeliverFanout::ConnOutcome> said = {{ConnId{12}, DeliverResult::kWritten}};
  r.fanout.on_results(kB, id, said, r.now);
  EXPECT_TRUE(r.outcomes().empty());
  EXPECT_TRUE(r.answer(0, ConnId{77}, DeliverResult::kWritten).empty());
  EXPECT_TRUE(r.answer(0, ConnId{12}, static_cast<DeliverResult>(9)).empty());
  EXPECT_EQ(r.fanout.pending(), 1U);
}

TEST_F(RouterDeliver, MoreThan512TargetsAreUnknown) {
  std::vector<Target> targets;
  for (std::uint64_t uid = 1'000; uid < 1'513; ++uid) targets.push_back({Uid{uid}, 0});
  Delivery delivery;
  delivery.id = 9;
  r.fanout.deliver(kLogic, delivery, targets, r.now);
  ASSERT_EQ(r.logics.all.size(), 513U);
  EXPECT_EQ(r.logics.all[511].second.result, DeliverResult::kGone);
  EXPECT_EQ(r.logics.all[512].second.result, DeliverResult::kUnknown);
}

TEST_F(RouterDeliver, AStoppedReplicaSaysNothingFalseWhenItWakes) {  // case g
  r.sleep(Millis{30'000});
  // Before any tick: a delivery that lay in the socket.
  EXPECT_EQ(r.deliver(99), std::vector{outcome(99, Slot::kNone, DeliverResult::kUnknown)});
  EXPECT_FALSE(r.link.is_ready());
  r.run(Millis{750}, {});
  r.good_beat(kA);  // read at once after the wake: says nothing about now
  EXPECT_FALSE(r.link.is_ready());
  r.run(Millis{2'000}, {kA, kB});
  EXPECT_TRUE(r.link.is_ready());
  EXPECT_EQ(r.leases.state(kA), LeaseState::kAlive) << "nobody was declared dead";
  EXPECT_EQ(r.deliver(99)[0].result, DeliverResult::kGone);
}

class RouterBrief : public RouterDeliver {
 protected:
  static TargetOutcome counted(DeliverResult result, std::uint64_t n) {
    return {Uid{}, Slot::kNone, result, n};
  }
  std::vector<TargetOutcome> deliver_to(const std::vector<Target>& targets) {
    r.logics.all.clear();
    Delivery delivery;
    delivery.id = 9;
    delivery.remaining_ms = 1'000;
    delivery.brief = true;
    delivery.no_receipt = true;
    r.fanout.deliver(kLogic, delivery, targets, r.now);
    return r.outcomes();
  }
  std::vector<TargetOutcome> answer(std::size_t forward,
                                    std::vector<DeliverFanout::ConnOutcome> outcomes) {
    r.logics.all.clear();
    const auto& to = r.entries.forwards[forward];
    r.fanout.on_results(to.entry, to.id, outcomes, r.now);
    return r.outcomes();
  }
};

TEST_F(RouterBrief, SaysHowManyResultsThereWillBeAndThenCountsThem) {
  // User 1 has two devices, user 2 one, user 99 none.
  EXPECT_EQ(deliver_to({{Uid{1}, 0}, {Uid{2}, 0}, {Uid{99}, 0}}),
            (std::vector{counted(DeliverResult::kNone, 4), counted(DeliverResult::kGone, 1)}));
  ASSERT_EQ(r.entries.forwards.size(), 2U);
  EXPECT_EQ(r.entries.forwards[0].entry, kA);
  EXPECT_EQ(r.entries.forwards[0].conns.size(), 2U);
  EXPECT_TRUE(r.entries.forwards[0].delivery.brief);
  EXPECT_TRUE(r.entries.forwards[0].delivery.no_receipt);
  // Two I/O threads of one entry answer apart.
  EXPECT_EQ(answer(0, {{ConnId{}, DeliverResult::kWritten, 1}}),
            std::vector{counted(DeliverResult::kWritten, 1)});
  EXPECT_EQ(answer(0, {{ConnId{}, DeliverResult::kQueued, 1}}),
            std::vector{counted(DeliverResult::kQueued, 1)});
  EXPECT_EQ(r.fanout.pending(), 1U);
  EXPECT_TRUE(answer(0, {{ConnId{}, DeliverResult::kWritten, 5}}).empty()) << "all were counted";
  EXPECT_EQ(answer(1, {{ConnId{}, DeliverResult::kWritten, 5}}),
            std::vector{counted(DeliverResult::kWritten, 1)})
      << "no more than were sent";
  EXPECT_EQ(r.fanout.pending(), 0U);
}

TEST_F(RouterBrief, NamedResultsOfAnEntryThatDoesNotCountAreTakenToo) {
  deliver_to({{Uid{1}, 1U << 1U}, {Uid{2}, 0}});
  EXPECT_EQ(
      answer(0, {{ConnId{11}, DeliverResult::kWritten}, {ConnId{12}, DeliverResult::kWritten}}),
      std::vector{counted(DeliverResult::kWritten, 2)});
  EXPECT_EQ(r.fanout.pending(), 0U);
}

TEST_F(RouterBrief, WhoIsGoneWasPerhapsFoundElsewhere) {
  deliver_to({{Uid{1}, 1U << 1U}, {Uid{2}, 0}});
  r.op(kB, put(2, {1, 2}, 22));
  EXPECT_EQ(answer(0, {{ConnId{12}, DeliverResult::kGone}, {ConnId{}, DeliverResult::kWritten, 1}}),
            (std::vector{outcome(2, Slot::kPhone, DeliverResult::kUnknown),
                         counted(DeliverResult::kWritten, 1)}));
  EXPECT_EQ(r.fanout.pending(), 0U);
}

TEST_F(RouterBrief, UnknownPeopleAreNamed) {
  r.entries.full.insert(kA);
  EXPECT_EQ(deliver_to({{Uid{1}, 0}, {Uid{2}, 0}}),
            (std::vector{counted(DeliverResult::kNone, 3),
                         outcome(1, Slot::kPhone, DeliverResult::kUnknown),
                         outcome(2, Slot::kPhone, DeliverResult::kUnknown)}));
}

TEST_F(RouterBrief, ALostEntryLeavesNobodyOutButThoseWhoWereGone) {
  deliver_to({{Uid{1}, 1U << 1U}, {Uid{2}, 0}});
  answer(0, {{ConnId{11}, DeliverResult::kGone}});
  r.logics.all.clear();
  r.lose(kA);
  EXPECT_EQ(r.outcomes(), std::vector{outcome(2, Slot::kPhone, DeliverResult::kUnknown)});
  EXPECT_EQ(r.fanout.pending(), 0U);
}

TEST_F(RouterBrief, FiveHundredAreOneForwardAndAFewNumbers) {
  std::vector<Target> targets;
  for (std::uint64_t uid = 1'000; uid < 1'500; ++uid) {
    r.op(kA, put(uid, {1, 1}, 10'000 + uid));
    targets.push_back({Uid{uid}, 0});
  }
  EXPECT_EQ(deliver_to(targets), std::vector{counted(DeliverResult::kNone, 500)});
  ASSERT_EQ(r.entries.forwards.size(), 1U);
  EXPECT_EQ(r.entries.forwards[0].conns.size(), 500U);
  EXPECT_EQ(r.entries.forwards[0].conns[7], ConnId{11'007}) << "in the order of the targets";
  EXPECT_EQ(answer(0, {{ConnId{}, DeliverResult::kWritten, 500}}),
            std::vector{counted(DeliverResult::kWritten, 500)});
  EXPECT_EQ(r.fanout.pending(), 0U);
}

TEST(RouterDeliverStart, AllReplicasRestartedSayNoOffline) {  // case f
  Replica r;
  r.hello(kA, 1);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(r.deliver(5)[0].result, DeliverResult::kUnknown);
    r.run(Millis{250}, {kA});
  }
  EXPECT_EQ(r.stats.answers_offline, 0U);
}

TEST(RouterDeliverStart, AWarmingReplicaThatKnowsOneSlotSaysNothingAboutTheOthers) {
  Replica r;
  r.bring_up(kA, 1, {put(1, {1, 1}, 11)});  // the desktop at B is in a dump still to come
  ASSERT_FALSE(r.link.is_ready());
  EXPECT_EQ(r.deliver(1), std::vector{outcome(1, Slot::kNone, DeliverResult::kUnknown)});
  ASSERT_EQ(r.entries.forwards.size(), 1U) << "whom it knows gets it at once";
  EXPECT_EQ(r.entries.forwards[0].entry, kA);
  EXPECT_TRUE(r.deliver(1, 1U << static_cast<unsigned>(Slot::kPhone)).empty())
      << "the one slot that was meant is known";
  r.bring_up(kB, 1, {put(1, {1, 1}, 21, Slot::kDesktop)});
  EXPECT_TRUE(r.deliver(1).empty());
}

TEST_F(RouterDeliver, QueriesSayFoundOfflineOrUnknown) {
  const std::vector<Uid> uids = {Uid{1}, Uid{99}};
  auto placed = r.fanout.query(uids, r.now);
  EXPECT_EQ(placed[0].slots_found, (1U << 1) | (1U << 3));
  EXPECT_FALSE(placed[0].unknown);
  EXPECT_EQ(placed[1].slots_found, 0U);
  EXPECT_FALSE(placed[1].unknown);
  r.lose(kA);
  placed = r.fanout.query(uids, r.now);
  EXPECT_EQ(placed[0].slots_found, 1U << 3);
  EXPECT_TRUE(placed[0].unknown);
  Replica warming;
  EXPECT_TRUE(warming.fanout.query(uids, warming.now)[1].unknown);
}

}  // namespace
}  // namespace hy::router::testing
