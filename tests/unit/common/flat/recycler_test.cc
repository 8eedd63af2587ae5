#include "common/flat/recycler.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/flat/slot_map.h"
#include "common/flat/small_vector.h"

namespace hy {
namespace {

struct Big {
  std::array<std::uint8_t, 200> bytes{};
};

TEST(RecyclerTest, WhatLivesAtOnceLiesApart) {
  std::set<Big*> seen;
  std::vector<std::shared_ptr<Big>> alive;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) {
      alive.push_back(std::allocate_shared<Big>(RecyclingAllocator<Big>{}));
      alive.back()->bytes.fill(static_cast<std::uint8_t>(i));
    }
    std::set<Big*> now;
    for (std::size_t i = 0; i < alive.size(); ++i) {
      now.insert(alive[i].get());
      for (const std::uint8_t b : alive[i]->bytes) ASSERT_EQ(b, i);
    }
    EXPECT_EQ(now.size(), 100U);
    seen.insert(now.begin(), now.end());
    alive.clear();
  }
  if (HY_RECYCLER_KEEPS != 0) {
    EXPECT_EQ(seen.size(), 100U) << "later rounds use the memory again";
  }
}

TEST(SlotMapTest, PlacesComeAgainIdsDoNotAndObjectsStay) {
  SlotMap<std::string> map;
  const auto one = map.take();
  const auto two = map.take();
  std::string* const first = &map[one];
  map[one] = "one";
  map[two] = "two";
  auto last = two;
  for (int i = 0; i < 1'000; ++i) {
    const auto id = map.take();
    EXPECT_GT(id, last);
    last = id;
  }
  EXPECT_EQ(map.find(one), first);
  EXPECT_EQ(map[two], "two");
  EXPECT_EQ(map.size(), 1'002U);
  std::string* const place = map.find(two);
  map.release(two);
  EXPECT_EQ(map.size(), 1'001U);
  EXPECT_EQ(map.find(two), nullptr);
  const auto again = map.take();
  EXPECT_EQ(map.find(again), place) << "with what it owned";
  EXPECT_GT(again, last);
  EXPECT_EQ(map.find(two), nullptr) << "an old id does not find the new object";
  map.release(again);
  EXPECT_EQ(map.find(0), nullptr);
  EXPECT_EQ(map.find(~std::uint64_t{0}), nullptr);
  std::size_t seen = 0;
  map.for_each([&](SlotMap<std::string>::Id id, const std::string& object) {
    EXPECT_EQ(map.find(id), &object);
    ++seen;
  });
  EXPECT_EQ(seen, map.size());
}

TEST(SmallVectorTest, KeepsItsFirstElementsInItself) {
  SmallVector<int, 2> v{1, 2};
  const auto* begin = reinterpret_cast<const std::byte*>(v.data());
  const auto* self = reinterpret_cast<const std::byte*>(&v);
  EXPECT_TRUE(begin >= self && begin < self + sizeof v);
  v.push_back(3);
  EXPECT_EQ(v, (SmallVector<int, 2>{1, 2, 3}));
}

}  // namespace
}  // namespace hy
