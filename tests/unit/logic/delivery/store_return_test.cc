#include "logic/delivery/store_return.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

struct StoreReturnTest : ::testing::Test {
  std::vector<Uid> told() {
    std::vector<Uid> out;
    for (const FakeRouter::Sent& sent : bench.router.sent) {
      if (sent.delivery.type == pb::STORE_BACK) out.push_back(sent.delivery.targets.begin()->uid);
    }
    return out;
  }
  StoreReturn make(StoreReturn::Options options) {
    return StoreReturn(bench.deliverer, bench.clock, options);
  }
  LogicBench bench;
};

TEST_F(StoreReturnTest, WhoWasToldThatNothingIsStoredHearsOfTheReturnOnce) {
  auto store = make({});
  store.not_taken(kAlice, bench.clock.now());
  store.not_taken(kAlice, bench.clock.now());
  store.not_taken(kBob, bench.clock.now());
  bench.clock.advance(Millis{3'000});
  store.look();
  EXPECT_TRUE(told().empty()) << "it is not back";
  store.returned();
  EXPECT_EQ(told(), (std::vector{kAlice, kBob}));
  const Delivery& delivery = bench.router.sent[0].delivery;
  EXPECT_EQ(delivery.targets.begin()->slots, 0U) << "all devices: the outbox may be on any";
  EXPECT_FALSE(delivery.numbered);
  bench.clock.advance(Millis{3'000});
  store.returned();
  store.look();
  EXPECT_EQ(told().size(), 2U) << "nobody waits any more";
}

TEST_F(StoreReturnTest, WhatWasAskedBeforeTheReturnAndRefusedAfterItIsToldToo) {
  auto store = make({});
  const MonoTime asked = bench.clock.now();
  bench.clock.advance(Millis{5});
  store.returned();
  bench.clock.advance(Millis{5});
  store.not_taken(kAlice, asked);
  store.look();
  EXPECT_EQ(told(), std::vector{kAlice});
  bench.clock.advance(Millis{5'000});
  store.not_taken(kAlice, bench.clock.now());
  store.look();
  EXPECT_EQ(told().size(), 1U) << "a new outage: the old return says nothing about it";
}

TEST_F(StoreReturnTest, AStoreThatComesAndGoesIsToldOfTwiceASecondAtMost) {
  auto store = make({});
  std::size_t looks = 0;
  for (int ms = 0; ms < 10'000; ms += 50, ++looks) {
    store.not_taken(kAlice, bench.clock.now());
    bench.clock.advance(Millis{50});
    store.returned();
    store.look();
  }
  EXPECT_LE(told().size(), 21U) << "of " << looks;
  EXPECT_GE(told().size(), 18U);
}

TEST_F(StoreReturnTest, ManyAreToldOneAfterTheOtherAndNoMoreAreKeptThanTheBound) {
  auto store = make({.senders_max = 250, .told_per_look = 100});
  for (std::uint64_t n = 1; n <= 300; ++n) store.not_taken(Uid{n}, bench.clock.now());
  bench.clock.advance(Millis{1'000});
  store.returned();
  EXPECT_EQ(told().size(), 100U);
  store.look();
  EXPECT_EQ(told().size(), 200U);
  store.look();
  store.look();
  ASSERT_EQ(told().size(), 250U);
  EXPECT_EQ(told().front(), Uid{1}) << "whoever waits longest hears it first";
}

/// The whole way: the append of a command is refused, a das says that its store works.
TEST_F(StoreReturnTest, ASendThatTheStoreDidNotTakeWaitsForTheReturn) {
  bench.facts.put(kPair, friendly(), bench.clock.now());
  pb::SendRequest in;
  in.set_client_msg_id(message_id(9).to_bytes());
  in.set_to_uid(kBob.value());
  in.set_kind(1);
  in.set_body("hello");
  bench.ask_as(kAlice, pb::SEND, in.SerializeAsString());
  ASSERT_EQ(bench.log.appends.size(), 1U);
  take(bench.log.appends).fail_with(Errc::kStoreDown);
  EXPECT_TRUE(told().empty());
  bench.clock.advance(Millis{700});
  bench.store_return.returned();
  EXPECT_EQ(told(), std::vector{kAlice});
}

}  // namespace
}  // namespace hy::logic::test
