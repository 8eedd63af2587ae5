#include "common/obs/metrics.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "common/obs/metrics_export.h"

namespace hy::obs {
namespace {

using namespace std::chrono_literals;

TEST(Metrics, CountsFromManyThreadsWithoutLoss) {
  Registry registry;
  auto& counter = registry.counter("hy_x_total", "x");
  auto& histogram = registry.histogram("hy_x_seconds", "x");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        counter.add();
        histogram.observe(1.0);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(counter.value(), 40'000u);
  const auto snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, 40'000u);
  EXPECT_DOUBLE_EQ(snapshot.sum, 40'000.0);
}

TEST(Metrics, ABucketHoldsItsUpperBound) {
  constexpr double kBounds[] = {0.001, 0.01, 0.1};
  Histogram h(kBounds);
  for (const double v : {0.0005, 0.001, 0.0011, 0.1, 5.0}) h.observe(v);
  h.observe(10ms);
  EXPECT_EQ(h.snapshot().cumulative, (std::vector<std::uint64_t>{2, 4, 5, 6}));
}

TEST(Metrics, ExportIsPrometheusText) {
  Registry registry;
  registry.counter("hy_refused_total", "look at the code", {{"code", "HY-7001"}}).add(3);
  registry.counter("hy_refused_total", "look at the code", {{"code", "HY-7003"}}).add(1);
  registry.gauge("hy_connections", "how many").set(-2);
  registry.gauge_fn("hy_size", "read when scraped", [] { return 7.0; });
  constexpr double kBounds[] = {0.5};
  registry.histogram("hy_wait_seconds", "how long", kBounds).observe(0.25);
  const auto text = prometheus_text(registry);
  for (const auto* line :
       {"# HELP hy_refused_total look at the code\n# TYPE hy_refused_total counter\n",
        "hy_refused_total{code=\"HY-7001\"} 3\n", "hy_refused_total{code=\"HY-7003\"} 1\n",
        "hy_connections -2\n", "hy_size 7\n", "hy_wait_seconds_bucket{le=\"0.5\"} 1\n",
        "hy_wait_seconds_bucket{le=\"+Inf\"} 1\n", "hy_wait_seconds_sum 0.25\n",
        "hy_wait_seconds_count 1\n"})
    EXPECT_TRUE(text.contains(line)) << line << "in\n" << text;
  EXPECT_EQ(registry.list(),
            "hy_connections gauge {}\nhy_refused_total counter {code=\"HY-7001\"}\n"
            "hy_refused_total counter {code=\"HY-7003\"}\nhy_size gauge {}\n"
            "hy_wait_seconds histogram {}\n");
}

TEST(MetricsDeath, AWrongTableIsABugOfOurs) {
  Registry registry;
  registry.counter("hy_a_total", "a");
  EXPECT_DEATH(registry.counter("hy_a_total", "a"), "check failed|HY_CHECK|none_of");
  EXPECT_DEATH(registry.gauge("hy_a_total", "a", {{"x", "y"}}), "type");
  EXPECT_DEATH(registry.counter("other_total", "a"), "hy_");
}

}  // namespace
}  // namespace hy::obs
