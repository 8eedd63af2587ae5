// Credentials that are not right, and what they must not betray.
#include "client/cli/private_folder.h"
#include "common/base/bytes.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/system_random.h"
#include "common/wire/token.h"
#include "tests/e2e/wire_fixture.h"

namespace hy {
namespace {

std::int64_t now_s() {
  return SystemClock().wall_ms() / 1'000;
}

}  // namespace

class WireLogin : public WireTest {
 protected:
  /// A token that the cluster would have made, with its own key.
  static wire::Token good_token(const Somebody& who) {
    wire::Token token;
    token.slot = who.slot;
    token.uid = who.uid;
    token.device = wire::device_hash(who.device);
    token.auth_epoch = 1'000;
    token.issued_s = now_s() - 10;
    token.expires_s = now_s() + 3'600;
    token.audience = wire::audience_of(layout().cluster);
    token.id.fill(7);
    return token;
  }
  static crypto::Ed25519Key key_of_cluster() {
    std::string hex = *cli::read_file(folder() / "secrets" / "token.key");
    while (hex.ends_with('\n')) hex.pop_back();
    crypto::Bytes32 seed{};
    std::memcpy(seed.data(), from_hex(hex)->data(), seed.size());
    return crypto::Ed25519Key::from_seed(seed);
  }
  static std::uint16_t key_number(const Somebody& who) {
    return get_be<std::uint16_t>(reinterpret_cast<const std::uint8_t*>(who.token.data()) + 4);
  }
  static raw::Answer login_with(const Somebody& who, const Bytes& token) {
    const auto client = channel();
    pb::LoginRequest login = login_of(who);
    login.set_token(token);
    return client->call(pb::LOGIN, login.SerializeAsString());
  }
  static raw::Answer login_with(const Somebody& who, const wire::Token& token) {
    return login_with(who, wire::sign_token(token, key_number(who), key_of_cluster()));
  }
};

TEST_F(WireLogin, OwnTokensAreUnderstood) {
  const Somebody who = somebody();
  EXPECT_TRUE(login_with(who, good_token(who)).ok()) << "the following cases would prove nothing";
}

TEST_F(WireLogin, ForgedTokens) {
  const Somebody who = somebody();
  for (std::size_t at = 0; at < wire::kTokenBytes; ++at) {
    Bytes token = who.token;
    token[at] = static_cast<char>(token[at] ^ (1 << (at % 8)));
    const raw::Answer answer = login_with(who, token);
    EXPECT_TRUE(answer.code == Errc::kTokenForged || answer.code == Errc::kTokenMalformed)
        << "byte " << at << ": " << error_text(answer.code);
  }
  crypto::Bytes32 seed{};
  seed.fill(3);
  EXPECT_REFUSED(login_with(who, wire::sign_token(good_token(who), key_number(who),
                                                  crypto::Ed25519Key::from_seed(seed))),
                 Errc::kTokenForged);
  EXPECT_REFUSED(login_with(who, wire::sign_token(good_token(who), 9'999, key_of_cluster())),
                 Errc::kTokenForged);
}

TEST_F(WireLogin, MalformedTokens) {
  const Somebody who = somebody();
  EXPECT_REFUSED(login_with(who, who.token.substr(1)), Errc::kTokenMalformed);
  EXPECT_REFUSED(login_with(who, who.token + "x"), Errc::kTokenMalformed);
  EXPECT_REFUSED(login_with(who, Bytes("x")), Errc::kTokenMalformed);
}

TEST_F(WireLogin, ExpiredTokens) {
  const Somebody who = somebody();
  wire::Token token = good_token(who);
  token.issued_s = now_s() - 7'200;
  token.expires_s = now_s() - 301;
  EXPECT_REFUSED(login_with(who, token), Errc::kTokenExpired);
  token = good_token(who);
  token.issued_s = now_s() + 400;
  EXPECT_REFUSED(login_with(who, token), Errc::kTokenExpired);
}

TEST_F(WireLogin, MisusedTokens) {
  const Somebody who = somebody();
  Somebody other_slot = who;
  other_slot.slot = Slot::kPhone;
  EXPECT_REFUSED(login_with(other_slot, who.token), Errc::kTokenMisused);
  Somebody other_device = who;
  other_device.device = "stolen";
  EXPECT_REFUSED(login_with(other_device, who.token), Errc::kTokenMisused);
  wire::Token token = good_token(who);
  token.audience = wire::audience_of("another cluster");
  EXPECT_REFUSED(login_with(who, token), Errc::kTokenMisused);
  token = good_token(who);
  token.kind = wire::TokenKind::kRenewal;
  EXPECT_REFUSED(login_with(who, token), Errc::kTokenMisused);
}

TEST_F(WireLogin, RevokedToken) {
  const Somebody who = somebody();
  wire::Token token = good_token(who);
  token.auth_epoch = 0;
  EXPECT_REFUSED(login_with(who, token), Errc::kRevoked);
}

TEST_F(WireLogin, BadLoginFields) {
  const Somebody who = somebody();
  for (const std::uint32_t slot : {0U, 6U, 255U}) {
    pb::LoginRequest login = login_of(who);
    login.set_slot(slot);
    EXPECT_REFUSED(channel()->call(pb::LOGIN, login.SerializeAsString()), Errc::kMalformedBody);
  }
  for (const std::size_t size : {0U, 65U}) {
    pb::LoginRequest login = login_of(who);
    login.set_device_id(Bytes(size, 'd'));
    EXPECT_REFUSED(channel()->call(pb::LOGIN, login.SerializeAsString()), Errc::kMalformedBody);
  }
}

TEST_F(WireLogin, ThreeRefusalsEndTheConnection) {
  const Somebody who = somebody();
  const auto client = channel();
  pb::LoginRequest login = login_of(who);
  login.set_token("x");
  for (int i = 0; i < 3; ++i)
    EXPECT_REFUSED(client->call(pb::LOGIN, login.SerializeAsString()), Errc::kTokenMalformed);
  EXPECT_CLOSES_SILENTLY(*client);
}

TEST_F(WireLogin, OlderCounterIsStaleAndNewerKicks) {
  const Somebody who = somebody();
  pb::LoginRequest login = login_of(who);
  login.set_conn_counter(10);
  const auto first = channel();
  ASSERT_TRUE(first->call(pb::LOGIN, login.SerializeAsString()).ok());
  login.set_conn_counter(9);
  const raw::Answer stale = channel()->call(pb::LOGIN, login.SerializeAsString());
  EXPECT_REFUSED(stale, Errc::kStaleEpoch);
  EXPECT_EQ(stale.refusal.conn_counter, 10U);
  EXPECT_TRUE(first->call(pb::PING, {}).ok()) << "the session that is newer stays";
  login.set_conn_counter(11);
  const auto second = channel();
  ASSERT_TRUE(second->call(pb::LOGIN, login.SerializeAsString()).ok());
  const raw::Answer kicked = first->notice(pb::KICKED);
  ASSERT_FALSE(kicked.closed || kicked.timed_out);
  const auto why = wire::decode_refused(as_bytes(kicked.body));
  ASSERT_TRUE(why);
  EXPECT_EQ(why->error.code, Errc::kStaleSession) << "the same device came back";
  EXPECT_CLOSES_SILENTLY(*first);
  EXPECT_TRUE(second->call(pb::PING, {}).ok());
}

TEST_F(WireLogin, AnotherDeviceOfTheSlotKicks) {
  const cli::Account account = with_password("mover");
  const auto sign_in_at = [&](raw::Client& client, const std::string& device) {
    pb::LoginRequest login;
    login.set_name(account.name);
    login.set_password(account.password);
    login.set_slot(3);
    login.set_device_id(device);
    login.set_device_name("the other one");
    login.set_conn_counter(1);
    return client.call(pb::LOGIN, login.SerializeAsString());
  };
  const auto first = channel();
  const raw::Answer in = sign_in_at(*first, "device one");
  ASSERT_TRUE(in.ok());
  const auto second = channel();
  ASSERT_TRUE(sign_in_at(*second, "device two").ok());
  const raw::Answer kicked = first->notice(pb::KICKED);
  ASSERT_FALSE(kicked.closed || kicked.timed_out);
  const auto why = wire::decode_refused(as_bytes(kicked.body));
  ASSERT_TRUE(why);
  EXPECT_EQ(why->error.code, Errc::kKicked);
  EXPECT_CLOSES_SILENTLY(*first);
  // What the first device was given is of no use any more.
  pb::LoginAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(in.body));
  Somebody old{Uid{answer.uid()}, account.name, "device one", Slot::kDesktop,
               answer.session_token()};
  EXPECT_REFUSED(login_with(old, old.token), Errc::kRevoked);
  EXPECT_TRUE(second->call(pb::PING, {}).ok());
}

TEST_F(WireLogin, WrongPasswordsLockTheAccount) {
  const cli::Account account = with_password("guarded");
  raw::Client::Options from_afar = options();
  from_afar.from = "127.0.0.77";  // a limit per address must not meet the other tests
  const auto attempt = [&](const std::string& password) {
    raw::Client client(from_afar);
    EXPECT_TRUE(client.open());
    pb::LoginRequest login;
    login.set_name(account.name);
    login.set_password(password);
    login.set_slot(3);
    login.set_device_id("guesser");
    login.set_conn_counter(1);
    return client.call(pb::LOGIN, login.SerializeAsString());
  };
  int wrong = 0;
  raw::Answer answer = attempt("not the password");
  for (; answer.code == Errc::kPasswordWrong && wrong < 30; ++wrong)
    answer = attempt("not the password either");
  EXPECT_GE(wrong, 5) << "people mistype";
  EXPECT_LE(wrong, 10) << "guessing is rate-limited";
  EXPECT_REFUSED(answer, Errc::kLoginLocked);
  EXPECT_GT(answer.refusal.error.retry_after, Millis(1'000));
  EXPECT_REFUSED(attempt(account.password), Errc::kLoginLocked);
}

TEST_F(WireLogin, UnknownNameLooksLikeAWrongPassword) {
  const cli::Account account = with_password("known");
  raw::Client::Options from_afar = options();
  from_afar.from = "127.0.0.78";
  const auto attempt = [&](const std::string& name, const std::string& password) {
    raw::Client client(from_afar);
    EXPECT_TRUE(client.open());
    pb::LoginRequest login;
    login.set_name(name);
    login.set_password(password);
    login.set_slot(3);
    login.set_device_id("guesser");
    login.set_conn_counter(1);
    return client.call(pb::LOGIN, login.SerializeAsString());
  };
  const raw::Answer unknown = attempt("nobody-has-this-name", "whatever it is");
  const raw::Answer wrong = attempt(account.name, "whatever it is");
  EXPECT_REFUSED(unknown, Errc::kPasswordWrong);
  EXPECT_REFUSED(wrong, Errc::kPasswordWrong);
  EXPECT_EQ(unknown.body, wrong.body);
  EXPECT_REFUSED(attempt(account.name, Bytes(257, 'x')), Errc::kPasswordWrong);
  EXPECT_TRUE(attempt(account.name, account.password).ok());
}

}  // namespace hy
