#include "client/cli/ladder.h"

#include <gtest/gtest.h>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

using Kind = LadderEvent::Kind;

class LadderTest : public testing::Test {
 protected:
  void SetUp() override {
    use_utf8();
    book.name(Uid{2}, "bob");
    id.bytes = {0x9f, 0x2c, 0x01};
  }
  static LadderEvent event(Kind kind, std::int64_t at_us) {
    LadderEvent e{};
    e.kind = kind;
    e.at_us = at_us;
    return e;
  }
  LadderEvent message_event(Kind kind, std::int64_t at_us, std::uint64_t seq = 0) const {
    LadderEvent e = event(kind, at_us);
    e.client_msg_id = id;
    e.conversation = ConversationId::pair(Uid{1}, Uid{2});
    e.seq = Seq{seq};
    return e;
  }
  void six() {
    book.add("alice", message_event(Kind::kSend, 1'000'000));
    book.add("alice", message_event(Kind::kStored, 1'001'800, 1));
    LadderEvent push = message_event(Kind::kPush, 1'002'500, 1);
    push.push_number = 1;
    book.add("bob", push);
    LadderEvent ack = event(Kind::kPushAck, 1'002'900);
    ack.push_number = 1;
    book.add("bob", ack);
    ack.kind = Kind::kAckOk;
    ack.at_us = 1'003'400;
    book.add("bob", ack);
    LadderEvent receipt = event(Kind::kReceipt, 1'003'900);
    receipt.conversation = ConversationId::pair(Uid{1}, Uid{2});
    receipt.seq = Seq{1};
    receipt.by = Uid{2};
    book.add("alice", receipt);
  }
  std::string text() const {
    std::string out;
    for (const Rung& rung : book.find(id)->rungs()) out += rung_text(rung) + "\n";
    return out;
  }
  LadderBook book;
  ClientMsgId id;
};

TEST_F(LadderTest, SixPacketsAreDrawnAsTheDesignDrawsThem) {
  six();
  EXPECT_TRUE(book.find(id)->is_complete());
  EXPECT_EQ(text(),
            "R alice SEND      9f2c…           0.0 ms\n"
            "A alice STORED    seq 1           1.8 ms\n"
            "N bob   PUSH      n 1 seq 1       2.5 ms\n"
            "R bob   PUSH_ACK  n 1             2.9 ms\n"
            "A bob   ok                        3.4 ms\n"
            "N alice RECEIPT   delivered bob   3.9 ms\n");
}

TEST_F(LadderTest, AnAckBelowThePushNumberConfirmsNothing) {
  book.add("alice", message_event(Kind::kSend, 0));
  LadderEvent push = message_event(Kind::kPush, 5, 9);
  push.push_number = 7;
  book.add("bob", push);
  LadderEvent ack = event(Kind::kPushAck, 6);
  ack.push_number = 6;
  book.add("bob", ack);
  EXPECT_FALSE(book.find(id)->time_of(4));
  ack.push_number = 8;
  ack.at_us = 10;
  book.add("bob", ack);
  EXPECT_EQ(book.find(id)->time_of(4), 10);
}

TEST_F(LadderTest, AnAckFromBeforeAReconnectDoesNotCountForTheNewConnection) {
  book.add("alice", message_event(Kind::kSend, 0));
  LadderEvent push = message_event(Kind::kPush, 5, 1);
  push.push_number = 3;
  book.add("bob", push);
  book.add("bob", event(Kind::kSync, 6));
  LadderEvent ack = event(Kind::kPushAck, 7);
  ack.push_number = 5;
  book.add("bob", ack);
  EXPECT_FALSE(book.find(id)->time_of(4));
}

TEST_F(LadderTest, ResendRelayAndRepeatAreLinesBetween) {
  book.add("alice", message_event(Kind::kSend, 0));
  LadderEvent again = message_event(Kind::kSendAgain, 2'000);
  again.try_number = 2;
  book.add("alice", again);
  book.add("alice", message_event(Kind::kRelayed, 3'000));
  book.add("alice", message_event(Kind::kRepeat, 9'000, 4));
  EXPECT_TRUE(book.find(id)->was_relayed());
  EXPECT_EQ(text(),
            "R alice SEND      9f2c…           0.0 ms\n"
            "R alice SEND      2nd try         2.0 ms\n"
            "A alice RELAYED   not saved yet   3.0 ms\n"
            "A alice repeat    first answer    9.0 ms\n"
            "A alice STORED    seq 4           9.0 ms\n");
}

TEST_F(LadderTest, AReceiptOfAnotherConversationOrALowerSeqIsNotOurs) {
  six();
  ClientMsgId second;
  second.bytes = {1};
  LadderEvent send = message_event(Kind::kSend, 0);
  send.client_msg_id = second;
  book.add("alice", send);
  LadderEvent stored = message_event(Kind::kStored, 1, 2);
  stored.client_msg_id = second;
  book.add("alice", stored);
  LadderEvent receipt = event(Kind::kReceipt, 2);
  receipt.conversation = ConversationId::pair(Uid{1}, Uid{2});
  receipt.seq = Seq{1};
  receipt.by = Uid{2};
  book.add("alice", receipt);
  EXPECT_FALSE(book.find(second)->time_of(6));
  receipt.conversation = ConversationId::pair(Uid{1}, Uid{3});
  receipt.seq = Seq{2};
  book.add("alice", receipt);
  EXPECT_FALSE(book.find(second)->time_of(6));
}

TEST_F(LadderTest, OldLaddersAreForgotten) {
  LadderBook small(2);
  for (std::uint8_t i = 1; i <= 3; ++i) {
    LadderEvent e = event(Kind::kSend, i);
    e.client_msg_id.bytes = {i};
    small.add("alice", e);
  }
  ClientMsgId first;
  first.bytes = {1};
  EXPECT_EQ(small.find(first), nullptr);
  ASSERT_NE(small.latest(), nullptr);
  EXPECT_EQ(small.latest()->id().bytes[0], 3);
}

TEST_F(LadderTest, OnTheScreenAnArrowShowsTheDirection) {
  six();
  const auto rungs = book.find(id)->rungs();
  EXPECT_EQ(rung_on_screen(rungs[0]), "alice R▶ SEND      9f2c…           0.0 ms");
  EXPECT_EQ(rung_on_screen(rungs[1]), "alice ◀A STORED    seq 1           1.8 ms");
}

}  // namespace
}  // namespace hy::cli
