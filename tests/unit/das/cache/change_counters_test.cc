#include "das/cache/change_counters.h"

#include <gtest/gtest.h>

#include <set>

#include "common/base/random.h"

namespace hy::das {
namespace {

TEST(ChangeCounters, CountersNeverRepeatAToldValueAfterAChange) {
  // Random changes, looks and losses over more users than fit: whenever something was raised for a
  // user since its last look, the value must differ from every one told to that user before.
  SeededRandom random(3);
  ChangeCounters cache(8, 1ULL << 40);
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

TEST(ChangeCounters, MemoryIsBoundedByTwoGenerations) {
  ChangeCounters cache(10, 1);
  const std::uint64_t untouched = cache.counter(Uid{5'000});
  for (std::uint64_t i = 1; i <= 1'000; ++i) cache.changed(Uid{i});
  // Who fell out has the base, which nobody was told before.
  const std::uint64_t base = cache.counter(Uid{5'000});
  EXPECT_NE(base, untouched);
  int kept = 0;
  for (std::uint64_t i = 1; i <= 1'000; ++i) kept += cache.counter(Uid{i}) != base ? 1 : 0;
  EXPECT_LE(kept, 20);
  EXPECT_GE(kept, 10);
}

}  // namespace
}  // namespace hy::das
