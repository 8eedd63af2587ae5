#include "logic/delivery/trace_ring.h"

#include <gtest/gtest.h>

namespace hy::logic {
namespace {

const ConversationId kPair{1, 2};
MonoTime at(int ms) {
  return MonoTime{Millis{ms}};
}
ClientMsgId id(std::uint8_t n) {
  ClientMsgId out;
  out.bytes.fill(n);
  return out;
}

TEST(TraceRing, FindsByIdAndByPosition) {
  TraceRing ring(16);
  const auto ref = ring.begin(id(1), kPair, TraceId{9}, true, at(1));
  ring.mark(ref, Rung::kRulesDone, at(2));
  EXPECT_FALSE(ring.find(kPair, Seq{5}));
  ring.stored(ref, Seq{5}, at(3));
  ring.mark(kPair, Seq{5}, Rung::kConfirmed, at(4));
  const auto row = ring.find(kPair, Seq{5});
  ASSERT_TRUE(row);
  EXPECT_EQ(row->at[static_cast<std::size_t>(Rung::kConfirmed)], at(4));
  EXPECT_EQ(ring.find(id(1))->seq, Seq{5});
  EXPECT_FALSE(ring.find(id(2)));
}

TEST(TraceRing, FirstTimeOfARungStays) {
  TraceRing ring(16);
  const auto ref = ring.begin(id(1), kPair, TraceId{}, false, at(1));
  ring.mark(ref, Rung::kPushResult, at(5));
  ring.mark(ref, Rung::kPushResult, at(9));
  EXPECT_EQ(ring.row(ref)->at[static_cast<std::size_t>(Rung::kPushResult)], at(5));
}

TEST(TraceRing, OldestAreOverwrittenAndTheirMarksDoNoHarm) {
  TraceRing ring(4);
  const auto old = ring.begin(id(1), kPair, TraceId{}, false, at(1));
  ring.stored(old, Seq{1}, at(1));
  for (std::uint8_t n = 2; n <= 5; ++n) ring.begin(id(n), kPair, TraceId{}, false, at(n));
  EXPECT_EQ(ring.row(old), nullptr);
  ring.mark(old, Rung::kAcked, at(9));
  ring.mark(kPair, Seq{1}, Rung::kConfirmed, at(9));
  EXPECT_FALSE(ring.find(id(1)));
  EXPECT_FALSE(ring.find(kPair, Seq{1}));
  for (std::uint8_t n = 2; n <= 5; ++n) {
    EXPECT_EQ(ring.find(id(n))->at[static_cast<std::size_t>(Rung::kAcked)], MonoTime{});
  }
}

TEST(TraceRing, ResendOfAnIdShowsItsNewestTry) {
  TraceRing ring(16);
  ring.begin(id(1), kPair, TraceId{1}, false, at(1));
  ring.begin(id(1), kPair, TraceId{2}, false, at(2));
  EXPECT_EQ(ring.find(id(1))->trace, TraceId{2});
}

}  // namespace
}  // namespace hy::logic
