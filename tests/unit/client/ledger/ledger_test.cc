#include "client/ledger/ledger.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace hy::client {
namespace {

constexpr std::uint64_t kAlice = 1;
constexpr std::uint64_t kBob = 2;
const ConversationId kPair = ConversationId::pair(Uid{1}, Uid{2});

ClientMsgId id_of(std::uint64_t n) {
  ClientMsgId id;
  put_be(id.bytes.data(), n);
  return id;
}

/// Alice writes seqs 1 … 10, Bob sees what `show` says.
Ledger with(const std::vector<std::uint64_t>& show) {
  Ledger ledger;
  ledger.expect(kBob, kPair);
  ledger.expect(kAlice, kPair);
  for (std::uint64_t n = 1; n <= 10; ++n) {
    ledger.sent();
    ledger.stored(kAlice, kPair, Seq{n}, id_of(n));
  }
  for (const std::uint64_t n : show) ledger.shown(kBob, kPair, Seq{n}, id_of(n));
  return ledger;
}

TEST(Ledger, AHealthyRunIsClean) {
  const auto c = with({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}).counts(true);
  EXPECT_TRUE(c.is_clean());
  EXPECT_EQ(c.sent, 10u);
  EXPECT_EQ(c.stored, 10u);
  EXPECT_EQ(c.delivered, 10u) << "the writer is not an expected receiver of its own messages";
  EXPECT_EQ(c.in_flight, 0u);
}

TEST(Ledger, ALostMessageIsInFlightAndThenLost) {
  const Ledger ledger = with({1, 2, 3, 5, 6, 7, 8, 9, 10});
  EXPECT_EQ(ledger.counts(false).in_flight, 1u);
  EXPECT_EQ(ledger.counts(false).lost, 0u);
  EXPECT_EQ(ledger.counts(true).lost, 1u);
  ASSERT_EQ(ledger.faults(true, 10).size(), 1u);
  EXPECT_NE(ledger.faults(true, 10)[0].find("seq 4"), std::string::npos);
}

TEST(Ledger, ADoubledMessageIsFound) {
  const auto c = with({1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10}).counts(true);
  EXPECT_EQ(c.shown_twice, 1u);
  EXPECT_EQ(c.lost, 0u);
}

TEST(Ledger, OneIdUnderTwoSeqsIsShownTwice) {
  Ledger ledger = with({1, 2});
  ledger.shown(kBob, kPair, Seq{3}, id_of(2));
  EXPECT_EQ(ledger.counts(false).shown_twice, 1u);
}

TEST(Ledger, SwappedMessagesAreFound) {
  const auto c = with({1, 3, 2, 4, 5, 6, 7, 8, 9, 10}).counts(true);
  EXPECT_EQ(c.out_of_order, 1u);
  EXPECT_EQ(c.lost + c.shown_twice, 0u);
}

TEST(Ledger, TheSameTextThriceIsThreeMessages) {
  // Three ids, three seqs: the ledger never looks at text.
  EXPECT_TRUE(with({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}).counts(true).is_clean());
}

TEST(Ledger, AProvisionalMessageMovesOnce) {
  Ledger ledger;
  ledger.expect(kBob, kPair);
  ledger.sent();
  ledger.relayed(id_of(1));
  ledger.shown(kBob, kPair, Seq{0}, id_of(1));
  EXPECT_EQ(ledger.counts(false).relayed, 1u);
  ledger.stored(kAlice, kPair, Seq{1}, id_of(1));
  ledger.shown(kBob, kPair, Seq{1}, id_of(1), true);
  const auto c = ledger.counts(true);
  EXPECT_TRUE(c.is_clean());
  EXPECT_EQ(c.relayed, 0u);
  EXPECT_EQ(c.delivered, 1u);
  ledger.shown(kBob, kPair, Seq{0}, id_of(1));
  EXPECT_EQ(ledger.counts(false).shown_twice, 1u);
}

TEST(Ledger, TheLine) {
  LedgerCounts c;
  c.sent = c.stored = 1204;
  c.delivered = 1199;
  c.in_flight = 5;
  EXPECT_EQ(ledger_line(c),
            " sent 1204   stored 1204   delivered 1199   in flight 5   relayed 0      LOST 0   "
            "SHOWN TWICE 0   OUT OF ORDER 0");
  EXPECT_EQ(ledger_text({.sent = 1, .stored = 1, .delivered = 1}),
            "ledger  sent 1  stored 1  delivered 1  in flight 0  relayed 0  LOST 0  SHOWN TWICE 0  "
            "OUT OF ORDER 0");
}

TEST(SeqSet, EqualsAPlainSet) {
  SeededRandom random(7);
  SeqSet set;
  std::map<std::uint64_t, bool> plain;
  for (int i = 0; i < 5'000; ++i) {
    const std::uint64_t seq = 1 + random.below(700);
    EXPECT_EQ(set.insert(seq), plain.emplace(seq, true).second);
  }
  for (std::uint64_t seq = 0; seq <= 702; ++seq) EXPECT_EQ(set.contains(seq), plain.contains(seq));
  EXPECT_EQ(set.count(), plain.size());
}

}  // namespace
}  // namespace hy::client
