#include "entry/link/hub.h"

#include <gtest/gtest.h>

#include "common/base/random.h"
#include "common/wire/inner.h"
#include "common/wire/refused.h"
#include "entry/session/small_bodies.h"
#include "tests/unit/entry/fakes.h"

namespace hy::entry::test {
namespace {

const MonoTime kStart{std::chrono::hours{5}};

MonoTime at(int ms) {
  return kStart + Millis{ms};
}

struct Bench {
  SeededRandom random{3};
  FakeLogic logic;
  FakeRouter router;
  Hub hub;

  explicit Bench(HubOptions options = {}) : hub(logic, router, random, options) {
    hub.on_logic_up(0);
  }
  void command(ConnId conn, std::uint16_t type, std::uint32_t request_id = 1) {
    UpBatch batch;
    Command& command = batch.commands.emplace_back();
    command.conn = conn;
    command.type = type;
    command.request_id = request_id;
    command.deadline = at(5'000);
    hub.on_connections(batch, at(0));
  }
  void closed(ConnId conn, std::optional<Session> session = std::nullopt) {
    UpBatch batch;
    batch.closed.push_back({.conn = conn, .session = session});
    hub.on_connections(batch, at(0));
  }
  void accept_login(ConnId conn, const Session& session) {
    command(conn, inner_type::kLogin);
    LogicReply reply;
    reply.id = logic.forwarded.back().id;
    reply.answer.type = 0x8001;
    reply.session_opened = session;
    hub.on_reply(0, std::move(reply), at(0));
    hub.end_turn(at(0));
  }
};

Session session_of(std::uint64_t uid, Epoch epoch) {
  Session out;
  out.uid = Uid{uid};
  out.slot = Slot::kPhone;
  out.epoch = epoch;
  return out;
}

TEST(Hub, DeliveriesAreSplitByIoThread) {
  HubOptions options;
  options.shards = 3;
  Bench b(options);
  RouterForward forward;
  forward.id = 8;
  forward.payload = std::make_shared<PushPayload>();
  forward.conns = {make_conn_id(0, 1, 1), make_conn_id(2, 5, 1), make_conn_id(2, 6, 4)};
  b.hub.on_forward(0, std::move(forward), at(0));
  EXPECT_EQ(b.hub.down()[0].deliveries.size(), 1U);
  EXPECT_TRUE(b.hub.down()[1].deliveries.empty());
  ASSERT_EQ(b.hub.down()[2].deliveries.size(), 1U);
  EXPECT_EQ(b.hub.down()[2].deliveries[0].conns.size(), 2U);
  EXPECT_EQ(b.hub.down()[2].deliveries[0].ref.id, 8U);
}

TEST(Hub, ConnectionIdsTakeThemselvesApart) {
  const ConnId conn = make_conn_id(63, 1'234'567, 0xFFFF'FFFE);
  EXPECT_EQ(conn_shard(conn), 63U);
  EXPECT_EQ(conn_index(conn), 1'234'567U);
  EXPECT_EQ(conn_generation(conn), 0xFFFF'FFFEU);
}

TEST(Hub, AConnectionThatWentDuringItsLoginIsTakenBackByTheIoThread) {
  Bench b;
  const ConnId conn = make_conn_id(0, 1, 1);
  b.accept_login(conn, session_of(1, {1, 1}));
  ASSERT_EQ(b.hub.down()[0].opened.size(), 1U);
  // Its end was on the way when OPENED left: the I/O thread answers that with the session.
  b.closed(conn);
  EXPECT_EQ(b.hub.routers().placements().live_rows(), 1U);
  b.closed(conn, session_of(1, {1, 1}));
  EXPECT_EQ(b.hub.routers().placements().live_rows(), 0U);
}

TEST(Hub, ClosingAnOlderConnectionLeavesTheNewerRow) {
  Bench b;
  const ConnId older = make_conn_id(0, 1, 1);
  const ConnId newer = make_conn_id(0, 2, 1);
  b.accept_login(older, session_of(1, {1, 1}));
  b.accept_login(newer, session_of(1, {1, 2}));
  ASSERT_EQ(b.hub.down()[0].kicks.size(), 1U);
  EXPECT_EQ(b.hub.down()[0].kicks[0].conn, older);
  EXPECT_EQ(b.hub.down()[0].kicks[0].code, Errc::kStaleSession) << "the same installation";
  b.closed(older, session_of(1, {1, 1}));
  EXPECT_EQ(b.hub.routers().placements().find(Uid{1}, Slot::kPhone)->conn, newer);
  EXPECT_EQ(b.hub.counts().displaced, 1U);
}

TEST(Hub, AnyAnswerRenewsTheGrantAndOpensNothing) {
  // A client that writes all the time need not send PING.
  for (const std::uint16_t type : {inner_type::kPing, std::uint16_t{0x0101}}) {
    Bench b;
    const ConnId conn = make_conn_id(0, 1, 1);
    b.command(conn, type);
    b.hub.step(at(250));
    LogicReply reply;
    reply.id = b.logic.forwarded.back().id;
    reply.answer.type = type | inner_type::kAnswerBit;
    reply.session_opened = session_of(1, {1, 1});
    b.hub.on_reply(0, std::move(reply), at(1));
    ASSERT_EQ(b.hub.down()[0].answers.size(), 1U);
    EXPECT_TRUE(b.hub.down()[0].answers[0].renewed.has_value()) << type;
    EXPECT_TRUE(b.hub.down()[0].opened.empty());
    EXPECT_EQ(b.hub.routers().placements().live_rows(), 0U);
  }
}

TEST(Hub, PingsWaitForEachOtherAndNobodyWaitsForThem) {
  Bench b;
  for (std::uint32_t i = 1; i <= 3; ++i) b.command(make_conn_id(0, i, 1), inner_type::kPing, i);
  b.hub.step(at(200));
  EXPECT_TRUE(b.logic.forwarded.empty());
  b.command(make_conn_id(0, 9, 1), inner_type::kLogin);
  EXPECT_EQ(b.logic.forwarded.size(), 1U) << "anything else passes at once";
  b.closed(make_conn_id(0, 2, 1));
  b.hub.step(at(250));
  ASSERT_EQ(b.logic.forwarded.size(), 3U) << "without the one whose connection is gone";
  EXPECT_EQ(b.logic.forwarded[1].command.conn, make_conn_id(0, 1, 1));
  EXPECT_EQ(b.logic.forwarded[2].command.conn, make_conn_id(0, 3, 1));
  b.hub.step(at(600));
  EXPECT_EQ(b.logic.forwarded.size(), 3U) << "each once";
}

TEST(Hub, ManyPingsDoNotWait) {
  HubOptions options;
  options.pings_max = 4;
  Bench b(options);
  for (std::uint32_t i = 1; i <= 5; ++i) b.command(make_conn_id(0, i, 1), inner_type::kPing, i);
  EXPECT_EQ(b.logic.forwarded.size(), 4U);
  b.hub.step(at(250));
  EXPECT_EQ(b.logic.forwarded.size(), 5U);
}

TEST(Hub, LogoutClosesAfterItsAnswer) {
  Bench b;
  const ConnId conn = make_conn_id(0, 1, 1);
  for (const std::uint16_t flags : {std::uint16_t{0}, std::uint16_t{0x0004}}) {
    b.command(conn, inner_type::kLogout);
    LogicReply reply;
    reply.id = b.logic.forwarded.back().id;
    reply.answer.type = 0x8002;
    reply.answer.flags = flags;
    b.hub.on_reply(0, std::move(reply), at(1));
    EXPECT_EQ(b.hub.down()[0].answers.back().close, flags == 0);
  }
}

/// A logic is lost with a command, another one refuses it: whether it was done, nobody knows.
TEST(Hub, ARefusalAfterAFirstTryLeavesOpenWhatWasDone) {
  const auto refused_after = [](bool first_was_lost, std::optional<Session> session, Errc with) {
    HubOptions options;
    options.logics = 2;
    Bench b(options);
    UpBatch batch;
    Command& command = batch.commands.emplace_back();
    command.conn = make_conn_id(0, 1, 1);
    command.session = std::move(session);
    command.type = 0x0101;
    command.request_id = 7;
    command.deadline = at(5'000);
    b.hub.on_connections(batch, at(0));
    if (first_was_lost) {
      b.hub.on_logic_up(1);
      b.hub.on_logic_down(0, at(1));
    }
    LogicReply reply;
    reply.id = b.logic.forwarded.back().id;
    reply.answer.type = 0x8101;
    reply.answer.flags = wire::kFlagRefused;
    reply.answer.refused = with;
    reply.answer.body = refused_body(with, Millis{2'000});
    b.hub.on_reply(first_was_lost ? 1 : 0, std::move(reply), at(2));
    const auto& answers = b.hub.down()[0].answers;
    if (answers.size() != 1) return Error{};
    const auto body = wire::decode_refused(as_bytes(answers[0].body));
    return body && body->error.code == answers[0].refused ? body->error : Error{};
  };
  const Session session = session_of(1, {1, 1});
  EXPECT_EQ(refused_after(false, session, Errc::kOverloaded).code, Errc::kOverloaded);
  const Error open = refused_after(true, session, Errc::kOverloaded);
  EXPECT_EQ(open.code, Errc::kOutcomeUnknown);
  EXPECT_EQ(open.retry_after, Millis{2'000});
  EXPECT_EQ(refused_after(true, session, Errc::kBlocked).code, Errc::kOutcomeUnknown);
  EXPECT_EQ(refused_after(true, session, Errc::kStoreDown).code,
            truth_of_second_try(Errc::kStoreDown));
  EXPECT_EQ(refused_after(true, {}, Errc::kPasswordWrong).code, Errc::kPasswordWrong)
      << "a login has no outcome to be unsure of";
}

TEST(Hub, LogicsAnswerToSomebodyElsesRequestIsDropped) {
  Bench b;
  LogicReply reply;
  reply.id = 77;
  reply.session_opened = session_of(1, {1, 1});
  b.hub.on_reply(0, std::move(reply), at(1));
  EXPECT_TRUE(b.hub.down()[0].empty());
  EXPECT_EQ(b.hub.counts().late_replies, 1U);
}

TEST(Hub, KickByUserFindsTheSessionAndRespectsTheEpoch) {
  Bench b;
  const ConnId conn = make_conn_id(0, 1, 1);
  b.accept_login(conn, session_of(1, {3, 1}));
  b.hub.down()[0].clear();
  b.hub.on_kick({.uid = Uid{1}, .slot = Slot::kPhone, .below = {3, 1}});
  b.hub.on_kick({.uid = Uid{2}, .slot = Slot::kPhone, .below = {9, 0}});
  EXPECT_TRUE(b.hub.down()[0].kicks.empty());
  b.hub.on_kick({.uid = Uid{1}, .slot = Slot::kPhone, .below = {4, 0}});
  ASSERT_EQ(b.hub.down()[0].kicks.size(), 1U);
  EXPECT_EQ(b.hub.down()[0].kicks[0].conn, conn);
}

TEST(Hub, HeartbeatsSayThatTheEntryDrains) {
  Bench b;
  b.hub.on_router_up(0, at(0));
  b.hub.set_draining(true);
  b.hub.step(at(10));
  ASSERT_EQ(b.router.heartbeats.size(), 1U);
  EXPECT_TRUE(b.router.heartbeats[0].second.draining);
}

}  // namespace
}  // namespace hy::entry::test
