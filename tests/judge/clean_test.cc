#include <gtest/gtest.h>

#include "client/judge/judge.h"
#include "tests/judge/plants.h"
#include "tests/judge/world.h"

/// A checker that cries wolf is switched off; one that looks at nothing is decoration.
namespace hy::judge {
namespace {

constexpr std::uint64_t kClean = kCleanHistories;

TEST(Clean, HistoriesRaiseNoAlarm) {
  const Rules rules = World::rules();
  std::map<std::string_view, std::uint64_t> looked_at;
  std::size_t events = 0;
  for (std::uint64_t seed = 1; seed <= kClean; ++seed) {
    const Evidence evidence = World(seed).run();
    const Verdict verdict = judge(evidence, rules);
    ASSERT_EQ(verdict.outcome(), Outcome::kClean) << "seed " << seed << "\n" << verdict.text(3);
    for (const Report& report : verdict.reports) looked_at[report.checker] += report.looked_at;
    for (const History& history : evidence.histories) events += history.events().size();
  }
  std::printf("%zu events a history\n", events / kClean);
  for (const auto& [checker, n] : looked_at) {
    std::printf("%-10s looked at %llu\n", std::string(checker).c_str(),
                static_cast<unsigned long long>(n));
    EXPECT_GE(n, kClean) << checker << " looks at next to nothing";
  }
}

TEST(Clean, ASeedGivesTheSameHistoryAgain) {
  const Evidence a = World(7).run();
  const Evidence b = World(7).run();
  ASSERT_EQ(a.histories.size(), b.histories.size());
  for (std::size_t h = 0; h < a.histories.size(); ++h) {
    ASSERT_EQ(a.histories[h].events().size(), b.histories[h].events().size());
    for (std::size_t i = 0; i < a.histories[h].events().size(); ++i) {
      EXPECT_EQ(a.histories[h].events()[i].at, b.histories[h].events()[i].at);
      EXPECT_EQ(a.histories[h].events()[i].cmid, b.histories[h].events()[i].cmid);
    }
  }
}

}  // namespace
}  // namespace hy::judge
