#include "logic/command/dispatcher.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

struct DispatcherTest : ::testing::Test {
  LogicBench bench;
  /// A look-up of one name: needs a session, changes nothing.
  static Bytes lookup() {
    pb::UserLookupRequest in;
    in.add_names("bob");
    return in.SerializeAsString();
  }
  Errc ask(const SessionInfo& session) {
    return bench.code_of(bench.ask(pb::USER_LOOKUP, lookup(), session));
  }
};

TEST_F(DispatcherTest, UnknownCommandIsTyped) {
  for (const std::uint16_t type : {std::uint16_t{0x0999}, std::uint16_t{0}, std::uint16_t{0x4001},
                                   std::uint16_t{0x8101}, std::uint16_t{pb::PUSH_ACK}}) {
    const std::uint64_t id = bench.ask_as(kAlice, type, {});
    EXPECT_EQ(bench.code_of(id), Errc::kUnknownCommand) << type;
    EXPECT_EQ(bench.answer_to(id)->type, type | kAckBit);
  }
}

TEST_F(DispatcherTest, WithoutASessionOnlyLoginIsHeard) {
  for (const CommandRow& row : command_rows()) {
    const Errc code = bench.code_of(bench.ask(row.number, {}, std::nullopt));
    EXPECT_EQ(code, row.needs_session ? Errc::kNotLoggedIn : Errc::kMalformedBody) << row.name;
  }
}

TEST_F(DispatcherTest, BodyOverTheRowsLimitIsRefusedUnparsed) {
  for (const CommandRow& row : command_rows()) {
    const std::optional<SessionInfo> session =
        row.needs_session ? std::optional(bench.session_of(kAlice)) : std::nullopt;
    const Bytes body(row.body_bytes_max + 1, '\0');
    const Errc code = bench.code_of(bench.ask(row.number, body, session));
    EXPECT_EQ(code, row.number == pb::SEND ? Errc::kBodyTooLarge : Errc::kMalformedBody)
        << row.name;
  }
}

TEST_F(DispatcherTest, GarbageIsMalformedForEveryCommandWithABody) {
  for (const CommandRow& row : command_rows()) {
    if (row.number == pb::LOGOUT) continue;
    const std::optional<SessionInfo> session =
        row.needs_session ? std::optional(bench.session_of(kAlice)) : std::nullopt;
    const Errc code = bench.code_of(bench.ask(row.number, "\x07\xff\xff", session));
    EXPECT_EQ(code, Errc::kMalformedBody) << row.name;
  }
}

TEST_F(DispatcherTest, GrantBindsEveryFieldOfTheSession) {
  const SessionInfo good = bench.session_of(kAlice);
  EXPECT_NE(ask(good), Errc::kGrantInvalid);
  SessionInfo bad = good;
  bad.uid = kBob;
  EXPECT_EQ(ask(bad), Errc::kGrantInvalid);
  bad = good;
  bad.slot = Slot::kPhone;
  EXPECT_EQ(ask(bad), Errc::kGrantInvalid);
  bad = good;
  bad.auth_epoch = 9;
  EXPECT_EQ(ask(bad), Errc::kGrantInvalid);
  bad = good;
  bad.conn_counter = 9;
  EXPECT_EQ(ask(bad), Errc::kGrantInvalid);
  bad = good;
  bad.grant_expires_s += 60;
  EXPECT_EQ(ask(bad), Errc::kGrantInvalid);
  bad = good;
  bad.grant = {};
  EXPECT_EQ(ask(bad), Errc::kGrantInvalid);
  bad = good;
  bad.grant[0] = static_cast<std::uint8_t>(bad.grant[0] ^ 1);
  EXPECT_EQ(ask(bad), Errc::kGrantInvalid);
  EXPECT_EQ(bench.metric("hy_logic_grants_refused_total"), 7);
}

TEST_F(DispatcherTest, GrantOfAnotherEntryOrConnectionIsRefusedAndCloses) {
  SessionInfo session = bench.session_of(kAlice);
  bench.grants.give(session, EntryId{2}, kConn, bench.now_s());
  EXPECT_EQ(ask(session), Errc::kGrantInvalid);
  bench.grants.give(session, kEntry, ConnId{78}, bench.now_s());
  EXPECT_EQ(ask(session), Errc::kGrantInvalid);
  EXPECT_EQ(bench.replies.said.back().answer.close, Errc::kGrantInvalid);
  Grants other_key{Secret(std::string(32, 'x')), std::chrono::seconds{600}};
  other_key.give(session, kEntry, kConn, bench.now_s());
  EXPECT_EQ(ask(session), Errc::kGrantInvalid);
}

TEST_F(DispatcherTest, EveryPingRenewsTheGrant) {
  const SessionInfo session = bench.session_of(kAlice);
  bench.clock.advance(std::chrono::seconds{5});
  const std::uint64_t id = bench.ask(pb::PING, {}, session);
  take(bench.log.counters).answer({0});
  ASSERT_TRUE(bench.answer_to(id)->session_opened);
  EXPECT_EQ(bench.answer_to(id)->session_opened->grant_expires_s, bench.now_s() + 600)
      << "a device that is silent for as long as the entry bears it finds it in force";
}

TEST_F(DispatcherTest, GrantExpiresAndIsRenewedByAnyCommandAfterHalfItsLife) {
  SessionInfo session = bench.session_of(kAlice);
  const auto look_up = [&] {
    const std::uint64_t id = bench.ask(pb::USER_LOOKUP, lookup(), session);
    take(bench.accounts.finds).answer({});
    return id;
  };
  EXPECT_FALSE(bench.answer_to(look_up())->session_opened);
  bench.clock.advance(std::chrono::seconds{301});
  const std::uint64_t id = look_up();
  ASSERT_TRUE(bench.answer_to(id)->session_opened);
  const SessionInfo renewed = *bench.answer_to(id)->session_opened;
  EXPECT_EQ(renewed.grant_expires_s, bench.now_s() + 600);
  bench.clock.advance(std::chrono::seconds{301});
  EXPECT_EQ(ask(session), Errc::kGrantInvalid);
  EXPECT_NE(ask(renewed), Errc::kGrantInvalid);
}

TEST_F(DispatcherTest, SessionBelowTheKnownEpochIsFencedAndClosed) {
  bench.accounts.epochs[{kAlice, Slot::kDesktop}] = 2;
  const std::uint64_t id = bench.ask(pb::USER_LOOKUP, lookup(), bench.session_of(kAlice, 1));
  EXPECT_EQ(bench.code_of(id), Errc::kStaleSession);
  EXPECT_EQ(bench.answer_to(id)->close, Errc::kStaleSession);
  EXPECT_TRUE(bench.accounts.finds.empty());
}

TEST_F(DispatcherTest, FenceAsksAgainAfterTwoSeconds) {
  const SessionInfo session = bench.session_of(kAlice, 1);
  ask(session);
  ask(session);
  EXPECT_EQ(bench.accounts.epoch_calls, 1);
  bench.accounts.epochs[{kAlice, Slot::kDesktop}] = 2;  // signed in elsewhere
  bench.clock.advance(Millis{2'001});
  EXPECT_EQ(ask(session), Errc::kStaleSession);
}

TEST_F(DispatcherTest, ExpiredWorkIsDroppedWithoutAWord) {
  bench.accounts.hold_epochs = true;
  bench.ask(pb::USER_LOOKUP, lookup(), bench.session_of(kAlice));
  const std::uint64_t second = bench.ask(pb::USER_LOOKUP, lookup(), bench.session_of(kAlice));
  bench.clock.advance(Millis{3'001});
  take(bench.accounts.epoch_questions).fail_with(Errc::kDeadlineExceeded);
  bench.turn();
  EXPECT_EQ(bench.answer_to(second), nullptr);
  EXPECT_EQ(bench.accounts.finds.size(), 1U) << "the first had started already";
}

TEST_F(DispatcherTest, LongWaitInLineIsOverload) {
  bench.accounts.hold_epochs = true;
  bench.ask(pb::USER_LOOKUP, lookup(), bench.session_of(kAlice));
  const std::uint64_t second = bench.ask(pb::USER_LOOKUP, lookup(), bench.session_of(kAlice));
  bench.clock.advance(Millis{2'100});
  take(bench.accounts.epoch_questions).fail_with(Errc::kDeadlineExceeded);
  bench.turn();
  EXPECT_EQ(bench.code_of(second), Errc::kOverloaded);
}

TEST_F(DispatcherTest, LogoutAnswersThenCloses) {
  const std::uint64_t id = bench.ask_as(kAlice, pb::LOGOUT, {});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
  EXPECT_NE(bench.answer_to(id)->close, Errc::kOk);
}

}  // namespace
}  // namespace hy::logic::test
