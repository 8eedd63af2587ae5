#include "client/bench/report.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "client/bench/compare.h"
#include "client/bench/knee.h"
#include "client/bench/plot.h"

namespace hy::bench {
namespace {

/// A run as the coordinator leaves it: two windows of 5 s, 1,000 stored a second.
Outcome sample(double daemon_cpu_s = 0.1) {
  Outcome r;
  r.options.scenario = "p2p";
  r.command = "hy bench p2p --rate '1k/s' <&>";
  r.target.name = "throwaway";
  r.target.store = "mysql";
  r.target.processes = {{.name = "entry-a", .tier = "entry", .pid = 1, .admin = {}},
                        {.name = "mariadb", .tier = "store", .pid = 2, .admin = {}}};
  r.private_before = {{"entry-a", 1'000'000}, {"mariadb", 0}};
  r.private_after = {{"entry-a", 1'640'000}, {"mariadb", 0}};
  r.open_at_end = 1'000;
  for (int i = 1; i <= 10'000; ++i) {
    r.curves.stored.record(i);
    r.curves.delivered.record(2 * i);
    r.curves.delivered_raw.record(i);
    r.curves.confirmed.record(3 * i);
  }
  for (int i = 0; i < 2; ++i) {
    Window w;
    w.seconds = 5;
    w.counts.stored = 5'000 + static_cast<std::uint64_t>(i) * 100;
    w.counts.delivered = 5'000;
    w.cpu_s = {{"entry-a", daemon_cpu_s}, {"mariadb", 0.05}};
    w.generator_cpu_s = 0.02;
    w.curves["stored"] = percentiles_of(r.curves.stored);
    w.curves["delivered"] = percentiles_of(r.curves.delivered);
    r.windows.push_back(w);
    r.whole.counts.stored += w.counts.stored;
    for (const auto& [name, used] : w.cpu_s) r.whole.cpu_s[name] += used;
  }
  r.whole.seconds = 10;
  r.whole.generator_cpu_s = 0.04;
  r.whole.curves["delivered"] = percentiles_of(r.curves.delivered);
  r.whole.curves["delivered_raw"] = percentiles_of(r.curves.delivered_raw);
  r.whole.self.rate = 1'000;
  r.total.sent = r.total.stored = r.total.delivered = 10'100;
  for (int t = 0; t < 12; ++t) {
    Point p;
    p.t = t;
    p.stored = 1'000;
    p.curves["delivered"] = percentiles_of(r.curves.delivered);
    p.cpu_share = {{"entry", 0.02}, {"generator", 0.004}};
    r.points.push_back(std::move(p));
  }
  return r;
}

TEST(Report, FiguresHaveNamesThatAssertionsUse) {
  const Outcome r = sample();
  EXPECT_NEAR(*figure(r, "p99(delivered)"), 19.8, 0.1);
  EXPECT_NEAR(*figure(r, "cpu(daemons)"), 0.2 / 10'100 * 1e6, 0.01);
  EXPECT_NEAR(*figure(r, "cpu(store)"), 0.1 / 10'100 * 1e6, 0.01);
  EXPECT_NEAR(*figure(r, "cpu(entry-a)"), *figure(r, "cpu(entry)"), 1e-9);
  EXPECT_NEAR(*figure(r, "bytes(entry-a)"), 640, 0.01);
  EXPECT_NEAR(*figure(r, "stored_per_s"), 1'010, 0.01);
  for (const char* none : {"p99(nothing)", "p(stored)", "p101(stored)", "speed", "bytes(x)"})
    EXPECT_FALSE(figure(r, none)) << none;
}

TEST(Report, ExitCodesTellTheWorstThing) {
  Outcome r = sample();
  EXPECT_EQ(r.exit_code(), 0);
  r.asserts.push_back({.text = "x", .value = 1, .holds = false});
  EXPECT_EQ(r.exit_code(), 4);
  r.no_verdict.emplace_back("send lag");
  EXPECT_EQ(r.exit_code(), 8) << "what is no result is not judged by assertions";
  r.ledger.lost = 1;
  EXPECT_EQ(r.exit_code(), 4) << "a lost message is lost however busy the generator was";
  r.is_stopped = true;
  EXPECT_EQ(r.exit_code(), 130);
}

TEST(Report, TextShowsCorrectedAndUncorrectedAndTheVerdict) {
  Outcome r = sample();
  const std::string pass = report_text(r);
  EXPECT_NE(pass.find("PASS"), std::string::npos) << pass;
  EXPECT_NE(pass.find("uncorrected"), std::string::npos) << pass;
  EXPECT_NE(pass.find("LOST 0"), std::string::npos) << pass;
  r.options.closed = r.whole.self.is_closed = true;
  EXPECT_NE(report_text(r).find("CLOSED LOOP"), std::string::npos);
  r.no_verdict.emplace_back("send lag p99 7.0 ms > 1.0 ms");
  const std::string none = report_text(r);
  EXPECT_NE(none.find("NO VERDICT"), std::string::npos) << none;
  EXPECT_EQ(none.find("PASS"), std::string::npos) << none;
}

TEST(Report, JsonHasTheFieldsThatScriptsRead) {
  const auto j = report_json(sample());
  for (const char* at :
       {"/schema", "/scenario", "/mode", "/verdict/exit", "/verdict/result", "/ledger/lost",
        "/total/sent", "/windows/1/stored_per_s", "/windows/0/cpu_us_per_message/daemons",
        "/windows/0/latency_ms/delivered/p99", "/whole/generator/lag_p99_ms",
        "/summary/stored_per_s/median", "/summary/cpu_us_per_message/store/max",
        "/memory/entry-a/bytes_per_connection", "/machine/cores", "/server/store", "/mean_batch",
        "/seconds/3/stored", "/seed"})
    EXPECT_TRUE(j.contains(nlohmann::json::json_pointer(at))) << at;
  EXPECT_DOUBLE_EQ(j["summary"]["stored_per_s"]["min"], 1'000);
  EXPECT_DOUBLE_EQ(j["summary"]["stored_per_s"]["max"], 1'020);
}

TEST(Report, ThePageStandsAloneAndEscapesWhatWasTyped) {
  const std::string page = report_html(sample());
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("&lt;&amp;&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<&>"), std::string::npos);
  for (const char* foreign : {"http:", "https:", "<script", "@import", "url("})
    EXPECT_EQ(page.find(foreign), std::string::npos) << foreign;
}

TEST(Report, FilesAreWrittenAndReadAgain) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("bench-report-" + std::to_string(::getpid()));
  ASSERT_TRUE(write_reports(sample(), folder / "a"));
  ASSERT_TRUE(write_reports(sample(), folder / "b"));
  const auto both = read_reports(folder);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->size(), 2U);
  EXPECT_TRUE(read_reports(folder / "a"));
  EXPECT_TRUE(std::filesystem::exists(folder / "a" / "report.html"));
  EXPECT_TRUE(std::filesystem::exists(folder / "a" / "latency.hlog"));
  EXPECT_FALSE(read_reports(folder / "nothing"));
  std::filesystem::remove_all(folder);
}

TEST(Compare, ARegressionIsBeyondTheSpreadOfBoth) {
  const auto base = report_json(sample(0.1));
  const auto same = compare_reports({base}, {base});
  ASSERT_FALSE(same.empty());
  for (const Comparison& c : same) EXPECT_FALSE(c.is_regression) << c.name;
  const auto worse = compare_reports({base}, {report_json(sample(0.2))});
  bool is_found = false;
  for (const Comparison& c : worse) {
    if (c.name.starts_with("cpu(daemons)")) {
      is_found = true;
      EXPECT_TRUE(c.is_regression);
      EXPECT_NEAR(c.change, 1.0, 0.01);
    }
    if (c.name == "stored_per_s") EXPECT_FALSE(c.is_regression);
  }
  EXPECT_TRUE(is_found);
  for (const Comparison& c : compare_reports({report_json(sample(0.2))}, {base}))
    EXPECT_FALSE(c.is_regression) << "better is no regression: " << c.name;
  EXPECT_NE(comparison_text(worse).find("REGRESSION"), std::string::npos);
}

TEST(Compare, RunsThatHaveLittleInCommonAreDoubted) {
  Outcome other = sample(0.1);
  other.options.scenario = "login-storm";
  other.target.store = "embedded";
  other.no_verdict.emplace_back("a hog");
  const auto base = report_json(sample(0.1));
  EXPECT_TRUE(doubts({base}, {base}).empty());
  const auto found = doubts({base, base}, {base, report_json(other)});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_NE(found[0].find("login-storm"), std::string::npos);
  EXPECT_NE(found[1].find("embedded"), std::string::npos);
  EXPECT_EQ(found[2], "B: 1 of 2 runs have no verdict");
}

TEST(Report, WithoutMessagesThereIsNoCpuAMessage) {
  Window w;
  w.cpu_s["entry-a"] = 2;
  EXPECT_EQ(cpu_us(w, sample(0.1).target, "daemons"), 0);
}

TEST(Knee, IsFoundFromBelowAndFromAbove) {
  for (const double start : {100.0, 1'000.0, 500'000.0}) {
    constexpr double kKnee = 7'300;
    KneeSearch search(start, 6);
    int tries = 0;
    while (const auto rate = search.next()) {
      ASSERT_LT(++tries, 60);
      search.tried(*rate, *rate <= kKnee);
    }
    EXPECT_LE(search.best(), kKnee);
    EXPECT_GE(search.best(), kKnee * 0.97) << "from " << start;
  }
  KneeSearch never(1'000, 4);
  while (const auto rate = never.next()) never.tried(*rate, false);
  EXPECT_EQ(never.best(), 0);
}

TEST(Plot, TicksAreRoundAndTextsAreEscaped) {
  EXPECT_DOUBLE_EQ(tick_step(0, 10, 7), 2);
  EXPECT_DOUBLE_EQ(tick_step(0, 95, 7), 20);
  EXPECT_EQ(html_text("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
  const std::string svg = svg_of({.title = "t",
                                  .x_label = "x",
                                  .y_label = "y",
                                  .is_x_log = true,
                                  .is_y_log = true,
                                  .x_ticks = {},
                                  .series = {{.name = "s", .points = {{1, 1}, {10, 100}}},
                                             {.name = "zero", .points = {{1, 0}, {2, 0}}}}});
  EXPECT_NE(svg.find("<polyline"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(svg_of({}).find("nan"), std::string::npos);
}

}  // namespace
}  // namespace hy::bench
