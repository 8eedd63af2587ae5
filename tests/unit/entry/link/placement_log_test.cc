#include "entry/link/placement_log.h"

#include <gtest/gtest.h>

#include <map>

#include "common/base/random.h"

namespace hy::entry::test {
namespace {

TEST(PlacementLog, CollectStopsAtItsLimitAndGoesOn) {
  PlacementLog log;
  const std::uint64_t start = log.last_op();
  for (std::uint64_t uid = 1; uid <= 10; ++uid) {
    log.put(Uid{uid}, Slot::kPhone, {1, 1}, ConnId{uid});
  }
  std::vector<PlacementRow> rows;
  const std::uint64_t middle = log.collect(start, 4, rows);
  EXPECT_EQ(rows.size(), 4U);
  EXPECT_EQ(middle, start + 4);
  rows.clear();
  EXPECT_EQ(log.collect(middle, 100, rows), log.last_op());
  EXPECT_EQ(rows.size(), 6U);
}

TEST(PlacementLog, SlotsOfOneUserAreSeparateKeys) {
  PlacementLog log;
  log.put(Uid{1}, Slot::kPhone, {1, 1}, ConnId{1});
  log.put(Uid{1}, Slot::kDesktop, {4, 2}, ConnId{2});
  EXPECT_EQ(log.live_rows(), 2U);
  EXPECT_EQ(log.find(Uid{1}, Slot::kDesktop)->epoch, (Epoch{4, 2}));
  EXPECT_NE(log.erase(Uid{1}, Slot::kPhone, ConnId{1}), 0U);
  EXPECT_FALSE(log.find(Uid{1}, Slot::kPhone));
  EXPECT_TRUE(log.find(Uid{1}, Slot::kDesktop));
  EXPECT_EQ(log.erase(Uid{1}, Slot::kPhone, ConnId{1}), 0U) << "once";
}

/// What a replica holds after it took everything in order, whatever was compacted or confirmed
/// when.
TEST(PlacementLog, AReplicaThatFollowsEndsEqual) {
  SeededRandom random(11);
  for (int round = 0; round < 50; ++round) {
    PlacementLog log;
    log.reset_digest(0, 5);
    std::map<std::pair<std::uint64_t, Slot>, PlacementRow> replica;
    std::uint64_t taken = log.last_op();
    std::uint32_t counter = 0;
    for (int i = 0; i < 400; ++i) {
      const Uid uid{1 + random.below(12)};
      const Slot slot = random.below(2) == 0 ? Slot::kPhone : Slot::kWeb;
      if (random.below(3) == 0) {
        const auto live = log.find(uid, slot);
        if (live) log.erase(uid, slot, live->conn);
      } else {
        ++counter;
        log.put(uid, slot, {1, counter}, ConnId{counter});
      }
      if (random.below(5) != 0) continue;
      std::vector<PlacementRow> rows;
      taken = log.collect(taken, 1 + random.below(20), rows);
      for (const PlacementRow& row : rows) replica[{row.uid.value(), row.slot}] = row;
      if (random.below(2) == 0) log.confirm(taken);
    }
    std::vector<PlacementRow> rows;
    ASSERT_EQ(log.collect(taken, 10'000, rows), log.last_op());
    for (const PlacementRow& row : rows) replica[{row.uid.value(), row.slot}] = row;
    flow::PlacementDigest digest(5);
    std::size_t live = 0;
    for (const auto& [key, row] : replica) {
      if (row.dead) continue;
      ++live;
      digest.add({row.uid, row.slot, row.epoch, row.conn});
    }
    EXPECT_EQ(live, log.live_rows());
    EXPECT_EQ(digest.root(), log.digest(0).root());
    log.confirm(log.last_op());
    EXPECT_EQ(log.held(), 0U);
  }
}

TEST(PlacementLog, DumpAndBucketsCoverTheSameRows) {
  PlacementLog log;
  for (std::uint64_t uid = 1; uid <= 1'000; ++uid) {
    log.put(Uid{uid}, Slot::kPhone, {1, 1}, ConnId{uid});
  }
  const auto all = log.all_rows();
  ASSERT_EQ(all.size(), 1'000U);
  EXPECT_LT(all[0].uid, all[1].uid) << "the order is the same in every run";
  std::size_t in_buckets = 0;
  for (std::uint32_t bucket = 0; bucket < flow::kDigestBuckets; ++bucket) {
    in_buckets += log.rows_of_bucket(bucket).size();
  }
  EXPECT_EQ(in_buckets, 1'000U);
}

}  // namespace
}  // namespace hy::entry::test
