#include "client/cli/bench/live_view.h"

#include <gtest/gtest.h>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

bench::Point second(double t) {
  bench::Point p;
  p.t = t;
  p.offered = 5'000;
  p.stored = 4'000 + 10 * t;
  p.open = 2'000;
  p.curves["delivered"] = {.count = 1, .p50 = 2.8, .p99 = 7.9, .max = 31};
  p.cpu_share = {{"entry", 0.31}, {"generator", 0.12}};
  return p;
}

TEST(LiveView, BarsShowTheEndOfTheHistory) {
  EXPECT_EQ(LiveView::bars({0, 4, 8}, 10), "▁▄█");
  EXPECT_EQ(LiveView::bars({8, 1, 1}, 2), "██");
  EXPECT_EQ(LiveView::bars({}, 5), "");
  EXPECT_EQ(LiveView::bars({0, 0}, 5), "▁▁");
}

TEST(LiveView, LinesFitTheTerminalAndShowWhatCounts) {
  use_utf8();
  LiveView view(60);
  EXPECT_TRUE(view.lines(80).empty());
  for (int t = 0; t < 100; ++t) view.add(second(t), 60.0 - t * 0.6);
  for (const int columns : {40, 80, 120}) {
    for (const std::string& line : view.lines(columns))
      EXPECT_LE(display_width(line), columns) << line;
  }
  std::string all;
  for (const std::string& line : view.lines(120)) all += line + "\n";
  for (const char* text :
       {"2000 connections", "offered", "delivered", "p99", "send lag", "entry 31", "s left", "█"})
    EXPECT_NE(all.find(text), std::string::npos) << text << "\n" << all;
}

}  // namespace
}  // namespace hy::cli
