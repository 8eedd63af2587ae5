#include "client/bench/line.h"

#include <gtest/gtest.h>

#include <set>

namespace hy::bench {
namespace {

using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

TEST(PairUp, OnePeerIsFixedPairs) {
  EXPECT_EQ(pair_up(6, 1), (Pairs{{0, 1}, {2, 3}, {4, 5}}));
}

TEST(PairUp, EverybodyHasSoManyPeersAndNobodyTwice) {
  for (const auto& [people, peers] : Pairs{{4, 3}, {6, 2}, {10, 9}, {450, 30}}) {
    const Pairs pairs = pair_up(people, peers);
    EXPECT_EQ(pairs.size(), std::size_t{people} * peers / 2);
    std::vector<std::set<std::uint32_t>> met(people);
    std::vector<std::uint32_t> first(people);
    for (const auto& [one, other] : pairs) {
      ASSERT_LT(std::max(one, other), people);
      ASSERT_NE(one, other);
      ++first[one];
      EXPECT_TRUE(met[one].insert(other).second) << one << " meets " << other << " again";
      EXPECT_TRUE(met[other].insert(one).second);
    }
    for (const auto& peers_of : met) EXPECT_EQ(peers_of.size(), peers);
    // What opening the conversations costs is shared out.
    EXPECT_LE(*std::ranges::max_element(first), peers / 2 + people / 4 + 1);
  }
}

TEST(PairUp, EachRoundHasEverybodyOnce) {
  constexpr std::uint32_t kPeople = 12;
  const Pairs pairs = pair_up(kPeople, 5);
  for (std::size_t round = 0; round < 5; ++round) {
    std::set<std::uint32_t> seen;
    for (std::size_t i = 0; i < kPeople / 2; ++i) {
      seen.insert(pairs[round * kPeople / 2 + i].first);
      seen.insert(pairs[round * kPeople / 2 + i].second);
    }
    EXPECT_EQ(seen.size(), kPeople);
  }
}

}  // namespace
}  // namespace hy::bench
