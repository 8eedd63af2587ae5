#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "tests/unit/entry/net/rig.h"

namespace hy::entry::test {
namespace {

constexpr std::uint16_t kSend = 0x0101;
constexpr std::uint16_t kSendAck = 0x8101;
constexpr std::uint16_t kPushAckOk = 0x8102;

TEST(Shard, LadderOfSixPackets) {
  Rig rig;
  rig.router_follows();
  auto alice = rig.connect_with_channel();
  auto got = rig.login(*alice, kAlice, {1, 1});
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, 0x8001);
  EXPECT_EQ(got[0].body, "welcome") << "every replica knows the session: no partial flag";
  EXPECT_EQ(rig.router.row(kAlice, Slot::kPhone)->conn, rig.last_conn);
  auto bob = rig.logged_in(kBob);
  const ConnId bob_conn = rig.last_conn;

  alice->send(kSend, 7, "hi bob");
  rig.run();
  const auto forwarded = rig.logic.take();
  ASSERT_TRUE(forwarded);
  EXPECT_EQ(forwarded->command.body, "hi bob");
  EXPECT_EQ(forwarded->command.session->uid, kAlice);
  EXPECT_EQ(forwarded->remaining, Millis{5'000});
  rig.reply(*forwarded, 0, "stored");
  rig.push(bob_conn, {.id = 5, .seq = 1});
  rig.run();
  got = alice->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, kSendAck);
  EXPECT_EQ(got[0].request_id, 7U);
  EXPECT_EQ(got[0].body, "stored");

  got = bob->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, inner_type::kPush);
  EXPECT_EQ(got[0].request_id, 1U) << "push numbers start at 1";
  ASSERT_EQ(rig.router.results.size(), 1U);
  EXPECT_EQ(rig.router.results[0].outcome, DeliverOutcome::kWritten);

  bob->send(inner_type::kPushAck, 1);
  rig.run();
  got = bob->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, kPushAckOk);
  EXPECT_EQ(got[0].request_id, 1U);
  EXPECT_TRUE(got[0].body.empty());
  ASSERT_EQ(rig.logic.confirms.size(), 1U);
  EXPECT_EQ(rig.logic.confirms[0].uid, kBob);
  EXPECT_EQ(rig.logic.confirms[0].sender, kAlice);
  EXPECT_EQ(rig.logic.confirms[0].seq, Seq{1});
}

TEST(Shard, BothSuitesAndEverySplitOfTheBytes) {
  for (const std::uint8_t suite : {std::uint8_t{1}, std::uint8_t{2}}) {
    Rig rig;
    auto client = rig.connect();
    for (const char byte : client->hello_and_handshake(rig.key(), suite)) {
      client->write({&byte, 1});
      rig.run();
    }
    EXPECT_TRUE(client->receive().empty());
    ASSERT_TRUE(client->is_up());
    for (const char byte : client->frame(inner_type::kLogin, 3, "token")) {
      client->write({&byte, 1});
      rig.run();
    }
    const auto forwarded = rig.logic.take();
    ASSERT_TRUE(forwarded);
    EXPECT_EQ(forwarded->command.body, "token");
    EXPECT_EQ(forwarded->command.peer_ip, "192.0.2.1");
  }
}

TEST(Shard, GarbageIsClosedWithoutAByte) {
  const std::vector<Bytes> garbage = {
      "GET / HTTP/1.1\r\nHost: example\r\n\r\n",
      Bytes(64, '\0'),
      Bytes(64, '\xff'),
      Bytes(as_text(wire::pack_header({.command = wire::Outer::kData, .length = 8}))),
      Bytes(as_text(wire::pack_header({.command = wire::Outer::kHello, .length = 0xFFFFFFFF}))),
      Bytes(as_text(wire::pack_header({.command = wire::Outer::kHello, .length = 3}))) + "abc",
  };
  for (const Bytes& bytes : garbage) {
    Rig rig;
    auto client = rig.connect();
    client->write(bytes);
    rig.run();
    EXPECT_TRUE(client->ended());
    EXPECT_EQ(client->received_bytes(), 0U);
    EXPECT_EQ(rig.shard().connections(), 0U);
    EXPECT_EQ(rig.gatekeeper().connections(), 0U);
  }
}

TEST(Shard, AnyFlippedBitOfHandshakeOrDataClosesSilently) {
  Rig rig;
  for (std::size_t at = 0; at < 200; at += 7) {
    auto client = rig.connect();
    Bytes bytes = client->hello_and_handshake(rig.key());
    if (at >= bytes.size()) break;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    client->write(bytes);
    rig.run();
    EXPECT_TRUE(client->ended() || !client->is_up()) << at;
    EXPECT_EQ(client->received_bytes(), 0U) << at;
  }
  auto client = rig.connect_with_channel();
  const std::size_t before = client->received_bytes();
  Bytes frame = client->frame(inner_type::kLogin, 1, "token");
  frame[20] = static_cast<char>(frame[20] ^ 1);
  client->write(frame);
  rig.run();
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(client->received_bytes(), before);
  EXPECT_FALSE(rig.logic.take());
}

TEST(Shard, BytesBehindHandshake1Close) {
  Rig rig;
  auto client = rig.connect();
  client->write(client->hello_and_handshake(rig.key()) + "x");
  rig.run();
  EXPECT_TRUE(client->ended());
}

TEST(Shard, UnknownKeyClosesOrGetsTheNotice) {
  wire::KeyId unknown{};
  unknown.fill(9);
  Rig plain;
  auto client = plain.connect();
  client->write(client->hello_and_handshake(plain.key(), 1, unknown));
  plain.run();
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(client->received_bytes(), 0U);

  ShardOptions options;
  options.notice = wire::KeyNoticeBytes{};
  Rig rig(options);
  auto other = rig.connect();
  other->write(other->hello_and_handshake(rig.key(), 1, unknown));
  rig.run();
  EXPECT_FALSE(other->ended());
  ASSERT_EQ(other->clear().size(), 1U);
  EXPECT_EQ(other->clear()[0], wire::Outer::kKeyNotice);
  other->write(other->hello_and_handshake(rig.key()));
  rig.run();
  (void)other->receive();
  EXPECT_TRUE(other->is_up());
}

TEST(Shard, SilentAndSlowPeersAreClosedOnTime) {
  Rig rig;
  auto silent = rig.connect();
  auto slow = rig.connect();
  const Bytes hello = slow->hello_and_handshake(rig.key());
  auto idle = rig.connect_with_channel();
  std::size_t sent = 0;
  for (int i = 0; i < 49; ++i) {
    slow->write({&hello[sent++], 1});
    rig.pass(Millis{100});
  }
  EXPECT_FALSE(silent->ended());
  EXPECT_FALSE(slow->ended());
  rig.pass(Millis{300});
  EXPECT_TRUE(silent->ended());
  EXPECT_TRUE(slow->ended()) << "bytes do not stretch the time";
  EXPECT_FALSE(idle->ended());
  rig.pass(Millis{5'000});
  EXPECT_TRUE(idle->ended()) << "no login within 10 s";
  EXPECT_EQ(rig.shard().connections(), 0U);
}

TEST(Shard, PingBeforeLoginCloses) {
  Rig rig;
  auto client = rig.connect_with_channel();
  client->send(inner_type::kPing, 1);
  rig.run();
  EXPECT_TRUE(client->ended());
  EXPECT_FALSE(rig.logic.take());
}

TEST(Shard, RefusedLoginsMayBeRepeatedTwice) {
  Rig rig;
  auto client = rig.connect_with_channel();
  for (int i = 0; i < 3; ++i) {
    client->send(inner_type::kLogin, 1, "bad");
    rig.run();
    const auto forwarded = rig.logic.take();
    ASSERT_TRUE(forwarded);
    rig.reply(*forwarded, wire::kFlagRefused,
              wire::encode_refused({.code = Errc::kTokenForged, .detail = {}}));
    rig.run();
    const auto got = client->receive();
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(refused_code(got[0]), Errc::kTokenForged);
  }
  EXPECT_TRUE(client->ended());
}

TEST(Shard, LoginIsPartialWhenNoReplicaAnswers) {
  Rig rig;  // no replica is live
  auto client = rig.connect_with_channel();
  const auto got = rig.login(*client, kAlice, {1, 1});
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].body, "welcome\x68\x01");
  client::v1::LoginAnswer whole;
  whole.set_uid(7);
  Bytes extended = whole.SerializeAsString() + "\x68\x01";
  ASSERT_TRUE(whole.ParseFromString(extended));
  EXPECT_TRUE(whole.registration_partial());
  EXPECT_EQ(whole.uid(), 7U);
}

TEST(Shard, TheLoginAnswerSaysHowLongAPushAckMayWait) {
  ShardOptions options;
  options.window.ack_within = Millis{30};
  Rig rig(options);
  rig.router_follows();
  auto client = rig.connect_with_channel();
  const auto got = rig.login(*client, kAlice, {1, 1});
  ASSERT_EQ(got.size(), 1U);
  client::v1::LoginAnswer whole;
  ASSERT_TRUE(whole.ParseFromString(got[0].body.substr(std::string_view("welcome").size())));
  EXPECT_EQ(whole.ack_within_ms(), 30U);
  EXPECT_EQ(whole.ack_owed_max(), options.window.frames_max / 8);
  EXPECT_EQ(whole.ack_owed_bytes_max(), options.window.bytes_max / 8);
}

TEST(Shard, LoginWaitsForTheReplicaButNotLongerThan300ms) {
  Rig rig;
  rig.router_follows();
  rig.stop_acks();
  auto client = rig.connect_with_channel();
  EXPECT_TRUE(rig.login(*client, kAlice, {1, 1}).empty());
  rig.pass(Millis{200});
  EXPECT_TRUE(client->receive().empty());
  rig.pass(Millis{200});
  const auto got = client->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].body, "welcome\x68\x01");
}

TEST(Shard, PushBeforeLoginAnswerIsLeftToSync) {
  Rig rig;
  rig.router_follows();
  rig.stop_acks();
  auto client = rig.connect_with_channel();
  EXPECT_TRUE(rig.login(*client, kBob, {1, 1}).empty());
  rig.push(rig.last_conn, {.id = 9});
  rig.run();
  ASSERT_EQ(rig.router.results.size(), 1U);
  EXPECT_EQ(rig.router.results[0].outcome, DeliverOutcome::kQueued);
  EXPECT_TRUE(client->receive().empty());
}

TEST(Shard, ClosedWhileLoggingInLeavesNoRow) {
  Rig rig;
  rig.router_follows();
  rig.stop_acks();
  auto client = rig.connect_with_channel();
  EXPECT_TRUE(rig.login(*client, kAlice, {1, 1}).empty());
  client->hang_up();
  rig.run();
  EXPECT_TRUE(rig.router.row(kAlice, Slot::kPhone)->dead);
  EXPECT_EQ(rig.hub().routers().placements().live_rows(), 0U);
  rig.pass(Millis{400});
  EXPECT_EQ(rig.hub().routers().placements().live_rows(), 0U);
  EXPECT_EQ(rig.hub().counts().logins_ok, 0U);
}

TEST(Shard, ClosedWhileTheOpeningIsOnItsWayLeavesNoRow) {
  Rig rig;
  auto client = rig.connect_with_channel();
  client->send(inner_type::kLogin, 1, "login");
  rig.run();
  const auto forwarded = rig.logic.take();
  ASSERT_TRUE(forwarded);
  rig.reply(*forwarded, 0, "welcome",
            Session{.uid = kAlice, .slot = Slot::kPhone, .epoch = {1, 1}});
  rig.hub().end_turn(rig.clock.now());
  ASSERT_EQ(rig.hub().down().front().opened.size(), 1U);
  client->hang_up();
  rig.shard().turn();
  EXPECT_EQ(rig.shard().connections(), 0U);
  rig.run();
  EXPECT_EQ(rig.hub().routers().placements().live_rows(), 0U);
}

TEST(Shard, UnackedPushIsResentThenTheDeviceIsUnreachable) {
  Rig rig;
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  rig.push(rig.last_conn, {.id = 1, .seq = 4});
  rig.run();
  ASSERT_EQ(bob->receive().size(), 1U);
  std::size_t resent = 0;
  for (int i = 0; i < 29; ++i) {
    rig.pass(Millis{1'000});
    for (const auto& message : bob->receive()) {
      EXPECT_EQ(message.type, inner_type::kPush);
      EXPECT_EQ(message.request_id, 1U) << "the same number each time";
      ++resent;
    }
  }
  EXPECT_EQ(resent, 3U);
  EXPECT_FALSE(bob->ended());
  rig.pass(Millis{2'000});
  EXPECT_TRUE(bob->ended());
  EXPECT_TRUE(rig.router.row(kBob, Slot::kPhone)->dead) << "the placement is corrected";
}

TEST(Shard, DuplicateInsideTheWindowIsNotSentTwiceAndWaitersHearOfTheAck) {
  Rig rig;
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  rig.push(rig.last_conn, {.id = 1, .seq = 4, .until_ack = true});
  rig.push(rig.last_conn, {.id = 2, .seq = 4, .until_ack = true});
  rig.run();
  EXPECT_EQ(bob->receive().size(), 1U);
  ASSERT_EQ(rig.router.results.size(), 2U);
  bob->send(inner_type::kPushAck, 1);
  rig.run();
  ASSERT_EQ(rig.router.results.size(), 4U);
  EXPECT_EQ(rig.router.results[2].outcome, DeliverOutcome::kAcked);
  EXPECT_EQ(rig.router.results[2].ref.id, 1U);
  EXPECT_EQ(rig.router.results[3].ref.id, 2U);
}

TEST(Shard, AckOfANumberThatWasNeverGivenCloses) {
  Rig rig;
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  bob->send(inner_type::kPushAck, 1);
  rig.run();
  EXPECT_TRUE(bob->ended());
}

TEST(Shard, FullWindowBecomesOneSyncHint) {
  ShardOptions options;
  options.window.frames_max = 4;
  Rig rig(options);
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  for (std::uint64_t seq = 1; seq <= 20; ++seq) rig.push(rig.last_conn, {.id = seq, .seq = seq});
  rig.run();
  auto got = bob->receive();
  ASSERT_EQ(got.size(), 5U);
  EXPECT_EQ(got[4].type, inner_type::kSyncHint);
  EXPECT_EQ(rig.router.results[19].outcome, DeliverOutcome::kQueued);
  bob->send(inner_type::kPushAck, 4);
  rig.run();
  got = bob->receive();
  ASSERT_EQ(got.size(), 1U) << "all drops were before the hint left";
  rig.push(rig.last_conn, {.id = 21, .seq = 21});
  rig.run();
  got = bob->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].request_id, 5U);
}

/// No PUSH_ACK follows when what filled the queue is nothing that a device confirms.
TEST(Shard, AQueueThatOneTurnFilledTakesPushesAgainOnceItIsOut) {
  ShardOptions options;
  options.queue.frames_max = 1;
  Rig rig(options);
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  rig.push(rig.last_conn, {.id = 1, .ephemeral = true});
  rig.push(rig.last_conn, {.id = 2, .seq = 1});
  rig.run();
  auto got = bob->receive();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1].type, inner_type::kSyncHint);
  rig.push(rig.last_conn, {.id = 3, .seq = 2});
  rig.run();
  got = bob->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, inner_type::kPush);
  EXPECT_EQ(got[0].request_id, 1U);
}

TEST(Shard, GoneForAConnectionThatIsNotThere) {
  Rig rig;
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  const ConnId conn = rig.last_conn;
  bob->hang_up();
  rig.run();
  rig.push(conn, {.id = 3});
  rig.run();
  ASSERT_EQ(rig.router.results.size(), 1U);
  EXPECT_EQ(rig.router.results[0].outcome, DeliverOutcome::kGone);
  auto again = rig.logged_in(kBob, {1, 2});
  EXPECT_NE(rig.last_conn, conn) << "a slot's next life has another id";
}

TEST(Shard, NewerLoginOfTheSlotKicksTheOlder) {
  Rig rig;
  rig.router_follows();
  auto old_phone = rig.logged_in(kAlice, {1, 5});
  auto new_phone = rig.logged_in(kAlice, {2, 1});
  const auto got = old_phone->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, inner_type::kKicked);
  EXPECT_EQ(refused_code(got[0]), Errc::kKicked);
  EXPECT_TRUE(old_phone->ended());
  EXPECT_EQ(rig.router.row(kAlice, Slot::kPhone)->conn, rig.last_conn);
  EXPECT_FALSE(rig.router.row(kAlice, Slot::kPhone)->dead);
  // Another slot is another device and stays.
  auto desktop = rig.logged_in(kAlice, {1, 1}, Slot::kDesktop);
  EXPECT_FALSE(new_phone->ended());
}

TEST(Shard, StaleCounterIsRefusedWithTheCurrentOne) {
  Rig rig;
  rig.router_follows();
  auto first = rig.logged_in(kAlice, {1, 5});
  auto second = rig.connect_with_channel();
  const auto got = rig.login(*second, kAlice, {1, 5});
  ASSERT_EQ(got.size(), 1U);
  const auto refused = wire::decode_refused(as_bytes(got[0].body));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error.code, Errc::kStaleEpoch);
  EXPECT_EQ(refused->conn_counter, 5U);
  EXPECT_FALSE(first->ended());
  EXPECT_EQ(rig.login(*second, kAlice, {1, 6}).size(), 1U) << "once more on the same connection";
  EXPECT_TRUE(first->ended());
}

TEST(Shard, SupersededBeforeLoginAnswerIsStale) {
  Rig rig;
  rig.router_follows();
  rig.stop_acks();
  auto client = rig.connect_with_channel();
  EXPECT_TRUE(rig.login(*client, kAlice, {1, 5}).empty());
  rig.hub().on_kick({.conn = rig.last_conn, .below = {1, 9}});
  rig.run();
  const auto got = client->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(refused_code(got[0]), Errc::kStaleEpoch);
  EXPECT_EQ(wire::decode_refused(as_bytes(got[0].body))->conn_counter, 9U);
  EXPECT_FALSE(client->ended());
}

TEST(Shard, KickByARouterNamesAnEpoch) {
  Rig rig;
  rig.router_follows();
  auto client = rig.logged_in(kAlice, {1, 5});
  rig.hub().on_kick({.conn = rig.last_conn, .below = {1, 5}});
  rig.run();
  EXPECT_FALSE(client->ended()) << "not below that epoch";
  rig.hub().on_kick(
      {.conn = rig.last_conn, .below = {1, 6}, .code = Errc::kRevoked, .reason = "signed out"});
  rig.run();
  const auto got = client->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(refused_code(got[0]), Errc::kRevoked);
  EXPECT_TRUE(client->ended());
  client->hang_up();
  rig.run();
  EXPECT_TRUE(rig.router.row(kAlice, Slot::kPhone)->dead);
}

/// Those behind an entry work on what was read while the entry writes.
TEST(Shard, ATurnHandsUpWhatItReadBeforeItWrites) {
  Rig rig;
  rig.router_follows();
  auto alice = rig.logged_in(kAlice);
  auto bob = rig.logged_in(kBob);
  rig.push(rig.last_conn, {.id = 1, .seq = 1});
  rig.hand_down();
  alice->send(kSend, 1, "body");
  bool is_told = false;
  rig.on_wake_hub = [&] {
    is_told = true;
    EXPECT_TRUE(bob->receive().empty()) << "the push went out first";
  };
  rig.shard().turn();
  EXPECT_TRUE(is_told);
  EXPECT_EQ(bob->receive().size(), 1U);
}

TEST(Shard, AKickDoesNotWaitBehindPushes) {
  ShardOptions options = Rig::plain();
  options.window.bytes_max = options.queue.bytes_max = 4U << 20U;
  Rig rig(options);
  rig.router_follows();
  auto client = rig.logged_in(kAlice, {1, 5});
  constexpr std::size_t kPushes = 16;
  for (std::uint64_t seq = 1; seq <= kPushes; ++seq) {
    rig.push(rig.last_conn, {.id = seq, .seq = seq, .bytes = 50'000});
    rig.run();
  }
  rig.hub().on_kick({.conn = rig.last_conn, .below = {1, 6}});
  std::vector<RawClient::Message> got;
  for (int i = 0; i < 20; ++i) {
    rig.run();
    for (auto& message : client->receive()) got.push_back(std::move(message));
  }
  EXPECT_TRUE(client->ended());
  ASSERT_GT(got.size(), 1U);
  EXPECT_EQ(got.back().type, inner_type::kKicked);
  EXPECT_LT(got.size(), kPushes) << "what the socket had not taken is dropped";
}

}  // namespace
}  // namespace hy::entry::test
