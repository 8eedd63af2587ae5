#include "logic/delivery/relay.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

/// The store is down; the pair was judged before.
struct RelayTest : ::testing::Test {
  RelayTest() { bench.facts.put(kPair, friendly(), bench.clock.now()); }
  std::uint64_t send(std::uint8_t n = 9) {
    pb::SendRequest in;
    in.set_client_msg_id(message_id(n).to_bytes());
    in.set_to_uid(kBob.value());
    in.set_kind(1);
    in.set_body("hello");
    const std::uint64_t id = bench.ask_as(kAlice, pb::SEND, in.SerializeAsString());
    if (!bench.log.appends.empty()) take(bench.log.appends).fail_with(Errc::kStoreDown);
    return id;
  }
  void result(Uid uid, DeliverResult r) {
    const FakeRouter::Sent& sent = bench.router.sent.back();
    bench.deliverer.on_results(sent.replica, sent.id, std::vector<TargetResult>{{uid, 3, r}});
  }
  LogicBench bench;
};

TEST_F(RelayTest, RelayedIsSaidOnlyWhenADeviceOfTheReceiverConfirmed) {
  const std::uint64_t id = send();
  ASSERT_EQ(bench.router.sent.size(), 1U);
  const Delivery& push = bench.router.sent[0].delivery;
  EXPECT_TRUE(push.until_ack);
  EXPECT_TRUE(push.numbered);
  EXPECT_EQ(push.client_msg_id, message_id(9));
  pb::Push body;
  ASSERT_TRUE(body.ParseFromString(push.body));
  EXPECT_TRUE(body.provisional());
  EXPECT_EQ(body.seq(), 0U);
  EXPECT_EQ(bench.answer_to(id), nullptr);
  result(kBob, DeliverResult::kWritten);
  EXPECT_EQ(bench.answer_to(id), nullptr) << "written to a socket is not reached a device";
  result(kBob, DeliverResult::kQueued);
  EXPECT_EQ(bench.answer_to(id), nullptr);
  result(kBob, DeliverResult::kAcked);
  const auto answer = bench.body_of<pb::SendAnswer>(id);
  EXPECT_EQ(answer.ack(), pb::RELAYED);
  EXPECT_EQ(answer.seq(), 0U);
  EXPECT_GT(answer.recheck_after_ms(), 0U);
  EXPECT_EQ(bench.metric("hy_msg_acked_total", {{"ack", "relayed"}}), 1);
}

TEST_F(RelayTest, OwnOtherDeviceDoesNotMakeItRelayed) {
  const std::uint64_t id = send();
  result(kAlice, DeliverResult::kAcked);
  EXPECT_EQ(bench.answer_to(id), nullptr);
}

TEST_F(RelayTest, NothingIsSaidWithoutAConfirmation) {
  const std::uint64_t id = send();
  result(kBob, DeliverResult::kGone);
  bench.clock.advance(Millis{3'100});
  bench.deliverer.tick();
  EXPECT_EQ(bench.answer_to(id), nullptr);
  EXPECT_EQ(bench.replies.left, 1);
}

TEST_F(RelayTest, NoRouterMeansNoAnswer) {
  bench.router.up = {false, false};
  const std::uint64_t id = send();
  EXPECT_EQ(bench.answer_to(id), nullptr);
  EXPECT_EQ(bench.replies.left, 1);
}

TEST_F(RelayTest, UnknownOrOldPairsAreNotRelayed) {
  bench.facts.forget(kPair);
  const std::uint64_t id = send();
  take(bench.relations.opens).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(id), Errc::kStoreDown);
  EXPECT_GT(bench.refusal_of(id).error.retry_after.count(), 0);

  bench.facts.put(kPair, friendly(), bench.clock.now());
  bench.clock.advance(PairFactsCache::kRelayAgeMax + Millis{1});
  EXPECT_EQ(bench.code_of(send()), Errc::kStoreDown);
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(RelayTest, NothingIsRelayedToWhoBlocksNorCalledRefusedForGood) {
  PairFacts facts = friendly(2);
  facts.b_blocks_a = true;
  bench.facts.put(kPair, facts, bench.clock.now());
  const std::uint64_t id = send();
  take(bench.relations.opens).fail_with(Errc::kStoreDown);
  // An earlier try may be in the log, which cannot be asked now.
  EXPECT_EQ(bench.code_of(id), Errc::kStoreDown);
  EXPECT_GT(bench.refusal_of(id).error.retry_after, Millis{0});
  EXPECT_TRUE(bench.router.sent.empty());
}

TEST_F(RelayTest, WaitGrowsWithTheOutageAndStartsAnewAfterIt) {
  EXPECT_EQ(bench.relay.recheck_after(), Millis{1'000});
  bench.clock.advance(Millis{3'000});
  EXPECT_EQ(bench.relay.recheck_after(), Millis{3'000});
  bench.clock.advance(Millis{60'000});
  EXPECT_EQ(bench.relay.recheck_after(), Millis{5'000});
  bench.relay.store_answered();
  EXPECT_EQ(bench.relay.recheck_after(), Millis{1'000});
}

TEST_F(RelayTest, StoreFullIsRelayedToo) {
  pb::SendRequest in;
  in.set_client_msg_id(message_id(1).to_bytes());
  in.set_to_uid(kBob.value());
  in.set_kind(1);
  bench.ask_as(kAlice, pb::SEND, in.SerializeAsString());
  take(bench.log.appends).fail_with(Errc::kStoreFull);
  ASSERT_EQ(bench.router.sent.size(), 1U);
  EXPECT_TRUE(bench.router.sent[0].delivery.until_ack);
}

TEST_F(RelayTest, StricterRateWhileTheStoreIsDown) {
  std::vector<std::uint64_t> ids;
  for (std::uint8_t n = 0; n < 21; ++n) ids.push_back(send(n));
  EXPECT_EQ(bench.code_of(ids[19]), Errc::kOutcomeUnknown);
  EXPECT_EQ(bench.code_of(ids[20]), Errc::kRateLimited);
}

}  // namespace
}  // namespace hy::logic::test
