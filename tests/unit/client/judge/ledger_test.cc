#include "client/judge/ledger.h"

#include <gtest/gtest.h>

#include "client/judge/seq_set.h"
#include "common/base/random.h"

namespace hy::judge {
namespace {

class LedgerTest : public testing::Test {
 protected:
  static ClientMsgId id(std::uint8_t n) {
    ClientMsgId out;
    out.bytes = {n};
    return out;
  }
  /// Bob, or whoever it is, displays message n at `seq`; 0: provisional.
  static void show(Ledger& ledger, const std::string& who, std::uint8_t n, std::uint64_t seq) {
    ledger.shown(who, ConversationId::pair(Uid{1}, Uid{2}), Seq{seq}, id(n));
  }
  void show(const std::string& who, std::uint8_t n, std::uint64_t seq) {
    show(ledger, who, n, seq);
  }
  void stored(std::uint8_t n, int at_s = 1) {
    ledger.step(id(n), Shown::kStored, Ledger::Time(std::chrono::seconds(at_s)));
  }
  LedgerCounts final_counts() const { return ledger.counts(Ledger::Time::max()); }
  Ledger ledger;
};

TEST_F(LedgerTest, CountsTheWayOfAMessage) {
  ledger.sent(id(1));
  EXPECT_EQ(ledger.counts().sent, 1u);
  EXPECT_FALSE(ledger.is_settled());
  stored(1);
  EXPECT_EQ(ledger.counts().in_flight(), 1u);
  show("bob", 1, 1);
  EXPECT_EQ(ledger.counts().delivered, 1u);
  EXPECT_EQ(ledger.counts().in_flight(), 0u);
  EXPECT_TRUE(ledger.is_settled());
  ledger.step(id(1), Shown::kDelivered, Ledger::Time::max());
  ledger.step(id(1), Shown::kRead, Ledger::Time::max());
  EXPECT_EQ(ledger.counts().stored, 1u);
}

TEST_F(LedgerTest, APushMayArriveBeforeTheSendersAnswer) {
  ledger.sent(id(1));
  show("bob", 1, 1);
  EXPECT_EQ(ledger.counts().delivered, 0u);
  stored(1);
  EXPECT_EQ(ledger.counts().delivered, 1u);
  EXPECT_TRUE(final_counts().is_clean());
}

TEST_F(LedgerTest, StoredAndNeverShownIsLost) {
  ledger.sent(id(1));
  stored(1, 5);
  EXPECT_EQ(ledger.counts().lost, 0u);
  EXPECT_EQ(ledger.counts(Ledger::Time(std::chrono::seconds(5))).lost, 0u);
  EXPECT_EQ(final_counts().lost, 1u);
  ASSERT_EQ(ledger.faults(10, Ledger::Time::max()).size(), 1u);
  EXPECT_TRUE(ledger.faults(10, Ledger::Time::max()).front().ends_with("lost"));
}

TEST_F(LedgerTest, ShownTwiceIsAFaultUnlessItSettles) {
  ledger.sent(id(1));
  ledger.step(id(1), Shown::kRelayed, {});
  show("bob", 1, 0);
  EXPECT_EQ(ledger.counts().relayed, 1u);
  stored(1);
  EXPECT_EQ(ledger.counts().relayed, 0u);
  show("bob", 1, 1);
  EXPECT_TRUE(final_counts().is_clean());
  EXPECT_EQ(ledger.counts().delivered, 1u);
  show("bob", 1, 1);
  EXPECT_EQ(final_counts().shown_twice, 1u);
  EXPECT_FALSE(final_counts().is_clean());
}

TEST_F(LedgerTest, TwoProvisionalCopiesAreShownTwice) {
  ledger.sent(id(1));
  show("bob", 1, 0);
  show("bob", 1, 0);
  EXPECT_EQ(final_counts().shown_twice, 1u);
}

TEST_F(LedgerTest, BelowALargerSeqIsOutOfOrderPerReceiver) {
  for (std::uint8_t n = 1; n <= 3; ++n) {
    ledger.sent(id(n));
    stored(n);
  }
  show("bob", 2, 2);
  show("alice", 3, 1);
  EXPECT_EQ(final_counts().out_of_order, 0u);
  show("bob", 1, 1);
  EXPECT_EQ(final_counts().out_of_order, 1u);
}

TEST_F(LedgerTest, ARelayedMessageStaysRelayedWhileItIsSentAgain) {
  ledger.sent(id(1));
  ledger.step(id(1), Shown::kRelayed, {});
  ledger.step(id(1), Shown::kOutbox, {});
  EXPECT_EQ(ledger.counts().relayed, 1u);
  EXPECT_FALSE(ledger.is_settled());
}

TEST_F(LedgerTest, RefusedIsNeitherLostNorOpen) {
  ledger.sent(id(1));
  ledger.step(id(1), Shown::kRefused, {});
  EXPECT_TRUE(ledger.is_settled());
  EXPECT_TRUE(final_counts().is_clean());
}

TEST_F(LedgerTest, FinishedMessagesAreForgottenBeyondTheLimitAndStillCounted) {
  Ledger small(2);
  for (std::uint8_t n = 1; n <= 5; ++n) {
    small.sent(id(n));
    small.step(id(n), Shown::kStored, {});
    show(small, "bob", n, n);
  }
  EXPECT_EQ(small.counts().delivered, 5u);
  show(small, "bob", 1, 1);
  EXPECT_EQ(small.counts(Ledger::Time::max()).out_of_order, 1u);
}

TEST_F(LedgerTest, TheSameTextThriceIsThreeMessages) {
  // Three ids, three seqs: the ledger never looks at text.
  for (std::uint8_t n = 1; n <= 3; ++n) {
    ledger.sent(id(n));
    stored(n);
    show("bob", n, n);
  }
  EXPECT_TRUE(final_counts().is_clean());
  EXPECT_EQ(final_counts().delivered, 3u);
}

TEST(SeqSet, EqualsAPlainSet) {
  SeededRandom random(7);
  for (int round = 0; round < 20; ++round) {
    SeqSet set;
    std::vector<bool> plain(705, false);
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t low = 1 + random.below(690);
      const std::uint64_t high = low + random.below(4) * random.below(4);
      set.insert(low, high);
      for (std::uint64_t seq = low; seq <= high; ++seq) plain[seq] = true;
    }
    std::size_t runs = 0;
    for (std::uint64_t seq = 1; seq < plain.size(); ++seq) {
      EXPECT_EQ(set.contains(seq), plain[seq]) << seq;
      if (plain[seq] && !plain[seq - 1]) ++runs;
    }
    EXPECT_EQ(set.runs(), runs);
    const auto hole = std::find(plain.begin() + 1, plain.end(), false) - plain.begin();
    EXPECT_EQ(set.first_missing(1, 704), static_cast<std::uint64_t>(hole));
    EXPECT_FALSE(set.first_missing(5, 4).has_value());
  }
}

}  // namespace
}  // namespace hy::judge
