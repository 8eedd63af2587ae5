#include <gtest/gtest.h>

#include <algorithm>

#include "client/cli/session.h"
#include "tests/e2e/cluster_fixture.h"
#include "tests/e2e/screen.h"

/// The SDK's promises against real daemons: a pulled cable, a cut connection, a process that ends
/// with a full outbox, many clients on one thread.
namespace hy::cli {
namespace {

using SdkTest = ClusterTest;

TEST_P(SdkTest, APulledCableCostsNothingButTime) {
  const Account ann = make_user("ann");
  const Account ben = make_user("ben");
  Screen screen;
  const auto a = make_client(ann, Slot::kPhone);
  const auto b = make_client(ben, Slot::kPhone);
  screen.watch(*b);
  ASSERT_TRUE(a->login(credentials_of(ann), kSoon));
  ASSERT_TRUE(b->login(credentials_of(ben), kSoon));
  ASSERT_TRUE(a->send(ben.uid, "m0")->wait(Step::kDelivered, kSoon));
  b->unplug(true);
  std::vector<Bytes> expected{"m0"};
  for (int i = 1; i <= 20; ++i) {
    const Bytes body = "m" + std::to_string(i);
    const auto sent = a->send(ben.uid, body);
    ASSERT_TRUE(sent);
    ASSERT_TRUE(sent->wait(Step::kStored, kSoon)) << body << ": STORED needs no receiver";
    expected.push_back(body);
  }
  EXPECT_EQ(screen.all().size(), 1u);
  b->unplug(false);
  EXPECT_TRUE(screen.wait_for(expected.size(), kSoon));
  EXPECT_EQ(screen.all(), expected);
}

TEST_P(SdkTest, CutConnectionsWhileWritingLoseNothingAndShowNothingTwice) {
  const Account ann = make_user("ann");
  const Account ben = make_user("ben");
  Screen screen;
  const auto a = make_client(ann, Slot::kPhone, scratch(ann.name + ".db"));
  const auto b = make_client(ben, Slot::kPhone, scratch(ben.name + ".db"));
  screen.watch(*b);
  ASSERT_TRUE(a->login(credentials_of(ann), kSoon));
  ASSERT_TRUE(b->login(credentials_of(ben), kSoon));
  std::vector<Sent> sent;
  std::vector<Bytes> expected;
  for (int i = 0; i < 60; ++i) {
    const Bytes body = "m" + std::to_string(i);
    auto one = a->send(ben.uid, body);
    ASSERT_TRUE(one);
    sent.push_back(*std::move(one));
    expected.push_back(body);
    if (i % 20 == 7) a->drop_connection();
    if (i % 20 == 13) b->drop_connection();
  }
  EXPECT_TRUE(screen.wait_for(expected.size(), Millis{60'000}));
  EXPECT_EQ(screen.all(), expected);
  for (const Sent& one : sent) EXPECT_TRUE(one.wait(Step::kStored, kSoon));
  EXPECT_TRUE(a->outbox().empty());
}

TEST_P(SdkTest, AnOutboxWrittenOfflineIsSentByTheNextProcess) {
  const Account ann = make_user("ann");
  const Account ben = make_user("ben");
  const std::string store = scratch(ann.name + "-offline.db");
  {
    const auto first = make_client(ann, Slot::kPhone, store);
    ASSERT_TRUE(first->login(credentials_of(ann), kSoon));
    first->unplug(true);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(first->send(ben.uid, "off" + std::to_string(i)));
    EXPECT_EQ(first->outbox().size(), 5u);
  }
  Screen screen;
  const auto b = make_client(ben, Slot::kPhone);
  screen.watch(*b);
  ASSERT_TRUE(b->login(credentials_of(ben), kSoon));
  const auto again = make_client(ann, Slot::kPhone, store);
  EXPECT_EQ(again->uid(), ann.uid) << "known before any connection";
  ASSERT_TRUE(again->login(credentials_of(ann), kSoon));
  EXPECT_TRUE(screen.wait_for(5, kSoon));
  EXPECT_EQ(screen.all(), (std::vector<Bytes>{"off0", "off1", "off2", "off3", "off4"}));
}

TEST_P(SdkTest, ManyClientsShareOneThread) {
  constexpr std::size_t kClients = 12;
  Runtime runtime;
  const Account hub = make_user("hub");
  Screen screen;
  const auto receiver = make_client(hub, Slot::kDesktop);
  screen.watch(*receiver);
  ASSERT_TRUE(receiver->login(credentials_of(hub), kSoon));
  std::vector<std::unique_ptr<hy::Client>> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    const Account account = make_user("many");
    clients.push_back(std::make_unique<hy::Client>(cluster().client_options(i, ""), runtime));
    ASSERT_TRUE(clients.back()->login(credentials_of(account), kSoon));
  }
  for (auto& client : clients) ASSERT_TRUE(client->send(hub.uid, "hi"));
  EXPECT_TRUE(screen.wait_for(kClients, kSoon));
  clients.clear();
}

HY_BOTH_ENGINES(SdkTest);

}  // namespace
}  // namespace hy::cli
