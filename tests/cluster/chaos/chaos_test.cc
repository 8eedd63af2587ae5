#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/cluster/chaos/plan.h"
#include "tests/cluster/chaos/replicas.h"
#include "tests/cluster/chaos/report.h"

namespace hy::chaos {
namespace {

const Cast kMysqlCast{cli::StoreKind::kMysql, {2, 2, 3, 2}};
const Cast kEmbeddedCast{cli::StoreKind::kEmbedded, {2, 2, 2, 1}};

PlanOptions long_plan() {
  PlanOptions options;
  options.seconds = 600;
  return options;
}

TEST(ChaosPlan, TheSameSeedGivesTheSamePlan) {
  const auto a = make_plan(kMysqlCast, long_plan(), 7);
  const auto b = make_plan(kMysqlCast, long_plan(), 7);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].text(), b[i].text());
  const auto c = make_plan(kMysqlCast, long_plan(), 8);
  EXPECT_NE(a.front().text() + a.back().text(), c.front().text() + c.back().text());
}

TEST(ChaosPlan, StartsAreTwoToFourSecondsApartAndAtMostFourAreAlive) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto plan = make_plan(kMysqlCast, long_plan(), seed);
    ASSERT_GT(plan.size(), 100U);
    for (std::size_t i = 1; i < plan.size(); ++i) {
      EXPECT_GE(plan[i].at - plan[i - 1].at, 1.99);
      const auto alive = std::ranges::count_if(
          plan, [&](const Planned& p) { return p.at <= plan[i].at && p.until() > plan[i].at; });
      EXPECT_LE(alive, 4);
    }
  }
}

TEST(ChaosPlan, TwoThatWouldUndoEachOtherAreNeverAliveTogether) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto plan = make_plan(kMysqlCast, long_plan(), seed);
    for (std::size_t i = 0; i < plan.size(); ++i) {
      for (std::size_t k = i + 1; k < plan.size() && plan[k].at <= plan[i].until(); ++k) {
        const auto a = holds(kMysqlCast, plan[i]);
        for (const std::string& held : holds(kMysqlCast, plan[k]))
          EXPECT_THAT(a, testing::Not(testing::Contains(held)))
              << plan[i].text() << " and " << plan[k].text();
      }
    }
  }
}

TEST(ChaosPlan, EveryKindOfTheEngineComesAndNoneOfTheOther) {
  for (const Cast& cast : {kMysqlCast, kEmbeddedCast}) {
    const Engines other =
        cast.store == cli::StoreKind::kMysql ? Engines::kEmbedded : Engines::kMysql;
    std::set<std::string_view> seen;
    for (const Planned& p : make_plan(cast, long_plan(), 3)) {
      seen.insert(p.kind->name);
      EXPECT_NE(p.kind->engines, other) << p.text();
    }
    for (const FaultKind& kind : fault_kinds()) {
      if (kind.engines != other) EXPECT_TRUE(seen.contains(kind.name)) << kind.name;
    }
  }
}

TEST(ChaosPlan, PartsOfTheKindsAreAllOfThem) {
  for (const cli::StoreKind store : {cli::StoreKind::kEmbedded, cli::StoreKind::kMysql}) {
    std::set<std::string> all;
    std::size_t sum = 0;
    for (int part = 0; part < 3; ++part) {
      const auto kinds = part_of_kinds(store, part, 3);
      sum += kinds.size();
      all.insert(kinds.begin(), kinds.end());
    }
    EXPECT_EQ(all.size(), sum);
    EXPECT_EQ(all.size(), part_of_kinds(store, 0, 1).size());
  }
}

TEST(ChaosPlan, PairsOverlap) {
  PlanOptions options = long_plan();
  options.pairs = true;
  options.kinds = {"latency", "pause", "store-stop", "redis-stop"};
  const auto plan = make_plan(kMysqlCast, options, 5);
  ASSERT_GT(plan.size(), 20U);
  int overlapping = 0;
  for (std::size_t i = 1; i < plan.size(); ++i)
    overlapping += plan[i].at < plan[i - 1].until() ? 1 : 0;
  EXPECT_GE(overlapping, static_cast<int>(plan.size()) / 2 - 2);
}

TEST(ChaosReport, SurvivesItsOwnTextAndMergesByAdding) {
  Report a;
  a.add("messages/sent", 12);
  a.add("faults/kill", 3);
  const auto read = Report::parse(a.json());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->counts(), a.counts());
  Report b = *read;
  b.merge(a);
  EXPECT_EQ(b.get("messages/sent"), 24U);
  EXPECT_EQ(b.sum("faults/"), 6U);
  EXPECT_FALSE(Report::parse("{\"x\" 3}").has_value());
}

TEST(ChaosReport, CountsPairsThatWereAliveTogether) {
  const auto at = [](int s) { return MonoTime{} + std::chrono::seconds(s); };
  const auto record = [&](const char* kind, int from, int to) {
    FaultRecord r;
    r.planned.kind = find_kind(kind);
    r.began = at(from);
    r.ended = at(to);
    r.has_begun = r.was_felt = true;
    return r;
  };
  Report report;
  report.add_faults({record("pause", 1, 5), record("kill", 3, 3), record("reset", 6, 6)});
  EXPECT_EQ(report.get("pairs/kill+pause"), 1U);
  EXPECT_EQ(report.kinds("pairs/"), 1U);
  EXPECT_EQ(report.sum("faults/"), 3U);
}

judge::EntrySession session(std::uint64_t uid, std::uint16_t entry, std::uint32_t conn) {
  return {EntryId{entry}, Uid{uid}, Slot::kDesktop, 0, Epoch{1, conn}};
}
judge::PlacementRow row(std::uint64_t uid, std::uint16_t entry, std::uint32_t conn) {
  return {Uid{uid}, Slot::kDesktop, 0, EntryId{entry}, Epoch{1, conn}};
}

TEST(ChaosReplicas, ReadsTheAdminPortsWords) {
  const auto rows =
      parse_placements(R"({"ready":true,"total":2,"rows":[[7,2,1,3,9],[8,1,2,1,4]]})");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].uid, Uid{7});
  EXPECT_EQ(rows[0].entry, EntryId{1});
  EXPECT_EQ(rows[1].epoch.conn, 4U);
  EXPECT_TRUE(parse_placements(R"({"total":0,"rows":[]})").empty());
}

TEST(ChaosReplicas, TellsEveryDifference) {
  Placements p;
  p.sessions = {session(1, 1, 5), session(2, 2, 6)};
  p.routers = {{.name = "router-a", .is_live = true, .rows = {row(1, 1, 5), row(2, 2, 6)}}};
  EXPECT_TRUE(compare(p).empty());
  p.routers[0].rows[0] = row(1, 2, 4);
  EXPECT_THAT(compare(p), testing::ElementsAre(testing::HasSubstr("router-a says")));
  p.routers[0].rows = {row(1, 1, 5)};
  EXPECT_THAT(compare(p), testing::ElementsAre(testing::HasSubstr("does not know")));
  p.routers[0].rows = {row(1, 1, 5), row(2, 2, 6), row(3, 1, 1)};
  EXPECT_THAT(compare(p), testing::ElementsAre(testing::HasSubstr("ghost")));
  p.sessions.push_back(session(1, 2, 4));
  EXPECT_THAT(compare(p), testing::Contains(testing::HasSubstr("two sessions")));
}

}  // namespace
}  // namespace hy::chaos
