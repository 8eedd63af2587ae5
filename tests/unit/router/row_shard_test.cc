#include "router/placement/row_shard.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "common/base/random.h"
#include "router/placement/placement_table.h"

namespace hy::router {
namespace {

const MonoTime kStart = MonoTime{} + std::chrono::hours(1);

TEST(RowShardHash, UnmixGivesEveryUidBack) {
  SeededRandom random(4);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t uid = random.next() >> (random.next() % 64);
    ASSERT_EQ(unmix64(mix64(uid)), uid);
    ASSERT_EQ(mix64(unmix64(uid)), uid);
  }
}

PackedRow row_with(std::uint64_t key, std::uint32_t counter) {
  PackedRow row;
  row.place = key << 5U;
  row.counter = counter;
  row.writer = 1;
  return row;
}

void expect_equal(const RowShard& shard, const std::map<std::uint64_t, std::uint32_t>& model) {
  ASSERT_EQ(shard.rows(), model.size());
  std::vector<std::pair<std::uint64_t, std::uint32_t>> seen;
  shard.for_each([&](const PackedRow& row) { seen.emplace_back(row.key(), row.counter); });
  // In order, complete, and each one is found from its key.
  ASSERT_EQ(seen,
            (std::vector<std::pair<std::uint64_t, std::uint32_t>>(model.begin(), model.end())));
  for (const auto& [key, counter] : model) ASSERT_EQ(shard.find(key)->counter, counter);
}

/// Against a sorted map, through growth (heap and pages of its own), erasing and shrinking. Keys
/// crowd at the front, at the end and in one place now and then.
TEST(RowShard, AgreesWithASortedMap) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SeededRandom random(seed);
    RowShard shard;
    std::map<std::uint64_t, std::uint32_t> model;
    const auto key = [&] {
      const std::uint64_t crowd = random.below(4);
      const std::uint64_t top = (1ULL << 59U) - 1;
      if (crowd == 0) return top - random.below(40);
      if (crowd == 1) return (top / 7) + random.below(300);
      return random.next() >> 5U;
    };
    const std::size_t rows = seed % 2 == 0 ? 60 : 4'000;
    for (std::uint32_t step = 0; step < 20'000; ++step) {
      const std::uint64_t k = key();
      const bool grow = model.size() < rows && step < 14'000;
      const RowShard::Spot spot = shard.locate(k);
      ASSERT_EQ(spot.found, model.contains(k));
      if (spot.found && random.below(4) == 0) {
        shard.erase(spot.row);
        model.erase(k);
      } else if (!spot.found && grow) {
        ASSERT_EQ(shard.insert(spot, row_with(k, step))->key(), k);
        model[k] = step;
      } else if (!grow && !model.empty()) {
        const std::uint64_t victim =
            std::next(model.begin(), static_cast<std::ptrdiff_t>(random.below(model.size())))
                ->first;
        shard.erase(shard.locate(victim).row);
        model.erase(victim);
        if (step % 64 == 0) shard.shrink();
      }
      ASSERT_EQ(shard.rows(), model.size());
      if (step % 1'000 == 0) expect_equal(shard, model);
    }
    expect_equal(shard, model);
    shard.sweep([](const PackedRow&) { return false; });
    shard.shrink();
    EXPECT_EQ(shard.rows(), 0U);
    EXPECT_EQ(shard.bytes(), 0U);
  }
}

TEST(RowShard, SweepErasesWhatItIsToldAndNothingElse) {
  RowShard shard;
  std::map<std::uint64_t, std::uint32_t> model;
  SeededRandom random(11);
  for (std::uint32_t i = 0; i < 3'000; ++i) {
    const std::uint64_t k = random.next() >> 5U;
    shard.insert(shard.locate(k), row_with(k, i));
    if (i % 3 != 0) model[k] = i;
  }
  std::size_t visited = 0;
  shard.sweep([&](const PackedRow& row) {
    ++visited;
    return row.counter % 3 != 0;
  });
  EXPECT_EQ(visited, 3'000U);
  expect_equal(shard, model);
}

Row row_of(std::uint64_t uid, Slot slot, std::uint32_t auth, std::uint64_t conn) {
  return {Uid{uid}, slot, {auth, 9}, false, EntryId{1}, Incarnation{1}, ConnId{conn}};
}

TEST(RouterTable, ValuesTooWideForAPackedRowAreKeptWhole) {
  PlacementTable table;
  table.set_incarnation(EntryId{1}, Incarnation{1}, kStart);
  const std::vector<Row> rows = {
      row_of(1, Slot::kPhone, 2'047, 0x00FF'FFFF'FFFF'FFFF),
      row_of(2, Slot::kPhone, 2'048, 1),
      row_of(3, Slot::kPhone, 0xFFFF'FFFF, 0xFFFF'FFFF'FFFF'FFFF),
      row_of(0x7FFF'FFFF'FFFF'FFFF, Slot::kOther, 1, 0x0100'0000'0000'0000),
  };
  for (int round = 0; round < 3; ++round) {
    for (Row row : rows) {
      row.epoch.conn += static_cast<std::uint32_t>(round);
      EXPECT_EQ(table.merge(row, kStart).kind, MergeOutcome::Kind::kApplied);
      EXPECT_EQ(table.find(row.uid, row.slot), row);
    }
  }
  // A wide row that a narrow one replaces, and the other way round.
  Row narrow = row_of(3, Slot::kPhone, 0xFFFF'FFFF, 5);
  narrow.epoch.conn = 100;
  table.merge(narrow, kStart);
  EXPECT_EQ(table.find(Uid{3}, Slot::kPhone), narrow);
  EXPECT_EQ(table.rows(), rows.size());
}

TEST(RouterTable, FindAllGivesEverySlotOfOnePersonAndNoOther) {
  PlacementTable table;
  table.set_incarnation(EntryId{1}, Incarnation{1}, kStart);
  SeededRandom random(3);
  std::map<Uid, std::vector<Row>> model;
  for (std::uint64_t uid = 1; uid <= 20'000; ++uid) {
    for (std::uint8_t s = 1; s <= kSlotMax; ++s) {
      if (random.below(3) != 0) continue;
      const Row row = row_of(uid, static_cast<Slot>(s), 2, uid * 8 + s);
      table.merge(row, kStart);
      model[Uid{uid}].push_back(row);
    }
  }
  std::array<Row, kSlotMax> out;
  for (std::uint64_t uid = 1; uid <= 20'100; ++uid) {
    const std::size_t n = table.find_all(Uid{uid}, out);
    ASSERT_EQ(std::vector<Row>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n)),
              model[Uid{uid}])
        << uid;
  }
}

/// Numbers of lives come back: many entries that restart often use few of them, also when a life
/// without rows is spoken of again.
TEST(RouterTable, LivesWithoutRowsGiveTheirNumberBack) {
  PlacementTable table;
  const std::size_t before = table.bytes();
  std::uint32_t counter = 0;
  for (std::uint64_t life = 1; life <= 240; ++life) {
    for (std::uint16_t entry = 1; entry <= 300; ++entry) {
      table.set_incarnation(EntryId{entry}, Incarnation{life}, kStart);
      table.merge({Uid{entry},
                   Slot::kPhone,
                   {2, ++counter},
                   false,
                   EntryId{entry},
                   Incarnation{life},
                   ConnId{life}},
                  kStart);
    }
  }
  EXPECT_EQ(table.rows(), 300U);
  EXPECT_EQ(table.live_rows(), 300U);
  // A late word of an earlier life still counts for what it is: an older row loses.
  EXPECT_EQ(table
                .merge({Uid{1}, Slot::kPhone, {2, 1}, false, EntryId{1}, Incarnation{7}, ConnId{7}},
                       kStart)
                .kind,
            MergeOutcome::Kind::kLost);
  // Another key from an earlier life is a row, though not a live one.
  table.merge({Uid{900}, Slot::kPhone, {2, 1}, false, EntryId{1}, Incarnation{7}, ConnId{7}},
              kStart);
  EXPECT_EQ(table.find(Uid{900}, Slot::kPhone)->incarnation, Incarnation{7});
  EXPECT_EQ(table.live_rows(), 300U);
  EXPECT_LT(table.bytes() - before, 5'000'000U) << "72,000 lives of 300 entries";
}

}  // namespace
}  // namespace hy::router
