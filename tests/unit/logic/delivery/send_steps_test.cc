#include "logic/delivery/send_steps.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

PairFacts blocked(std::uint64_t version = 2) {
  PairFacts facts = friendly(version);
  facts.b_blocks_a = true;
  return facts;
}

/// Bob blocks Alice, who sends a message: perhaps not for the first time, its answer was lost.
struct RefusedSendTest : ::testing::Test {
  std::uint64_t send(std::string_view body = "hello") {
    pb::SendRequest in;
    in.set_client_msg_id(message_id(9).to_bytes());
    in.set_to_uid(kBob.value());
    in.set_kind(1);
    in.set_body(std::string(body));
    const std::uint64_t id = bench.ask_as(kAlice, pb::SEND, in.SerializeAsString());
    take(bench.relations.opens).answer(blocked());
    return id;
  }
  void found(Seq seq) {
    take(bench.log.finds).answer({.message = {.seq = seq, .server_ms = 55}, .peer_read = Seq{}});
  }
  void pulled(Seq seq, const Bytes& body) {
    take(bench.log.pulls)
        .answer({.messages = {{.seq = seq, .kind = 1, .body = body, .server_ms = 55}}});
  }
  LogicBench bench;
};

TEST_F(RefusedSendTest, WhatWasStoredBeforeTheBlockIsSaidToBeStored) {
  const std::uint64_t id = send();
  EXPECT_EQ(bench.answer_to(id), nullptr) << "the log is asked first";
  EXPECT_EQ(bench.log.finds.front().query.client_msg_id, message_id(9));
  EXPECT_EQ(bench.log.finds.front().query.sender, kAlice);
  EXPECT_EQ(bench.log.finds.front().query.conversation, kPair);
  found(Seq{4});
  EXPECT_EQ(bench.log.pulls.front().query.from, 4U);
  EXPECT_EQ(bench.log.pulls.front().query.to, 4U);
  pulled(Seq{4}, "hello");
  const auto answer = bench.body_of<pb::SendAnswer>(id);
  EXPECT_EQ(answer.ack(), pb::STORED);
  EXPECT_EQ(answer.seq(), 4U);
  EXPECT_EQ(answer.server_ms(), 55);
  EXPECT_TRUE(answer.repeat());
  EXPECT_TRUE(bench.log.appends.empty());
  EXPECT_TRUE(bench.router.sent.empty()) << "who blocks is not pushed to";
}

TEST_F(RefusedSendTest, WhatTheLogDoesNotHoldIsRefused) {
  for (const Errc none : {Errc::kMessageNotFound, Errc::kNotMember}) {
    const std::uint64_t id = send();
    take(bench.log.finds).fail_with(none);
    EXPECT_EQ(bench.code_of(id), Errc::kBlocked);
  }
}

TEST_F(RefusedSendTest, TheSameIdWithOtherContentIsAConflict) {
  const std::uint64_t id = send("other words");
  found(Seq{4});
  pulled(Seq{4}, "hello");
  EXPECT_EQ(bench.code_of(id), Errc::kConflict);
}

TEST_F(RefusedSendTest, ALogThatCannotBeAskedMeansLater) {
  for (const Errc why : {Errc::kStoreDown, Errc::kDeadlineExceeded}) {
    const Errc said = why == Errc::kStoreDown ? why : Errc::kUnavailable;
    const std::uint64_t at_find = send();
    take(bench.log.finds).fail_with(why);
    EXPECT_EQ(bench.code_of(at_find), said);
    EXPECT_GT(bench.refusal_of(at_find).error.retry_after, Millis{0});
    const std::uint64_t at_pull = send();
    found(Seq{4});
    take(bench.log.pulls).fail_with(why);
    EXPECT_EQ(bench.code_of(at_pull), said);
    EXPECT_GT(bench.refusal_of(at_pull).error.retry_after, Millis{0});
  }
}

TEST_F(RefusedSendTest, ABlockDuringTheAppendIsRefusedOnceTheLogWasAsked) {
  bench.facts.put(kPair, friendly(), bench.clock.now());
  pb::SendRequest in;
  in.set_client_msg_id(message_id(9).to_bytes());
  in.set_to_uid(kBob.value());
  in.set_kind(1);
  const std::uint64_t id = bench.ask_as(kAlice, pb::SEND, in.SerializeAsString());
  take(bench.log.appends).fail_with(Errc::kMembersChanged);
  take(bench.relations.opens).answer(blocked());
  take(bench.log.finds).fail_with(Errc::kMessageNotFound);
  EXPECT_EQ(bench.code_of(id), Errc::kBlocked);
}

TEST_F(RefusedSendTest, WhoIsRefusedHoldsNobodyUpMeanwhile) {
  send();
  const std::uint64_t ping = bench.ask_as(kAlice, pb::PING, {});
  take(bench.log.counters).answer({3});
  EXPECT_EQ(bench.code_of(ping), Errc::kOk);
}

}  // namespace
}  // namespace hy::logic::test
