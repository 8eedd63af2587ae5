#include "common/flat/recycler.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/flat/slab.h"
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

TEST(SlabTest, ReleasedNumbersComeAgainAndObjectsStay) {
  Slab<std::string> slab;
  const auto one = slab.take();
  const auto two = slab.take();
  std::string* const first = &slab[one];
  slab[one] = "one";
  slab[two] = "two";
  for (int i = 0; i < 1'000; ++i) static_cast<void>(slab.take());
  EXPECT_EQ(&slab[one], first);
  EXPECT_EQ(slab[two], "two");
  EXPECT_EQ(slab.size(), 1'002U);
  slab.release(two);
  EXPECT_EQ(slab.size(), 1'001U);
  EXPECT_EQ(slab.take(), two);
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
