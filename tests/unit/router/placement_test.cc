#include "router/placement/placement_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "common/base/random.h"

namespace hy::router {
namespace {

const MonoTime kStart = MonoTime{} + std::chrono::hours(1);

std::uint64_t seed_of_run() {
  if (const char* given = std::getenv("HY_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device{}();
}

/// Small numbers, so that rows meet.
Row random_row(Random& random) {
  return {.uid = Uid{1 + random.below(3)},
          .slot = static_cast<Slot>(1 + random.below(2)),
          .epoch = {static_cast<std::uint32_t>(1 + random.below(2)),
                    static_cast<std::uint32_t>(1 + random.below(3))},
          .dead = random.below(2) == 0,
          .entry = EntryId{static_cast<std::uint16_t>(1 + random.below(2))},
          .incarnation = Incarnation{1 + random.below(2)},
          .conn = ConnId{1 + random.below(4)}};
}

Row row(std::uint64_t uid, Epoch epoch, bool dead = false, std::uint16_t entry = 1,
        std::uint64_t incarnation = 1, std::uint64_t conn = 1) {
  return {Uid{uid},    Slot::kPhone, epoch, dead, EntryId{entry}, Incarnation{incarnation},
          ConnId{conn}};
}

TEST(RouterMerge, IsCommutativeAssociativeAndIdempotent) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("HY_SEED=" + std::to_string(seed));
  SeededRandom random(seed);
  for (int i = 0; i < 100'000; ++i) {
    Row a = random_row(random);
    Row b = random_row(random);
    Row c = random_row(random);
    b.uid = c.uid = a.uid;
    b.slot = c.slot = a.slot;
    ASSERT_EQ(merge(a, b), merge(b, a));
    ASSERT_EQ(merge(a, merge(b, c)), merge(merge(a, b), c));
    ASSERT_EQ(merge(a, a), a);
    // I5: no merge lowers (epoch, dead).
    ASSERT_GE(std::pair(merge(a, b).epoch, merge(a, b).dead), std::pair(a.epoch, a.dead));
  }
}

TEST(RouterMerge, OrderIsEpochThenDeadThenWriter) {
  EXPECT_EQ(merge(row(1, {1, 9}), row(1, {2, 1})), row(1, {2, 1}));
  EXPECT_EQ(merge(row(1, {1, 1}, true), row(1, {1, 1}, false, 9)), row(1, {1, 1}, true));
  EXPECT_EQ(merge(row(1, {1, 2}), row(1, {1, 1}, true)), row(1, {1, 2}));
}

/// The table against a plain map that merges by the definition.
TEST(RouterTable, AgreesWithTheDefinitionAndTablesConverge) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("HY_SEED=" + std::to_string(seed));
  SeededRandom random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<Row> ops;
    for (int i = 0; i < 60; ++i) ops.push_back(random_row(random));
    std::vector<Row> shuffled = ops;
    std::ranges::shuffle(shuffled, std::mt19937_64(random.next()));
    shuffled.insert(shuffled.end(), ops.begin(), ops.begin() + 20);  // duplicates change nothing

    PlacementTable one;
    PlacementTable two;
    for (PlacementTable* table : {&one, &two}) {
      for (std::uint16_t entry = 1; entry <= 2; ++entry) {
        for (std::uint64_t life = 1; life <= 2; ++life) {
          table->set_incarnation(EntryId{entry}, Incarnation{life}, kStart);
        }
        table->set_digest_key(EntryId{entry}, 7);
      }
    }
    std::map<std::pair<Uid, Slot>, Row> model;
    for (const Row& op : ops) {
      one.merge(op, kStart);
      const auto [at, is_new] = model.try_emplace({op.uid, op.slot}, op);
      if (!is_new) at->second = merge(at->second, op);
    }
    for (const Row& op : shuffled) two.merge(op, kStart);

    std::size_t live = 0;
    for (const auto& [key, expected] : model) {
      ASSERT_EQ(one.find(key.first, key.second), expected);
      ASSERT_EQ(two.find(key.first, key.second), expected);  // I1
      if (one.is_live(expected)) ++live;
    }
    ASSERT_EQ(one.rows(), model.size());
    ASSERT_EQ(one.live_rows(), live);
    for (std::uint16_t entry = 1; entry <= 2; ++entry) {
      ASSERT_EQ(one.digest(EntryId{entry}).root(), two.digest(EntryId{entry}).root());
      ASSERT_EQ(one.digest(EntryId{entry}).rows(), one.live_rows(EntryId{entry}));
      // A digest kept step by step equals one that is made from the rows.
      const auto kept = one.digest(EntryId{entry}).root();
      one.set_digest_key(EntryId{entry}, 7);
      ASSERT_EQ(one.digest(EntryId{entry}).root(), kept);
    }
  }
}

TEST(RouterTable, ANewIncarnationEndsAllOldRowsAtOnce) {
  PlacementTable table;
  table.set_incarnation(EntryId{1}, Incarnation{5}, kStart);
  for (std::uint64_t uid = 1; uid <= 1'000; ++uid) {
    table.merge(row(uid, {1, 1}, false, 1, 5), kStart);
  }
  EXPECT_EQ(table.live_rows(EntryId{1}), 1'000U);
  table.set_incarnation(EntryId{1}, Incarnation{6}, kStart);
  EXPECT_EQ(table.live_rows(EntryId{1}), 0U);
  EXPECT_EQ(table.rows(), 1'000U);
  EXPECT_FALSE(table.is_live(*table.find(Uid{1}, Slot::kPhone)));
  EXPECT_EQ(table.digest(EntryId{1}).rows(), 0U);
  // A client that registers again comes with a higher epoch.
  table.merge(row(1, {1, 2}, false, 1, 6), kStart);
  EXPECT_EQ(table.live_rows(EntryId{1}), 1U);
}

TEST(RouterTable, ManyRestartsOfOneEntryKeepTheTableRight) {
  PlacementTable table;
  for (std::uint64_t life = 1; life <= 600; ++life) {
    table.set_incarnation(EntryId{1}, Incarnation{life}, kStart);
    table.merge(row(1, {1, static_cast<std::uint32_t>(life)}, false, 1, life), kStart);
    ASSERT_EQ(table.live_rows(EntryId{1}), 1U) << life;
  }
  EXPECT_EQ(table.find(Uid{1}, Slot::kPhone)->incarnation, Incarnation{600});
}

TEST(RouterTable, AnUnknownIncarnationIsIgnored) {
  PlacementTable table;
  table.set_incarnation(EntryId{1}, Incarnation{5}, kStart);
  EXPECT_EQ(table.merge(row(1, {1, 1}, false, 1, 9), kStart).kind, MergeOutcome::Kind::kSame);
  EXPECT_EQ(table.rows(), 0U);
}

TEST(RouterTable, ADumpEndsWhatItDoesNotName) {
  PlacementTable table;
  table.set_incarnation(EntryId{1}, Incarnation{1}, kStart);
  for (std::uint64_t uid = 1; uid <= 4; ++uid) table.merge(row(uid, {1, 1}), kStart);
  table.begin_dump(EntryId{1});
  table.merge(row(1, {1, 1}), kStart);  // in the dump, unchanged
  table.merge(row(2, {1, 2}), kStart);  // newer
  table.merge(row(5, {1, 1}), kStart);  // an op during the dump
  EXPECT_EQ(table.end_dump(EntryId{1}, kStart), 2U);
  EXPECT_TRUE(table.is_live(*table.find(Uid{1}, Slot::kPhone)));
  EXPECT_TRUE(table.is_live(*table.find(Uid{5}, Slot::kPhone)));
  EXPECT_TRUE(table.find(Uid{3}, Slot::kPhone)->dead);
  EXPECT_EQ(table.live_rows(EntryId{1}), 3U);
  EXPECT_EQ(table.digest(EntryId{1}).rows(), 3U);
}

std::size_t sweep_all(PlacementTable& table, MonoTime before) {
  std::size_t dropped = 0;
  for (std::uint32_t bucket = 0; bucket < flow::kDigestBuckets; ++bucket) {
    dropped += table.sweep(bucket, before, [](EntryId) { return false; });
  }
  return dropped;
}

TEST(RouterTable, SweepDropsOldTombstonesOnly) {
  PlacementTable table;
  table.set_incarnation(EntryId{1}, Incarnation{1}, kStart);
  table.merge(row(1, {1, 1}, true), kStart);
  table.merge(row(2, {1, 1}, true), kStart + std::chrono::minutes(5));
  table.merge(row(3, {1, 1}), kStart);
  EXPECT_EQ(sweep_all(table, kStart - std::chrono::seconds(2)), 0U);
  EXPECT_EQ(sweep_all(table, kStart + std::chrono::minutes(2)), 1U);
  EXPECT_FALSE(table.find(Uid{1}, Slot::kPhone));
  EXPECT_TRUE(table.find(Uid{2}, Slot::kPhone));
  EXPECT_TRUE(table.find(Uid{3}, Slot::kPhone));
  EXPECT_EQ(table.rows(), 2U);
}

/// performance.md goal 11: at most 30 bytes a placement at 1 M, tombstones included.
TEST(RouterTable, AMillionRowsFitTheirBudget) {
  PlacementTable table;
  table.set_incarnation(EntryId{1}, Incarnation{1}, kStart);
  SeededRandom random(1);
  constexpr std::size_t kRows = 1'000'000;
  double worst = 0;
  while (table.rows() < kRows) {
    const Uid uid{random.next() >> 1};
    const bool dead = table.rows() % 10 == 0;
    table.merge({uid,
                 static_cast<Slot>(1 + table.rows() % 3),
                 {1, 1},
                 dead,
                 EntryId{1},
                 Incarnation{1},
                 ConnId{table.rows()}},
                kStart);
    if (table.rows() > kRows / 4 && table.rows() % 4'096 == 0) {
      worst =
          std::max(worst, static_cast<double>(table.bytes()) / static_cast<double>(table.rows()));
    }
  }
  const double each = static_cast<double>(table.bytes()) / static_cast<double>(kRows);
  RecordProperty("bytes_per_placement", std::to_string(each));
  RecordProperty("bytes_per_placement_worst", std::to_string(worst));
  std::printf("bytes per placement at 1 M: %.1f, worst from 250 k on: %.1f\n", each, worst);
  EXPECT_LE(each, 30.0);
  EXPECT_LE(worst, 31.0) << "shards grow at the same time";
}

}  // namespace
}  // namespace hy::router
