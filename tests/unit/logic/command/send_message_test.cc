#include "logic/command/send_message.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "logic/delivery/send_pipeline.h"
#include "logic/domain/payload_hash.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

pb::SendRequest hello_to(Uid to, std::uint8_t id = 9, std::string body = "hello") {
  pb::SendRequest in;
  in.set_client_msg_id(message_id(id).to_bytes());
  in.set_to_uid(to.value());
  in.set_kind(1);
  in.set_body(std::move(body));
  return in;
}

struct SendTest : ::testing::Test {
  static constexpr ConnId kBobsConn{78};
  std::uint64_t send(const pb::SendRequest& in, Uid from = kAlice) {
    return bench.ask_as(from, pb::SEND, in.SerializeAsString());
  }
  /// The pair's facts are known: sends go straight to the log.
  void know_pair() { bench.facts.put(kPair, friendly(), bench.clock.now()); }
  LogicBench bench;
};

TEST_F(SendTest, StoredIsSaidOnlyAfterDasAnswered) {
  const std::uint64_t id = send(hello_to(kBob));
  // Unknown pair: the rows come first, the append second.
  ASSERT_EQ(bench.relations.opens.size(), 1U);
  EXPECT_TRUE(bench.log.appends.empty());
  take(bench.relations.opens).answer(friendly(5));
  ASSERT_EQ(bench.log.appends.size(), 1U);
  // Nothing is said or pushed while das is at it.
  EXPECT_EQ(bench.answer_to(id), nullptr);
  EXPECT_TRUE(bench.router.sent.empty());
  auto append = take(bench.log.appends);
  EXPECT_EQ(append.query->member_version, 5U);
  EXPECT_EQ(append.query->payload_hash, payload_hash(1, "hello"));
  append.answer({.seq = Seq{3}, .server_ms = 1234});
  const auto answer = bench.body_of<pb::SendAnswer>(id);
  EXPECT_EQ(answer.ack(), pb::STORED);
  EXPECT_EQ(answer.seq(), 3U);
  EXPECT_EQ(answer.server_ms(), 1234);
  EXPECT_EQ(answer.conversation(), kPair.to_bytes());
}

TEST_F(SendTest, AckIsGivenBeforeThePushGoesOut) {
  know_pair();
  struct Order final : ReplyPort {
    explicit Order(FakeRouter& r) : router(r) {}
    void reply(const RequestContext&, Answer) override { pushes_at_reply = router.sent.size(); }
    void leave(const RequestContext&) override {}
    FakeRouter& router;
    std::size_t pushes_at_reply = 99;
  } order{bench.router};
  RequestContext context;
  context.session = bench.session_of(kAlice);
  context.deadline = bench.clock.now() + Millis{3'000};
  bench.send_message.run(std::make_unique<Request>(context, order, bench.metrics),
                         hello_to(kBob).SerializeAsString());
  take(bench.log.appends).answer({.seq = Seq{1}});
  EXPECT_EQ(order.pushes_at_reply, 0U);
  EXPECT_EQ(bench.router.sent.size(), 1U);
}

TEST_F(SendTest, PushGoesToTheReceiverAndTheSendersOtherDevices) {
  know_pair();
  send(hello_to(kBob));
  take(bench.log.appends).answer({.seq = Seq{4}, .server_ms = 99});
  ASSERT_EQ(bench.router.sent.size(), 1U);
  const FakeRouter::Sent& sent = bench.router.sent[0];
  ASSERT_EQ(sent.targets.size(), 2U);
  EXPECT_EQ(sent.targets[0].uid, kBob);
  EXPECT_EQ(sent.targets[0].slots, 0U);
  EXPECT_EQ(sent.targets[1].uid, kAlice);
  const auto own = 1U << static_cast<unsigned>(Slot::kDesktop);
  EXPECT_EQ(sent.targets[1].slots & own, 0U);
  EXPECT_EQ(sent.targets[1].slots, 0b111110U & ~own);
  EXPECT_TRUE(sent.delivery.numbered);
  EXPECT_FALSE(sent.delivery.until_ack);
  pb::Push push;
  ASSERT_TRUE(push.ParseFromString(sent.delivery.body));
  EXPECT_EQ(push.seq(), 4U);
  EXPECT_EQ(push.sender(), kAlice.value());
  EXPECT_EQ(push.body(), "hello");
  EXPECT_EQ(push.client_msg_id(), message_id(9).to_bytes());
  EXPECT_FALSE(push.provisional());
}

TEST_F(SendTest, RepeatGetsTheFirstAnswerAndIsPushedAgain) {
  know_pair();
  const std::uint64_t id = send(hello_to(kBob));
  take(bench.log.appends).answer({.seq = Seq{4}, .server_ms = 99, .repeat = true});
  const auto answer = bench.body_of<pb::SendAnswer>(id);
  EXPECT_TRUE(answer.repeat());
  EXPECT_EQ(answer.ack(), pb::STORED);
  EXPECT_EQ(bench.router.sent.size(), 1U);
  EXPECT_EQ(bench.metric("hy_msg_repeats_total"), 1);
}

TEST_F(SendTest, UnknownOutcomeIsNeverAnswered) {
  for (const Errc code :
       {Errc::kOutcomeUnknown, Errc::kUnavailable, Errc::kDeadlineExceeded, Errc::kInternal}) {
    know_pair();
    const std::uint64_t id = send(hello_to(kBob));
    take(bench.log.appends).fail_with(code);
    EXPECT_EQ(bench.answer_to(id), nullptr) << static_cast<int>(code);
    EXPECT_TRUE(bench.router.sent.empty());
  }
  EXPECT_EQ(bench.replies.left, 4);
  EXPECT_EQ(bench.metric("hy_msg_acked_total", {{"ack", "unknown"}}), 4);
}

TEST_F(SendTest, RefusalsOfTheLogArePassedOn) {
  for (const Errc code : {Errc::kConflict, Errc::kGap, Errc::kNotMember, Errc::kOverloaded}) {
    know_pair();
    const std::uint64_t id = send(hello_to(kBob));
    take(bench.log.appends).fail_with(code);
    EXPECT_EQ(bench.code_of(id), code);
  }
  EXPECT_TRUE(bench.router.sent.empty());
  EXPECT_EQ(bench.metric("hy_msg_conflicts_total"), 1);
}

TEST_F(SendTest, BadDraftsAreRefusedWithoutAskingAnyone) {
  struct Case {
    std::string what;
    pb::SendRequest in;
    Errc code;
  };
  std::vector<Case> cases;
  cases.push_back({"self", hello_to(kAlice), Errc::kSelfSend});
  cases.push_back({"nobody", hello_to(Uid{0}), Errc::kUnknownUser});
  cases.push_back({"beyond 2^63", hello_to(Uid{1ULL << 63}), Errc::kUnknownUser});
  pb::SendRequest bad = hello_to(kBob);
  bad.set_client_msg_id("short");
  cases.push_back({"short id", bad, Errc::kMalformedBody});
  bad = hello_to(kBob);
  bad.set_after_client_msg_id(std::string(15, 'a'));
  cases.push_back({"short predecessor", bad, Errc::kMalformedBody});
  for (const std::uint32_t kind : {0U, 3U, 15U}) {
    bad = hello_to(kBob);
    bad.set_kind(kind);
    cases.push_back({"kind " + std::to_string(kind), bad, Errc::kMalformedBody});
  }
  cases.push_back(
      {"over 16 KiB", hello_to(kBob, 1, std::string(16'385, 'x')), Errc::kBodyTooLarge});
  cases.push_back({"far over", hello_to(kBob, 1, std::string(40'000, 'x')), Errc::kBodyTooLarge});
  for (const Case& c : cases) {
    EXPECT_EQ(bench.code_of(send(c.in)), c.code) << c.what;
  }
  EXPECT_EQ(bench.code_of(bench.ask_as(kAlice, pb::SEND, "\xff\xff")), Errc::kMalformedBody);
  EXPECT_TRUE(bench.relations.opens.empty());
  EXPECT_TRUE(bench.log.appends.empty());
}

TEST_F(SendTest, EmptyBinaryAndLargestBodiesPassUnchanged) {
  know_pair();
  const std::string binary("\x00\xff\xfe\x80", 4);
  for (const std::string& body : {std::string{}, binary, std::string(16'384, '\xee')}) {
    send(hello_to(kBob, 1, body));
    auto append = take(bench.log.appends);
    EXPECT_EQ(append.query->body, body);
    append.answer({.seq = Seq{1}});
    pb::Push push;
    ASSERT_TRUE(push.ParseFromString(bench.router.sent.back().delivery.body));
    EXPECT_EQ(push.body(), body);
  }
}

TEST_F(SendTest, PredecessorIsPassedToTheLog) {
  know_pair();
  pb::SendRequest in = hello_to(kBob);
  in.set_after_client_msg_id(message_id(8).to_bytes());
  send(in);
  EXPECT_EQ(bench.log.appends.front().query->after, message_id(8));
}

TEST_F(SendTest, UnknownReceiverAndBlockAreRefused) {
  std::uint64_t id = send(hello_to(kBob));
  PairFacts facts = friendly();
  facts.b_exists = false;
  take(bench.relations.opens).answer(facts);
  take(bench.log.finds).fail_with(Errc::kNotMember);
  EXPECT_EQ(bench.code_of(id), Errc::kUnknownUser);

  bench.facts.forget(kPair);
  facts = friendly(2);
  facts.b_blocks_a = true;
  id = send(hello_to(kBob));
  take(bench.relations.opens).answer(facts);
  take(bench.log.finds).fail_with(Errc::kMessageNotFound);
  EXPECT_EQ(bench.code_of(id), Errc::kBlocked);
  EXPECT_TRUE(bench.log.appends.empty());

  // Whoever blocks may still write.
  id = send(hello_to(kAlice), kBob);
  ASSERT_EQ(bench.log.appends.size(), 1U);
}

TEST_F(SendTest, AKnownRefusalIsCheckedAgainBeforeItIsSaid) {
  PairFacts facts = friendly();
  facts.b_blocks_a = true;
  bench.facts.put(kPair, facts, bench.clock.now());
  const std::uint64_t id = send(hello_to(kBob));
  take(bench.relations.opens).answer(friendly(2));  // unblocked meanwhile
  take(bench.log.appends).answer({.seq = Seq{1}});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
}

TEST_F(SendTest, ChangedMembersAreJudgedAgainOnce) {
  know_pair();
  std::uint64_t id = send(hello_to(kBob));
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  take(bench.relations.opens).answer(friendly(2));
  auto again = take(bench.log.appends);
  EXPECT_EQ(again.query->member_version, 2U);
  EXPECT_EQ(again.query->body, "hello");
  again.answer({.seq = Seq{1}});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);

  id = send(hello_to(kBob));
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  PairFacts blocked = friendly(3);
  blocked.b_blocks_a = true;
  take(bench.relations.opens).answer(blocked);
  take(bench.log.finds).fail_with(Errc::kMessageNotFound);
  EXPECT_EQ(bench.code_of(id), Errc::kBlocked);
}

TEST_F(SendTest, MembersThatChangeForEverEndInARefusalWithAWait) {
  know_pair();
  const std::uint64_t id = send(hello_to(kBob));
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  take(bench.relations.opens).answer(friendly(2));
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  take(bench.relations.opens).answer(friendly(3));
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  EXPECT_TRUE(bench.relations.opens.empty());
  EXPECT_EQ(bench.code_of(id), Errc::kMembersChanged);
  EXPECT_GT(bench.refusal_of(id).error.retry_after.count(), 0);
}

TEST_F(SendTest, AppendsOfOneSessionAreIssuedInOrder) {
  send(hello_to(kBob, 1));
  send(hello_to(kBob, 2));
  send(hello_to(kBob, 3));
  // The first waits for the pair; nobody overtakes it.
  ASSERT_EQ(bench.relations.opens.size(), 1U);
  EXPECT_TRUE(bench.log.appends.empty());
  take(bench.relations.opens).answer(friendly());
  ASSERT_EQ(bench.log.appends.size(), 3U);
  for (std::uint8_t n = 1; n <= 3; ++n) {
    EXPECT_EQ(take(bench.log.appends).query->client_msg_id, message_id(n));
  }
}

TEST_F(SendTest, TooManyInLineAreRefused) {
  std::vector<std::uint64_t> ids;
  for (std::uint8_t n = 1; n <= 6; ++n) ids.push_back(send(hello_to(kBob, n)));
  EXPECT_EQ(bench.code_of(ids[4]), Errc::kOutcomeUnknown);  // the fifth still waits
  EXPECT_EQ(bench.code_of(ids[5]), Errc::kTooManyInFlight);
  EXPECT_GT(bench.refusal_of(ids[5]).error.retry_after.count(), 0);
}

TEST_F(SendTest, SendersOfAPairThatIsNotKnownYetShareOneQuestion) {
  const std::uint64_t from_alice = send(hello_to(kBob, 1));
  bench.conn = kBobsConn;
  const std::uint64_t from_bob = send(hello_to(kAlice, 2), kBob);
  ASSERT_EQ(bench.relations.opens.size(), 1U);
  take(bench.relations.opens).answer(friendly(4));
  ASSERT_EQ(bench.log.appends.size(), 2U);
  for (const std::uint8_t n : {std::uint8_t{1}, std::uint8_t{2}}) {
    auto append = take(bench.log.appends);
    EXPECT_EQ(append.query->client_msg_id, message_id(n));
    EXPECT_EQ(append.query->member_version, 4U);
    append.answer({.seq = Seq{n}});
  }
  EXPECT_EQ(bench.code_of(from_alice), Errc::kOk);
  EXPECT_EQ(bench.code_of(from_bob), Errc::kOk);
}

TEST_F(SendTest, AQuestionThatFailsRefusesAllWhoWaitAndTheNextAsksAgain) {
  const std::uint64_t from_alice = send(hello_to(kBob, 1));
  bench.conn = kBobsConn;
  const std::uint64_t from_bob = send(hello_to(kAlice, 2), kBob);
  take(bench.relations.opens).fail_with(Errc::kDeadlineExceeded);
  EXPECT_EQ(bench.code_of(from_alice), Errc::kUnavailable);
  EXPECT_EQ(bench.code_of(from_bob), Errc::kUnavailable);
  send(hello_to(kBob, 3));
  EXPECT_EQ(bench.relations.opens.size(), 1U);
}

TEST_F(SendTest, WhoWasToldThatTheMembersChangedDoesNotTakeAnOlderAnswer) {
  know_pair();
  send(hello_to(kBob, 1));
  bench.facts.forget(kPair);
  bench.conn = kBobsConn;
  send(hello_to(kAlice, 2), kBob);  // asks
  ASSERT_EQ(bench.relations.opens.size(), 1U);
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  ASSERT_EQ(bench.relations.opens.size(), 2U) << "the first question may have been answered before";
}

TEST_F(SendTest, PairThatCannotBeOpenedIsARefusal) {
  const std::uint64_t id = send(hello_to(kBob));
  take(bench.relations.opens).fail_with(Errc::kDeadlineExceeded);
  EXPECT_EQ(bench.code_of(id), Errc::kUnavailable);
  EXPECT_TRUE(bench.log.appends.empty());
}

TEST_F(SendTest, AStoreThatHasTooMuchToDoIsSaidAsOverload) {
  const std::uint64_t id = send(hello_to(kBob));
  take(bench.relations.opens).fail_with(Errc::kOverloaded);
  EXPECT_EQ(bench.code_of(id), Errc::kOverloaded);
  EXPECT_GT(bench.refusal_of(id).error.retry_after.count(), 0);
}

TEST_F(SendTest, RateIsTypedWithAWait) {
  LogicBench slow{{.send = {1, 2}}};
  const auto body = hello_to(kBob).SerializeAsString();
  slow.ask_as(kAlice, pb::SEND, body);
  slow.ask_as(kAlice, pb::SEND, body);
  const std::uint64_t third = slow.ask_as(kAlice, pb::SEND, body);
  EXPECT_EQ(slow.code_of(third), Errc::kRateLimited);
  EXPECT_EQ(slow.refusal_of(third).error.retry_after, Millis{1'000});
  EXPECT_EQ(slow.refusal_of(third).scope, Scope::kUser);
  slow.clock.advance(Millis{1'000});
  EXPECT_NE(slow.code_of(slow.ask_as(kAlice, pb::SEND, body)), Errc::kRateLimited);
}

TEST_F(SendTest, TraceHoldsTheRungs) {
  know_pair();
  send(hello_to(kBob));
  bench.clock.advance(Millis{2});
  take(bench.log.appends)
      .answer({.seq = Seq{4}, .lane_wait_us = 220, .commit_us = 1080, .batch = 7});
  bench.deliverer.on_results(bench.router.sent[0].replica, bench.router.sent[0].id,
                             std::vector<TargetResult>{{kBob, 3, DeliverResult::kWritten}});
  bench.receipts.confirmed({.by = kBob,
                            .by_slot = Slot::kDesktop,
                            .conversation = kPair,
                            .seq = Seq{4},
                            .sender = kAlice});
  bench.turn();
  const auto row = bench.trace.find(message_id(9));
  ASSERT_TRUE(row);
  for (const Rung rung :
       {Rung::kReceived, Rung::kRulesDone, Rung::kAppendSent, Rung::kStored, Rung::kAcked,
        Rung::kPushSent, Rung::kPushResult, Rung::kConfirmed, Rung::kReceiptSent}) {
    EXPECT_NE(row->at[static_cast<std::size_t>(rung)], MonoTime{}) << rung_name(rung);
  }
  EXPECT_EQ(row->batch, 7U);
  EXPECT_EQ(bench.trace.find(kPair, Seq{4})->client_msg_id, message_id(9));
}

}  // namespace
}  // namespace hy::logic::test
