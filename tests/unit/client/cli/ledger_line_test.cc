#include "client/cli/ledger_line.h"

#include <gtest/gtest.h>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

class LedgerTest : public testing::Test {
 protected:
  static ClientMsgId id(std::uint8_t n) {
    ClientMsgId out;
    out.bytes = {n};
    return out;
  }
  static Message message(std::uint8_t n, std::uint64_t seq) {
    Message m{};
    m.client_msg_id = id(n);
    m.conversation = ConversationId::pair(Uid{1}, Uid{2});
    m.seq = Seq{seq};
    m.provisional = seq == 0;
    return m;
  }
  void stored(std::uint8_t n, int at_s = 1) {
    ledger.step(id(n), Step::kStored, Ledger::Time(std::chrono::seconds(at_s)));
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
  ledger.shown("bob", message(1, 1));
  EXPECT_EQ(ledger_text(ledger.counts()),
            "ledger  sent 1  stored 1  delivered 1  in flight 0  relayed 0  LOST 0  SHOWN TWICE 0  "
            "OUT OF ORDER 0");
  EXPECT_TRUE(ledger.is_settled());
  ledger.step(id(1), Step::kDelivered, Ledger::Time::max());
  ledger.step(id(1), Step::kRead, Ledger::Time::max());
  EXPECT_EQ(ledger.counts().stored, 1u);
}

TEST_F(LedgerTest, APushMayArriveBeforeTheSendersAnswer) {
  ledger.sent(id(1));
  ledger.shown("bob", message(1, 1));
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
  ledger.step(id(1), Step::kRelayed, {});
  ledger.shown("bob", message(1, 0));
  EXPECT_EQ(ledger.counts().relayed, 1u);
  stored(1);
  EXPECT_EQ(ledger.counts().relayed, 0u);
  ledger.shown("bob", message(1, 1));
  EXPECT_TRUE(final_counts().is_clean());
  EXPECT_EQ(ledger.counts().delivered, 1u);
  ledger.shown("bob", message(1, 1));
  EXPECT_EQ(final_counts().shown_twice, 1u);
  EXPECT_FALSE(final_counts().is_clean());
}

TEST_F(LedgerTest, TwoProvisionalCopiesAreShownTwice) {
  ledger.sent(id(1));
  ledger.shown("bob", message(1, 0));
  ledger.shown("bob", message(1, 0));
  EXPECT_EQ(final_counts().shown_twice, 1u);
}

TEST_F(LedgerTest, BelowALargerSeqIsOutOfOrderPerReceiver) {
  for (std::uint8_t n = 1; n <= 3; ++n) {
    ledger.sent(id(n));
    stored(n);
  }
  ledger.shown("bob", message(2, 2));
  ledger.shown("alice", message(3, 1));
  EXPECT_EQ(final_counts().out_of_order, 0u);
  ledger.shown("bob", message(1, 1));
  EXPECT_EQ(final_counts().out_of_order, 1u);
}

TEST_F(LedgerTest, ARelayedMessageStaysRelayedWhileItIsSentAgain) {
  ledger.sent(id(1));
  ledger.step(id(1), Step::kRelayed, {});
  ledger.step(id(1), Step::kSent, {});
  EXPECT_EQ(ledger.counts().relayed, 1u);
  EXPECT_FALSE(ledger.is_settled());
}

TEST_F(LedgerTest, RefusedIsNeitherLostNorOpen) {
  ledger.sent(id(1));
  ledger.step(id(1), Step::kRefused, {});
  EXPECT_TRUE(ledger.is_settled());
  EXPECT_TRUE(final_counts().is_clean());
}

TEST_F(LedgerTest, FinishedMessagesAreForgottenBeyondTheLimitAndStillCounted) {
  Ledger small(2);
  for (std::uint8_t n = 1; n <= 5; ++n) {
    small.sent(id(n));
    small.step(id(n), Step::kStored, {});
    small.shown("bob", message(n, n));
  }
  EXPECT_EQ(small.counts().delivered, 5u);
  small.shown("bob", message(1, 1));
  EXPECT_EQ(small.counts(Ledger::Time::max()).out_of_order, 1u);
}

TEST_F(LedgerTest, TheLineFitsEightyColumns) {
  LedgerCounts c;
  c.sent = c.stored = c.delivered = 12'345;
  use_utf8();
  EXPECT_LE(display_width(ledger_on_screen(c, 80)), 80);
  EXPECT_NE(ledger_on_screen(c, 120).find("SHOWN TWICE 0"), std::string::npos);
}

}  // namespace
}  // namespace hy::cli
