#include <gtest/gtest.h>
#include <malloc.h>

#include "hy/client/v1/command.pb.h"
#include "tests/unit/entry/net/rig.h"

namespace hy::entry::test {
namespace {

constexpr std::uint16_t kSend = 0x0101;

TEST(ShardLimits, FrameRateIsRefusedWithACode) {
  ShardOptions options;
  options.frames = {.per_second = 10, .burst = 5};
  Rig rig(options);
  auto client = rig.logged_in(kAlice);
  for (std::uint32_t i = 0; i < 8; ++i) client->send(kSend, i);
  rig.run();
  EXPECT_EQ(rig.logic.forwarded.size(), 5U);
  const auto got = client->receive();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(refused_code(got[0]), Errc::kRateLimited);
  EXPECT_GT(wire::decode_refused(as_bytes(got[0].body))->error.retry_after, Millis{0});
  rig.pass(Millis{1'000});
  client->send(kSend, 9);
  rig.run();
  EXPECT_EQ(rig.logic.forwarded.size(), 6U);
}

// E3: a flood of handshakes waits in a line of its own, and the line has an end.
TEST(ShardLimits, HandshakesThatWaitAreBounded) {
  ShardOptions options;
  options.handshakes_per_turn = 1;
  options.handshakes_waiting_max = 4;
  Rig rig(options);
  auto talker = rig.logged_in(kAlice);
  std::vector<std::unique_ptr<RawClient>> flood;
  for (int i = 0; i < 12; ++i) {
    flood.push_back(rig.connect());
    flood.back()->write(flood.back()->hello_and_handshake(rig.key()));
  }
  rig.run();
  std::size_t up = 0;
  std::size_t ended = 0;
  for (auto& client : flood) {
    const bool is_over = client->ended();
    ended += is_over ? 1 : 0;
    up += client->is_up() ? 1 : 0;
    if (is_over) EXPECT_EQ(client->received_bytes(), 0U) << "closed without a byte";
  }
  EXPECT_EQ(up + ended, flood.size());
  EXPECT_GT(ended, 0U);
  EXPECT_GE(up, 4U) << "those who waited in line got their turn";
  talker->send(kSend, 9);
  rig.run();
  EXPECT_EQ(rig.logic.forwarded.size(), 1U) << "who is logged in is served meanwhile";
}

TEST(ShardLimits, TooMuchInFlightIsNotRead) {
  ShardOptions options;
  options.in_flight_max = 4;
  Rig rig(options);
  auto client = rig.logged_in(kAlice);
  Bytes burst;
  for (std::uint32_t i = 0; i < 10; ++i) burst += client->frame(kSend, i, "body");
  client->write(burst);
  rig.run();
  ASSERT_EQ(rig.logic.forwarded.size(), 4U);
  for (int i = 0; i < 10; ++i) {
    const auto next = rig.logic.take();
    ASSERT_TRUE(next) << i;
    EXPECT_EQ(next->command.request_id, static_cast<std::uint32_t>(i)) << "in order";
    rig.reply(*next, 0, "ok");
    rig.run();
  }
  EXPECT_EQ(client->receive().size(), 10U);
}

TEST(ShardLimits, NobodyWaitsBehindAPing) {
  ShardOptions options;
  options.in_flight_max = 1;
  Rig rig(options);
  auto client = rig.logged_in(kAlice);
  client->write(client->frame(inner_type::kPing, 1, {}) + client->frame(kSend, 2, "body") +
                client->frame(kSend, 3, "body"));
  rig.run();
  const auto send = rig.logic.take();
  ASSERT_TRUE(send);
  EXPECT_EQ(send->command.request_id, 2U);
  rig.shard().tick();
  rig.run();
  rig.clock.advance(HubOptions{}.pings_wait);
  rig.hub().step(rig.clock.now());
  const auto ping = rig.logic.take();
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->command.request_id, 1U);
  rig.reply(*ping, 0, {});
  rig.run();
  EXPECT_TRUE(rig.logic.forwarded.empty()) << "its answer makes no room for a command";
  rig.reply(*send, 0, "ok");
  rig.run();
  const auto next = rig.logic.take();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->command.request_id, 3U);
}

TEST(ShardLimits, LostLogicIsTriedOnceElsewhereInOrder) {
  HubOptions hub;
  hub.logics = 2;
  Rig rig({}, hub);
  rig.hub().on_logic_up(1);
  auto client = rig.logged_in(kAlice);
  for (std::uint32_t i = 0; i < 3; ++i) client->send(kSend, i);
  rig.run();
  ASSERT_EQ(rig.logic.forwarded.size(), 3U);
  const std::uint32_t first = rig.logic.forwarded[0].logic;
  rig.logic.forwarded.clear();
  rig.hub().on_logic_down(first, rig.clock.now());
  ASSERT_EQ(rig.logic.forwarded.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(rig.logic.forwarded[i].logic, 1 - first);
    EXPECT_EQ(rig.logic.forwarded[i].command.request_id, i);
  }
  rig.hub().on_logic_down(1 - first, rig.clock.now());
  rig.run();
  auto got = client->receive();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(refused_code(got[0]), Errc::kUnavailable);
  client->send(kSend, 9);
  rig.run();
  got = client->receive();
  ASSERT_EQ(got.size(), 1U) << "nobody is up: refused at once";
  EXPECT_EQ(refused_code(got[0]), Errc::kUnavailable);
}

TEST(ShardLimits, SilentLogicIsDeadlineExceeded) {
  Rig rig;
  auto client = rig.logged_in(kAlice);
  client->send(kSend, 3);
  rig.run();
  const auto forwarded = rig.logic.take();
  ASSERT_TRUE(forwarded);
  rig.pass(Millis{5'100});
  const auto got = client->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(refused_code(got[0]), Errc::kDeadlineExceeded);
  rig.reply(*forwarded, 0, "late");
  rig.run();
  EXPECT_TRUE(client->receive().empty()) << "one answer to one request";
}

TEST(ShardLimits, SilentDeviceIsClosedAfterTwoAndAHalfHeartbeats) {
  Rig rig;
  rig.router_follows();
  auto client = rig.logged_in(kAlice);
  rig.pass(Millis{100'000}, Millis{1'000});
  client->send(inner_type::kPing, 1);
  rig.pass(Millis{149'000}, Millis{1'000});
  EXPECT_FALSE(client->ended());
  rig.pass(Millis{2'000}, Millis{1'000});
  EXPECT_TRUE(client->ended());
  EXPECT_TRUE(rig.router.row(kAlice, Slot::kPhone)->dead);
}

TEST(ShardLimits, FrameThatTricklesInIsClosed) {
  Rig rig;
  auto trickling = rig.logged_in(kAlice);
  auto slow = rig.logged_in(kBob);
  const Bytes frame = trickling->frame(kSend, 1, Bytes(8'000, 'x'));
  const Bytes steady = slow->frame(kSend, 1, Bytes(8'000, 'y'));
  std::size_t sent = 0;
  std::size_t steadily = 0;
  for (int second = 0; second < 8 && !trickling->ended(); ++second) {
    trickling->write(std::string_view(frame).substr(sent, 10));
    sent += 10;
    slow->write(std::string_view(steady).substr(steadily, 1'100));
    steadily = std::min(steadily + 1'100, steady.size());
    rig.pass(Millis{1'000});
  }
  EXPECT_TRUE(trickling->ended());
  EXPECT_FALSE(slow->ended()) << "1 KiB/s is slow and fine";
  slow->write(std::string_view(steady).substr(steadily));
  rig.run();
  EXPECT_TRUE(rig.logic.take());
}

TEST(ShardLimits, SlowReaderGetsOneHintAndIsClosedAfter30Seconds) {
  Rig rig;
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  const ConnId conn = rig.last_conn;
  for (std::uint64_t seq = 1; seq <= 400; ++seq) {
    rig.push(conn, {.id = seq, .seq = seq, .bytes = 16'000});
    rig.run();
  }
  EXPECT_EQ(rig.router.results.back().outcome, DeliverOutcome::kQueued);
  rig.pass(Millis{29'000}, Millis{500});
  EXPECT_EQ(rig.shard().connections(), 1U);
  rig.pass(Millis{2'000}, Millis{500});
  EXPECT_EQ(rig.shard().connections(), 0U);
  EXPECT_TRUE(rig.router.row(kBob, Slot::kPhone)->dead);
}

TEST(ShardLimits, ReaderThatComesBackGetsEverythingInOrder) {
  Rig rig;
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  const ConnId conn = rig.last_conn;
  for (std::uint64_t seq = 1; seq <= 60; ++seq) {
    rig.push(conn, {.id = seq, .seq = seq, .bytes = 16'000});
    rig.run();
  }
  std::vector<RawClient::Message> got;
  for (int i = 0; i < 50; ++i) {
    for (auto& message : bob->receive()) got.push_back(std::move(message));
    rig.run();
  }
  ASSERT_EQ(got.size(), 60U);
  for (std::uint32_t i = 0; i < 60; ++i) EXPECT_EQ(got[i].request_id, i + 1);
}

TEST(ShardLimits, LargeAnswersAreCompressedUnlessTheyHoldCredentials) {
  Rig rig;
  auto client = rig.logged_in(kAlice);
  Bytes text;
  while (text.size() < 8'000) text += "line " + std::to_string(text.size() * 7'919) + "\n";
  for (const bool secret : {false, true}) {
    client->send(kSend, 1);
    rig.run();
    const auto forwarded = rig.logic.take();
    ASSERT_TRUE(forwarded);
    LogicReply reply;
    reply.id = forwarded->id;
    reply.answer.type = 0x8101;
    reply.answer.body = text;
    reply.answer.no_compress = secret;
    const std::size_t before = client->received_bytes();
    rig.hub().on_reply(forwarded->logic, std::move(reply), rig.clock.now());
    rig.run();
    const auto got = client->receive();
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].body, text);
    const std::size_t bytes = client->received_bytes() - before;
    EXPECT_EQ(bytes < text.size() / 2, !secret) << bytes;
  }
}

TEST(ShardLimits, DeliveriesToAThreadFarBehindAreDroppedAndAnswersAreNot) {
  ShardOptions options;
  options.waiting_deliveries_max = 2;
  Rig rig(options);
  rig.router_follows();
  auto bob = rig.logged_in(kBob);
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    rig.push(rig.last_conn, {.id = seq, .seq = seq});
    DownBatch& down = rig.hub().down().front();
    Answer& answer = down.answers.emplace_back();
    answer.conn = rig.last_conn;
    answer.type = 0x8101;
    answer.request_id = static_cast<std::uint32_t>(seq);
    rig.shard().give(down);
  }
  rig.run();
  std::size_t pushes = 0;
  const auto got = bob->receive();
  for (const auto& message : got) pushes += message.type == inner_type::kPush ? 1 : 0;
  EXPECT_EQ(pushes, 2U);
  EXPECT_EQ(got.size(), 7U);
}

TEST(ShardLimits, DrainTellsFlushesAndCloses) {
  Rig rig;
  rig.router_follows();
  auto alice = rig.logged_in(kAlice);
  auto bob = rig.logged_in(kBob);
  rig.shard().tell_to_go(1, Millis{700}, Errc::kDraining);
  rig.run();
  auto got = alice->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].type, inner_type::kGoAway);
  client::v1::GoAway goaway;
  ASSERT_TRUE(goaway.ParseFromString(got[0].body));
  EXPECT_EQ(goaway.code(), 7004U);
  EXPECT_EQ(goaway.wait_max_ms(), 700U);
  EXPECT_TRUE(bob->receive().empty()) << "told in steps";
  rig.shard().tell_to_go(10, Millis{600}, Errc::kDraining);
  rig.run();
  EXPECT_EQ(bob->receive().size(), 1U);
  alice->send(kSend, 4);
  rig.run();
  EXPECT_TRUE(rig.logic.take()) << "commands flow until the client leaves";
  rig.shard().close_all(Errc::kDraining);
  rig.run();
  EXPECT_TRUE(alice->ended());
  alice->hang_up();
  bob->hang_up();
  rig.run();
  EXPECT_EQ(rig.shard().connections(), 0U);
  EXPECT_EQ(rig.hub().routers().placements().live_rows(), 0U);
}

TEST(ShardLimits, OldConnectionsAreAskedToReconnect) {
  Rig rig;
  auto client = rig.logged_in(kAlice);
  int asked_after_hours = 0;
  for (int i = 0; i < 27 * 36 && asked_after_hours == 0; ++i) {
    client->send(inner_type::kPing, 1);
    rig.pass(Millis{100'000}, Millis{100'000});
    rig.logic.forwarded.clear();
    for (const auto& message : client->receive()) {
      if (message.type == inner_type::kGoAway) asked_after_hours = i / 36;
    }
  }
  EXPECT_GE(asked_after_hours, 21);
  EXPECT_LE(asked_after_hours, 26);
  rig.pass(Millis{100'000}, Millis{10'000});
  EXPECT_TRUE(client->ended()) << "and closed when they do not go";
}

TEST(ShardLimits, ListsEndSessions) {
  Rig rig;
  auto alice = rig.logged_in(kAlice);
  auto bob = rig.logged_in(kBob);
  rig.gatekeeper().set_list(std::make_shared<const AccessList>(
      AccessSet{}, AccessSet::parse("uid " + std::to_string(kAlice.value())).value()));
  rig.shard().enforce_lists();
  rig.run();
  const auto got = alice->receive();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(refused_code(got[0]), Errc::kDenied);
  EXPECT_TRUE(alice->ended());
  EXPECT_FALSE(bob->ended());
  auto again = rig.connect_with_channel();
  const auto refused = rig.login(*again, kAlice, {1, 9});
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused_code(refused[0]), Errc::kDenied);
  EXPECT_EQ(rig.hub().routers().placements().live_rows(), 1U);
}

TEST(ShardLimits, IdleLoggedInConnectionIsSmall) {
  Rig rig;
  rig.router_follows();
  constexpr int kConnections = 1'500;
  std::vector<std::unique_ptr<RawClient>> clients;
  clients.reserve(kConnections);
  // Warm up what is paid once.
  for (int i = 0; i < 300; ++i) {
    clients.push_back(rig.logged_in(Uid{static_cast<std::uint64_t>(5'000 + i)}));
  }
  clients.clear();
  rig.run();
  rig.logic.closings.clear();
  rig.router.all_ops.clear();
  const std::size_t client_bytes = sizeof(RawClient) + 64;
  const std::size_t before = mallinfo2().uordblks;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(rig.logged_in(Uid{static_cast<std::uint64_t>(10'000 + i)}));
    rig.router.all_ops.clear();
  }
  const std::size_t after = mallinfo2().uordblks;
  // The clients' ends live in this process too: their own memory is taken off, generously little.
  const double each = static_cast<double>(after - before) / kConnections;
  RecordProperty("bytes_per_connection_and_client", static_cast<int>(each));
  RecordProperty("client_bytes", static_cast<int>(client_bytes));
  EXPECT_LE(sizeof(Connection), 240U);
  EXPECT_LE(each - static_cast<double>(client_bytes), 400.0);
}

}  // namespace
}  // namespace hy::entry::test
