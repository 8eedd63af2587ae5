#include "client/bench/options.h"

#include <gtest/gtest.h>

#include <cmath>

#include "client/bench/assertion.h"
#include "client/bench/plan.h"
#include "client/bench/scrape.h"
#include "client/bench/verdict.h"

namespace hy::bench {
namespace {

TEST(Options, NumbersRatesAndTimesCarryTheirUnits) {
  EXPECT_EQ(*parse_count("15k"), 15'000U);
  EXPECT_EQ(*parse_count("2M"), 2'000'000U);
  EXPECT_EQ(*parse_count("18446744073709551615"), ~std::uint64_t{0});
  EXPECT_DOUBLE_EQ(*parse_rate("5k/s"), 5'000);
  EXPECT_DOUBLE_EQ(*parse_rate("2.5k"), 2'500);
  EXPECT_EQ(*parse_duration("1.5s"), Millis(1'500));
  EXPECT_EQ(*parse_duration("8h"), Millis(28'800'000));
  for (const char* bad : {"", "k", "-3", "1.5", "15kk", "1e400", "nan"})
    EXPECT_FALSE(parse_count(bad)) << bad;
  for (const char* bad : {"0", "5/min", "fast"}) EXPECT_FALSE(parse_rate(bad)) << bad;
  for (const char* bad : {"5", "1d", "s", "-2s"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Options, EachIsSetByItsNameAndNamesItselfWhenItIsWrong) {
  Options o;
  EXPECT_TRUE(set_option(o, "conns", "15k"));
  EXPECT_TRUE(set_option(o, "rate", "5k/s"));
  EXPECT_TRUE(set_option(o, "drop", "25%"));
  EXPECT_TRUE(set_option(o, "set", "a.b=1"));
  EXPECT_TRUE(set_option(o, "set", "a.c=2"));
  EXPECT_TRUE(set_option(o, "closed", "true"));
  EXPECT_TRUE(set_option(o, "size", "uniform:20-400"));
  EXPECT_EQ(o.conns, 15'000U);
  EXPECT_DOUBLE_EQ(o.drop, 0.25);
  EXPECT_EQ(o.settings.size(), 2U);
  for (const auto& [key, text] :
       std::initializer_list<std::pair<const char*, const char*>>{{"conns", "1"},
                                                                  {"store", "oracle"},
                                                                  {"size", "4"},
                                                                  {"nothing", "1"},
                                                                  {"drop", "120%"}}) {
    const Status done = set_option(o, key, text);
    ASSERT_FALSE(done) << key;
    EXPECT_NE(done.error().detail.find(key), std::string::npos) << done.error().detail;
  }
  EXPECT_FALSE(check_options(o)) << "a closed loop has no rate";
}

TEST(Options, EveryRowCanBeSet) {
  for (const OptionRow& row : option_rows()) {
    EXPECT_FALSE(row.sentence.empty()) << row.key;
    Options o;
    bool is_taken = false;
    for (const char* text : {"true", "2", "50%", "1k/s", "2s", "100", "office", "mysql", "x"})
      is_taken = is_taken || set_option(o, row.key, text).has_value();
    EXPECT_TRUE(is_taken) << row.key;
  }
}

TEST(SizeSpec, BodiesAreDrawnTheSameOnBothSides) {
  BodyMaker sender(99);
  BodyMaker receiver(99);
  const SizeSpec size = *SizeSpec::parse("lognormal:120");
  double sum = 0;
  for (std::uint32_t n = 1; n <= 2'000; ++n) {
    const std::string body(sender.make(5, n, size));
    EXPECT_EQ(BodyMaker::number_of(body), n);
    EXPECT_TRUE(receiver.is_right(body, 5, size));
    EXPECT_FALSE(receiver.is_right(body, 6, size)) << "another sender's filling";
    sum += std::log(static_cast<double>(body.size()));
  }
  EXPECT_NEAR(std::exp(sum / 2'000), 120, 12);
  std::string changed(sender.make(5, 1, *SizeSpec::parse("100")));
  EXPECT_EQ(changed.size(), 100U);
  changed.back() = static_cast<char>(changed.back() ^ 1);
  EXPECT_FALSE(receiver.is_right(changed, 5, *SizeSpec::parse("100")));
}

TEST(Plan, NamesTheCeilingBeforeDialling) {
  const MachineLimits limits{
      .descriptors = 256, .port_low = 32'768, .port_high = 60'999, .cores = 2};
  const auto refused = make_plan(15'000, 0, {}, 1, limits);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimitTooLow);
  EXPECT_NE(refused.error().detail.find("256 descriptors"), std::string::npos);
  const auto spread = make_plan(1'000, 0, {}, 1, limits);
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->workers, 5U);
}

TEST(Plan, PortsOfOneSourceAddressAreACeilingToo) {
  const MachineLimits limits{
      .descriptors = 1'000'000, .port_low = 32'768, .port_high = 60'999, .cores = 2};
  const auto refused = make_plan(30'000, 1, {}, 1, limits);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("--source-ip"), std::string::npos);
  EXPECT_TRUE(make_plan(30'000, 1, {}, 2, limits)) << "two entries are two destinations";
  const auto many = make_plan(50'000, 1, {"127.0.0.2-127.0.0.33"}, 1, limits);
  ASSERT_TRUE(many);
  EXPECT_EQ(many->sources.size(), 32U);
  EXPECT_EQ(many->sources.back(), "127.0.0.33");
  EXPECT_FALSE(expand_sources({"127.0.0.9-127.0.0.2"}));
}

TEST(Verdict, TheGeneratorThatIsTheLimitGivesNone) {
  SelfMeasure good{.cpu_share = 0.4, .lag_p99_ms = 0.3, .rate = 1'000};
  EXPECT_TRUE(no_verdict(good).empty());
  SelfMeasure m = good;
  m.cpu_share = 0.71;
  EXPECT_EQ(no_verdict(m).size(), 1U);
  m = good;
  m.lag_p99_ms = 1.1;
  EXPECT_EQ(no_verdict(m).size(), 1U);
  m = good;
  m.backlog_growth = 5;
  EXPECT_EQ(no_verdict(m).size(), 1U);
  m = good;
  m.foreign_share = 0.2;
  EXPECT_TRUE(no_verdict(m).empty()) << "it is on time beside others";
  m.foreign_share = 0.3;
  EXPECT_EQ(no_verdict(m).size(), 1U) << "but the servers share the cores with them too";
  m = good;
  m.records_dropped = 1;
  EXPECT_EQ(no_verdict(m).size(), 1U);
}

TEST(Verdict, AClosedLoopIsJudgedByItsOwnCpuAndByWhoTookTheMachine) {
  SelfMeasure m{.is_closed = true, .has_local_server = true, .cpu_share = 0.5, .lag_p99_ms = 80};
  m.wait_share = 0.6;
  EXPECT_TRUE(no_verdict(m).empty()) << "the measured server may fill the machine";
  m.foreign_share = 0.3;
  EXPECT_EQ(no_verdict(m).size(), 1U) << "another program may not";
  m.foreign_share = 0;
  m.has_local_server = false;
  EXPECT_EQ(no_verdict(m).size(), 1U) << "nothing on this host may hold the generator up then";
}

TEST(Assertion, IsAFigureAnOperatorAndABound) {
  Outcome r;
  for (int i = 0; i < 1'000; ++i) r.curves.delivered.record(20'000);
  r.whole.seconds = 10;
  r.whole.counts.stored = 60'000;
  const auto holds = [&](const char* text) {
    const auto a = parse_assertion(text);
    EXPECT_TRUE(a) << text;
    return a && judge_assertion(*a, r).holds;
  };
  EXPECT_TRUE(holds("p99(delivered)<200ms"));
  EXPECT_TRUE(holds("p99.9(delivered) < 0.2s"));
  EXPECT_FALSE(holds("p50(delivered)<=19ms"));
  EXPECT_TRUE(holds("lost==0"));
  EXPECT_TRUE(holds("stored_per_s>=6k"));
  EXPECT_FALSE(holds("no_such_figure<1")) << "what is not known does not hold";
  for (const char* bad : {"p99(delivered)", "<5", "lost=0", "lost==x", "p99(stored)<5parsec"})
    EXPECT_FALSE(parse_assertion(bad)) << bad;
}

TEST(Scrape, SumsASampleOverItsLabels) {
  const std::string page =
      "# HELP hy_das_batch_rows Messages in one transaction\n"
      "hy_das_batch_rows_sum{lane=\"0\"} 120\nhy_das_batch_rows_sum{lane=\"1\"} 30.5\n"
      "hy_das_batch_rows_summary 7\nhy_das_batch_rows_count 10\n";
  EXPECT_DOUBLE_EQ(sum_of(page, "hy_das_batch_rows_sum"), 150.5);
  EXPECT_DOUBLE_EQ(sum_of(page, "hy_das_batch_rows_count"), 10);
  EXPECT_DOUBLE_EQ(mean_batch({10, 100}, {20, 300}), 20);
  EXPECT_DOUBLE_EQ(mean_batch({10, 100}, {10, 100}), 0);
}

}  // namespace
}  // namespace hy::bench
