#include "client/core/inbox.h"

#include <gtest/gtest.h>

namespace hy::client {
namespace {

const ConversationId kPair = ConversationId::pair(Uid{1}, Uid{2});

class InboxTest : public testing::Test {
 protected:
  static Message row(std::uint64_t seq) {
    Message m;
    m.conversation = kPair;
    m.seq = Seq{seq};
    m.sender = Uid{2};
    put_be(m.client_msg_id.bytes.data(), seq);
    return m;
  }
  std::vector<std::uint64_t> rows() {
    std::vector<std::uint64_t> out;
    for (const Cursor::Row& r : inbox.take_rows()) out.push_back(r.message.seq.value());
    return out;
  }
  PullAnswered answer(std::uint64_t from, std::uint64_t to, std::uint64_t head) {
    PullAnswered a;
    a.conversation = kPair;
    a.head = Seq{head};
    for (std::uint64_t seq = from; seq <= to; ++seq) a.messages.push_back(row(seq));
    return a;
  }
  void head(std::uint64_t seq) {
    ConversationInfo info;
    info.conversation = kPair;
    info.head = Seq{seq};
    inbox.head(now, info);
  }
  using Seqs = std::vector<std::uint64_t>;

  InboxSettings settings;
  Inbox inbox{settings};
  SeededRandom random{3};
  Turn turn;
  MonoTime now{std::chrono::hours(1)};
};

TEST_F(InboxTest, TheNextIsAppliedAnOldOneDroppedALargerOneWaits) {
  inbox.pushed(now, 1, row(1));
  EXPECT_EQ(rows(), (Seqs{1}));
  EXPECT_EQ(inbox.take_ack(), 1u);
  inbox.pushed(now, 2, row(1));
  EXPECT_EQ(rows(), (Seqs{}));
  EXPECT_EQ(inbox.take_ack(), 2u) << "it is stored: it may be acknowledged";
  inbox.pushed(now, 3, row(4));
  EXPECT_EQ(rows(), (Seqs{}));
  EXPECT_EQ(inbox.take_ack(), std::nullopt);
  inbox.pushed(now, 4, row(2));
  EXPECT_EQ(rows(), (Seqs{2}));
  EXPECT_EQ(inbox.take_ack(), std::nullopt) << "n 4 is stored, n 3 is not: cumulative";
  inbox.pushed(now, 5, row(3));
  EXPECT_EQ(rows(), (Seqs{3, 4}));
  EXPECT_EQ(inbox.take_ack(), 5u);
}

TEST_F(InboxTest, AHoleIsAskedForWithinItsTimeAndFilledInSlices) {
  inbox.pushed(now, 1, row(10));
  EXPECT_TRUE(inbox.take_pulls(now).empty()) << "the late one may be on its way";
  EXPECT_LE(inbox.wake_at() - now, Millis{200});
  now = inbox.wake_at();
  auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].from, Seq{1});
  EXPECT_EQ(pulls[0].to, Seq{9});
  EXPECT_TRUE(inbox.take_pulls(now).empty());
  EXPECT_TRUE(inbox.pulled(now, pulls[0], answer(1, 4, 10), random));
  EXPECT_EQ(rows(), (Seqs{1, 2, 3, 4}));
  pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].from, Seq{5});
  EXPECT_TRUE(inbox.pulled(now, pulls[0], answer(5, 9, 10), random));
  EXPECT_EQ(rows(), (Seqs{5, 6, 7, 8, 9, 10}));
  EXPECT_FALSE(inbox.has_holes());
}

/// The connection ends while a PULL is on its way whose hole a push has filled: what comes later is
/// still asked for.
TEST_F(InboxTest, APullThatDiedWithItsConnectionHoldsBackNoLaterOne) {
  inbox.pushed(now, 1, row(1));
  head(2);
  ASSERT_EQ(inbox.take_pulls(now).size(), 1u);
  inbox.pushed(now, 2, row(2));
  EXPECT_EQ(rows(), (Seqs{1, 2}));
  inbox.connected(now);
  head(3);
  const auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u) << "seq 3 would never be shown";
  EXPECT_EQ(pulls[0].from, Seq{3});
  EXPECT_TRUE(inbox.pulled(now, pulls[0], answer(3, 3, 3), random));
  EXPECT_EQ(rows(), (Seqs{3}));
}

/// 124 rows over 4 kB/s take longer than they are waited for: the same question would never be
/// answered.
TEST_F(InboxTest, RowsThatDoNotComeInTimeAreAskedForInSmallerParts) {
  head(124);
  auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].to, Seq{124});
  const auto not_answered = [&] {
    inbox.pull_failed(turn, now, pulls[0], Errc::kDeadlineExceeded, Millis{0}, Seq{}, random);
    now = inbox.wake_at();
    pulls = inbox.take_pulls(now);
  };
  not_answered();
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].to, Seq{31});
  not_answered();
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].to, Seq{7});
  for (int i = 0; i < 3; ++i) not_answered();
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].to, Seq{1}) << "never none";
  // What comes in time is asked for in larger parts again, until all is there.
  std::uint64_t asked = 1;
  int answers = 0;
  while (!pulls.empty() && answers < 40) {
    ++answers;
    const std::uint64_t from = pulls[0].from.value();
    const std::uint64_t to = pulls[0].to.value();
    EXPECT_GE(to == 124 ? asked : to - from + 1, asked);
    asked = to - from + 1;
    ASSERT_TRUE(inbox.pulled(now, pulls[0], answer(from, to, 124), random));
    pulls = inbox.take_pulls(now);
  }
  EXPECT_FALSE(inbox.has_holes());
  EXPECT_LT(answers, 25);
}

TEST_F(InboxTest, APageThatComesLateIsTakenAndTheRestIsAskedForAtOnce) {
  head(124);
  const auto first = inbox.take_pulls(now);
  ASSERT_EQ(first.size(), 1u);
  inbox.pull_failed(turn, now, first[0], Errc::kDeadlineExceeded, Millis{0}, Seq{}, random);
  EXPECT_TRUE(inbox.pulled(now, first[0], answer(1, 50, 124), random));
  EXPECT_EQ(rows().size(), 50u);
  const auto second = inbox.take_pulls(now);
  ASSERT_EQ(second.size(), 1u) << "rows came: no reason to wait";
  EXPECT_EQ(second[0].from, Seq{51});
  EXPECT_EQ(second[0].to, Seq{81}) << "it was late: parts stay small";
  // Now late beside another one on its way, which stays the only one.
  EXPECT_TRUE(inbox.pulled(now, first[0], answer(1, 60, 124), random));
  EXPECT_EQ(rows().size(), 10u);
  EXPECT_TRUE(inbox.take_pulls(now).empty());
  EXPECT_TRUE(inbox.pulled(now, second[0], answer(51, 81, 124), random));
  EXPECT_EQ(rows().size(), 21u);
  EXPECT_EQ(inbox.take_pulls(now).at(0).from, Seq{82});
}

TEST_F(InboxTest, APageFromBeforeAResetIsNotTaken) {
  head(3);
  const auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  inbox.pull_failed(turn, now, pulls[0], Errc::kDeadlineExceeded, Millis{0}, Seq{}, random);
  inbox.reset_all(turn, now);
  EXPECT_TRUE(inbox.pulled(now, pulls[0], answer(1, 3, 3), random));
  EXPECT_TRUE(rows().empty()) << "seqs of the log that is gone";
  head(3);
  now += Millis{60'000};
  const auto again = inbox.take_pulls(now);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(inbox.pulled(now, again[0], answer(1, 3, 3), random));
  EXPECT_EQ(rows(), (Seqs{1, 2, 3}));
}

/// The same when the link is given up meanwhile, because its PONG waits behind the rows.
TEST_F(InboxTest, RowsThatALostConnectionOwesAreAskedForInSmallerParts) {
  head(124);
  ASSERT_EQ(inbox.take_pulls(now).size(), 1u);
  inbox.connected(now);
  const auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].to, Seq{31});
  ASSERT_TRUE(inbox.pulled(now, pulls[0], answer(1, 31, 124), random));
  inbox.connected(now);
  EXPECT_GT(inbox.take_pulls(now).at(0).to, Seq{31 + 31}) << "nothing was owed";
}

TEST_F(InboxTest, AnAnswerWithoutTheRowsBacksOff) {
  head(5);
  MonoTime last = now;
  for (int i = 0; i < 6; ++i) {
    now = std::max(now, inbox.wake_at());
    auto pulls = inbox.take_pulls(now);
    ASSERT_EQ(pulls.size(), 1u);
    if (i > 0) EXPECT_GE(now - last, settings.pull_again_min);
    last = now;
    EXPECT_TRUE(inbox.pulled(now, pulls[0], answer(1, 0, 5), random));
  }
  EXPECT_EQ(rows(), (Seqs{}));
}

TEST_F(InboxTest, RowsBelowWhatWasAskedAreNoAnswer) {
  inbox.pushed(now, 1, row(1));
  head(3);
  auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_FALSE(inbox.pulled(now, pulls[0], answer(1, 3, 3), random));
}

TEST_F(InboxTest, ExpiredRowsAreSkippedAndTheRunStartsBehindThem) {
  head(10);
  auto pulls = inbox.take_pulls(now);
  auto a = answer(7, 10, 10);
  a.truncated_to = Seq{6};
  EXPECT_TRUE(inbox.pulled(now, pulls[0], a, random));
  EXPECT_EQ(rows(), (Seqs{7, 8, 9, 10}));
  EXPECT_EQ(inbox.find(kPair)->base, Seq{6});
}

TEST_F(InboxTest, WhatWaitedBelowASkipIsTakenBeforeItIsAcknowledged) {
  inbox.pushed(now, 1, row(1));
  inbox.pushed(now, 2, row(3));
  inbox.pushed(now, 3, row(5));
  EXPECT_EQ(rows(), (Seqs{1}));
  inbox.joined(now, kPair, Seq{9});  // gone and back: rows 2 and 4 are not this person's to ask for
  EXPECT_EQ(rows(), (Seqs{3, 5}));
  EXPECT_EQ(inbox.take_ack(), 3u);
  EXPECT_EQ(inbox.find(kPair)->base, Seq{8});
}

TEST_F(InboxTest, APushFromBelowTheRunIsTaken) {
  inbox.joined(now, kPair, Seq{9});
  inbox.pushed(now, 1, row(9));
  EXPECT_EQ(rows(), (Seqs{9}));
  inbox.pushed(now, 2, row(4));
  const auto late = inbox.take_rows();
  ASSERT_EQ(late.size(), 1u) << "it came by another logic, from before";
  EXPECT_EQ(late[0].message.seq, Seq{4});
  EXPECT_TRUE(late[0].is_late) << "kept; what is shown rises";
  EXPECT_EQ(inbox.take_ack(), 2u);
  EXPECT_EQ(inbox.find(kPair)->have, Seq{9});
}

TEST_F(InboxTest, RowsThatWaitAreBoundedAndComeByPull) {
  std::uint32_t n = 0;
  for (std::uint64_t seq = 2; seq <= 400; ++seq) inbox.pushed(now, ++n, row(seq));
  now += Millis{200};
  std::uint64_t pulled = 0;
  while (inbox.has_holes()) {
    for (const PullOrder& order : inbox.take_pulls(now)) {
      ++pulled;
      EXPECT_TRUE(
          inbox.pulled(now, order, answer(order.from.value(), order.to.value(), 400), random));
    }
    now += Millis{1};
  }
  EXPECT_EQ(rows().size(), 400u);
  EXPECT_EQ(pulled, 2u) << "the hole, and what found no room";
  EXPECT_EQ(inbox.take_ack(), n);
}

TEST_F(InboxTest, ALowerHeadAloneResetsNothingTheLogDecides) {
  for (std::uint32_t n = 1; n <= 5; ++n) inbox.pushed(now, n, row(n));
  rows();
  head(3);
  EXPECT_EQ(inbox.find(kPair)->have, Seq{5}) << "the head may come from an old cache";
  auto pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].from, Seq{6});
  inbox.pull_failed(turn, now, pulls[0], Errc::kCursorAhead, Millis{0}, Seq{3}, random);
  ASSERT_EQ(turn.writes.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<ForgetSeqs>(turn.writes[0]));
  EXPECT_EQ(inbox.find(kPair)->have, Seq{0});
  pulls = inbox.take_pulls(now);
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].to, Seq{3});
}

TEST_F(InboxTest, AnAnswerThatAResetHasOvertakenIsIgnored) {
  head(10);
  auto pulls = inbox.take_pulls(now);
  inbox.reset_all(turn, now);
  EXPECT_TRUE(inbox.pulled(now, pulls[0], answer(1, 10, 10), random));
  EXPECT_EQ(rows(), (Seqs{}));
  head(2);
  EXPECT_EQ(inbox.take_pulls(now).size(), 1u);
}

TEST_F(InboxTest, ASkippedPushNumberIsNeverAcknowledged) {
  EXPECT_EQ(inbox.pushed(now, 2, row(1)), PushAcks::Arrival::kSkipped);
  EXPECT_EQ(inbox.pushed(now, 0, row(1)), PushAcks::Arrival::kSkipped);
  EXPECT_EQ(inbox.take_ack(), std::nullopt);
}

TEST_F(InboxTest, ARepeatedPushIsAcknowledgedAgain) {
  inbox.pushed(now, 1, row(1));
  EXPECT_EQ(inbox.take_ack(), 1u);
  EXPECT_EQ(inbox.pushed(now, 1, row(1)), PushAcks::Arrival::kAgain);
  EXPECT_EQ(inbox.take_ack(), 1u);
  EXPECT_EQ(inbox.take_ack(), std::nullopt);
}

TEST_F(InboxTest, MarksNeverFall) {
  inbox.pushed(now, 1, row(1));
  inbox.raise_read_wanted(kPair, Seq{5});
  inbox.raise_read_wanted(kPair, Seq{3});
  ASSERT_EQ(inbox.unconfirmed_reads().size(), 1u);
  EXPECT_EQ(inbox.unconfirmed_reads()[0].second, Seq{5});
  inbox.raise_read(kPair, Seq{5});
  inbox.raise_read(kPair, Seq{2});
  EXPECT_TRUE(inbox.unconfirmed_reads().empty());
  EXPECT_EQ(inbox.find(kPair)->read, Seq{5});
}

}  // namespace
}  // namespace hy::client
