// Text that is meant for somebody else: SQL, Redis protocol, format strings, terminal escapes.
// Through every command that takes text, on both engines, it is stored as it is or refused with a
// code, and nothing else happens (security.md D1, D2, L5). And nothing that is secret or private
// reaches a log, a command line or a core file (X1, D4).
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>

#include "client/cli/operator_client.h"
#include "client/cli/private_store.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"
#include "tests/attack/world.h"

namespace hy::attack {
namespace {

namespace pb = hy::client::v1;
namespace fs = std::filesystem;
using namespace std::string_literals;

const std::vector<std::string>& hostile() {
  static const std::vector<std::string> kTexts = {"'; DROP TABLE message; --",
                                                  "\" OR \"1\"=\"1",
                                                  "' OR 1=1 -- ",
                                                  "1; UPDATE account SET password='x'",
                                                  "\\'; DELETE FROM device; #",
                                                  "' UNION SELECT * FROM credential -- ",
                                                  "%' AND SLEEP(5) AND '%'='",
                                                  "${jndi:ldap://x/y}",
                                                  "%s%s%s%n%n",
                                                  "\r\n*1\r\n$8\r\nFLUSHALL\r\n",
                                                  "$-1\r\n:1\r\n",
                                                  "a\r\nSET hacked 1\r\n",
                                                  "x\0y'; DROP TABLE user; --"s,
                                                  "\x1b]0;owned\x07\x1b[2J",
                                                  "\xe2\x80\xae"
                                                  "txt.exe",
                                                  "<script>alert(1)</script>",
                                                  "../../../../etc/passwd",
                                                  std::string(200, '\'')};
  return kTexts;
}

class HostileText : public testing::TestWithParam<cli::StoreKind> {
 public:
  static void TearDownTestSuite() { worlds_.clear(); }

 protected:
  void SetUp() override {
    if (GetParam() == cli::StoreKind::kMysql && !cli::missing_store_packages().empty()) {
      GTEST_SKIP() << "MariaDB or Redis is not installed";
    }
    auto& world = worlds_[GetParam()];
    if (!world) world = std::make_unique<World>(GetParam());
    ASSERT_EQ(world->error(), "");
  }
  static World& world() { return *worlds_[GetParam()]; }
  static std::map<cli::StoreKind, std::unique_ptr<World>> worlds_;
};
std::map<cli::StoreKind, std::unique_ptr<World>> HostileText::worlds_;

TEST_P(HostileText, BodiesComeBackByteForByte) {
  const Somebody alice = world().somebody();
  const Somebody bob = world().somebody();
  const auto client = world().sign_in(alice);
  ASSERT_NE(client, nullptr);
  for (const std::string& text : hostile()) {
    const auto stored = client->call(pb::SEND, World::send_body(bob.uid, text));
    EXPECT_TRUE(stored.ok()) << text << error_text(stored.code);
  }
  pb::HistoryRequest ask;
  ask.set_conversation(ConversationId::pair(alice.uid, bob.uid).to_bytes());
  ask.set_last(100);
  const auto got = client->call(pb::HISTORY, ask.SerializeAsString());
  pb::PullAnswer slice;
  ASSERT_TRUE(got.ok() && slice.ParseFromString(got.body));
  ASSERT_EQ(static_cast<std::size_t>(slice.messages_size()), hostile().size());
  for (std::size_t i = 0; i < hostile().size(); ++i) {
    EXPECT_EQ(slice.messages(static_cast<int>(i)).body(), hostile()[i]);
  }
}

TEST_P(HostileText, NamesFindNobodyAndBreakNothing) {
  const Somebody alice = world().somebody();
  const auto client = world().sign_in(alice);
  ASSERT_NE(client, nullptr);
  for (const std::string& text : hostile()) {
    pb::UserLookupRequest ask;
    if (text.size() <= 64 && is_valid_utf8(text)) ask.add_names(text);
    ask.add_names(alice.name);
    const auto got = client->call(pb::USER_LOOKUP, ask.SerializeAsString());
    pb::UserLookupAnswer found;
    if (!got.ok()) {
      EXPECT_FALSE(got.closed || got.timed_out) << text;
      continue;  // refused with a code: a name that no account can have
    }
    ASSERT_TRUE(found.ParseFromString(got.body));
    ASSERT_EQ(found.users_size(), 1) << text;
    EXPECT_EQ(found.users(0).name(), alice.name);
  }
}

TEST_P(HostileText, LoginsWithItAreRefusedWithACode) {
  int addresses = 0;
  for (const std::string& text : hostile()) {
    if (!is_valid_utf8(text)) continue;
    raw::Client client(world().options("127.0.9." + std::to_string(1 + addresses++)));
    ASSERT_TRUE(client.open());
    pb::LoginRequest login;
    login.set_name(text);
    login.set_password(text);
    login.set_slot(static_cast<std::uint32_t>(Slot::kDesktop));
    login.set_device_id(text.substr(0, 64));
    login.set_device_name(text);
    login.set_client_version(text);
    login.set_conn_counter(1);
    const auto got = client.call(pb::LOGIN, login.SerializeAsString());
    EXPECT_FALSE(got.ok()) << text;
    EXPECT_FALSE(got.timed_out) << text;
  }
  Pair people = world().pair();
  const Talk talk = World::talk(people, Millis{1'000});
  EXPECT_GT(talk.sent, 0U);
  EXPECT_EQ(talk.arrived, talk.sent) << "the store is as it was";
}

TEST_P(HostileText, AccountsAreMadeWithItOrRefused) {
  auto door =
      cli::OperatorClient::open(cli::operator_access(world().cluster().layout()), Millis(5'000));
  ASSERT_TRUE(door);
  for (const std::string& text : hostile()) {
    if (!is_valid_utf8(text)) continue;
    std::vector<cli::Account> one(1);
    one[0].name = text;
    (void)(*door)->add_users(one, Millis(10'000));
  }
  Pair people = world().pair();
  const Talk talk = World::talk(people, Millis{1'000});
  EXPECT_GT(talk.sent, 0U);
  EXPECT_EQ(talk.arrived, talk.sent);
}

Bytes read_all(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The secrets of the cluster's own files, and what people said and typed.
std::vector<std::pair<std::string, Bytes>> canaries(World& world) {
  std::vector<std::pair<std::string, Bytes>> out;
  for (const auto& file : fs::directory_iterator(world.folder() / "secrets")) {
    if (!file.is_regular_file()) continue;
    Bytes text = read_all(file.path());
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    if (text.size() >= 16) out.emplace_back(file.path().filename().string(), text);
  }
  return out;
}

TEST_P(HostileText, NoSecretAndNoWordReachesALogOrACommandLine) {
  const std::string password = "canary-password-7f3a91c2";
  const std::string word = "canary-message-5b1d04e8";
  auto made = world().cluster().add_users({"canary"});
  ASSERT_TRUE(made);
  raw::Client client(world().options("127.0.8.1"));
  ASSERT_TRUE(client.open());
  pb::LoginRequest login;
  login.set_name("canary");
  login.set_password(password);  // a wrong one: refusals are what gets logged
  login.set_slot(static_cast<std::uint32_t>(Slot::kDesktop));
  login.set_device_id("canary-device");
  login.set_conn_counter(1);
  EXPECT_FALSE(client.call(pb::LOGIN, login.SerializeAsString()).ok());
  login.set_password(made->front().password);
  EXPECT_TRUE(client.call(pb::LOGIN, login.SerializeAsString()).ok());
  const Somebody bob = world().somebody();
  EXPECT_TRUE(client.call(pb::SEND, World::send_body(bob.uid, word)).ok());

  auto secrets = canaries(world());
  EXPECT_GE(secrets.size(), 3U) << "noise, token and operator keys";
  secrets.emplace_back("password", password);
  secrets.emplace_back("right password", made->front().password);
  secrets.emplace_back("message", word);
  secrets.emplace_back("token", bob.token);
  secrets.emplace_back("token in hex", to_hex(as_bytes(bob.token)));
  const auto expect_clean = [&](const fs::path& file) {
    const Bytes text = read_all(file);
    for (const auto& [name, secret] : secrets) {
      EXPECT_EQ(text.find(secret), Bytes::npos) << name << " is in " << file;
    }
  };
  std::size_t logs = 0;
  for (const auto& file : fs::recursive_directory_iterator(world().folder() / "log")) {
    if (!file.is_regular_file()) continue;
    expect_clean(file.path());
    ++logs;
  }
  EXPECT_GE(logs, 4U);
  for (const pid_t pid : world().pids()) {
    const fs::path proc = "/proc/" + std::to_string(pid);
    expect_clean(proc / "cmdline");
    if (::access((proc / "environ").c_str(), R_OK) == 0) expect_clean(proc / "environ");
  }
  for (const cli::DaemonPlace& place : world().cluster().layout().daemons) {
    const cli::ServiceState* state = nullptr;
    const auto list = world().cluster().supervisor().list();
    for (const auto& each : list) {
      if (each.name == place.name()) state = &each;
    }
    ASSERT_NE(state, nullptr);
    const Bytes limits = read_all("/proc/" + std::to_string(state->pid) + "/limits");
    const std::size_t at = limits.find("Max core file size");
    ASSERT_NE(at, Bytes::npos);
    EXPECT_EQ(limits.substr(at, 40).find_first_of("123456789u"), Bytes::npos)
        << place.name() << " may write a core file: " << limits.substr(at, 60);
  }
  for (const auto& file : fs::directory_iterator(world().folder() / "secrets")) {
    EXPECT_EQ(fs::status(file).permissions() & (fs::perms::group_all | fs::perms::others_all),
              fs::perms::none)
        << file.path();
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, HostileText,
                         testing::Values(cli::StoreKind::kEmbedded, cli::StoreKind::kMysql),
                         [](const auto& info) {
                           return std::string(cli::store_kind_name(info.param));
                         });

}  // namespace
}  // namespace hy::attack
