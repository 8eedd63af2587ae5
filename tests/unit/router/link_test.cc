#include "router/link/router_link.h"

#include <gtest/gtest.h>

#include "tests/unit/router/router_fixture.h"

namespace hy::router::testing {
namespace {

TEST(RouterLinkHello, AnotherTopologyVersionOrRoleIsRefusedWithBothNamed) {  // case p
  Replica r;
  EntryHello hello = Replica::hello_of(kA, 1);
  hello.topology_version = 6;
  HelloVerdict verdict = r.link.check(hello);
  EXPECT_EQ(verdict.kind, HelloVerdict::Kind::kRefused);
  EXPECT_EQ(verdict.code, Errc::kTopologyMismatch);
  EXPECT_NE(verdict.detail.find('6'), std::string::npos);
  EXPECT_NE(verdict.detail.find('7'), std::string::npos);

  hello = Replica::hello_of(kA, 1);
  hello.version_low = 2;
  hello.version_high = 3;
  EXPECT_EQ(r.link.check(hello).kind, HelloVerdict::Kind::kRefused);
  hello = Replica::hello_of(kA, 1);
  hello.role = "logic";
  EXPECT_EQ(r.link.check(hello).kind, HelloVerdict::Kind::kRefused);
  EXPECT_EQ(r.link.check(Replica::hello_of(EntryId{9}, 1)).kind, HelloVerdict::Kind::kRefused);
}

TEST(RouterLinkHello, ALowerIncarnationHearsTheKnownOne) {  // case h
  Replica r;
  r.hello(kA, 1'000);
  const HelloVerdict verdict = r.link.check(Replica::hello_of(kA, 999));
  EXPECT_EQ(verdict.kind, HelloVerdict::Kind::kBadIncarnation);
  EXPECT_EQ(verdict.known, Incarnation{1'000});
  EXPECT_EQ(r.link.check(Replica::hello_of(kA, 1'001)).kind, HelloVerdict::Kind::kAccepted);
}

TEST(RouterLinkWarming, ReadyWhenEachEntryHasDumpedOrIsSilentForTenSeconds) {  // case e
  Replica r;
  EXPECT_FALSE(r.link.is_ready());
  EXPECT_EQ(r.link.missing(), (std::vector<EntryId>{kA, kB}));
  r.bring_up(kA, 1, {put(1, {1, 1}, 11)});
  EXPECT_EQ(r.link.missing(), std::vector<EntryId>{kB});
  EXPECT_EQ(r.deliver(99), std::vector{outcome(99, Slot::kNone, DeliverResult::kUnknown)});
  EXPECT_EQ(r.deliver(1), std::vector{outcome(1, Slot::kNone, DeliverResult::kUnknown)})
      << "other slots may be at the entry that is missing";
  EXPECT_EQ(r.entries.forwards.size(), 1U) << "found: forwarded while WARMING";
  r.run(Millis{9'500}, {kA});
  EXPECT_FALSE(r.link.is_ready());
  r.run(Millis{750}, {kA});
  EXPECT_TRUE(r.link.is_ready());
  EXPECT_EQ(r.deliver(99), std::vector{outcome(99, Slot::kNone, DeliverResult::kGone)});
}

TEST(RouterLinkWarming, TellsWhenItChanges) {
  Replica r({kA});
  std::vector<bool> told;
  r.link.on_ready_changed = [&](bool ready) { told.push_back(ready); };
  r.bring_up(kA, 1);
  r.sleep(Millis{60'000});
  r.link.observe(r.now);
  EXPECT_EQ(told, (std::vector{true, false}));
}

TEST(RouterLinkOps, AckedInOrderAndAGapAsksForASnapshot) {
  Replica r({kA});
  r.bring_up(kA, 1, {}, 10);
  EXPECT_EQ(r.entries.acks[kA], 10U);
  r.link.on_ops(kA, 10, 12, std::vector{put(1, {1, 1}, 11)}, r.now);
  EXPECT_EQ(r.entries.acks[kA], 12U);
  EXPECT_EQ(r.entries.snapshots[kA], 1);
  r.link.on_ops(kA, 15, 16, std::vector{put(2, {1, 1}, 12)}, r.now);
  EXPECT_EQ(r.entries.snapshots[kA], 2);
  EXPECT_FALSE(r.link.is_ready()) << "it lacks rows until the dump has come";
  r.dump(kA, {put(1, {1, 1}, 11), put(2, {1, 1}, 12), put(3, {1, 1}, 13)}, 16);
  EXPECT_TRUE(r.link.is_ready());
  EXPECT_TRUE(r.holds(3, kA, 13));
}

TEST(RouterLinkOps, ARepeatedBatchChangesNothing) {
  Replica r({kA});
  r.bring_up(kA, 1);
  const std::vector rows = {put(1, {1, 1}, 11), del(2, {1, 1}, 12)};
  r.link.on_ops(kA, 0, 2, rows, r.now);
  const auto root = r.table.digest(kA).root();
  r.link.on_ops(kA, 0, 2, rows, r.now);
  EXPECT_EQ(r.table.digest(kA).root(), root);
  EXPECT_EQ(r.link.last_op(kA), 2U);
  EXPECT_EQ(r.entries.snapshots[kA], 1);
}

TEST(RouterLinkOps, ImpossibleRowsAreDropped) {
  Replica r({kA});
  r.bring_up(kA, 1);
  OfferedRow no_slot = put(1, {1, 1}, 11);
  no_slot.slot = 9;
  r.link.on_ops(kA, 0, 2, std::vector{no_slot, put(0, {1, 1}, 12)}, r.now);
  EXPECT_EQ(r.table.rows(), 0U);
  EXPECT_EQ(r.stats.rows_malformed, 2U);
}

TEST(RouterLinkResume, AShortLossGoesOnFromTheLastOp) {
  Replica r({kA});
  r.bring_up(kA, 1, {put(1, {1, 1}, 11)}, 5);
  r.lose(kA);
  r.entries.acks.clear();
  r.hello(kA, 1, 4);
  EXPECT_EQ(r.entries.snapshots[kA], 1) << "no second dump";
  EXPECT_EQ(r.entries.acks[kA], 5U) << "from here on";
  EXPECT_TRUE(r.link.is_ready());
  r.op(kA, put(2, {1, 1}, 12));
  EXPECT_TRUE(r.holds(1, kA, 11));
  EXPECT_TRUE(r.holds(2, kA, 12));
}

TEST(RouterLinkResume, OpsThatAreNotHeldAnyMoreMeanADump) {
  Replica r({kA});
  r.bring_up(kA, 1, {put(1, {1, 1}, 11), put(2, {1, 1}, 12)}, 5);
  r.lose(kA);
  r.hello(kA, 1, 9);
  EXPECT_EQ(r.entries.snapshots[kA], 2);
  // An op between the parts is newer than the dump, and stays.
  r.link.on_snapshot(kA, std::vector{put(1, {1, 1}, 11)}, false, 0, r.now);
  r.link.on_ops(kA, 8, 9, std::vector{put(3, {1, 1}, 13)}, r.now);
  r.link.on_snapshot(kA, {}, true, 8, r.now);
  EXPECT_TRUE(r.holds(1, kA, 11));
  EXPECT_TRUE(r.holds(3, kA, 13));
  EXPECT_FALSE(r.holds(2, kA, 12)) << "not in the dump";
  EXPECT_EQ(r.link.last_op(kA), 9U);
}

TEST(RouterLinkMerge, ADelOfAnOlderEpochIsBelow) {  // case a
  Replica r;
  r.bring_up(kA, 1);
  r.bring_up(kB, 1);
  r.op(kA, put(1, {1, 1}, 11));
  r.op(kB, put(1, {1, 2}, 21));
  r.op(kA, del(1, {1, 1}, 11));
  EXPECT_TRUE(r.holds(1, kB, 21));
}

TEST(RouterLinkMerge, APutPlayedBackAfterItsDelMakesNoGhost) {  // case b
  Replica r({kA});
  r.bring_up(kA, 1);
  r.op(kA, put(1, {1, 1}, 11));
  r.op(kA, del(1, {1, 1}, 11));
  r.op(kA, put(1, {1, 1}, 11));
  EXPECT_FALSE(r.holds(1, kA, 11));
  EXPECT_TRUE(r.entries.kicks.empty()) << "nothing newer exists";
  EXPECT_EQ(r.deliver(1), std::vector{outcome(1, Slot::kNone, DeliverResult::kGone)});
}

TEST(RouterLinkKick, ADisplacedSessionIsKickedUntilTheDigestAgrees) {  // case c, I4
  Replica r;
  r.bring_up(kA, 1);
  r.bring_up(kB, 1);
  r.op(kA, put(1, {1, 1}, 11));
  r.op(kB, put(1, {2, 1}, 21));
  ASSERT_EQ(r.entries.kicks.size(), 1U);
  const auto& [entry, order] = r.entries.kicks.front();
  EXPECT_EQ(entry, kA);
  EXPECT_EQ(order.conn, ConnId{11});
  EXPECT_EQ(order.below, (Epoch{2, 1}));
  EXPECT_EQ(order.code, Errc::kKicked) << "another installation";
  r.beat(kA, 12'345);  // it still counts the old session
  EXPECT_EQ(r.entries.kicks.size(), 2U);
  EXPECT_EQ(r.stats.digest_mismatches, 0U) << "a kick under way explains the difference";
  r.op(kA, del(1, {1, 1}, 11));
  r.beat(kA, 12'345);
  EXPECT_EQ(r.entries.kicks.size(), 2U) << "that connection is closed";
  EXPECT_EQ(r.stats.digest_mismatches, 1U) << "and explains nothing any more";
  r.good_beat(kA);
  EXPECT_EQ(r.entries.kicks.size(), 2U);
}

TEST(RouterLinkKick, ReconnectOfTheSameInstallationClosesTheOldConnection) {
  Replica r;
  r.bring_up(kA, 1);
  r.bring_up(kB, 1);
  r.op(kA, put(1, {1, 1}, 11));
  r.op(kB, put(1, {1, 2}, 21));
  ASSERT_EQ(r.entries.kicks.size(), 1U);
  EXPECT_EQ(r.entries.kicks[0].second.code, Errc::kStaleSession);
}

TEST(RouterLinkKick, ACounterThatIsTooLowIsSuperseded) {  // case o
  Replica r;
  r.bring_up(kA, 1);
  r.bring_up(kB, 1);
  r.op(kA, put(1, {1, 9}, 11));
  r.op(kB, put(1, {1, 3}, 21));
  ASSERT_EQ(r.entries.kicks.size(), 1U);
  EXPECT_EQ(r.entries.kicks[0].first, kB);
  EXPECT_EQ(r.entries.kicks[0].second.conn, ConnId{21});
  EXPECT_EQ(r.entries.kicks[0].second.below, (Epoch{1, 9})) << "tells the current one";
  EXPECT_TRUE(r.holds(1, kA, 11));
}

TEST(RouterLinkKick, OneEpochTwiceClosesTheLoserByItsNumber) {
  Replica r;
  r.bring_up(kA, 1);
  r.bring_up(kB, 1);
  r.op(kA, put(1, {1, 3}, 11));
  r.op(kB, put(1, {1, 3}, 21));  // a device restored from a backup
  ASSERT_EQ(r.entries.kicks.size(), 1U);
  EXPECT_EQ(r.entries.kicks[0].first, kA);
  EXPECT_EQ(r.entries.kicks[0].second.conn, ConnId{11});
  EXPECT_EQ(r.entries.kicks[0].second.below, (Epoch{1, 4}));
  EXPECT_TRUE(r.holds(1, kB, 21));
}

TEST(RouterLinkKick, AConnectionWhoseEndIsRecordedHasToComeBackHigher) {
  Replica r({kA});
  r.bring_up(kA, 1);
  r.op(kA, put(1, {1, 3}, 11));
  r.op(kA, del(1, {1, 3}, 11));
  EXPECT_TRUE(r.entries.kicks.empty());
  r.link.on_bucket_rows(kA, flow::digest_bucket_of(Uid{1}), std::vector{put(1, {1, 3}, 11)}, r.now);
  ASSERT_EQ(r.entries.kicks.size(), 1U);
  EXPECT_EQ(r.entries.kicks[0].second.conn, ConnId{11});
  EXPECT_EQ(r.entries.kicks[0].second.below, (Epoch{1, 4}));
}

TEST(RouterLinkResume, ADumpThatTheEntryStartsByItselfCounts) {
  Replica r({kA});
  r.bring_up(kA, 1, {put(1, {1, 1}, 11), put(2, {1, 1}, 12)}, 22);
  r.dump(kA, {put(2, {1, 1}, 12)}, 6);
  EXPECT_FALSE(r.holds(1, kA, 11));
  EXPECT_TRUE(r.holds(2, kA, 12));
  EXPECT_EQ(r.entries.acks[kA], 6U) << "what the dump stands for, not what was known before";
}

TEST(RouterLinkResume, NothingIsConfirmedWhileADumpIsUnderWay) {
  Replica r({kA});
  r.bring_up(kA, 1, {}, 10);
  r.link.on_ops(kA, 15, 16, std::vector{put(2, {1, 1}, 12)}, r.now);  // a gap
  r.entries.acks.clear();
  r.link.on_ops(kA, 16, 17, std::vector{put(3, {1, 1}, 13)}, r.now);
  r.good_beat(kA);
  EXPECT_EQ(r.entries.acks[kA], 0U) << "a sign of life only";
  r.dump(kA, {put(2, {1, 1}, 12), put(3, {1, 1}, 13)}, 17);
  EXPECT_EQ(r.entries.acks[kA], 17U);
}

TEST(RouterLinkKick, TheNewerSessionIsNeverHit) {
  Replica r({kA});
  r.bring_up(kA, 1);
  r.op(kA, put(1, {2, 1}, 11));
  r.link.kick(Uid{1}, Slot::kNone, {2, 1}, Errc::kRevoked, "revoked");
  EXPECT_TRUE(r.entries.kicks.empty());
  r.link.kick(Uid{1}, Slot::kNone, {3, 0}, Errc::kRevoked, "revoked");
  ASSERT_EQ(r.entries.kicks.size(), 1U);
  EXPECT_EQ(r.entries.kicks[0].second.code, Errc::kRevoked);
  // Logic's kick is repeated although the digests agree, until the row has gone.
  r.good_beat(kA);
  EXPECT_EQ(r.entries.kicks.size(), 2U);
  r.op(kA, del(1, {2, 1}, 11));
  r.good_beat(kA);
  EXPECT_EQ(r.entries.kicks.size(), 2U);
}

TEST(RouterLinkDigest, AMismatchIsFoundAndRepairedRowByRow) {  // cases d, k
  Replica r({kA});
  r.bring_up(kA, 1, {put(1, {1, 1}, 11), put(2, {1, 1}, 12)});
  // What the entry really holds: 2 under another connection and 3, but not 1.
  flow::PlacementDigest truth(kKey);
  truth.add({Uid{2}, Slot::kPhone, {1, 2}, ConnId{13}});
  truth.add({Uid{3}, Slot::kPhone, {1, 1}, ConnId{14}});
  r.beat(kA, truth.root());
  EXPECT_EQ(r.stats.digest_mismatches, 1U);
  EXPECT_EQ(r.entries.digests[kA], 1);
  r.beat(kA, truth.root());
  EXPECT_EQ(r.entries.digests[kA], 1) << "asked once until it answers";
  r.link.on_buckets(kA, truth.buckets(), r.link.last_op(kA), r.now);
  for (const std::uint32_t bucket : r.entries.rows[kA]) {
    std::vector<OfferedRow> rows;
    if (bucket == flow::digest_bucket_of(Uid{2})) rows.push_back(put(2, {1, 2}, 13));
    if (bucket == flow::digest_bucket_of(Uid{3})) rows.push_back(put(3, {1, 1}, 14));
    r.link.on_bucket_rows(kA, bucket, rows, r.now);
  }
  EXPECT_EQ(r.table.digest(kA).root(), truth.root());
  EXPECT_FALSE(r.holds(1, kA, 11));
  EXPECT_TRUE(r.holds(2, kA, 13));
  EXPECT_TRUE(r.holds(3, kA, 14));
  r.beat(kA, truth.root());
  EXPECT_EQ(r.stats.digest_mismatches, 2U);
}

TEST(RouterLinkDigest, AllBucketsAreComparedOnceAMinute) {
  Replica r({kA});
  r.bring_up(kA, 1);
  r.run(Millis{59'000}, {kA});
  EXPECT_EQ(r.entries.digests[kA], 0);
  r.run(Millis{2'000}, {kA});
  EXPECT_EQ(r.entries.digests[kA], 1);
}

TEST(RouterLinkDigest, AHeartbeatAheadOfTheOpsMeansThatSomeAreLost) {
  Replica r({kA});
  r.bring_up(kA, 1, {}, 5);
  r.link.on_heartbeat(kA, {Incarnation{1}, 6, 0, 1, false}, r.now);
  EXPECT_EQ(r.entries.snapshots[kA], 2);
}

TEST(RouterLinkRestart, OldRowsDieAtOnceAndClientsRegisterAgain) {  // case i, I2
  Replica r({kA});
  r.bring_up(kA, 1, {put(1, {1, 1}, 11), put(2, {1, 1}, 12)});
  r.lose(kA);
  r.bring_up(kA, 2, {put(1, {1, 2}, 21)});
  EXPECT_TRUE(r.holds(1, kA, 21));
  EXPECT_EQ(r.deliver(2), std::vector{outcome(2, Slot::kNone, DeliverResult::kGone)});
  EXPECT_TRUE(r.entries.kicks.empty()) << "the old connections are gone with their process";
}

TEST(RouterLinkTombstone, StaysTenMinutesAndUntilEveryLivingEntryAgreed) {
  Replica r;
  r.bring_up(kA, 1);
  r.bring_up(kB, 1);
  r.good_beat(kB);
  r.op(kA, put(1, {1, 1}, 11));
  r.op(kA, del(1, {1, 1}, 11));
  // B lives but never agrees (another digest): its stale PUT might still come.
  for (int i = 0; i < 15 * 60; ++i) {
    r.run(Millis{1'000}, {kA});
    r.beat(kB, 999);
  }
  EXPECT_TRUE(r.table.find(Uid{1}, Slot::kPhone)) << "B has not agreed since";
  r.run(Millis{70'000}, {kA, kB});
  EXPECT_FALSE(r.table.find(Uid{1}, Slot::kPhone));
}

TEST(RouterLinkTombstone, IsThereForTenMinutes) {
  Replica r({kA});
  r.bring_up(kA, 1);
  r.op(kA, put(1, {1, 1}, 11));
  r.op(kA, del(1, {1, 1}, 11));
  r.run(Millis{595'000}, {kA});
  EXPECT_TRUE(r.table.find(Uid{1}, Slot::kPhone));
  r.run(Millis{75'000}, {kA});
  EXPECT_FALSE(r.table.find(Uid{1}, Slot::kPhone));
}

TEST(RouterLinkMass, ManyLeaveAtOnce) {  // case j
  Replica r({kA});
  std::vector<OfferedRow> all;
  std::vector<OfferedRow> gone;
  for (std::uint64_t uid = 1; uid <= 50'000; ++uid) {
    all.push_back(put(uid, {1, 1}, uid));
    gone.push_back(del(uid, {1, 1}, uid));
  }
  r.bring_up(kA, 1, all);
  r.link.on_ops(kA, 0, 50'000, gone, r.now);
  EXPECT_EQ(r.table.live_rows(), 0U);
  EXPECT_EQ(r.table.digest(kA).root(), flow::PlacementDigest(kKey).root());
  EXPECT_TRUE(r.entries.kicks.empty());
}

}  // namespace
}  // namespace hy::router::testing
