#include "client/bench/group_swarm.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/crypto/system_random.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "tests/support/test_server.h"

namespace hy::bench {
namespace {

using namespace std::chrono_literals;
using Row = test::ModelServer::Row;

/// Two groups of four against a small server on a real port, whose faults are planted.
class GroupSwarmTest : public testing::Test {
 protected:
  static constexpr std::size_t kPeople = 8;
  static constexpr std::uint32_t kMembers = 4;

  GroupSwarmTest() : server_(7) {
    GroupSwarm::Setup setup;
    setup.run = 11;
    setup.members = kMembers;
    const Bytes key = server_.public_key();
    std::copy(key.begin(), key.end(), reinterpret_cast<char*>(setup.server_key.data()));
    const std::string address = server_.address();
    sockaddr_in entry{};
    entry.sin_family = AF_INET;
    entry.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    entry.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setup.entries = {entry};
    for (std::size_t i = 0; i < kPeople; ++i)
      setup.people.emplace_back(Uid{100 + i}, "token:" + std::to_string(100 + i));
    server_.on([](test::ModelServer& s) {
      for (std::size_t i = 0; i < kPeople; ++i) s.names[std::to_string(100 + i)] = Uid{100 + i};
    });
    swarm_ = std::make_unique<GroupSwarm>(std::move(setup), loop_, random_);
  }

  static MonoTime now() { return std::chrono::steady_clock::now(); }
  bool turn_until(const std::function<bool()>& is_done, std::chrono::milliseconds within = 30s) {
    const MonoTime until = now() + within;
    while (!is_done()) {
      if (now() >= until) return false;
      loop_.turn(std::min(swarm_->work(now()), now() + 5ms));
    }
    return true;
  }
  void begin() {
    swarm_->dial(0, 100, now(), false);
    ASSERT_TRUE(turn_until([&] { return swarm_->open_connections() == kPeople; }));
    swarm_->make_groups();
    ASSERT_TRUE(turn_until([&] { return swarm_->has_groups(); }));
    swarm_->keep_connected();
  }
  void talk(std::uint64_t messages) {
    const std::uint64_t before = swarm_->counts().sent;
    swarm_->start_open(1'000, now(), 0ms);
    ASSERT_TRUE(turn_until([&] { return swarm_->counts().sent >= before + messages; }));
    swarm_->stop_sending();
  }
  bool settle(std::chrono::milliseconds within = 30s) {
    return turn_until([&] { return swarm_->is_settled(); }, within);
  }
  /// Pushes to person 101, under the push number that comes next, what `change` makes of the last
  /// row of the first group's log. Nothing of it may be on its way.
  void plant(const std::function<void(Row&)>& change) {
    server_.on([&](test::ModelServer& s) {
      const auto conversation = ConversationId::group(Gid{1});
      std::uint32_t pushed = 0;
      for (const Row& row : s.logs[conversation]) pushed += row.sender != 101 ? 1 : 0;
      Row row = s.logs[conversation].back();
      change(row);
      client::v1::Push push;
      push.set_conversation(conversation.to_bytes());
      push.set_seq(row.seq);
      push.set_sender(row.sender);
      push.set_client_msg_id(row.id.to_bytes());
      push.set_kind(row.kind);
      push.set_body(row.body);
      s.inject(Uid{101}, client::v1::PUSH, pushed + 1, push.SerializeAsString());
    });
  }
  /// Whatever was planted has come.
  void hear_it() {
    const std::uint64_t looked = swarm_->counts().pings;
    swarm_->set_ping(10ms);
    ASSERT_TRUE(turn_until([&] { return swarm_->counts().pings > looked + 4 * kPeople; }));
  }

  test::TestServer server_;
  crypto::SystemRandom random_;
  load::Loop loop_;
  std::unique_ptr<GroupSwarm> swarm_;
};

TEST_F(GroupSwarmTest, ACleanRunIsCleanAndCountsEveryDelivery) {
  begin();
  talk(200);
  ASSERT_TRUE(settle());
  const Counts& c = swarm_->counts();
  EXPECT_EQ(c.stored, c.sent);
  EXPECT_EQ(c.delivered, c.sent * (kMembers - 1));
  EXPECT_EQ(swarm_->curves().delivered.count(), c.delivered);
  EXPECT_EQ(swarm_->curves().lag.count(), c.due);
  const std::uint64_t sent = c.sent;
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations[0]);
  EXPECT_EQ(ledger.judged, sent);
  EXPECT_GE(ledger.looked_at, c.delivered);
}

TEST_F(GroupSwarmTest, TheClosedLoopKeepsSoManyOnTheirWayInEachGroup) {
  begin();
  swarm_->start_closed(3);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().delivered > 500; }));
  const Counts& c = swarm_->counts();
  EXPECT_LE(c.sent - c.delivered / (kMembers - 1), 3U * kPeople / kMembers);
  swarm_->stop_sending();
  ASSERT_TRUE(settle());
  EXPECT_EQ(swarm_->judge().found(), 0U);
}

TEST_F(GroupSwarmTest, WhatIsNotPushedIsPulledAndCountsAsDelivered) {
  begin();
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 5; });
  talk(100);
  swarm_->catch_up_all();
  ASSERT_TRUE(settle());
  const Counts& c = swarm_->counts();
  EXPECT_EQ(c.delivered, c.sent * (kMembers - 1));
  EXPECT_GE(c.pulled, 5U);
  EXPECT_EQ(swarm_->judge().found(), 0U);
}

TEST_F(GroupSwarmTest, ConnectionsThatEndComeBackAndMissNothing) {
  begin();
  swarm_->start_open(1'000, now(), 0ms);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().sent >= 50; }));
  server_.on([](test::ModelServer& s) { s.close_all(); });
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().lost == kPeople; }));
  ASSERT_TRUE(turn_until([&] { return swarm_->open_connections() == kPeople; }));
  swarm_->stop_sending();
  swarm_->catch_up_all();
  ASSERT_TRUE(settle());
  const Counts& c = swarm_->counts();
  EXPECT_EQ(c.delivered, c.stored * (kMembers - 1));
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations[0]);
}

TEST_F(GroupSwarmTest, AMessageThatNobodyCanHaveAnyMoreIsLost) {
  begin();
  talk(40);
  ASSERT_TRUE(settle());
  server_.on([](test::ModelServer& s) {
    s.knobs.drop_pushes_to = Uid{101};
    s.knobs.drop_pushes = 1;
    // One of another member's, stored and then gone from the log.
    s.write(Uid{102}, Gid{1}, "gone");
    auto& log = s.logs[ConversationId::group(Gid{1})];
    log.erase(log.end() - 1);
  });
  hear_it();
  const Ledger ledger = swarm_->judge();
  EXPECT_GE(ledger.lost, 1U) << "the others were pushed a seq that 101 never gets";
}

TEST_F(GroupSwarmTest, TheSamePushAgainIsDroppedAsAnAppDoes) {
  begin();
  talk(40);
  ASSERT_TRUE(settle());
  const std::uint64_t before = swarm_->counts().delivered;
  plant([](Row&) {});
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().pushed_again > 0; }));
  EXPECT_EQ(swarm_->counts().delivered, before);
  EXPECT_EQ(swarm_->judge().found(), 0U);
}

TEST_F(GroupSwarmTest, AWrongBodyIsTold) {
  begin();
  talk(40);
  ASSERT_TRUE(settle());
  plant([](Row& row) {
    ++row.seq;
    row.body.back() ^= 1;
  });
  hear_it();
  EXPECT_GE(swarm_->judge().dishonest, 1U);
}

TEST_F(GroupSwarmTest, AMessageAtASecondSeqIsTold) {
  begin();
  swarm_->start_open(1'000, now(), 0ms);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().sent >= 40; }));
  swarm_->stop_sending();
  ASSERT_TRUE(settle());
  // The last message is not forgotten while one member lacks it.
  server_.on([](test::ModelServer& s) {
    s.knobs.drop_pushes_to = Uid{103};
    s.knobs.drop_pushes = 1;
  });
  talk(2);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().stored == swarm_->counts().sent; }));
  hear_it();
  plant([](Row& row) { ++row.seq; });
  hear_it();
  const Ledger ledger = swarm_->judge();
  EXPECT_GE(ledger.shown_twice + ledger.dishonest, 1U);
}

TEST_F(GroupSwarmTest, WhatIsNeverAnsweredKeepsTheRunFromRest) {
  begin();
  talk(20);
  ASSERT_TRUE(settle());
  server_.on([](test::ModelServer& s) { s.knobs.lose_sends = 2; });
  talk(2);
  hear_it();
  EXPECT_FALSE(swarm_->is_settled()) << "two were never answered";
}

TEST_F(GroupSwarmTest, AGroupThatIsRefusedIsSaid) {
  server_.on([](test::ModelServer& s) { s.knobs.refuse_groups = true; });
  swarm_->dial(0, 100, now(), false);
  ASSERT_TRUE(turn_until([&] { return swarm_->open_connections() == kPeople; }));
  swarm_->make_groups();
  ASSERT_TRUE(turn_until([&] { return swarm_->groups_refused() == kPeople / kMembers; }));
  EXPECT_FALSE(swarm_->has_groups());
  EXPECT_EQ(swarm_->errors().count("group refused HY-7001"), 1U);
}

}  // namespace
}  // namespace hy::bench
