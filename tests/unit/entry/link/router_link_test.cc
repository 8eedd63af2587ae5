#include "entry/link/router_link.h"

#include <gtest/gtest.h>

#include "common/base/random.h"
#include "tests/unit/entry/fakes.h"

namespace hy::entry::test {
namespace {

const MonoTime kStart{std::chrono::hours{5}};

MonoTime at(int ms) {
  return kStart + Millis{ms};
}

struct Bench {
  SeededRandom random{7};
  FakeRouter port;
  RouterLink link;

  explicit Bench(std::uint32_t replicas = 1, LinkTimes times = {})
      : link(port, random, replicas, Incarnation{100}, times) {}

  std::uint64_t put(std::uint64_t uid, std::uint32_t counter, std::uint64_t conn) {
    return link.placements().put(Uid{uid}, Slot::kPhone, {1, counter}, ConnId{conn});
  }
  void erase(std::uint64_t uid, std::uint64_t conn) {
    link.placements().erase(Uid{uid}, Slot::kPhone, ConnId{conn});
  }
  RouterLink::Verdict news(std::uint32_t replica, const RouterNews& what, int ms) {
    return link.on_news(replica, what, at(ms));
  }
  /// HELLO, dump, confirmed.
  void follow(std::uint32_t replica, int ms) {
    link.on_up(replica, at(ms));
    news(replica, {.need_snapshot = true}, ms);
    news(replica, {.acked_op = link.placements().last_op()}, ms);
    ASSERT_EQ(link.state(replica), LinkState::kLive);
  }
};

TEST(RouterLink, EmptyEntryBecomesLiveByItsFirstDump) {
  Bench b;
  b.link.on_up(0, at(0));
  EXPECT_EQ(b.link.state(0), LinkState::kHello);
  ASSERT_EQ(b.port.hellos.size(), 1U);
  EXPECT_EQ(b.port.hellos[0].incarnation, Incarnation{100});
  b.news(0, {.need_snapshot = true}, 1);
  ASSERT_EQ(b.port.snapshots.size(), 1U);
  EXPECT_TRUE(b.port.snapshots[0].end);
  EXPECT_GT(b.port.snapshots[0].last_op, 0U) << "0 on the wire means: nothing confirmed";
  EXPECT_EQ(b.link.state(0), LinkState::kDumping);
  b.news(0, {.acked_op = b.port.snapshots[0].last_op}, 2);
  EXPECT_EQ(b.link.state(0), LinkState::kLive);
}

TEST(RouterLink, OpsAreNumberedCompactedAndKeptUntilConfirmed) {
  Bench b;
  b.follow(0, 0);
  b.put(1, 1, 11);
  b.put(1, 2, 12);
  b.put(2, 1, 21);
  const std::uint64_t last = b.put(1, 3, 13);
  b.link.flush(at(10));
  ASSERT_EQ(b.port.all_ops.size(), 1U);
  const auto& ops = b.port.all_ops[0];
  EXPECT_EQ(ops.last, last);
  EXPECT_EQ(ops.last - ops.after, 4U) << "numbers have gaps, compaction leaves them";
  ASSERT_EQ(ops.rows.size(), 2U) << "only the latest row of each key";
  EXPECT_EQ(ops.rows[0].uid, Uid{2});
  EXPECT_EQ(ops.rows[1].epoch, (Epoch{1, 3}));
  EXPECT_EQ(b.link.placements().held(), 4U);
  EXPECT_FALSE(b.link.live_replicas_confirmed(last));
  b.news(0, {.acked_op = last}, 20);
  EXPECT_TRUE(b.link.live_replicas_confirmed(last));
  EXPECT_EQ(b.link.placements().held(), 0U);
}

TEST(RouterLink, EraseIsATombstoneOfItsEpochAndOnlyByItsOwnConnection) {
  Bench b;
  b.follow(0, 0);
  b.put(1, 1, 11);
  b.put(1, 2, 12);
  b.erase(1, 11);
  EXPECT_EQ(b.link.placements().live_rows(), 1U) << "the older connection does not own the row";
  b.erase(1, 12);
  b.link.flush(at(1));
  const auto row = b.port.row(Uid{1}, Slot::kPhone);
  ASSERT_TRUE(row);
  EXPECT_TRUE(row->dead);
  EXPECT_EQ(row->epoch, (Epoch{1, 2}));
  EXPECT_EQ(b.link.placements().newest_epoch(Uid{1}, Slot::kPhone), (Epoch{1, 2}));
  b.news(0, {.acked_op = b.link.placements().last_op()}, 2);
  EXPECT_EQ(b.link.placements().newest_epoch(Uid{1}, Slot::kPhone), std::nullopt);
}

TEST(RouterLink, ReturningReplicaGoesOnWhereItWas) {
  Bench b;
  b.follow(0, 0);
  const std::uint64_t known = b.put(1, 1, 11);
  b.link.flush(at(1));
  b.news(0, {.acked_op = known}, 2);
  b.link.on_down(0, at(3));
  b.put(2, 1, 21);
  b.link.flush(at(4));
  b.link.on_up(0, at(5));
  EXPECT_LE(b.port.hellos.back().first_op_held, known + 1);
  const std::size_t dumps = b.port.snapshots.size();
  b.news(0, {.acked_op = known}, 6);
  EXPECT_EQ(b.link.state(0), LinkState::kLive);
  EXPECT_EQ(b.port.snapshots.size(), dumps);
  EXPECT_EQ(b.port.all_ops.back().after, known);
  ASSERT_EQ(b.port.all_ops.back().rows.size(), 1U);
  EXPECT_EQ(b.port.all_ops.back().rows[0].uid, Uid{2});
}

TEST(RouterLink, ReplicaThatIsTooFarBehindGetsADump) {
  LinkTimes times;
  times.held_ops_max = 10;
  Bench b(1, times);
  b.follow(0, 0);
  const std::uint64_t known = b.put(1, 1, 11);
  b.link.flush(at(1));
  b.news(0, {.acked_op = known}, 2);
  b.link.on_down(0, at(3));
  for (std::uint32_t i = 0; i < 100; ++i) b.put(2, i + 1, 100 + i);
  b.link.step(at(4), false);
  EXPECT_LE(b.link.placements().held(), 10U) << "a replica that is away costs a bounded log";
  b.link.on_up(0, at(5));
  b.news(0, {.acked_op = known}, 6);
  EXPECT_EQ(b.link.state(0), LinkState::kDumping);
}

TEST(RouterLink, ConfirmingMoreThanWasSentIsAnotherState) {
  Bench b;
  b.follow(0, 0);
  b.news(0, {.acked_op = 1'000}, 1);
  EXPECT_EQ(b.link.state(0), LinkState::kDumping);
}

TEST(RouterLink, LateConfirmationsLeadToADump) {
  Bench b;
  b.follow(0, 0);
  b.put(1, 1, 11);
  b.link.flush(at(100));
  b.link.step(at(2'000), false);
  EXPECT_EQ(b.link.state(0), LinkState::kLive);
  b.link.step(at(2'101), false);
  EXPECT_EQ(b.link.state(0), LinkState::kDumping);
}

TEST(RouterLink, DumpsArePacedAndOpsFollowThem) {
  LinkTimes times;
  times.dump_rows_per_second = 10'000;
  times.dump_spread = Millis{0};
  Bench b(1, times);
  for (std::uint64_t uid = 1; uid <= 5'000; ++uid) b.put(uid, 1, uid);
  const std::uint64_t dump_op = b.link.placements().last_op();
  b.link.on_up(0, at(0));
  b.news(0, {.need_snapshot = true}, 0);
  std::size_t rows = 0;
  const auto count = [&] {
    rows = 0;
    for (const auto& part : b.port.snapshots) rows += part.rows.size();
  };
  count();
  EXPECT_EQ(rows, 1'000U);
  b.put(9'999, 1, 1);
  b.link.flush(at(0));
  EXPECT_TRUE(b.port.all_ops.empty()) << "changes wait for the end of the dump";
  b.link.step(at(200), false);
  count();
  EXPECT_EQ(rows, 3'000U);
  b.link.step(at(400), false);
  count();
  EXPECT_EQ(rows, 5'000U);
  EXPECT_TRUE(b.port.snapshots.back().end);
  EXPECT_EQ(b.port.snapshots.back().last_op, dump_op);
  ASSERT_EQ(b.port.all_ops.size(), 1U);
  EXPECT_EQ(b.port.all_ops[0].after, dump_op);
  EXPECT_FALSE(b.link.live_replicas_confirmed(dump_op + 1) && b.link.live() > 0);
}

TEST(RouterLink, HeartbeatCarriesTheDigestOfWhatWasSent) {
  Bench b;
  b.follow(0, 0);
  b.put(1, 1, 11);
  b.put(2, 1, 21);
  b.erase(2, 21);
  b.link.step(at(1'000), true);
  ASSERT_FALSE(b.port.heartbeats.empty());
  const LinkHeartbeat& beat = b.port.heartbeats.back().second;
  EXPECT_EQ(beat.last_op, b.link.placements().last_op());
  EXPECT_EQ(beat.rows, 1U);
  EXPECT_TRUE(beat.draining);
  flow::PlacementDigest expected(b.port.hellos.back().digest_key);
  expected.add({Uid{1}, Slot::kPhone, {1, 1}, ConnId{11}});
  EXPECT_EQ(beat.digest_root, expected.root());
}

TEST(RouterLink, DigestIsNotStatedWhileTheStreamIsBehind) {
  Bench b;
  b.follow(0, 0);
  b.port.room = false;
  b.put(1, 1, 11);
  b.link.step(at(1'000), false);
  EXPECT_EQ(b.port.heartbeats.back().second.digest_root, 0U);
}

TEST(RouterLink, AnswersDigestQuestionsAtTheEndOfTheTurn) {
  Bench b;
  b.follow(0, 0);
  b.put(1, 1, 11);
  const std::uint32_t bucket = flow::digest_bucket_of(Uid{1});
  b.news(0, {.digests_wanted = true, .rows_wanted = {bucket, 9'999}}, 1);
  EXPECT_TRUE(b.port.bucket_answers.empty());
  b.put(1, 2, 12);
  b.link.flush(at(1));
  ASSERT_EQ(b.port.bucket_answers.size(), 1U);
  ASSERT_EQ(b.port.bucket_answers[0].rows.size(), 1U);
  EXPECT_EQ(b.port.bucket_answers[0].rows[0].conn, ConnId{12});
  EXPECT_EQ(b.port.digest_answers, std::vector<std::uint64_t>{b.link.placements().last_op()});
}

TEST(RouterLink, IncarnationIsRaisedOnlyBeforeItWasEverAccepted) {
  Bench b(2);
  b.link.on_up(0, at(0));
  EXPECT_EQ(b.news(0, {.bad_incarnation_known = 50}, 1), RouterLink::Verdict::kFine);
  EXPECT_EQ(b.news(0, {.bad_incarnation_known = 200}, 1), RouterLink::Verdict::kReannounce);
  EXPECT_EQ(b.link.incarnation(), Incarnation{201});
  b.link.on_down(0, at(2));
  b.follow(0, 3);
  b.link.on_up(1, at(4));
  EXPECT_EQ(b.news(1, {.bad_incarnation_known = 300}, 5), RouterLink::Verdict::kNameTaken);
}

TEST(RouterLink, RegistrationWaitsForEveryLiveReplicaOnly) {
  Bench b(3);
  b.follow(0, 0);
  b.follow(1, 0);
  const std::uint64_t op = b.put(1, 1, 11);
  b.link.flush(at(1));
  b.news(0, {.acked_op = op}, 2);
  EXPECT_FALSE(b.link.live_replicas_confirmed(op));
  b.news(1, {.acked_op = op}, 2);
  EXPECT_TRUE(b.link.live_replicas_confirmed(op));
  EXPECT_FALSE(b.link.all_replicas_confirmed(op)) << "the third one does not know it";
  b.follow(2, 3);
  EXPECT_TRUE(b.link.all_replicas_confirmed(op));
}

TEST(RouterLink, UnplacedAfterFiveSecondsWithoutALiveReplica) {
  Bench b;
  b.link.step(at(0), false);
  EXPECT_FALSE(b.link.is_unplaced(at(4'900)));
  EXPECT_TRUE(b.link.is_unplaced(at(5'000)));
  b.follow(0, 5'100);
  b.link.step(at(5'200), false);
  EXPECT_FALSE(b.link.is_unplaced(at(5'300)));
  b.link.on_down(0, at(5'400));
  EXPECT_FALSE(b.link.is_unplaced(at(9'000)));
  EXPECT_TRUE(b.link.is_unplaced(at(10'300)));
}

TEST(RouterLink, ResultsOfAnEarlierStreamAreDropped) {
  Bench b;
  b.follow(0, 0);
  const DeliveryRef ref{.replica = 0, .stream = b.link.stream(0), .id = 4};
  b.link.result({.ref = ref, .conn = ConnId{1}, .outcome = DeliverOutcome::kWritten});
  EXPECT_EQ(b.port.results.size(), 1U);
  b.link.on_down(0, at(1));
  b.follow(0, 2);
  b.link.result({.ref = ref, .conn = ConnId{1}, .outcome = DeliverOutcome::kAcked});
  EXPECT_EQ(b.port.results.size(), 1U);
}

TEST(PlacementDigest, IsExactAndKeyed) {
  flow::PlacementDigest one(1);
  flow::PlacementDigest other(1);
  flow::PlacementDigest keyed(2);
  const flow::DigestRow a{Uid{1}, Slot::kPhone, {1, 1}, ConnId{1}};
  const flow::DigestRow b{Uid{1}, Slot::kPhone, {1, 1}, ConnId{2}};
  const std::uint64_t empty = one.root();
  one.add(a);
  other.add(b);
  keyed.add(a);
  EXPECT_NE(one.root(), other.root());
  EXPECT_NE(one.root(), keyed.root());
  EXPECT_EQ(one.rows(), 1U);
  other.remove(b);
  other.add(a);
  EXPECT_EQ(one.root(), other.root());
  one.remove(a);
  EXPECT_EQ(one.root(), empty);
}

}  // namespace
}  // namespace hy::entry::test
