#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "client/judge/judge.h"
#include "tests/judge/plants.h"
#include "tests/judge/world.h"

/// Every checker is shown the fault that it exists for, a hundred times, and finds it each time
/// under its own name; no checker blames something that did not happen.
namespace hy::judge {
namespace {

constexpr std::uint64_t kEach = kPlantedEach;
constexpr std::uint64_t kSeedsMax = 400;
constexpr std::uint64_t kFirstSeed = 10'001;

std::vector<Plant> all_plants() {
  std::vector<Plant> out = plants_of_messages();
  for (const auto& more : {plants_of_marks(), plants_of_sessions(), plants_of_lines()})
    out.insert(out.end(), more.begin(), more.end());
  return out;
}

/// The report has a violation; of the plant's own checker, with the plant's words.
bool says(const Report& report, const Plant& plant) {
  if (report.checker != plant.checker) return report.found > 0;
  return std::ranges::any_of(report.violations, [&](const Violation& v) {
    return v.text.find(plant.says) != std::string::npos;
  });
}

TEST(Planted, EveryFaultIsFoundByItsChecker) {
  const Rules rules = World::rules();
  const std::vector<Plant> plants = all_plants();
  ASSERT_GE(plants.size(), 25u);
  std::vector<std::uint64_t> planted(plants.size(), 0);
  std::vector<std::map<std::string_view, std::uint64_t>> found(plants.size());
  std::set<std::string_view> spoke;
  for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + kSeedsMax; ++seed) {
    if (std::ranges::all_of(planted, [](std::uint64_t n) { return n >= kEach; })) break;
    const Evidence clean = World(seed).run();
    for (std::size_t p = 0; p < plants.size(); ++p) {
      if (planted[p] >= kEach) continue;
      Evidence evidence = clean;
      SeededRandom random(seed * 1'000 + p);
      if (!plants[p].plant(evidence, random)) continue;
      ++planted[p];
      const Verdict verdict = judge(evidence, rules);
      ASSERT_TRUE(verdict.missing.empty()) << plants[p].name << ", seed " << seed << "\n"
                                           << verdict.text(3);
      for (const Report& report : verdict.reports) {
        if (says(report, plants[p])) ++found[p][report.checker];
      }
      const auto& names = found[p];
      ASSERT_TRUE(names.contains(plants[p].checker) && names.at(plants[p].checker) == planted[p])
          << plants[p].name << ", seed " << seed << ": not found by " << plants[p].checker << "\n"
          << verdict.text(2);
      for (const auto& [checker, n] : names) {
        const bool may = checker == plants[p].checker ||
                         std::ranges::find(plants[p].also, checker) != plants[p].also.end();
        EXPECT_TRUE(may) << plants[p].name << ", seed " << seed << ": " << checker
                         << " speaks too\n"
                         << verdict.text(2);
        if (!may) return;
      }
    }
  }
  for (std::size_t p = 0; p < plants.size(); ++p) {
    EXPECT_EQ(planted[p], kEach) << plants[p].name << ": too few histories have a place for it";
    spoke.insert(plants[p].checker);
    std::string also;
    for (const auto& [checker, n] : found[p]) {
      if (checker != plants[p].checker) also += " " + std::string(checker);
    }
    std::printf("%-38s %-9s %3llu of %3llu   also%s\n", std::string(plants[p].name).c_str(),
                std::string(plants[p].checker).c_str(),
                static_cast<unsigned long long>(found[p][plants[p].checker]),
                static_cast<unsigned long long>(planted[p]), also.empty() ? " -" : also.c_str());
  }
  const Verdict verdict = judge(World(kFirstSeed).run(), rules);
  for (const Report& report : verdict.reports)
    EXPECT_TRUE(spoke.contains(report.checker)) << report.checker << " was never tried";
}

}  // namespace
}  // namespace hy::judge
