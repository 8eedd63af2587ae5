#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "client/sdk/hongyan.hpp"
#include "tests/support/test_server.h"

/// The SDK's sockets, thread and store against a server in this process.
namespace hy::test {
namespace {

using namespace std::chrono_literals;

constexpr Uid kAlice{1};
constexpr Uid kBob{2};
constexpr auto kSoon = std::chrono::milliseconds(15'000);

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    server.on([](ModelServer& m) { m.names = {{"alice", kAlice}, {"bob", kBob}}; });
    folder = std::filesystem::temp_directory_path() /
             ("hy-sdk-" + std::to_string(::getpid()) + "-" +
              testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder);
  }
  ~ClientTest() override { std::filesystem::remove_all(folder); }
  ClientOptions options(const std::string& store = {}) {
    ClientOptions o;
    if (!store.empty()) o.store = (folder / store).string();
    o.entries = {server.address()};
    o.server_key = server.public_key();
    o.resend_min = 200ms;
    return o;
  }
  static Credentials as(const std::string& name) {
    Credentials c;
    c.name = name;
    c.password = "password";
    return c;
  }

  struct Screen {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Bytes> bodies;
    void watch(Client& client) {
      client.on_message([this](const Message& m) {
        const std::lock_guard lock(mutex);
        if (!m.moved) bodies.push_back(m.body);
        changed.notify_all();
      });
    }
    bool has(const std::vector<Bytes>& expected) {
      std::unique_lock lock(mutex);
      changed.wait_for(lock, kSoon, [&] { return bodies.size() >= expected.size(); });
      return bodies == expected;
    }
  };

  TestServer server{42};
  std::filesystem::path folder;
};

TEST_F(ClientTest, LogsInSendsReceivesAndIsTold) {
  Screen screen;  // outlives the client whose callback writes to it
  Client alice(options());
  Client bob(options());
  screen.watch(bob);
  ASSERT_TRUE(alice.login(as("alice")));
  ASSERT_TRUE(bob.login(as("bob")));
  EXPECT_EQ(alice.uid(), kAlice);
  EXPECT_EQ(alice.entry(), server.address());
  EXPECT_EQ(alice.session_token(), "token-alice");
  const auto sent = alice.send(kBob, "hello");
  ASSERT_TRUE(sent);
  EXPECT_TRUE(sent->wait(Step::kDelivered, kSoon));
  EXPECT_EQ(sent->seq(), Seq{1});
  EXPECT_TRUE(screen.has({"hello"}));
  ASSERT_TRUE(alice.send("bob", "by name")->wait(Step::kStored, kSoon));
  EXPECT_EQ(alice.send("nobody", "x").error().code, Errc::kUnknownUser);
  EXPECT_EQ(alice.send(kAlice, "x").error().code, Errc::kSelfSend);
  EXPECT_EQ(alice.send(kBob, Bytes(16'385, 'x')).error().code, Errc::kBodyTooLarge);
  EXPECT_TRUE(bob.sync());
  const auto rows = bob.history(ConversationId::pair(kAlice, kBob), Seq{1}, Seq{}, 0);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 2u);
}

TEST_F(ClientTest, AWrongPasswordIsTheAnswerOfLogin) {
  Client alice(options());
  Credentials wrong = as("alice");
  wrong.password = "wrong";
  const Status in = alice.login(wrong, kSoon);
  ASSERT_FALSE(in);
  EXPECT_EQ(in.error().code, Errc::kPasswordWrong);
  EXPECT_EQ(alice.state(), LinkState::kStopped);
}

TEST_F(ClientTest, LoginTimesOutAndTheClientGoesOnTrying) {
  server.half_open(true);
  Client alice(options());
  const Status in = alice.login(as("alice"), 300ms);
  ASSERT_FALSE(in);
  EXPECT_EQ(in.error().code, Errc::kTimedOut);
  std::mutex mutex;
  std::condition_variable changed;
  bool is_online = false;
  alice.on_state([&](LinkState state, const std::string&) {
    const std::lock_guard lock(mutex);
    is_online = is_online || state == LinkState::kOnline;
    changed.notify_all();
  });
  server.half_open(false);
  server.reset_all();
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, kSoon, [&] { return is_online; }));
  lock.unlock();
  alice.on_state({});
}

TEST_F(ClientTest, ResetConnectionsReconnectAndLoseNothing) {
  Screen screen;
  Client alice(options("alice.db"));
  Client bob(options("bob.db"));
  screen.watch(bob);
  ASSERT_TRUE(alice.login(as("alice")));
  ASSERT_TRUE(bob.login(as("bob")));
  std::vector<Bytes> expected;
  for (int i = 0; i < 40; ++i) {
    expected.push_back("m" + std::to_string(i));
    ASSERT_TRUE(alice.send(kBob, expected.back()));
    if (i == 10) server.reset_all();
    if (i == 20) alice.drop_connection();
    if (i == 30) bob.drop_connection();
  }
  EXPECT_TRUE(screen.has(expected));
}

TEST_F(ClientTest, AHalfOpenServerIsLeftWhenThereIsSomethingToSend) {
  Client alice(options());
  ASSERT_TRUE(alice.login(as("alice")));
  server.half_open(true);
  const auto sent = alice.send(kBob, "are you there");
  ASSERT_TRUE(sent);
  EXPECT_FALSE(sent->wait(Step::kStored, 700ms));
  const std::size_t before = server.accepted();
  // What the old sockets swallowed is gone: their ciphers no longer fit, new ones do.
  server.on([](ModelServer& m) { m.knobs.heartbeat_ms = 1'000; });
  server.half_open(false);
  EXPECT_TRUE(sent->wait(Step::kStored, kSoon));
  EXPECT_GE(server.accepted(), before);
}

TEST_F(ClientTest, UnpluggedNothingMovesAndPluggedInEverythingComes) {
  Screen screen;
  Client alice(options());
  Client bob(options());
  screen.watch(bob);
  ASSERT_TRUE(alice.login(as("alice")));
  ASSERT_TRUE(bob.login(as("bob")));
  bob.unplug(true);
  ASSERT_TRUE(alice.send(kBob, "one")->wait(Step::kStored, kSoon));
  EXPECT_TRUE(screen.has({}));
  bob.unplug(false);
  EXPECT_TRUE(screen.has({"one"}));
}

TEST_F(ClientTest, TheOutboxSurvivesTheProcessAndIsSentByTheNext) {
  {
    Client alice(options("alice.db"));
    ASSERT_TRUE(alice.login(as("alice")));
    alice.unplug(true);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(alice.send(kBob, "m" + std::to_string(i)));
  }
  Client again(options("alice.db"));
  EXPECT_EQ(again.outbox().size(), 3u);
  Credentials stored;  // the token is in the store
  ASSERT_TRUE(again.login(stored));
  const auto last = again.send(kBob, "m3");
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->wait(Step::kStored, kSoon));
  EXPECT_EQ(last->seq(), Seq{4});
  EXPECT_TRUE(again.outbox().empty());
}

TEST_F(ClientTest, OneStoreOneProcessAndOnePerson) {
  Client alice(options("one.db"));
  ASSERT_TRUE(alice.login(as("alice")));
  Client second(options("one.db"));
  EXPECT_EQ(second.login(as("alice")).error().code, Errc::kStoreLocked);
  EXPECT_EQ(second.send(kBob, "x").error().code, Errc::kStoreLocked);
  const Status other = alice.login(as("bob"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::kForbidden);
}

TEST_F(ClientTest, CallbacksMayCallTheClient) {
  Client alice(options());
  Client bob(options());
  std::mutex mutex;
  std::condition_variable changed;
  Bytes answer;
  bob.on_message([&](const Message& m) {
    ASSERT_TRUE(bob.send(m.sender, "re: " + m.body));
    EXPECT_FALSE(bob.look_up({"alice"}, {})) << "it would wait on its own thread";
  });
  alice.on_message([&](const Message& m) {
    const std::lock_guard lock(mutex);
    answer = m.body;
    changed.notify_all();
  });
  ASSERT_TRUE(alice.login(as("alice")));
  ASSERT_TRUE(bob.login(as("bob")));
  ASSERT_TRUE(alice.send(kBob, "ping"));
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, kSoon, [&] { return answer == "re: ping"; }));
  lock.unlock();
  alice.on_message({});
  bob.on_message({});
}

TEST_F(ClientTest, ManyClientsOnOneThreadComeAndGo) {
  server.on([](ModelServer& m) {
    for (std::uint64_t i = 10; i < 110; ++i) m.names["u" + std::to_string(i)] = Uid{i};
  });
  Runtime runtime;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 10; i < 110; ++i) {
    clients.push_back(std::make_unique<Client>(options(), runtime));
    ASSERT_TRUE(clients.back()->login(as("u" + std::to_string(i))));
  }
  std::vector<Sent> sent;
  for (auto& client : clients) sent.push_back(*client->send(kBob, "hi"));
  for (const Sent& one : sent) EXPECT_TRUE(one.wait(Step::kStored, kSoon));
  clients.clear();
  server.on([](ModelServer& m) { EXPECT_EQ(m.logs.size(), 100u); });
}

TEST_F(ClientTest, KickedIsStoppedAndSaysWhy) {
  Client alice(options());
  std::mutex mutex;
  std::condition_variable changed;
  std::string why;
  alice.on_state([&](LinkState state, const std::string& reason) {
    const std::lock_guard lock(mutex);
    if (state == LinkState::kStopped) why = reason;
    changed.notify_all();
  });
  ASSERT_TRUE(alice.login(as("alice")));
  server.on([](ModelServer& m) { m.kick(kAlice, Errc::kKicked); });
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, kSoon, [&] { return !why.empty(); }));
  EXPECT_NE(why.find("HY-2043"), std::string::npos) << why;
  lock.unlock();
  alice.on_state({});
}

}  // namespace
}  // namespace hy::test
