#include "client/bench/swarm.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <functional>
#include <thread>

#include "common/crypto/system_random.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "tests/support/test_server.h"

namespace hy::bench {
namespace {

using namespace std::chrono_literals;

/// A swarm against a small server on a real port, whose faults are planted.
class SwarmTest : public testing::Test {
 protected:
  static constexpr std::size_t kPeople = 6;

  explicit SwarmTest(std::uint32_t peers = 1) : server_(7) {
    Swarm::Setup setup;
    setup.peers = peers;
    setup.run = 11;
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
    swarm_ = std::make_unique<Swarm>(std::move(setup), loop_, random_);
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
  void log_in() {
    swarm_->dial(0, 100, now(), false);
    ASSERT_TRUE(turn_until([&] { return swarm_->open_connections() == kPeople; }));
  }
  /// About `messages` messages on a schedule, then rest.
  void talk(std::uint64_t messages) {
    const std::uint64_t before = swarm_->counts().sent;
    swarm_->start_open(2'000, now(), {}, 0ms);
    ASSERT_TRUE(turn_until([&] { return swarm_->counts().sent >= before + messages; }));
    swarm_->stop_sending();
  }
  bool settle(std::chrono::milliseconds within = 30s) {
    return turn_until([&] { return swarm_->is_settled(); }, within);
  }

  using Rows = std::vector<test::ModelServer::Row>;
  /// Pushes to person 101, under the push number that comes next, what `choose` makes of the
  /// messages that 100 wrote to it, of which `unpushed` were not pushed.
  void plant(const std::function<test::ModelServer::Row(const Rows&)>& choose,
             std::uint32_t unpushed = 0, std::uint32_t number = 0) {
    server_.on([&](test::ModelServer& s) {
      const auto conversation = ConversationId::pair(Uid{100}, Uid{101});
      Rows rows;
      for (const auto& row : s.logs[conversation]) {
        if (row.sender == 100) rows.push_back(row);
      }
      const auto row = choose(rows);
      client::v1::Push push;
      push.set_conversation(conversation.to_bytes());
      push.set_seq(row.seq);
      push.set_sender(row.sender);
      push.set_client_msg_id(row.id.to_bytes());
      push.set_kind(row.kind);
      push.set_body(row.body);
      if (number == 0) number = static_cast<std::uint32_t>(rows.size()) + 1 - unpushed;
      s.inject(Uid{101}, client::v1::PUSH, number, push.SerializeAsString());
    });
  }

  test::TestServer server_;
  crypto::SystemRandom random_;
  load::Loop loop_;
  std::unique_ptr<Swarm> swarm_;
};

TEST_F(SwarmTest, ACleanRunIsClean) {
  log_in();
  talk(300);
  EXPECT_TRUE(settle());
  EXPECT_TRUE(turn_until([&] { return swarm_->is_confirmed(); }));
  const Counts& c = swarm_->counts();
  EXPECT_GE(c.sent, 300U);
  EXPECT_EQ(c.stored, c.sent);
  EXPECT_EQ(c.delivered, c.sent);
  EXPECT_EQ(c.confirmed, c.sent);
  EXPECT_EQ(swarm_->curves().delivered.count(), c.sent);
  EXPECT_EQ(swarm_->curves().lag.count(), c.due);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
  EXPECT_EQ(ledger.judged, c.sent);
}

TEST_F(SwarmTest, AClosedLoopKeepsSoManyUnderWay) {
  log_in();
  swarm_->start_closed(3);
  EXPECT_EQ(swarm_->counts().sent, 3 * kPeople);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().stored > 500; }));
  EXPECT_LE(swarm_->counts().sent - swarm_->counts().stored, 3 * kPeople);
  swarm_->stop_sending();
  EXPECT_TRUE(settle());
  EXPECT_EQ(swarm_->judge().found(), 0U);
}

TEST_F(SwarmTest, WhoWasRefusedInAClosedLoopComesWhenItWasTold) {
  log_in();
  server_.on([](test::ModelServer& s) {
    for (std::uint32_t n = 1; n <= kPeople; ++n) s.knobs.refuse_send[n] = Errc::kOverloaded;
    s.knobs.retry_after = Millis(300);
  });
  // Nobody was refused before this, however late the refusals are looked at.
  const MonoTime began = now();
  swarm_->start_closed(1);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().sent > kPeople; }));
  EXPECT_GE(swarm_->counts().refused, 1U);
  EXPECT_GE(now() - began, 300ms);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().stored > 100; })) << "everybody goes on";
}

TEST_F(SwarmTest, BystandersOfALossAreACurveOfTheirOwn) {
  log_in();
  swarm_->keep_connected();
  swarm_->mark_bystanders();
  talk(60);
  ASSERT_TRUE(settle());
  EXPECT_EQ(swarm_->curves().bystander.count(), swarm_->counts().delivered);
  swarm_->curves().clear();
  const std::uint64_t opened = swarm_->counts().opened;
  server_.on([](test::ModelServer& s) { s.kick(Uid{100}, Errc::kDraining); });
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().opened == opened + 1; }));
  talk(60);
  ASSERT_TRUE(settle());
  const std::uint64_t delivered = swarm_->curves().delivered.count();
  EXPECT_GT(swarm_->curves().bystander.count(), delivered / 3);
  EXPECT_LT(swarm_->curves().bystander.count(), delivered) << "the pair of 100 is none";
  EXPECT_EQ(swarm_->judge().found(), 0U);
}

TEST_F(SwarmTest, AMessageThatTheLogForgotIsLost) {
  log_in();
  // The last person's pushes stop; then the log forgets what was answered STORED.
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 100'000; });
  talk(60);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().stored == swarm_->counts().sent; }));
  server_.on([](test::ModelServer& s) { s.set_back(ConversationId::pair(Uid{100}, Uid{101}), 0); });
  swarm_->catch_up_all();
  settle(1s);
  const Ledger ledger = swarm_->judge();
  EXPECT_GE(ledger.lost, 10U);
}

TEST_F(SwarmTest, PushesThatNeverCameAreFetchedAndNotLost) {
  log_in();
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 100'000; });
  talk(100);
  EXPECT_FALSE(settle(300ms)) << "no later push tells that one is missing";
  swarm_->catch_up_all();
  EXPECT_TRUE(turn_until([&] { return swarm_->counts().pulled >= 40 && swarm_->is_caught_up(); }));
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.lost, 0U);
  EXPECT_EQ(ledger.shown_twice, 0U);
}

TEST_F(SwarmTest, APushUnderASecondNumberIsDropped) {
  log_in();
  talk(60);
  ASSERT_TRUE(settle());
  plant([](const Rows& rows) { return rows[0]; });
  EXPECT_TRUE(turn_until([&] { return swarm_->counts().pushed_again == 1; }));
  turn_until([] { return false; }, 20ms);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

TEST_F(SwarmTest, AnotherMessageAtAShownSeqIsShownTwice) {
  log_in();
  talk(60);
  ASSERT_TRUE(settle());
  plant([](const Rows& rows) {
    auto row = rows[1];
    row.seq = rows[0].seq;
    return row;
  });
  turn_until([] { return false; }, 1s);
  EXPECT_EQ(swarm_->counts().pushed_again, 0U);
  EXPECT_GE(swarm_->judge().shown_twice, 1U);
}

TEST_F(SwarmTest, AShownMessageAtAnotherSeqIsShownTwice) {
  log_in();
  talk(60);
  ASSERT_TRUE(settle());
  plant([](const Rows& rows) {
    auto row = rows[0];
    row.seq = 10'000;
    return row;
  });
  turn_until([] { return false; }, 1s);
  EXPECT_GE(swarm_->judge().shown_twice, 1U);
}

TEST_F(SwarmTest, WhatContradictsAJudgedPartIsFoundToo) {
  log_in();
  talk(60);
  ASSERT_TRUE(settle());
  EXPECT_EQ(swarm_->judge().found(), 0U);
  plant([](const Rows& rows) {
    auto row = rows[0];
    row.seq = 10'000;
    return row;
  });
  turn_until([] { return false; }, 1s);
  EXPECT_GE(swarm_->judge().shown_twice, 1U);
}

TEST_F(SwarmTest, ARepeatOfAJudgedMessageIsDropped) {
  log_in();
  talk(60);
  ASSERT_TRUE(settle());
  ASSERT_TRUE(turn_until([&] { return swarm_->is_confirmed(); }));
  EXPECT_EQ(swarm_->judge().found(), 0U);
  plant([](const Rows& rows) { return rows[0]; });
  EXPECT_TRUE(turn_until([&] { return swarm_->counts().pushed_again == 1; }));
  turn_until([] { return false; }, 20ms);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

/// An app shows by seq: a push that comes late, under a number of its own, is shown in its place,
/// and what came before it is not shown, nor delivered, until then.
TEST_F(SwarmTest, APushAboveAHoleIsShownWhenTheHoleIsClosed) {
  log_in();
  talk(kPeople);
  ASSERT_TRUE(settle());
  std::size_t dropped = 0;  // its place among what 100 wrote: a late machine has sent more than six
  server_.on([&](test::ModelServer& s) {
    s.knobs.hold_pulls = 1'000;
    s.knobs.drop_pushes = 1;
    s.knobs.drop_pushes_to = Uid{101};
    for (const auto& row : s.logs[ConversationId::pair(Uid{100}, Uid{101})])
      dropped += row.sender == 100 ? 1 : 0;
  });
  const Counts before = swarm_->counts();
  talk(4 * kPeople);
  turn_until([] { return false; }, 300ms);
  std::uint64_t behind = 0;
  server_.on([&](test::ModelServer& s) {
    for (const auto& row : s.logs[ConversationId::pair(Uid{100}, Uid{101})])
      behind += row.sender == 100 ? 1 : 0;
    behind -= dropped;
  });
  EXPECT_GE(behind, 3U);
  EXPECT_LE(swarm_->counts().delivered - before.delivered,
            swarm_->counts().sent - before.sent - behind);
  EXPECT_FALSE(swarm_->is_settled());
  // The one that was not pushed comes last.
  plant([dropped](const Rows& rows) { return rows.at(dropped); }, 1);
  server_.on([](test::ModelServer& s) {
    s.knobs.hold_pulls = 0;
    for (int i = 0; i < 1'000; ++i) s.answer_held();
  });
  ASSERT_TRUE(settle());
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

TEST_F(SwarmTest, AHoleThatNoPushClosesIsAskedForAsAnAppDoes) {
  log_in();
  talk(kPeople);
  ASSERT_TRUE(settle());
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 10; });
  talk(10 * kPeople);
  EXPECT_TRUE(settle(10s)) << "without catch_up_all";
  EXPECT_GE(swarm_->counts().pulled, 5U);
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

TEST_F(SwarmTest, AHoleThatTheLogHasTooIsLostAndHidesNothing) {
  log_in();
  talk(kPeople);
  ASSERT_TRUE(settle());
  const std::uint64_t before = swarm_->counts().sent;
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 100'000; });
  talk(10 * kPeople);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().stored == swarm_->counts().sent; }));
  // Answered STORED, pushed to nobody, and gone from a log that goes on behind it.
  server_.on([](test::ModelServer& s) {
    auto& log = s.logs[ConversationId::pair(Uid{100}, Uid{101})];
    log.erase(log.end() - 3);
  });
  swarm_->catch_up_all();
  EXPECT_FALSE(settle(500ms));
  EXPECT_GT(swarm_->counts().sent, before);
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent - 1);
  EXPECT_GE(swarm_->judge().lost, 1U);
}

TEST_F(SwarmTest, WhoIsCutComesBackAndMissesNothing) {
  log_in();
  talk(60);
  ASSERT_TRUE(settle());
  const std::uint32_t dropped = swarm_->drop(0.5, 3);
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(swarm_->open_connections(), kPeople - dropped);
  swarm_->start_open(500, now(), {}, 0ms);
  turn_until([] { return false; }, 100ms);
  swarm_->stop_sending();
  EXPECT_GT(swarm_->counts().missed, 0U) << "the schedule does not wait for who is away";
  swarm_->come_back(now(), 50ms, 100);
  ASSERT_TRUE(turn_until([&] { return swarm_->open_connections() == kPeople; }));
  EXPECT_TRUE(settle());
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

TEST_F(SwarmTest, ARefusedSyncIsAskedForAgainAndHidesNothing) {
  log_in();
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 100'000; });
  talk(100);
  EXPECT_FALSE(settle(300ms));
  server_.on([](test::ModelServer& s) { s.knobs.refuse_syncs = kPeople; });
  swarm_->catch_up_all();
  EXPECT_TRUE(settle()) << "the SYNC of a second later brings what is missing";
  EXPECT_GE(swarm_->errors().at("sync refused"), 1U);
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.lost, 0U);
  EXPECT_EQ(ledger.shown_twice, 0U);
}

TEST_F(SwarmTest, PushesThatComeBeforeTheFirstSyncIsAnsweredCount) {
  log_in();
  talk(60);
  ASSERT_TRUE(settle());
  swarm_->keep_connected();
  server_.on([](test::ModelServer& s) {
    s.knobs.refuse_syncs = 1;
    s.kick(Uid{101}, Errc::kDraining);
  });
  ASSERT_TRUE(turn_until([&] {
    const auto& errors = swarm_->errors();
    return errors.contains("sync refused");
  }));
  talk(60);
  ASSERT_TRUE(settle());
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent);
  EXPECT_EQ(swarm_->counts().pushed_again, 0U);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

TEST_F(SwarmTest, AFloodWaitsForThoseWhoAreAway) {
  log_in();
  swarm_->leave_odd();
  swarm_->start_flood(50, 4);
  ASSERT_TRUE(turn_until([&] { return swarm_->is_flood_over(); }));
  swarm_->stop_sending();
  EXPECT_EQ(swarm_->counts().stored, 50 * kPeople / 2);
  EXPECT_EQ(swarm_->counts().delivered, 0U);
  swarm_->dial(0, 100, now(), true);
  EXPECT_TRUE(turn_until([&] { return swarm_->counts().pulled == 50 * kPeople / 2; }));
  settle(1s);
  EXPECT_EQ(swarm_->counts().delivered, 50 * kPeople / 2);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.lost, 0U);
  EXPECT_EQ(ledger.shown_twice + ledger.out_of_order, 0U);
}

TEST_F(SwarmTest, WhoIsTurnedAwayComesAgain) {
  server_.on([](test::ModelServer& s) { s.knobs.refuse_login = Errc::kOverloaded; });
  swarm_->dial(0, 100, now(), true);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().failed >= kPeople; }));
  EXPECT_EQ(swarm_->errors().at("refused HY-7003"), swarm_->counts().failed);
  server_.on([](test::ModelServer& s) { s.knobs.refuse_login.reset(); });
  EXPECT_TRUE(turn_until([&] { return swarm_->open_connections() == kPeople; }));
}

TEST_F(SwarmTest, AServerThatIsStillShowsInCorrectedLatencyAlone) {
  log_in();
  talk(100);
  ASSERT_TRUE(settle());
  swarm_->curves().clear();
  // 2,000/s of six people; the server stands still for 0.3 s of about 3.
  swarm_->start_open(1'000, now(), {}, 0ms);
  const std::uint64_t before = swarm_->counts().sent;
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().sent > before + 1'000; }));
  std::thread pause([this] { server_.on([](test::ModelServer&) { ::poll(nullptr, 0, 300); }); });
  turn_until([] { return false; }, 400ms);
  pause.join();
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().sent > before + 3'000; }));
  swarm_->stop_sending();
  ASSERT_TRUE(settle());
  EXPECT_GT(swarm_->curves().stored.at(99), 100'000) << "a tenth of the sends met the pause";
  // Counted, not timed: a machine that stands still itself adds to both, and much more to the
  // first.
  EXPECT_LT(2 * swarm_->curves().stored_raw.count_above(150'000),
            swarm_->curves().stored.count_above(150'000))
      << "a tester that waits for each answer meets it six times in thousands";
  EXPECT_EQ(swarm_->judge().found(), 0U);
}

/// Everybody writes to everybody: fifteen conversations over six connections.
class ManyPeersTest : public SwarmTest {
 protected:
  static constexpr std::uint32_t kPeers = kPeople - 1;
  static constexpr std::uint64_t kConversations = kPeople * kPeers / 2;
  ManyPeersTest() : SwarmTest(kPeers) {}

  std::map<ConversationId, std::size_t> lengths() {
    std::map<ConversationId, std::size_t> out;
    server_.on([&](test::ModelServer& s) {
      for (const auto& [conversation, log] : s.logs) out[conversation] = log.size();
    });
    return out;
  }
};

TEST_F(ManyPeersTest, AFloodOfOneOpensEachConversationOnce) {
  log_in();
  swarm_->start_flood(1, 2);
  EXPECT_LE(swarm_->counts().sent, 2 * kPeople);
  ASSERT_TRUE(turn_until([&] { return swarm_->is_flood_over(); }));
  swarm_->stop_sending();
  const auto logs = lengths();
  EXPECT_EQ(logs.size(), kConversations);
  for (const auto& [conversation, length] : logs) EXPECT_EQ(length, 1U);
  EXPECT_TRUE(settle());
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
  EXPECT_EQ(ledger.judged, kConversations);
}

TEST_F(ManyPeersTest, AClosedLoopCountsByConnectionAndEveryMessageIsJudged) {
  log_in();
  swarm_->start_closed(3);
  EXPECT_EQ(swarm_->counts().sent, 3 * kPeople);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().stored > 2'000; }));
  EXPECT_LE(swarm_->counts().sent - swarm_->counts().stored, 3 * kPeople);
  swarm_->stop_sending();
  EXPECT_TRUE(settle());
  EXPECT_TRUE(turn_until([&] { return swarm_->is_confirmed(); }));
  const Counts& c = swarm_->counts();
  EXPECT_EQ(c.delivered, c.sent);
  EXPECT_EQ(c.confirmed, c.sent);
  const auto logs = lengths();
  EXPECT_EQ(logs.size(), kConversations);
  for (const auto& [conversation, length] : logs)
    EXPECT_GT(length, 2'000 / kConversations / 2) << "peers are drawn evenly";
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
  EXPECT_EQ(ledger.judged, c.sent);
}

TEST_F(ManyPeersTest, AMessageThatTheLogForgotIsLost) {
  log_in();
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 100'000; });
  talk(300);
  ASSERT_TRUE(turn_until([&] { return swarm_->counts().stored == swarm_->counts().sent; }));
  server_.on([](test::ModelServer& s) { s.set_back(ConversationId::pair(Uid{101}, Uid{104}), 0); });
  swarm_->catch_up_all();
  settle(1s);
  const Ledger ledger = swarm_->judge();
  EXPECT_GE(ledger.lost, 10U);
  EXPECT_LE(ledger.lost, 2 * 60U) << "of one conversation alone";
}

TEST_F(ManyPeersTest, PushesThatNeverCameAreFetchedAndNotLost) {
  log_in();
  server_.on([](test::ModelServer& s) { s.knobs.drop_pushes = 100'000; });
  talk(300);
  EXPECT_FALSE(settle(300ms));
  swarm_->catch_up_all();
  EXPECT_TRUE(settle());
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent);
  EXPECT_GE(swarm_->counts().pulled, 300U);
  EXPECT_EQ(swarm_->judge().found(), 0U);
}

TEST_F(ManyPeersTest, AnotherMessageAtAShownSeqIsShownTwice) {
  log_in();
  talk(300);
  ASSERT_TRUE(settle());
  // 101 has had pushes of five people; the next number of the connection.
  std::uint32_t pushes = 0;
  server_.on([&](test::ModelServer& s) {
    for (const auto& [conversation, log] : s.logs) {
      if (!conversation.has(Uid{101})) continue;
      for (const auto& row : log) pushes += row.sender == 101 ? 0U : 1U;
    }
  });
  plant(
      [](Rows rows) {
        rows[1].seq = rows[0].seq;
        return rows[1];
      },
      0, pushes + 1);
  turn_until([] { return false; }, 50ms);
  EXPECT_GE(swarm_->judge().found(), 1U);
}

TEST_F(ManyPeersTest, WhoIsCutComesBackAndMissesNothing) {
  log_in();
  talk(300);
  ASSERT_TRUE(settle());
  const std::uint32_t dropped = swarm_->drop(0.5, 3);
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(swarm_->open_connections(), kPeople - dropped);
  swarm_->start_open(1'000, now(), {}, 0ms);
  turn_until([] { return false; }, 100ms);
  swarm_->stop_sending();
  swarm_->come_back(now(), 50ms, 100);
  ASSERT_TRUE(turn_until([&] { return swarm_->open_connections() == kPeople; }));
  EXPECT_TRUE(settle());
  EXPECT_EQ(swarm_->counts().delivered, swarm_->counts().sent);
  const Ledger ledger = swarm_->judge();
  EXPECT_EQ(ledger.found(), 0U) << (ledger.violations.empty() ? "" : ledger.violations.front());
}

}  // namespace
}  // namespace hy::bench
