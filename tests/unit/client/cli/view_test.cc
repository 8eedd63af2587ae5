#include "client/cli/demo/view.h"

#include <gtest/gtest.h>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

/// A line without its colour sequences.
std::string plain(std::string line) {
  for (auto at = line.find('\x1b'); at != std::string::npos; at = line.find('\x1b')) {
    line.erase(at, line.find('m', at) - at + 1);
  }
  return line;
}

View talk() {
  View view;
  view.head = "hy demo   idc sh · 7 daemons (2 entry, 2 logic, 2 router, 1 das)";
  view.entries = "entry 127.0.0.1:14000 (a)  :14010 (b)";
  view.left = {"alice", "entry a", {}, true, "_"};
  view.right = {"bob", "backing off: " + std::string(200, 'x'), {}, false, ""};
  for (int i = 0; i < 50; ++i) {
    view.left.lines.push_back(
        {"12:00:04", "you", "你好 bob, " + std::string(90, 'y'), {}, Step::kRead, true});
    view.right.lines.push_back({"12:00:04", "alice", "👋 你好", {}, Step::kStored, false});
  }
  view.middle.assign(20, "alice R▶ SEND      9f2c…           0.0 ms");
  view.caption = "the store is down";
  view.keys = "[k] kill  [q] quit";
  view.latency = {2.8, 7.9, 31, 100, {1, 2, 3}};
  return view;
}

TEST(View, EveryLineIsExactlyAsWideAsTheScreen) {
  use_utf8();
  for (const int columns : {60, 80, 81, 109, 110, 120, 200}) {
    for (const int rows : {20, 24, 50}) {
      const auto lines = compose(talk(), columns, rows);
      EXPECT_LE(static_cast<int>(lines.size()), rows);
      for (const std::string& line : lines) {
        // The input line is shown as the caller gives it: one column here.
        if (plain(line).find("> _") != std::string::npos) continue;
        EXPECT_EQ(display_width(plain(line)), columns) << plain(line);
      }
    }
  }
}

TEST(View, TheLadderStandsBetweenThePeopleOrBelowThem) {
  use_utf8();
  const auto wide = compose(talk(), 120, 30);
  EXPECT_NE(plain(wide[2]).find("last message"), std::string::npos);
  const auto narrow = compose(talk(), 80, 24);
  EXPECT_EQ(plain(narrow[2]).find("last message"), std::string::npos);
  bool has_ladder = false;
  for (const std::string& line : narrow)
    has_ladder |= line.find("last message") != std::string::npos;
  EXPECT_TRUE(has_ladder);
}

TEST(View, RelayedNeverLooksLikeStored) {
  EXPECT_NE(tick(Step::kRelayed), tick(Step::kStored));
  EXPECT_EQ(tick(Step::kQueued), "◷");
  EXPECT_EQ(tick(Step::kRelayed), "◌");
  EXPECT_EQ(tick(Step::kStored), "✓");
  EXPECT_EQ(tick(Step::kDelivered), "✓✓");
  EXPECT_EQ(tick(Step::kUnsure), "!");
}

TEST(View, AFaultMakesTheLedgerRed) {
  View view = talk();
  const auto clean = compose(view, 120, 30);
  view.ledger.lost = 1;
  const auto faulty = compose(view, 120, 30);
  const auto red_lines = [](const std::vector<std::string>& lines) {
    int n = 0;
    for (const std::string& line : lines) n += line.starts_with("\x1b[31;1m") ? 1 : 0;
    return n;
  };
  EXPECT_EQ(red_lines(clean), 0);
  EXPECT_EQ(red_lines(faulty), 1);
}

TEST(View, SparklineScalesToItsLargest) {
  EXPECT_EQ(sparkline({0, 5, 10}, 10), "▁▄█");
  EXPECT_EQ(sparkline({1, 2, 3, 4}, 2), "▆█");
  EXPECT_EQ(sparkline({}, 10), "");
}

}  // namespace
}  // namespace hy::cli
