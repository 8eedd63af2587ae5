#include "tests/e2e/wire_fixture.h"

#include <stdlib.h>

#include <algorithm>

#include "client/cli/operator_client.h"
#include "client/cli/private_folder.h"
#include "common/base/bytes.h"

namespace hy {
namespace {

constexpr int kPeople = 400;

struct World {
  std::filesystem::path folder;
  std::unique_ptr<cli::Janitor> janitor;
  std::unique_ptr<cli::Cluster> cluster;
  std::vector<Somebody> people;
  std::size_t used = 0;
  std::string error;
};
std::unique_ptr<World> world;

std::string text_of(const Error& error) {
  return error_text(error.code, error.detail);
}

std::string make_people(World& w) {
  auto door = cli::OperatorClient::open(cli::operator_access(w.cluster->layout()), Millis(5'000));
  if (!door) return text_of(door.error());
  std::vector<cli::Account> accounts(kPeople);
  for (int i = 0; i < kPeople; ++i)
    accounts[static_cast<std::size_t>(i)].name = "wire" + std::to_string(i);
  if (auto made = (*door)->add_users(accounts, Millis(30'000)); !made) return text_of(made.error());
  std::vector<Uid> uids;
  for (const auto& account : accounts) uids.push_back(account.uid);
  auto tokens =
      (*door)->make_tokens(uids, Slot::kDesktop, "raw-%u", std::chrono::hours(1), Millis(30'000));
  if (!tokens) return text_of(tokens.error());
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    w.people.push_back({accounts[i].uid, accounts[i].name,
                        "raw-" + std::to_string(accounts[i].uid.value()), Slot::kDesktop,
                        (*tokens)[i]});
  }
  return {};
}

std::unique_ptr<World> begin() {
  auto w = std::make_unique<World>();
  std::string pattern = "/tmp/hywire-XXXXXX";
  w->folder = ::mkdtemp(pattern.data());
  if (auto janitor = cli::Janitor::start({w->folder}, {})) w->janitor = *std::move(janitor);
  cli::ClusterOptions options;
  options.folder = w->folder;
  options.cluster = "wire";
  options.size = {.entries = 1, .logics = 2, .routers = 1, .das = 1};
  options.programs = std::filesystem::path(HY_BUILD_DIR) / "bin";
  auto cluster = cli::Cluster::start(options);
  if (!cluster) {
    w->error = text_of(cluster.error());
    return w;
  }
  w->cluster = *std::move(cluster);
  w->error = make_people(*w);
  return w;
}

}  // namespace

void WireTest::TearDownTestSuite() {
  world.reset();
}

void WireTest::SetUp() {
  if (!world) world = begin();
  ASSERT_EQ(world->error, "");
}

void WireTest::TearDown() {
  if (world && world->error.empty()) expect_people_talk();
}

const cli::ClusterLayout& WireTest::layout() {
  return world->cluster->layout();
}

std::filesystem::path WireTest::folder() {
  return world->folder;
}

Somebody WireTest::somebody() {
  HY_CHECK(world->used < world->people.size());
  return world->people[world->used++];
}

cli::Account WireTest::with_password(const std::string& name) {
  auto made = world->cluster->add_users({name});
  EXPECT_TRUE(made) << (made ? "" : text_of(made.error()));
  return made ? made->front() : cli::Account{};
}

raw::Client::Options WireTest::options() {
  raw::Client::Options out;
  out.address = layout().entry_addresses().front();
  const Bytes key = *from_hex(layout().server_key_hex);
  std::copy(key.begin(), key.end(), reinterpret_cast<char*>(out.server_key.data()));
  return out;
}

std::unique_ptr<raw::Client> WireTest::connection() {
  auto out = std::make_unique<raw::Client>(options());
  EXPECT_TRUE(out->connect());
  return out;
}

std::unique_ptr<raw::Client> WireTest::channel() {
  auto out = std::make_unique<raw::Client>(options());
  EXPECT_TRUE(out->open());
  return out;
}

pb::LoginRequest WireTest::login_of(const Somebody& who) {
  pb::LoginRequest out;
  out.set_token(who.token);
  out.set_uid(who.uid.value());
  out.set_slot(static_cast<std::uint32_t>(who.slot));
  out.set_device_id(who.device);
  out.set_conn_counter(1);
  out.set_client_version("raw");
  return out;
}

std::unique_ptr<raw::Client> WireTest::sign_in(const Somebody& who) {
  // A device raises its counter with each attempt.
  static std::uint32_t attempts = 1;
  auto out = channel();
  pb::LoginRequest login = login_of(who);
  login.set_conn_counter(++attempts);
  const raw::Answer in = out->call(pb::LOGIN, login.SerializeAsString());
  EXPECT_TRUE(in.ok()) << error_text(in.code) << (in.closed ? " closed" : "");
  EXPECT_TRUE(out->call(pb::SYNC, pb::SyncRequest().SerializeAsString()).ok());
  return out;
}

pb::SendRequest WireTest::message_to(Uid to, std::string_view body) {
  static crypto::SystemRandom random;
  std::array<std::uint8_t, 16> id{};
  random.fill(id);
  pb::SendRequest out;
  out.set_client_msg_id(id.data(), id.size());
  out.set_to_uid(to.value());
  out.set_kind(1);
  out.set_body(std::string(body));
  out.set_try_number(1);
  return out;
}

std::vector<pb::Push> WireTest::history(const Somebody& who, Uid peer) {
  const auto client = sign_in(who);
  pb::HistoryRequest ask;
  ask.set_conversation(ConversationId::pair(who.uid, peer).to_bytes());
  ask.set_last(200);
  const raw::Answer got = client->call(pb::HISTORY, ask.SerializeAsString());
  // No conversation yet is the empty one.
  if (got.code == Errc::kNotMember) return {};
  EXPECT_TRUE(got.ok()) << error_text(got.code);
  pb::PullAnswer slice;
  EXPECT_TRUE(slice.ParseFromString(got.body));
  return {slice.messages().begin(), slice.messages().end()};
}

void WireTest::expect_people_talk() {
  const Somebody anna = somebody();
  const Somebody ben = somebody();
  const auto a = sign_in(anna);
  const auto b = sign_in(ben);
  const raw::Answer stored =
      a->call(pb::SEND, message_to(ben.uid, "still there?").SerializeAsString());
  ASSERT_TRUE(stored.ok()) << error_text(stored.code);
  pb::SendAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(stored.body));
  EXPECT_EQ(answer.ack(), pb::STORED);
  EXPECT_EQ(answer.seq(), 1U);
  const raw::Answer push = b->notice(pb::PUSH);
  ASSERT_TRUE(push.ok());
  pb::Push message;
  ASSERT_TRUE(message.ParseFromString(push.body));
  EXPECT_EQ(message.body(), "still there?");
  ASSERT_TRUE(b->write(b->seal(pb::PUSH_ACK, push.request_id, {})));
  EXPECT_TRUE(b->await(push.request_id).ok());
  EXPECT_TRUE(a->notice(pb::RECEIPT).ok());
}

}  // namespace hy
