#include "client/core/device.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "client/core/codec.h"
#include "tests/support/sim_world.h"

namespace hy::test {
namespace {

using client::DeviceSettings;
using client::Type;

constexpr Uid kAlice{1};
constexpr Uid kBob{2};
const ConversationId kPair = ConversationId::pair(kAlice, kBob);

class DeviceTest : public testing::Test {
 protected:
  explicit DeviceTest(std::uint64_t seed = 42) : world(seed) {
    world.server.names = {{"alice", kAlice}, {"bob", kBob}};
  }
  std::unique_ptr<SimDevice> make(const std::string& name,
                                  const std::function<void(DeviceSettings&)>& change = {}) {
    DeviceSettings settings = sim_settings(world.server);
    if (change) change(settings);
    return std::make_unique<SimDevice>(world, name, settings);
  }
  std::unique_ptr<SimDevice> online(const std::string& name,
                                    const std::function<void(DeviceSettings&)>& change = {}) {
    auto device = make(name, change);
    device->login();
    EXPECT_TRUE(world.run_until(
        [&] { return device->device().link().state() == LinkState::kOnline; }, Millis{5'000}));
    return device;
  }
  std::uint64_t head() { return world.server.logs[kPair].size(); }

  SimWorld world;
};

TEST_F(DeviceTest, LogsInSyncsOnceAndIsOnline) {
  auto alice = online("alice");
  EXPECT_EQ(world.server.logins_seen, 1u);
  EXPECT_EQ(world.server.syncs_seen, 1u) << "exactly one SYNC after login";
  std::vector<LinkState> states;
  for (const auto& [state, why] : alice->states) states.push_back(state);
  EXPECT_EQ(states, (std::vector{LinkState::kFinding, LinkState::kRacing, LinkState::kHandshake,
                                 LinkState::kLogin, LinkState::kSyncing, LinkState::kOnline}));
  ASSERT_EQ(alice->logins.size(), 1u);
  EXPECT_TRUE(alice->logins[0]);
}

TEST_F(DeviceTest, OneMessageIsSixPackets) {
  auto alice = online("alice");
  auto bob = online("bob");
  const auto id = alice->send(kBob, "hello");
  ASSERT_TRUE(id);
  world.run_for(Millis{100});
  EXPECT_EQ(alice->step_of(*id), Step::kDelivered);
  ASSERT_EQ(bob->shown.size(), 1u);
  EXPECT_EQ(bob->shown[0].body, "hello");
  EXPECT_EQ(bob->shown[0].seq, Seq{1});
  EXPECT_TRUE(alice->shown.empty()) << "the writer's own device saw it when it was written";
  std::vector<LadderEvent::Kind> a;
  for (const auto& e : alice->ladder) a.push_back(e.kind);
  std::vector<LadderEvent::Kind> b;
  for (const auto& e : bob->ladder) b.push_back(e.kind);
  using K = LadderEvent::Kind;
  EXPECT_EQ(a, (std::vector{K::kSync, K::kSyncDone, K::kSend, K::kStored, K::kReceipt}));
  EXPECT_EQ(b, (std::vector{K::kSync, K::kSyncDone, K::kPush, K::kPushAck, K::kAckOk}));
}

namespace {

std::vector<std::uint32_t> acked(const SimDevice& device) {
  std::vector<std::uint32_t> out;
  for (const LadderEvent& event : device.ladder) {
    if (event.kind == LadderEvent::Kind::kPushAck) out.push_back(event.push_number);
  }
  return out;
}

}  // namespace

TEST_F(DeviceTest, InAStreamOnePushAckSpeaksForMany) {
  world.server.knobs.ack_within_ms = 100;
  auto bob = online("bob");
  for (int i = 0; i < 4; ++i) {
    world.server.write(kAlice, kBob, "m");
    world.run_for(Millis{20});
  }
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1})) << "the first came alone";
  world.run_for(Millis{60});
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1, 4}));
  EXPECT_EQ(bob->shown.size(), 4u) << "the app does not wait";
}

TEST_F(DeviceTest, AWaitingPushAckRidesWithTheNextFrame) {
  world.server.knobs.ack_within_ms = 1'000;
  auto bob = online("bob");
  for (int i = 0; i < 3; ++i) {
    world.server.write(kAlice, kBob, "m");
    world.run_for(Millis{20});
  }
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1}));
  ASSERT_TRUE(bob->send(kAlice, "an answer"));
  world.run_for(Millis{5});
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1, 3}));
}

TEST_F(DeviceTest, NoMorePushesAreOwedThanTheEntryAllows) {
  world.server.knobs.ack_within_ms = 1'000;
  world.server.knobs.ack_owed_max = 4;
  auto bob = online("bob");
  for (int i = 0; i < 11; ++i) {
    world.server.write(kAlice, kBob, "m");
    world.run_for(Millis{5});
  }
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1, 6, 11}));
}

TEST_F(DeviceTest, WhoLeavesAcknowledgesWhatHeHas) {
  world.server.knobs.ack_within_ms = 1'000;
  auto bob = online("bob");
  for (int i = 0; i < 3; ++i) {
    world.server.write(kAlice, kBob, "m");
    world.run_for(Millis{20});
  }
  ASSERT_EQ(acked(*bob), (std::vector<std::uint32_t>{1}));
  bob->run([&](client::Device& d, client::Turn& t) { d.close(t, world.now); });
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1, 3}));
}

TEST_F(DeviceTest, APushBehindAHoleIsAcknowledgedWhenTheHoleIsClosed) {
  world.server.knobs.ack_within_ms = 1'000;
  auto bob = online("bob");
  world.server.write(kAlice, kBob, "1");
  world.run_for(Millis{20});
  world.server.write(kAlice, kBob, "2");
  world.server.knobs.drop_pushes = 1;
  world.server.write(kAlice, kBob, "3");
  world.server.write(kAlice, kBob, "4");
  world.run_for(Millis{50});
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1, 2})) << "what can be said is said";
  world.run_for(Millis{500});
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(bob->shown.size(), 4u);
}

TEST_F(DeviceTest, AProvisionalRowIsAcknowledgedAtOnce) {
  world.server.knobs.ack_within_ms = 1'000;
  auto bob = online("bob");
  world.server.write(kAlice, kBob, "stored");
  world.run_for(Millis{20});
  world.server.knobs.relays = true;
  world.server.write(kAlice, kBob, "relayed");
  world.run_for(Millis{5});
  EXPECT_EQ(acked(*bob), (std::vector<std::uint32_t>{1, 2}));
}

TEST_F(DeviceTest, AStoredMessageWhoseAnswerIsLostIsSentAgainAndStoredOnce) {
  auto alice = online("alice");
  auto bob = online("bob");
  world.server.knobs.drop_send_acks = 1;
  const auto id = alice->send(kBob, "once");
  world.run_for(Millis{10'000});
  EXPECT_EQ(alice->step_of(*id), Step::kDelivered);
  EXPECT_EQ(head(), 1u);
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"once"}));
  EXPECT_GE(world.server.sends_seen, 2u);
}

TEST_F(DeviceTest, ALostSendMakesAGapAndTheLineIsResentInOrder) {
  auto alice = online("alice");
  auto bob = online("bob");
  world.server.knobs.lose_sends = 1;
  std::vector<ClientMsgId> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(*alice->send(kBob, "m" + std::to_string(i)));
  world.run_for(Millis{20'000});
  std::vector<Bytes> expected;
  for (int i = 0; i < 40; ++i) expected.push_back("m" + std::to_string(i));
  EXPECT_EQ(bob->bodies(), expected);
  EXPECT_EQ(alice->device().outbox().size(), 0u);
  EXPECT_LT(world.server.sends_seen, 40u * 4) << "a gap must not become a storm";
}

TEST_F(DeviceTest, ARefusedPredecessorIsTakenOutOfTheChain) {
  auto alice = online("alice");
  auto bob = online("bob");
  world.server.knobs.refuse_send = {{1, Errc::kBodyTooLarge}};
  const auto first = alice->send(kBob, "refused");
  const auto second = alice->send(kBob, "stored");
  world.run_for(Millis{10'000});
  EXPECT_EQ(alice->step_of(*first), Step::kRefused);
  EXPECT_EQ(alice->codes[*first], Errc::kBodyTooLarge);
  EXPECT_EQ(alice->step_of(*second), Step::kDelivered);
  EXPECT_EQ(alice->device().outbox().size(), 1u) << "kept until the person throws it away";
  alice->run(
      [&](client::Device& d, client::Turn& t) { EXPECT_TRUE(d.retry(t, world.now, *first)); });
  world.run_for(Millis{5'000});
  EXPECT_EQ(alice->step_of(*first), Step::kDelivered);
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"stored", "refused"}));
}

TEST_F(DeviceTest, ARefusalDecidesNothingWhileALaterTryIsOnItsWay) {
  auto alice = online("alice", [](DeviceSettings& s) {
    s.outbox.resend_min = Millis{5};
    s.outbox.resend_max = Millis{5};
  });
  auto bob = online("bob");
  world.jitter_max = Millis{400};
  // Blocked when the first try comes, not any more when the second does.
  world.server.knobs.refuse_send = {{1, Errc::kBlocked}};
  const auto id = alice->send(kBob, "stored by the second try");
  ASSERT_TRUE(world.run_until([&] { return head() == 1; }, Millis{5'000}));
  world.run_for(Millis{5'000});
  EXPECT_EQ(alice->step_of(*id), Step::kDelivered);
  for (const LadderEvent& event : alice->ladder) {
    EXPECT_NE(event.kind, LadderEvent::Kind::kRefused) << "told as refused, and stored";
  }
}

/// Not answered in time, and not sent again for long: what comes now can only be a late answer.
void is_patient(DeviceSettings& s) {
  s.answer_within = Millis{2'000};
  s.outbox.resend_min = Millis{60'000};
}

TEST_F(DeviceTest, AStoredThatComesLateIsTaken) {
  auto alice = online("alice", is_patient);
  world.server.knobs.hold_sends = 1;
  const auto id = alice->send(kBob, "answered late");
  world.run_for(Millis{4'000});
  ASSERT_EQ(alice->step_of(*id), Step::kSent);
  world.server.answer_held();
  world.run_for(Millis{50});
  EXPECT_EQ(alice->step_of(*id), Step::kStored);
  EXPECT_EQ(alice->device().outbox().size(), 0u);
  world.run_for(Millis{200'000});
  EXPECT_EQ(world.server.sends_seen, 1u);
}

TEST_F(DeviceTest, ARefusalThatComesLateDecidesNothing) {
  auto alice = online("alice", is_patient);
  world.server.knobs.refuse_send = {{1, Errc::kBlocked}};
  world.server.knobs.hold_sends = 1;
  const auto id = alice->send(kBob, "stored by the second try");
  world.run_for(Millis{4'000});
  world.server.answer_held();
  world.run_for(Millis{50});
  EXPECT_EQ(alice->step_of(*id), Step::kSent);
  world.run_for(Millis{200'000});
  EXPECT_EQ(alice->step_of(*id), Step::kStored);
}

TEST_F(DeviceTest, OfRequestsThatWereGivenUpSoManyAreRemembered) {
  auto alice = online("alice", [](DeviceSettings& s) {
    is_patient(s);
    s.given_up_max = 1;
  });
  world.server.knobs.hold_sends = 2;
  const auto first = alice->send(kBob, "forgotten");
  const auto second = alice->send(kBob, "remembered");
  world.run_for(Millis{4'000});
  world.server.answer_held();
  world.server.answer_held();
  world.run_for(Millis{50});
  EXPECT_EQ(alice->step_of(*first), Step::kSent);
  EXPECT_EQ(alice->step_of(*second), Step::kStored);
}

TEST_F(DeviceTest, APageThatComesLateIsTaken) {
  auto bob = online("bob", is_patient);
  world.server.knobs.drop_pushes = 1;
  world.server.knobs.hold_pulls = 2;
  world.server.write(kAlice, kBob, "m1");
  world.server.write(kAlice, kBob, "m2");
  ASSERT_TRUE(world.run_until([&] { return world.server.pulls_seen == 2; }, Millis{5'000}));
  ASSERT_TRUE(bob->bodies().empty());
  world.server.answer_held();  // the first one's, while the second is on its way
  world.run_for(Millis{50});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"m1", "m2"}));
  world.server.answer_held();
  world.server.knobs.drop_pushes = 1;
  world.server.write(kAlice, kBob, "m3");
  world.server.write(kAlice, kBob, "m4");
  world.run_for(Millis{1'000});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"m1", "m2", "m3", "m4"})) << "later holes as ever";
}

TEST_F(DeviceTest, RelayedIsKeptAndBecomesStoredWhenTheStoreIsBack) {
  auto alice = online("alice");
  auto bob = online("bob");
  world.server.knobs.relays = true;
  const auto one = alice->send(kBob, "one");
  const auto two = alice->send(kBob, "two");
  world.run_for(Millis{5'000});
  EXPECT_EQ(alice->step_of(*one), Step::kRelayed);
  EXPECT_EQ(alice->step_of(*two), Step::kRelayed);
  EXPECT_EQ(alice->device().outbox().size(), 2u);
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"one", "two"}));
  EXPECT_TRUE(bob->shown[0].provisional);
  world.server.knobs.relays = false;
  world.run_for(Millis{10'000});
  EXPECT_EQ(alice->step_of(*one), Step::kDelivered);
  EXPECT_EQ(alice->device().outbox().size(), 0u);
  ASSERT_EQ(bob->shown.size(), 4u);
  EXPECT_TRUE(bob->shown[2].moved);
  EXPECT_EQ(bob->shown[2].seq, Seq{1});
  EXPECT_EQ(bob->shown[3].seq, Seq{2});
  EXPECT_EQ(bob->bodies().size(), 2u) << "moved, not shown twice";
}

TEST_F(DeviceTest, WhenTheServerSaysThatTheStoreIsBackNobodyWaitsForARecheck) {
  auto alice = online("alice");
  auto bob = online("bob");
  world.server.knobs.relays = true;
  const auto one = alice->send(kBob, "one");
  world.run_for(Millis{200});
  ASSERT_EQ(alice->step_of(*one), Step::kRelayed);
  world.server.knobs.relays = false;
  world.server.inject(kAlice, Type::kStoreBack, 0, {});
  world.run_for(Millis{200});
  EXPECT_EQ(alice->step_of(*one), Step::kDelivered);
}

TEST_F(DeviceTest, AHoleIsPulledSoonAndNothingAboveItIsAcknowledged) {
  auto bob = online("bob");
  world.server.write(kAlice, kBob, "m1");
  world.server.knobs.drop_pushes = 1;
  world.server.write(kAlice, kBob, "m2");
  world.server.write(kAlice, kBob, "m3");
  world.run_for(Millis{50});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"m1"})) << "m3 waits for m2";
  world.run_for(Millis{200});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"m1", "m2", "m3"}));
  EXPECT_EQ(world.server.pulls_seen, 1u);
  EXPECT_EQ(world.server.receipts_sent, 2u) << "one for each push, after the hole was filled";
}

TEST_F(DeviceTest, ALostPushIsFoundByTheChangeCounter) {
  world.server.knobs.keeps_change_counter = true;
  world.server.knobs.heartbeat_ms = 10'000;
  auto bob = online("bob");
  world.run_for(Millis{15'000});
  const auto syncs = world.server.syncs_seen;
  world.run_for(Millis{30'000});
  EXPECT_EQ(world.server.syncs_seen, syncs) << "an equal counter asks for nothing";
  world.server.knobs.drop_pushes = 1;
  world.server.write(kAlice, kBob, "lost push");
  world.run_for(Millis{10'100});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"lost push"})) << "one heartbeat at most";
}

TEST_F(DeviceTest, ASyncHintAndThePeriodicSyncBringWhatWasNotPushed) {
  auto bob = online("bob", [](DeviceSettings& s) { s.sync.without_counter = Millis{3'600'000}; });
  world.server.knobs.drop_pushes = 2;
  world.server.write(kAlice, kBob, "one");
  world.server.hint(kBob);
  world.run_for(Millis{500});
  EXPECT_EQ(bob->bodies().size(), 1u);
  world.server.write(kAlice, kBob, "two");
  world.run_for(std::chrono::minutes(15) + Millis{1'000});
  EXPECT_EQ(bob->bodies().size(), 2u);
}

TEST_F(DeviceTest, WhatCameWhileAwayIsPulledInSlices) {
  world.server.knobs.slice = 7;
  for (int i = 0; i < 100; ++i) world.server.write(kAlice, kBob, "m" + std::to_string(i));
  auto bob = online("bob");
  ASSERT_EQ(bob->bodies().size(), 100u) << "online means the holes are filled";
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(bob->shown[i].seq.value(), i + 1);
}

TEST_F(DeviceTest, ANewDeviceTakesTheTailOfALongConversation) {
  for (int i = 0; i < 50; ++i) world.server.write(kAlice, kBob, "m" + std::to_string(i));
  auto bob = online("bob", [](DeviceSettings& s) { s.inbox.first_tail = 10; });
  ASSERT_EQ(bob->shown.size(), 10u);
  EXPECT_EQ(bob->shown.front().seq, Seq{41});
  EXPECT_EQ(bob->device().inbox().find(kPair)->base, Seq{40});
}

TEST_F(DeviceTest, HalfOpenIsFoundInSecondsWhenThereIsSomethingToSend) {
  auto alice = online("alice");
  world.server.knobs.is_mute = true;
  const auto id = alice->send(kBob, "into the void");
  world.run_for(Millis{3'000});
  EXPECT_TRUE(alice->device().link().is_open()) << "a slow answer is no dead peer";
  world.run_for(Millis{7'000});
  EXPECT_EQ(world.server.logins_seen, 1u);
  world.server.knobs.is_mute = false;
  world.run_for(Millis{60'000});
  EXPECT_EQ(alice->step_of(*id), Step::kStored);
  EXPECT_EQ(head(), 1u);
}

TEST_F(DeviceTest, SilenceOfTwoAndAHalfHeartbeatsClosesAndAPulledCableHeals) {
  world.server.knobs.heartbeat_ms = 4'000;
  auto bob = online("bob");
  bob->cut_cable(true);
  world.run_for(Millis{9'900});
  EXPECT_TRUE(bob->device().link().is_open());
  world.run_for(Millis{200});
  EXPECT_FALSE(bob->device().link().is_open());
  EXPECT_TRUE(std::ranges::any_of(bob->states, [](const auto& s) {
    return s.first == LinkState::kBackingOff && s.second.find("HY-1014") != std::string::npos;
  }));
  world.server.write(kAlice, kBob, "meanwhile");
  bob->cut_cable(false);
  world.run_for(Millis{60'000});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"meanwhile"}));
}

TEST_F(DeviceTest, CodesThatSayStopEndInStopped) {
  for (const Errc code : {Errc::kKicked, Errc::kBanned, Errc::kStaleSession, Errc::kRevoked}) {
    auto bob = online("bob");
    const auto logins = world.server.logins_seen;
    world.server.kick(kBob, code);
    world.run_for(std::chrono::minutes(10));
    EXPECT_EQ(bob->device().link().state(), LinkState::kStopped) << error_text(code);
    EXPECT_EQ(world.server.logins_seen, logins) << "no reconnect after " << error_text(code);
    EXPECT_NE(bob->states.back().second.find(error_code_text(code)), std::string::npos);
  }
}

TEST_F(DeviceTest, AWrongPasswordStopsAndIsToldOnce) {
  auto alice = make("alice");
  alice->login("wrong");
  world.run_for(Millis{60'000});
  ASSERT_EQ(alice->logins.size(), 1u);
  EXPECT_EQ(alice->logins[0].error().code, Errc::kPasswordWrong);
  EXPECT_EQ(alice->device().link().state(), LinkState::kStopped);
  EXPECT_EQ(world.server.logins_seen, 1u);
}

TEST_F(DeviceTest, AStaleCounterIsRaisedOnceOnTheSameConnection) {
  world.server.knobs.stale_below = 500;
  auto alice = online("alice");
  EXPECT_EQ(world.server.conn_counters, (std::vector<std::uint32_t>{1, 501}));
  EXPECT_EQ(alice->device().record().conn_counter, 501u);
}

TEST_F(DeviceTest, TheCounterRisesBeforeEveryAttemptAndSurvivesACrash) {
  world.is_network_down = true;
  auto alice = make("alice");
  alice->login();
  world.run_for(Millis{20'000});
  const auto before = alice->device().record().conn_counter;
  EXPECT_GT(before, 2u);
  alice->crash_and_restart();
  EXPECT_EQ(alice->device().record().conn_counter, before);
  world.is_network_down = false;
  world.run_for(Millis{60'000});
  ASSERT_FALSE(world.server.conn_counters.empty());
  EXPECT_GT(world.server.conn_counters[0], before);
}

TEST_F(DeviceTest, GoawayMovesAfterARandomWaitAndLosesNothing) {
  auto bob = online("bob", [](DeviceSettings& s) { s.link.entries = {"entry-a", "entry-b"}; });
  EXPECT_EQ(bob->device().link().entry(), "entry-a");
  world.server.goaway(kBob, 2'000);
  world.run_for(Millis{1});
  world.server.write(kAlice, kBob, "during the move");
  world.run_for(Millis{3'000});
  EXPECT_EQ(bob->device().link().entry(), "entry-b") << "not back to the one that goes away";
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"during the move"}));
  EXPECT_TRUE(std::ranges::any_of(bob->states,
                                  [](const auto& s) { return s.first == LinkState::kMoving; }));
}

TEST_F(DeviceTest, WhoLosesTheConnectionBeforeItsMoveIsNotAwayUntilThen) {
  auto bob = online("bob", [](DeviceSettings& s) { s.link.entries = {"entry-a", "entry-b"}; });
  world.server.goaway(kBob, 3'600'000);
  world.run_for(Millis{10});
  ASSERT_EQ(bob->device().link().state(), LinkState::kMoving);
  world.server.close_all();
  world.run_for(Millis{20'000});
  EXPECT_EQ(bob->device().link().state(), LinkState::kOnline);
  EXPECT_EQ(bob->device().link().entry(), "entry-b");
}

TEST_F(DeviceTest, ARaceIsWonByTheOneThatAnswers) {
  auto bob =
      make("bob", [](DeviceSettings& s) { s.link.entries = {"dead-a", "dead-b", "entry-c"}; });
  bob->login();
  world.run_for(Millis{100});
  EXPECT_EQ(bob->device().link().entry(), "entry-c");
}

TEST_F(DeviceTest, ARestoredServerIsReadFromScratchAndShowsNothingTwice) {
  for (int i = 0; i < 5; ++i) world.server.write(kAlice, kBob, "m" + std::to_string(i));
  auto bob = online("bob");
  EXPECT_EQ(bob->bodies().size(), 5u);
  world.server.set_back(kPair, 3);
  world.server.knobs.store_epoch = 2;
  world.server.write(kAlice, kBob, "new 4");
  world.server.close_all();
  world.run_for(Millis{20'000});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"m0", "m1", "m2", "m3", "m4", "new 4"}));
  EXPECT_EQ(bob->device().inbox().find(kPair)->have, Seq{4});
}

TEST_F(DeviceTest, ACursorAheadOfTheLogIsResetByTheLogAlone) {
  for (int i = 0; i < 5; ++i) world.server.write(kAlice, kBob, "m" + std::to_string(i));
  auto bob = online("bob");
  world.server.set_back(kPair, 2);  // without a word about the epoch
  bob->run([&](client::Device& d, client::Turn&) { d.sync_now(world.now); });
  world.run_for(Millis{2'000});
  EXPECT_EQ(bob->device().inbox().find(kPair)->have, Seq{2});
  world.server.write(kAlice, kBob, "three");
  world.run_for(Millis{1'000});
  EXPECT_EQ(bob->bodies().back(), "three");
  EXPECT_EQ(bob->bodies().size(), 6u);
}

TEST_F(DeviceTest, ARogueServerCannotMoveTheRunBackOrSkipIt) {
  auto bob = online("bob");
  world.server.write(kAlice, kBob, "m1");
  world.run_for(Millis{10});
  // A skipped push number, a body that does not parse, an unknown answer.
  world.server.inject(kBob, Type::kPush, 9, "garbage");
  world.run_for(Millis{20'000});
  world.server.inject(kBob, Type::kReceipt, 0, "\xff\xff\xff");
  world.run_for(Millis{20'000});
  world.server.inject(kBob, Type::kSync | 0x8000, 77, "\x08\x01");
  world.run_for(Millis{20'000});
  EXPECT_EQ(bob->device().inbox().find(kPair)->have, Seq{1});
  world.server.write(kAlice, kBob, "m2");
  world.run_for(Millis{1'000});
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"m1", "m2"}));
}

TEST_F(DeviceTest, APushNumberThatWasLeftOutClosesBeforeAnAckCouldLie) {
  auto bob = online("bob");
  world.server.drop_pushes_after_numbering(kBob);
  world.server.write(kAlice, kBob, "numbered and never sent");
  world.server.write(kAlice, kBob, "next number");
  world.run_for(Millis{1});
  EXPECT_EQ(world.server.receipts_sent, 0u) << "an ack of 2 would confirm 1";
  world.run_for(Millis{20'000});
  EXPECT_TRUE(std::ranges::any_of(bob->states, [](const auto& s) {
    return s.first == LinkState::kBackingOff && s.second.find("HY-1005") != std::string::npos;
  }));
  EXPECT_EQ(bob->bodies(), (std::vector<Bytes>{"numbered and never sent", "next number"}));
}

TEST_F(DeviceTest, AServerWithAnotherKeyGetsNothing) {
  auto alice = make("alice", [](DeviceSettings& s) {
    SeededRandom other(99);
    s.link.server_key = Bytes(as_text(crypto::X25519KeyPair::generate(other).public_key()));
  });
  alice->login();
  world.run_for(Millis{60'000});
  EXPECT_EQ(world.server.logins_seen, 0u);
  EXPECT_EQ(alice->device().link().state(), LinkState::kBackingOff);
}

TEST_F(DeviceTest, AfterTheLimitItIsUnsureKeptAndOneTapSendsTheSameId) {
  world.server.knobs.lose_sends = 100'000;
  auto alice =
      online("alice", [](DeviceSettings& s) { s.outbox.resend_for = std::chrono::minutes(10); });
  const auto id = alice->send(kBob, "maybe");
  world.run_for(std::chrono::minutes(11));
  EXPECT_EQ(alice->step_of(*id), Step::kUnsure);
  EXPECT_EQ(alice->device().outbox().size(), 1u);
  const auto tries = world.server.sends_seen;
  world.run_for(std::chrono::minutes(20));
  EXPECT_EQ(world.server.sends_seen, tries) << "no automatic try after the limit";
  EXPECT_LE(tries, 60u) << "back-off";
  world.server.knobs.lose_sends = 0;
  alice->run([&](client::Device& d, client::Turn& t) { EXPECT_TRUE(d.retry(t, world.now, *id)); });
  world.run_for(Millis{100});
  EXPECT_EQ(alice->step_of(*id), Step::kStored);
}

TEST_F(DeviceTest, TheSameTextThriceIsShownThrice) {
  auto alice = online("alice");
  auto bob = online("bob");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(alice->send(kBob, "important"));
  world.run_for(Millis{100});
  EXPECT_EQ(bob->bodies().size(), 3u);
}

TEST_F(DeviceTest, RetryAfterIsObeyed) {
  auto alice = online("alice");
  world.server.knobs.refuse_send = {{1, Errc::kRateLimited}};
  world.server.knobs.retry_after = Millis{5'000};
  const auto id = alice->send(kBob, "slow down");
  ASSERT_TRUE(alice->send(kBob, "me too"));
  world.run_for(Millis{4'900});
  EXPECT_LE(world.server.sends_seen, 2u) << "the pair was on its way; then nothing";
  world.run_for(Millis{60'000});
  EXPECT_EQ(alice->step_of(*id), Step::kStored);
  EXPECT_EQ(head(), 2u);
}

TEST_F(DeviceTest, AReadThatIsRefusedOrNotAnsweredIsOfferedAgainOnTheSameConnection) {
  auto alice = online("alice");
  auto bob = online("bob");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(alice->send(kBob, "news"));
  world.run_for(Millis{100});
  const auto read = [&](std::uint64_t seq) {
    bob->run([&](client::Device& d, client::Turn&) { d.mark_read(world.now, kPair, Seq{seq}); });
  };
  const auto confirmed = [&] { return bob->device().inbox().find(kPair)->read; };
  world.server.knobs.refuse_reads = 2;
  read(2);
  world.run_for(Millis{30'000});
  EXPECT_EQ(confirmed(), Seq{2});
  EXPECT_EQ(world.server.reads_seen, 3u) << "again after a while, and then no more";
  world.server.knobs.lose_reads = 1;
  read(3);
  world.run_for(Millis{30'000});
  EXPECT_EQ(confirmed(), Seq{3});
  EXPECT_EQ(world.server.logins_seen, 2u) << "nobody had to log in anew";
}

}  // namespace
}  // namespace hy::test
