#include "das/cache/versioned_cache.h"

#include <gtest/gtest.h>

#include <set>

#include "common/base/random.h"

namespace hy::das {
namespace {

const ConversationId kConv = ConversationId::pair(Uid{1}, Uid{2});

CommittedHead head(std::uint64_t seq, std::int64_t ms = 0) {
  return {kConv, Seq{seq}, ms};
}

TEST(VersionedCache, AHeadNeverGoesDown) {
  VersionedCache cache(100, 1);
  cache.fill(head(5, 50), 1'000, 1'000);
  cache.fill(head(3, 90), 1'000, 1'000);
  ASSERT_TRUE(cache.head(kConv, 1'000).has_value());
  EXPECT_EQ(cache.head(kConv, 1'000)->head.value(), 5U);
  cache.fill(head(5, 90), 1'000, 1'000);
  EXPECT_EQ(cache.head(kConv, 1'000)->head_ms, 90) << "an old repeat moves the time";
}

TEST(VersionedCache, SixtySecondsCountFromTheReadBehindTheFill) {
  VersionedCache cache(100, 1);
  cache.fill(head(5), 10'000, 65'000);
  EXPECT_TRUE(cache.head(kConv, 69'999).has_value());
  EXPECT_FALSE(cache.head(kConv, 70'000).has_value());
  cache.fill(head(6), 10'000, 70'000);
  EXPECT_FALSE(cache.head(kConv, 70'000).has_value()) << "too old to fill with";
  cache.fill(head(6), 99'000'000, 70'000);
  EXPECT_FALSE(cache.head(kConv, 130'000).has_value()) << "a read from the future lives no longer";
}

TEST(VersionedCache, AnExpiredHigherHeadDoesNotStopANewerRead) {
  VersionedCache cache(100, 1);
  cache.fill(head(9), 0, 0);
  cache.fill(head(5), 60'000, 60'000);
  EXPECT_EQ(cache.head(kConv, 60'000)->head.value(), 5U) << "after a restore heads may be lower";
}

TEST(VersionedCache, CountersNeverRepeatAToldValueAfterAChange) {
  // Random changes, looks and losses over more users than fit: whenever something was raised for a
  // user since its last look, the value must differ from every one told to that user before.
  SeededRandom random(3);
  VersionedCache cache(8, 1ULL << 40);
  struct Told {
    std::set<std::uint64_t> values;
    bool changed = false;
    std::uint64_t last = 0;
  };
  std::vector<Told> users(30);
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t i = random.below(users.size());
    if (random.below(500) == 0) {
      cache.lose_all();
    } else if (random.below(2) == 0) {
      cache.changed(Uid{i + 1});
      users[i].changed = true;
    } else {
      const std::uint64_t value = cache.counter(Uid{i + 1});
      ASSERT_NE(value, 0U);
      if (users[i].changed) ASSERT_FALSE(users[i].values.contains(value)) << step;
      if (value < users[i].last) ADD_FAILURE() << "a counter went back";
      users[i].values.insert(value);
      users[i].last = value;
      users[i].changed = false;
    }
  }
}

TEST(VersionedCache, MemoryIsBoundedByTwoGenerations) {
  VersionedCache cache(10, 1);
  for (std::uint64_t i = 1; i <= 1'000; ++i)
    cache.fill({ConversationId::pair(Uid{i}, Uid{i + 1}), Seq{1}, 0}, 0, 0);
  int kept = 0;
  for (std::uint64_t i = 1; i <= 1'000; ++i)
    kept += cache.head(ConversationId::pair(Uid{i}, Uid{i + 1}), 0) ? 1 : 0;
  EXPECT_LE(kept, 20);
  EXPECT_GE(kept, 10);
}

}  // namespace
}  // namespace hy::das
