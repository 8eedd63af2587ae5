#include "entry/session/confirm_gatherer.h"

#include <gtest/gtest.h>

namespace hy::entry {
namespace {

Confirm confirm(std::uint64_t conn, std::uint64_t peer, std::uint64_t seq,
                std::uint64_t sender = 7) {
  Confirm out;
  out.conn = ConnId{conn};
  out.uid = Uid{1};
  out.slot = Slot::kPhone;
  out.conversation = ConversationId::pair(Uid{1}, Uid{peer});
  out.seq = Seq{seq};
  out.sender = Uid{sender};
  out.trace = TraceId{seq};
  return out;
}

std::vector<Confirm> taken(ConfirmGatherer& gatherer) {
  std::vector<Confirm> out;
  gatherer.take(out);
  return out;
}

TEST(ConfirmGatherer, OfOneConversationTheHighestGoesOn) {
  ConfirmGatherer gatherer;
  for (const std::uint64_t seq : {4U, 6U, 5U}) gatherer.add(confirm(1, 7, seq));
  const auto out = taken(gatherer);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].seq, Seq{6});
  EXPECT_EQ(out[0].trace, TraceId{6});
}

TEST(ConfirmGatherer, ConnectionsConversationsAndSendersStayApart) {
  ConfirmGatherer gatherer;
  gatherer.add(confirm(1, 7, 4));
  gatherer.add(confirm(2, 7, 3));
  gatherer.add(confirm(1, 8, 2, 8));
  gatherer.add(confirm(1, 7, 5, 9));  // another sender of the same conversation
  gatherer.add(confirm(1, 7, 6, 9));
  const auto out = taken(gatherer);
  ASSERT_EQ(out.size(), 4U);
  EXPECT_EQ(out[0].seq, Seq{4});
  EXPECT_EQ(out[1].seq, Seq{3});
  EXPECT_EQ(out[2].seq, Seq{2});
  EXPECT_EQ(out[3].seq, Seq{6});
}

TEST(ConfirmGatherer, ProvisionalOnesAllGoOn) {
  ConfirmGatherer gatherer;
  gatherer.add(confirm(1, 7, 0));
  gatherer.add(confirm(1, 7, 0));
  EXPECT_EQ(taken(gatherer).size(), 2U);
}

TEST(ConfirmGatherer, WhatWasTakenIsForgotten) {
  ConfirmGatherer gatherer;
  gatherer.add(confirm(1, 7, 4));
  std::vector<Confirm> out;
  gatherer.take(out);
  gatherer.add(confirm(1, 7, 3));
  gatherer.take(out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].seq, Seq{3});
  EXPECT_EQ(gatherer.size(), 0U);
}

}  // namespace
}  // namespace hy::entry
