#include "logic/sync/sync_planner.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"

namespace hy::logic {
namespace {

StoredMessage message(std::uint64_t seq, std::size_t bytes) {
  StoredMessage out;
  out.seq = Seq{seq};
  out.kind = 1;
  out.body = std::string(bytes, 'x');
  return out;
}

TEST(SyncPlanner, Ranges) {
  EXPECT_TRUE(check_range(1, 0));
  EXPECT_TRUE(check_range(3, 3));
  EXPECT_FALSE(check_range(0, 5));
  EXPECT_FALSE(check_range(4, 3));
}

TEST(SyncPlanner, CursorAtTheEndOfNumbers) {
  EXPECT_TRUE(check_cursor(1, Seq{0}));
  EXPECT_FALSE(check_cursor(2, Seq{0}));
  const auto top = std::numeric_limits<std::uint64_t>::max();
  EXPECT_TRUE(check_cursor(top, Seq{top}));
  EXPECT_FALSE(check_cursor(top, Seq{5}));
}

TEST(SyncPlanner, SliceKeepsTheOldestOfARangeAndSaysMore) {
  Slice slice;
  for (std::uint64_t s = 1; s <= 10; ++s) slice.messages.push_back(message(s, 16'384));
  cut_slice(slice, false);
  ASSERT_EQ(slice.messages.size(), 3U);
  EXPECT_EQ(slice.messages.front().seq, Seq{1});
  EXPECT_TRUE(slice.more);
}

TEST(SyncPlanner, SliceKeepsTheNewestOfATail) {
  Slice slice;
  for (std::uint64_t s = 1; s <= 10; ++s) slice.messages.push_back(message(s, 16'384));
  cut_slice(slice, true);
  ASSERT_EQ(slice.messages.size(), 3U);
  EXPECT_EQ(slice.messages.front().seq, Seq{8});
  EXPECT_EQ(slice.messages.back().seq, Seq{10});
}

TEST(SyncPlanner, SliceOfManySmallOnesFitsAFrame) {
  Slice slice;
  for (std::uint64_t s = 1; s <= 500; ++s) slice.messages.push_back(message(s, 300));
  cut_slice(slice, false);
  EXPECT_LE(slice.messages.size() * 400, limits::kSliceBytesMax);
  slice.messages.resize(200);
  slice.more = false;
  for (auto& m : slice.messages) m.body.clear();
  cut_slice(slice, false);
  EXPECT_EQ(slice.messages.size(), 200U);
  EXPECT_FALSE(slice.more);
}

TEST(SyncPlanner, PreviewIsCutAtACharacter) {
  StoredMessage m;
  m.kind = 1;
  m.body = std::string(255, 'a') + "雁" + "rest";
  cut_preview(m);
  EXPECT_EQ(m.body, std::string(255, 'a'));
  EXPECT_TRUE(is_valid_utf8(m.body));
  m.kind = 2;
  m.body = std::string(300, '\x80');
  cut_preview(m);
  EXPECT_EQ(m.body.size(), 256U);
  m.kind = 1;
  m.body = "short";
  cut_preview(m);
  EXPECT_EQ(m.body, "short");
}

TEST(SyncPlanner, PageFitsAFrame) {
  Conversations page;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    ConversationRow row;
    row.conversation = {1, i + 1};
    row.last = message(1, 16'384);
    page.rows.push_back(row);
  }
  cut_page(page);
  EXPECT_TRUE(page.more);
  EXPECT_GT(page.rows.size(), 100U);
  std::size_t bytes = 0;
  for (const ConversationRow& row : page.rows) bytes += 100 + row.last->body.size() + 100;
  EXPECT_LE(bytes, limits::kSliceBytesMax);
}

}  // namespace
}  // namespace hy::logic
