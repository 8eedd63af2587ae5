#include "client/bench/book.h"

#include <gtest/gtest.h>

namespace hy::bench {
namespace {

constexpr std::uint64_t kRun = 4711;

/// Two people who send to each other in turn; each message is stored, pushed, acknowledged and
/// receipted.
PairBook clean(std::uint32_t messages, std::uint32_t base = 0) {
  PairBook book;
  book.people[0] = Uid{10};
  book.people[1] = Uid{11};
  book.base = base;
  std::uint32_t numbers[2] = {0, 0};
  std::uint32_t pushes[2] = {0, 0};
  std::uint32_t at = 0;
  const auto add = [&](std::uint8_t side, Mark mark, std::uint32_t number, std::uint32_t seq) {
    book.records.push_back({.at = ++at, .seq = seq, .number = number, .mark = mark, .side = side});
  };
  for (std::uint32_t i = 1; i <= messages; ++i) {
    const auto from = static_cast<std::uint8_t>(i % 3 == 0);
    const auto to = static_cast<std::uint8_t>(1 - from);
    const std::uint32_t number = ++numbers[from];
    add(from, Mark::kSent, number, 0);
    add(from, Mark::kStored, number, base + i);
    add(to, Mark::kPushed, number, base + i);
    add(to, Mark::kAcked, ++pushes[to], 0);
    add(from, Mark::kReceipt, 0, base + i);
  }
  return book;
}

Ledger judge(const PairBook& book) {
  return judge_pairs({&book}, kRun);
}

std::size_t find(const PairBook& book, Mark mark, std::uint32_t seq) {
  for (std::size_t i = 0; i < book.records.size(); ++i) {
    if (book.records[i].mark == mark && book.records[i].seq == seq) return i;
  }
  return book.records.size();
}

TEST(Book, ACleanPairRaisesNoAlarm) {
  const Ledger ledger = judge(clean(300));
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
  EXPECT_EQ(ledger.judged, 300U);
  EXPECT_GT(ledger.looked_at, 3'000U);
}

TEST(Book, ASliceOfAnOldConversationRaisesNoAlarm) {
  const Ledger ledger = judge(clean(30, 5'000));
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

TEST(Book, TheAckOfAPushThatWasSkippedIsNoFault) {
  PairBook book = clean(30);
  const std::uint32_t pushes = static_cast<std::uint32_t>(std::ranges::count_if(
      book.records, [](const Record& r) { return r.mark == Mark::kPushed && r.side == 1; }));
  const std::uint32_t at = book.records.back().at;
  book.records.push_back({.at = at + 1, .mark = Mark::kSkipped, .side = 1});
  book.records.push_back({.at = at + 2, .number = pushes + 1, .mark = Mark::kAcked, .side = 1});
  EXPECT_EQ(judge(book).found(), 0U);
  book.records.back().number = pushes + 2;
  EXPECT_EQ(judge(book).dishonest, 1U) << "an ack of a push that never came";
}

TEST(Book, ASliceOfAReceiptAloneRaisesNoAlarm) {
  PairBook book = clean(0, 20);
  book.records.push_back({.at = 1, .seq = 20, .mark = Mark::kReceipt, .side = 0});
  const Ledger ledger = judge(book);
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

TEST(Book, AMessageThatWasNeverPushedIsLost) {
  PairBook book = clean(100);
  const std::size_t at = find(book, Mark::kPushed, 40);
  const std::uint8_t side = book.records[at].side;
  book.records.erase(book.records.begin() + static_cast<std::ptrdiff_t>(at));
  // Without the push there is no number to acknowledge: the later ones count one less.
  std::uint32_t pushes = 0;
  for (std::size_t i = 0; i < book.records.size(); ++i) {
    Record& r = book.records[i];
    if (r.side != side) continue;
    if (r.mark == Mark::kPushed) ++pushes;
    if (r.mark == Mark::kAcked) r.number = pushes;
  }
  const Ledger ledger = judge(book);
  EXPECT_GE(ledger.lost, 1U);
}

TEST(Book, AMessageThatIsPushedTwiceUnderTwoNumbersIsShownTwice) {
  PairBook book = clean(100);
  const std::size_t at = find(book, Mark::kPushed, 40);
  book.records.insert(book.records.begin() + static_cast<std::ptrdiff_t>(at), book.records[at]);
  const Ledger ledger = judge(book);
  EXPECT_EQ(ledger.shown_twice, 1U);
}

TEST(Book, TwoMessagesThatArriveSwappedAreOutOfOrder) {
  PairBook book = clean(100);
  const std::size_t a = find(book, Mark::kPushed, 40);
  std::size_t b = a + 1;
  while (book.records[b].mark != Mark::kPushed || book.records[b].side != book.records[a].side) ++b;
  std::swap(book.records[a].number, book.records[b].number);
  std::swap(book.records[a].seq, book.records[b].seq);
  const Ledger ledger = judge(book);
  EXPECT_GE(ledger.out_of_order, 1U);
}

/// RELAYED, and sent again while the next one was stored: an app names the predecessor and would
/// hold the next one back; who names none is promised no order.
TEST(Book, AMessageThatWasSentAgainMayStandBehindALaterOne) {
  for (const bool again : {false, true}) {
    PairBook book;
    book.people[0] = Uid{10};
    book.people[1] = Uid{11};
    std::uint32_t at = 0;
    const auto add = [&](std::uint8_t side, Mark mark, std::uint32_t number, std::uint32_t seq) {
      book.records.push_back(
          {.at = ++at, .seq = seq, .number = number, .mark = mark, .side = side});
    };
    add(0, Mark::kSent, 1, 0);
    add(0, Mark::kSent, 2, 0);
    add(0, Mark::kStored, 2, 1);
    if (again) add(0, Mark::kSentAgain, 1, 0);
    add(0, Mark::kStored, 1, 2);
    add(1, Mark::kPushed, 2, 1);
    add(1, Mark::kPushed, 1, 2);
    add(1, Mark::kAcked, 2, 0);
    add(0, Mark::kReceipt, 0, 2);
    const Ledger ledger = judge(book);
    EXPECT_EQ(ledger.out_of_order, again ? 0U : 1U);
    EXPECT_EQ(ledger.found(), again ? 0U : 1U);
  }
}

TEST(Book, AnAnswerWithASeqThatTheReceiverSawTakenByAnotherIsFound) {
  PairBook book = clean(100);
  book.records[find(book, Mark::kStored, 40)].seq = 41;
  EXPECT_GE(judge(book).found(), 1U);
}

TEST(Book, ChangedContentIsFound) {
  PairBook book = clean(100);
  book.records[find(book, Mark::kPushed, 40)].extra = kWrongContent;
  EXPECT_GE(judge(book).dishonest, 1U);
}

TEST(Book, AReceiptBeforeTheMessageArrivedIsDishonest) {
  PairBook book = clean(100);
  book.records[find(book, Mark::kReceipt, 40)].seq = 44;
  EXPECT_GE(judge(book).dishonest, 1U);
}

TEST(Book, AMessageWithoutAnyAnswerIsFound) {
  PairBook book = clean(100);
  const std::size_t at = find(book, Mark::kStored, 100);
  book.records.resize(at);
  EXPECT_GE(judge(book).found(), 1U);
}

TEST(Book, ARefusedMessageIsNoFault) {
  PairBook book = clean(10);
  book.records.push_back({.at = 1'000, .seq = 0, .number = 500, .mark = Mark::kSent, .side = 0});
  book.records.push_back({.at = 1'001,
                          .seq = 0,
                          .number = 500,
                          .mark = Mark::kRefused,
                          .side = 0,
                          .extra = static_cast<std::uint16_t>(Errc::kOverloaded)});
  EXPECT_EQ(judge(book).found(), 0U);
}

/// The load tester does not ask again: an answer that leaves the outcome open (a deadline that was
/// over, on a machine that is late) is no promise that nothing was stored; another refusal is.
TEST(Book, ARefusalThatLeavesTheOutcomeOpenMayBeInTheLog) {
  const auto refused = [](Errc code) {
    PairBook book = clean(10);
    Record& answer = book.records[find(book, Mark::kStored, 7)];
    // The sender meets it in the log when it pulls, at the end.
    Record met = answer;
    met.mark = Mark::kPulledOwn;
    met.at = book.records.back().at + 1;
    answer.mark = Mark::kRefused;
    answer.seq = 0;
    answer.extra = static_cast<std::uint16_t>(code);
    book.records.push_back(met);
    return judge(book);
  };
  const Ledger open = refused(Errc::kDeadlineExceeded);
  EXPECT_EQ(open.found(), 0U) << (open.violations.empty() ? "" : open.violations.front());
  EXPECT_EQ(refused(Errc::kOverloaded).dishonest, 1U);
}

TEST(Book, IdsLookRandomAndCanBeMadeAgain) {
  const ClientMsgId a = message_id(kRun, Uid{7}, 1, 1'700'000'000'000);
  EXPECT_EQ(a, message_id(kRun, Uid{7}, 1, 1'700'000'000'000));
  EXPECT_EQ(a.to_hex().substr(0, 13), "018bcfe568007") << "time, then version 7";
  EXPECT_EQ(a.bytes[8] >> 6, 2) << "variant 10";
  EXPECT_TRUE(is_message_id(as_text(a.bytes), kRun, Uid{7}, 1));
  EXPECT_FALSE(is_message_id(as_text(a.bytes), kRun, Uid{7}, 2));
  EXPECT_FALSE(is_message_id(as_text(a.bytes), kRun, Uid{8}, 1));
  EXPECT_FALSE(is_message_id(as_text(a.bytes), kRun + 1, Uid{7}, 1));
  EXPECT_FALSE(is_message_id("", kRun, Uid{7}, 1));
}

}  // namespace
}  // namespace hy::bench
