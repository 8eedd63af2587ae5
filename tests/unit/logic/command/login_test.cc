#include "logic/command/login.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

struct LoginTest : ::testing::Test {
  pb::LoginRequest request() const {
    pb::LoginRequest in;
    in.set_slot(3);
    in.set_device_id("device-1");
    in.set_conn_counter(4);
    in.set_device_name("laptop");
    return in;
  }
  pb::LoginRequest with_token(std::uint32_t epoch = 1, std::chrono::seconds life = kDay) {
    pb::LoginRequest in = request();
    in.set_token(bench.tokens.make(kAlice, Slot::kDesktop, "device-1", epoch, bench.now_s(), life));
    return in;
  }
  pb::LoginRequest with_password() const {
    pb::LoginRequest in = request();
    in.set_name("alice");
    in.set_password("correct horse");
    return in;
  }
  std::uint64_t login(const pb::LoginRequest& in) {
    return bench.ask(pb::LOGIN, in.SerializeAsString(), std::nullopt);
  }
  void answer_counter(std::uint64_t value = 11) {
    bench.turn();
    take(bench.log.counters).answer({value});
  }
  void facts(Uid uid, std::string phc = "$phc") {
    LoginFacts f;
    f.uid = uid;
    f.name = "alice";
    f.password_phc = Secret(std::move(phc));
    take(bench.accounts.begins).answer(std::move(f));
  }
  static constexpr std::chrono::seconds kDay{86'400};
  LogicBench bench;
};

TEST_F(LoginTest, TokenOpensASessionWithAGrantThatHolds) {
  const std::uint64_t id = login(with_token());
  answer_counter(11);
  const auto body = bench.body_of<pb::LoginAnswer>(id);
  EXPECT_EQ(body.uid(), kAlice.value());
  EXPECT_EQ(body.name(), "user1");
  EXPECT_EQ(body.auth_epoch(), 1U);
  EXPECT_EQ(body.conn_counter(), 4U);
  EXPECT_TRUE(body.session_token().empty());
  EXPECT_EQ(body.heartbeat_ms(), 60'000U);
  EXPECT_EQ(body.change_counter(), 11U);
  EXPECT_EQ(body.store_epoch(), 7U);
  EXPECT_EQ(body.clock_steps(), 3U);
  ASSERT_EQ(body.entries_size(), 1);
  const Answer& answer = *bench.answer_to(id);
  EXPECT_TRUE(answer.no_compress);
  ASSERT_TRUE(answer.session_opened);
  EXPECT_EQ(answer.session_opened->uid, kAlice);
  EXPECT_EQ(answer.session_opened->conn_counter, 4U);
  EXPECT_TRUE(bench.grants.check(*answer.session_opened, kEntry, kConn, bench.now_s()));
  EXPECT_TRUE(bench.router.kicks.empty());
}

TEST_F(LoginTest, PhoneGetsTheLongHeartbeat) {
  pb::LoginRequest in = request();
  in.set_slot(1);
  in.set_token(bench.tokens.make(kAlice, Slot::kPhone, "device-1", 1, bench.now_s(), kDay));
  const std::uint64_t id = login(in);
  answer_counter();
  EXPECT_EQ(bench.body_of<pb::LoginAnswer>(id).heartbeat_ms(), 240'000U);
}

TEST_F(LoginTest, TokenThatIsNotRightIsRefusedByKind) {
  pb::LoginRequest in = with_token();
  in.set_token(in.token().substr(1));
  EXPECT_EQ(bench.code_of(login(in)), Errc::kTokenMalformed);

  in = with_token();
  (*in.mutable_token())[20] ^= 1;  // device hash: covered by the signature
  EXPECT_EQ(bench.code_of(login(in)), Errc::kTokenForged);

  in = with_token();
  in.set_device_id("device-2");
  EXPECT_EQ(bench.code_of(login(in)), Errc::kTokenMisused);
  in = with_token();
  in.set_slot(1);
  EXPECT_EQ(bench.code_of(login(in)), Errc::kTokenMisused);
  TokenDesk elsewhere(bench.seed, "another cluster", bench.random);
  in = request();
  in.set_token(elsewhere.make(kAlice, Slot::kDesktop, "device-1", 1, bench.now_s(), kDay));
  EXPECT_EQ(bench.code_of(login(in)), Errc::kTokenMisused);

  in = with_token(1, std::chrono::seconds{60});
  bench.clock.advance(std::chrono::minutes{7});
  EXPECT_EQ(bench.code_of(login(in)), Errc::kTokenExpired);
  EXPECT_EQ(bench.metric("hy_logic_logins_total", {{"result", "refused"}}), 6);
}

TEST_F(LoginTest, EveryByteOfATokenCounts) {
  const pb::LoginRequest good = with_token();
  for (std::size_t i = 0; i < good.token().size(); ++i) {
    pb::LoginRequest in = good;
    (*in.mutable_token())[i] ^= 0x40;
    const Errc code = bench.code_of(login(in));
    EXPECT_TRUE(code == Errc::kTokenForged || code == Errc::kTokenMalformed) << "byte " << i;
  }
}

TEST_F(LoginTest, TokenBelowTheKnownEpochIsRevoked) {
  bench.accounts.epochs[{kAlice, Slot::kDesktop}] = 3;
  const std::uint64_t low = login(with_token(2));
  answer_counter();
  EXPECT_EQ(bench.code_of(low), Errc::kRevoked);
  EXPECT_FALSE(bench.answer_to(low)->session_opened);
  const std::uint64_t id = login(with_token(3));
  answer_counter();
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
}

TEST_F(LoginTest, TokenOfAUserWhoIsGoneIsRevoked) {
  bench.accounts.epochs[{kAlice, Slot::kDesktop}] = 0;
  const std::uint64_t id = login(with_token());
  answer_counter();
  EXPECT_EQ(bench.code_of(id), Errc::kRevoked);
}

TEST_F(LoginTest, ATokenAsksForEpochAndCounterInOneTurnAndWaitsForBoth) {
  bench.accounts.hold_epochs = true;
  for (const bool is_counter_first : {true, false}) {
    const std::uint64_t id = login(with_token());
    ASSERT_EQ(bench.accounts.epoch_questions.size(), 1U);
    ASSERT_EQ(bench.log.counters.size(), 1U);
    const auto say_epoch = [this] {
      take(bench.accounts.epoch_questions).answer({KnownEpoch{1, "alice"}});
    };
    if (is_counter_first) {
      answer_counter();
    } else {
      say_epoch();
    }
    EXPECT_EQ(bench.answer_to(id), nullptr);
    if (is_counter_first) {
      say_epoch();
    } else {
      answer_counter();
    }
    const auto body = bench.body_of<pb::LoginAnswer>(id);
    EXPECT_EQ(body.change_counter(), 11U);
    EXPECT_EQ(body.name(), "alice");
  }
}

TEST_F(LoginTest, TokensWorkWhileTheStoreIsAway) {
  bench.accounts.hold_epochs = true;
  const std::uint64_t id = login(with_token());
  take(bench.accounts.epoch_questions).fail_with(Errc::kStoreDown);
  bench.turn();
  take(bench.log.counters).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
  EXPECT_EQ(bench.body_of<pb::LoginAnswer>(id).change_counter(), 0U);
}

TEST_F(LoginTest, KnownHigherEpochHoldsWhileTheStoreIsAway) {
  bench.fence.learn({kAlice, Slot::kDesktop}, 5);
  bench.accounts.hold_epochs = true;
  const std::uint64_t id = login(with_token(4));
  answer_counter();
  take(bench.accounts.epoch_questions).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(id), Errc::kRevoked);
}

TEST_F(LoginTest, PasswordOfAnotherInstallationRaisesTheEpochAndKicks) {
  const std::uint64_t id = login(with_password());
  EXPECT_EQ(bench.accounts.begins.front().query.name, "alice");
  EXPECT_EQ(bench.accounts.begins.front().query.peer_ip, "192.0.2.1");
  facts(kAlice);
  auto verify = take(bench.passwords.verifies);
  EXPECT_EQ(verify.query.password, "correct horse");
  EXPECT_EQ(verify.query.phc, "$phc");
  verify.answer({.right = true, .rehash = Secret("$new")});
  auto sign_in = take(bench.accounts.sign_ins);
  EXPECT_EQ(sign_in.query.device_id, "device-1");
  EXPECT_EQ(sign_in.query.password_phc.reveal(), "$new");
  sign_in.answer({.auth_epoch = 6, .other_installation = true, .name = "alice"});
  ASSERT_EQ(bench.router.kicks.size(), 1U);
  EXPECT_EQ(bench.router.kicks[0].below_auth_epoch, 6U);
  EXPECT_EQ(bench.router.kicks[0].slot, Slot::kDesktop);
  EXPECT_EQ(bench.router.kicks[0].code, Errc::kKicked);
  EXPECT_EQ(bench.router.kicks[0].reason, "laptop");
  answer_counter();
  const auto body = bench.body_of<pb::LoginAnswer>(id);
  EXPECT_EQ(body.name(), "alice");
  EXPECT_EQ(body.auth_epoch(), 6U);
  EXPECT_EQ(body.conn_counter(), 1U);
  // The token given is good for the next login of this device.
  EXPECT_TRUE(bench.tokens.check(body.session_token(), Slot::kDesktop, "device-1", bench.now_s()));
  EXPECT_TRUE(bench.answer_to(id)->no_compress);
}

TEST_F(LoginTest, SameInstallationKeepsEpochAndCounterAndKicksNobody) {
  const std::uint64_t id = login(with_password());
  facts(kAlice);
  take(bench.passwords.verifies).answer({.right = true, .rehash = {}});
  take(bench.accounts.sign_ins).answer({.auth_epoch = 2, .other_installation = false, .name = {}});
  answer_counter();
  EXPECT_TRUE(bench.router.kicks.empty());
  EXPECT_EQ(bench.body_of<pb::LoginAnswer>(id).conn_counter(), 4U);
}

TEST_F(LoginTest, WrongPasswordIsCountedAndSaidWithoutDetail) {
  const std::uint64_t id = login(with_password());
  facts(kAlice);
  take(bench.passwords.verifies).answer({.right = false, .rehash = {}});
  EXPECT_EQ(bench.code_of(id), Errc::kPasswordWrong);
  ASSERT_EQ(bench.accounts.failures.size(), 1U);
  EXPECT_EQ(bench.accounts.failures[0].first, kAlice);
  EXPECT_EQ(bench.accounts.failures[0].second, "192.0.2.1");
  EXPECT_TRUE(bench.accounts.sign_ins.empty());
}

TEST_F(LoginTest, UnknownNameCostsTheSameWorkAndSaysTheSame) {
  const std::uint64_t wrong = login(with_password());
  facts(kAlice);
  take(bench.passwords.verifies).answer({.right = false, .rehash = {}});
  const std::uint64_t unknown = login(with_password());
  facts(Uid{0}, "");
  ASSERT_EQ(bench.passwords.verifies.size(), 1U);
  auto verify = take(bench.passwords.verifies);
  EXPECT_TRUE(verify.query.phc.empty());
  verify.answer({.right = false, .rehash = {}});
  EXPECT_EQ(bench.answer_to(wrong)->body, bench.answer_to(unknown)->body);
}

TEST_F(LoginTest, LockedAccountIsToldTheWait) {
  const std::uint64_t id = login(with_password());
  LoginFacts f;
  f.uid = kAlice;
  f.retry_after = Millis{60'000};
  take(bench.accounts.begins).answer(std::move(f));
  EXPECT_EQ(bench.code_of(id), Errc::kLoginLocked);
  EXPECT_EQ(bench.refusal_of(id).error.retry_after, Millis{60'000});
  EXPECT_TRUE(bench.passwords.verifies.empty());
}

TEST_F(LoginTest, PasswordsWithTheStoreAwayAreUnavailableNotWrong) {
  for (const Errc code : {Errc::kStoreDown, Errc::kUnavailable, Errc::kDeadlineExceeded}) {
    const std::uint64_t id = login(with_password());
    take(bench.accounts.begins).fail_with(code);
    EXPECT_EQ(bench.code_of(id), Errc::kAuthUnavailable);
    EXPECT_GT(bench.refusal_of(id).error.retry_after.count(), 0);
  }
  const std::uint64_t id = login(with_password());
  facts(kAlice);
  take(bench.passwords.verifies).answer({.right = true, .rehash = {}});
  take(bench.accounts.sign_ins).fail_with(Errc::kOutcomeUnknown);
  EXPECT_EQ(bench.code_of(id), Errc::kAuthUnavailable);
  EXPECT_TRUE(bench.accounts.failures.empty());
}

TEST_F(LoginTest, FullPasswordQueueIsOverload) {
  const std::uint64_t id = login(with_password());
  facts(kAlice);
  take(bench.passwords.verifies).fail_with(Errc::kOverloaded);
  EXPECT_EQ(bench.code_of(id), Errc::kOverloaded);
}

TEST_F(LoginTest, BadRequestsAreTyped) {
  pb::LoginRequest in = with_token();
  in.set_slot(0);
  EXPECT_EQ(bench.code_of(login(in)), Errc::kMalformedBody);
  in = with_token();
  in.set_slot(6);
  EXPECT_EQ(bench.code_of(login(in)), Errc::kMalformedBody);
  in = with_token();
  in.set_device_id("");
  EXPECT_EQ(bench.code_of(login(in)), Errc::kMalformedBody);
  in.set_device_id(std::string(65, 'd'));
  EXPECT_EQ(bench.code_of(login(in)), Errc::kMalformedBody);
  EXPECT_EQ(bench.code_of(login(request())), Errc::kMalformedBody);
  in = with_password();
  in.set_password("");
  EXPECT_EQ(bench.code_of(login(in)), Errc::kPasswordWrong);
  in.set_password(std::string(257, 'p'));
  EXPECT_EQ(bench.code_of(login(in)), Errc::kPasswordWrong);
  in = with_token();
  in.set_client_version(std::string(2'000, 'v'));
  EXPECT_EQ(bench.code_of(login(in)), Errc::kMalformedBody);
}

TEST_F(LoginTest, TextThatIsNotUtf8HasItsOwnCode) {
  // name = field 3, length 2, bytes that no UTF-8 has.
  EXPECT_EQ(bench.code_of(bench.ask(pb::LOGIN, "\x1a\x02\xc3\x28", std::nullopt)),
            Errc::kInvalidText);
  EXPECT_EQ(bench.code_of(bench.ask(pb::LOGIN, "\x1a\x09zz", std::nullopt)), Errc::kMalformedBody);
}

TEST_F(LoginTest, SecondLoginOnOneConnectionIsRefused) {
  const std::uint64_t id =
      bench.ask(pb::LOGIN, with_token().SerializeAsString(), bench.session_of(kAlice));
  EXPECT_EQ(bench.code_of(id), Errc::kAlreadyLoggedIn);
}

TEST_F(LoginTest, DeviceNameIsMadeHarmlessForTheOtherScreen) {
  pb::LoginRequest in = with_password();
  in.set_device_name("a\u202Eb\nc" + std::string(100, 'x'));
  login(in);
  facts(kAlice);
  take(bench.passwords.verifies).answer({.right = true, .rehash = {}});
  take(bench.accounts.sign_ins).answer({.auth_epoch = 2, .other_installation = true, .name = {}});
  EXPECT_EQ(bench.router.kicks[0].reason, "a b c" + std::string(59, 'x'));
}

}  // namespace
}  // namespace hy::logic::test
