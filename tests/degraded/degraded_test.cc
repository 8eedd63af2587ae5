// One scenario for each row of the degraded-mode matrix (guarantees.md §7), on real processes.
// Rows without one here: one shard's server (one shard is the store itself), another IDC group (a
// later issue), certificates (tests/unit/common/rpc), overload (tests/degraded/overload_main.cc).
#include <gmock/gmock.h>
#include <signal.h>

#include <future>
#include <map>

#include "client/cli/operator_client.h"
#include "client/cli/private_store.h"
#include "tests/degraded/gauge.h"
#include "tests/degraded/town.h"

namespace hy::degraded {
namespace {

using cli::StoreKind;
using Clock = std::chrono::steady_clock;

constexpr Millis kSoon{3'000};         // one retry at another peer included
constexpr Millis kInstant{2'000};      // a push, on a machine that does much else
constexpr Millis kModeEntered{5'000};  // 2 s of failures, then everything is relayed
constexpr Millis kOutboxBack{15'000};  // resends after the return, at most recheck_after apart
// G14. The timers' part is 0.5 s (das tries again) and 0.05 s (logic tells who waits: STORE_BACK);
// the rest is round trips.
constexpr Millis kFreshAfterReturn{2'000};
constexpr Millis kPolled{20'000};  // poll 5 – 15 s, and one heartbeat before it

class Degraded : public testing::TestWithParam<StoreKind> {
 public:
  static void TearDownTestSuite() { towns().clear(); }

 protected:
  struct Place {
    std::unique_ptr<Town> town;
    std::string error;
  };
  static std::map<StoreKind, Place>& towns() {
    static std::map<StoreKind, Place> all;
    return all;
  }
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    if (is_mysql()) {
      if (const std::string apt = cli::missing_store_packages(); !apt.empty())
        GTEST_SKIP() << "SKIPPED: " << apt;
    }
    if (!towns().contains(GetParam())) {
      auto made = Town::start(GetParam(), {"logic.heartbeat=2s"});
      Place& place = towns()[GetParam()];
      if (made)
        place.town = std::move(*made);
      else
        place.error = error_text(made.error().code, made.error().detail);
    }
    ASSERT_EQ(towns()[GetParam()].error, "");
    alice = settle("alice", 0);
    bob = settle("bob", 1);
    ASSERT_TRUE(alice && bob);
    // They know each other: logics hold the pair in their caches.
    ASSERT_TRUE(talk("hello", kSoon));
  }
  void TearDown() override {
    alice.reset();
    bob.reset();
    if (!IsSkipped() && towns()[GetParam()].town) EXPECT_TRUE(town().heal().has_value());
  }
  static bool is_mysql() { return GetParam() == StoreKind::kMysql; }
  static Town& town() { return *towns()[GetParam()].town; }
  static std::string name_of_entry(const std::string& address) {
    for (const cli::DaemonPlace& d : town().cluster().layout().daemons) {
      if (d.address == address) return d.name();
    }
    return {};
  }
  static std::unique_ptr<Resident> settle(const std::string& name, std::size_t first) {
    auto made = town().settle(name, first);
    if (!made) {
      ADD_FAILURE() << error_text(made.error().code, made.error().detail);
      return nullptr;
    }
    return std::move(*made);
  }

  /// One message each way, STORED and shown within `within`.
  bool talk(const std::string& text, Millis within) {
    const hy::Sent there = alice->write(*bob, text + " a");
    const hy::Sent back = bob->write(*alice, text + " b");
    const bool stored = there.wait(Step::kStored, within) && back.wait(Step::kStored, within);
    EXPECT_TRUE(stored) << text << ": not stored";
    const bool shown =
        bob->wait_shown(text + " a", within) && alice->wait_shown(text + " b", within);
    EXPECT_TRUE(shown) << text << ": not shown";
    return stored && shown;
  }

  /// The store goes away and comes back while two people talk: guarantees.md §7, row "store".
  void talk_through_an_outage(const std::function<Status()>& begin,
                              const std::function<Status()>& end);

  std::unique_ptr<Resident> alice;
  std::unique_ptr<Resident> bob;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void Degraded::talk_through_an_outage(const std::function<Status()>& begin,
                                      const std::function<Status()>& end) {
  ASSERT_TRUE(begin().has_value());
  std::vector<hy::Sent> sent;
  std::vector<std::string> texts;
  for (int i = 0; i < 8; ++i) {
    texts.push_back("outage " + std::to_string(i));
    sent.push_back(alice->write(*bob, texts.back()));
    EXPECT_TRUE(sent.back().wait(Step::kRelayed, kModeEntered)) << texts.back();
    EXPECT_TRUE(bob->wait_shown(texts.back(), kInstant)) << texts.back();
    EXPECT_NE(sent.back().step(), Step::kStored) << "nothing can be stored now";
  }
  alice->client().drop_connection();
  ASSERT_TRUE(alice->wait_logged_in_again(Millis(10'000))) << "a token carries the next login";
  const auto stranger = town().device_of(*bob, Slot::kPhone);
  EXPECT_FALSE(stranger->sign_in(Millis(2'000)).has_value()) << "passwords need the store";

  ASSERT_TRUE(end().has_value());
  const auto returned = Clock::now();
  const hy::Sent fresh = alice->write(*bob, "fresh");
  EXPECT_TRUE(fresh.wait(Step::kStored, kOutboxBack));
  const double took = seconds_since(returned);
  std::printf("  fresh message stored %.2f s after the store's return\n", took);
  EXPECT_LE(took, std::chrono::duration<double>(kFreshAfterReturn).count());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_TRUE(sent[i].wait(Step::kStored, kOutboxBack)) << texts[i];
    EXPECT_TRUE(bob->wait_in_log(texts[i], kOutboxBack)) << texts[i];
    const auto row = bob->shown(texts[i]);
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(row->times, 1) << texts[i] << ": a move is not a second message";
    EXPECT_TRUE(row->was_provisional && row->has_moved) << texts[i];
  }
  EXPECT_TRUE(bob->wait_in_log("fresh", kOutboxBack));
  texts.insert(texts.begin(), "hello a");
  texts.emplace_back("fresh");
  EXPECT_EQ(bob->log_of(alice->uid()), texts) << "the order in which they were written";
}

TEST_P(Degraded, RedisAway) {
  if (!is_mysql()) GTEST_SKIP() << "SKIPPED: the embedded engine has no Redis";
  ASSERT_TRUE(town().cluster().stop_redis().has_value());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(talk("without redis " + std::to_string(i), kSoon));
  const auto second = town().device_of(*alice, Slot::kPhone);
  EXPECT_TRUE(second->sign_in(Millis(10'000)).has_value());
  EXPECT_TRUE(second->wait_shown("without redis 4 b", kSoon)) << "SYNC reads the store";
  ASSERT_TRUE(town().cluster().start_redis().has_value());
  EXPECT_TRUE(talk("redis is back", kSoon));
}

TEST_P(Degraded, RedisThatAnswersWrongly) {
  if (!is_mysql()) GTEST_SKIP() << "SKIPPED: the embedded engine has no Redis";
  const faults::RedisFaults& redis = town().redis();
  ASSERT_TRUE(redis.flush_all().has_value());
  EXPECT_TRUE(talk("flushed", kSoon));
  ASSERT_TRUE(redis.out_of_memory(true).has_value());
  EXPECT_TRUE(talk("no memory", kSoon));
  ASSERT_TRUE(redis.out_of_memory(false).has_value());
  ASSERT_TRUE(redis.read_only(true).has_value());
  EXPECT_TRUE(talk("read-only", kSoon));
  ASSERT_TRUE(redis.read_only(false).has_value());
  ASSERT_TRUE(redis.pause_clients(Millis(2'000)).has_value());
  EXPECT_TRUE(talk("silent", kSoon));
}

TEST_P(Degraded, StoreAway) {
  talk_through_an_outage([] { return town().cluster().stop_store(); },
                         []() -> Status {
                           HY_TRY_VOID(town().cluster().start_store());
                           return town().cluster().wait_ready({}, Millis(30'000));
                         });
}

TEST_P(Degraded, StoreFullOrReadOnly) {
  if (is_mysql()) {
    talk_through_an_outage([] { return town().mariadb().read_only(true); },
                           [] { return town().mariadb().read_only(false); });
    return;
  }
  talk_through_an_outage(
      []() -> Status {
        town().disk().set({.write_errno = ENOSPC});
        return {};
      },
      []() -> Status {
        town().disk().heal();
        return {};
      });
  EXPECT_GT(town().disk().counters().writes_failed, 0U) << "the fault was felt";
}

TEST_P(Degraded, StoreHasNoConnectionLeft) {
  if (!is_mysql()) GTEST_SKIP() << "SKIPPED: the embedded engine has no connections";
  talk_through_an_outage([] { return town().mariadb().too_many_connections(true); },
                         [] { return town().mariadb().too_many_connections(false); });
}

TEST_P(Degraded, RedisAndStoreAway) {
  if (!is_mysql()) GTEST_SKIP() << "SKIPPED: the embedded engine has no Redis";
  talk_through_an_outage(
      []() -> Status {
        HY_TRY_VOID(town().cluster().stop_redis());
        return town().cluster().stop_store();
      },
      []() -> Status {
        HY_TRY_VOID(town().cluster().start_redis());
        HY_TRY_VOID(town().cluster().start_store());
        return town().cluster().wait_ready({}, Millis(30'000));
      });
}

TEST_P(Degraded, AllDasAway) {
  const auto das = town().names_of("das");
  talk_through_an_outage([&] { return town().hold(das); },
                         [&]() -> Status {
                           HY_TRY_VOID(town().release(das));
                           return town().cluster().wait_ready({}, Millis(30'000));
                         });
}

TEST_P(Degraded, OneOfSeveralDasAway) {
  const auto das = town().names_of("das");
  if (das.size() < 2) GTEST_SKIP() << "SKIPPED: this engine has one das";
  for (const std::string& name : das) {
    ASSERT_TRUE(town().hold({name}).has_value());
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(talk("without " + name + std::to_string(i), kSoon));
    ASSERT_TRUE(town().release({name}).has_value());
    ASSERT_TRUE(town().cluster().wait_ready({name}, Millis(30'000)).has_value());
  }
}

TEST_P(Degraded, OneLogicAway) {
  for (const std::string& name : town().names_of("logic")) {
    ASSERT_TRUE(town().hold({name}).has_value());
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(talk("without " + name + std::to_string(i), kSoon));
    ASSERT_TRUE(town().release({name}).has_value());
    ASSERT_TRUE(town().cluster().wait_ready({name}, Millis(30'000)).has_value());
  }
}

TEST_P(Degraded, AllLogicsAway) {
  const auto logics = town().names_of("logic");
  const std::string entry = alice->client().entry();
  ASSERT_TRUE(town().hold(logics).has_value());
  const hy::Sent sent = alice->write(*bob, "nobody judges");
  EXPECT_TRUE(alice->wait_refusal(Errc::kUnavailable, kModeEntered)) << "the entry says so";
  EXPECT_EQ(alice->client().state(), LinkState::kOnline) << "connections stay";
  EXPECT_LT(sent.step(), Step::kRelayed);
  ASSERT_TRUE(town().release(logics).has_value());
  ASSERT_TRUE(town().cluster().wait_ready({}, Millis(30'000)).has_value());
  EXPECT_TRUE(sent.wait(Step::kStored, kOutboxBack));
  EXPECT_TRUE(bob->wait_in_log("nobody judges", kOutboxBack));
  EXPECT_EQ(alice->client().entry(), entry);
}

/// A router that says it is ready is away all the same until the logics have dialled it again.
bool is_found_again(Town& town, const std::string& router) {
  Watch watch(town.cluster());
  watch.start();
  const auto until = Clock::now() + std::chrono::seconds(30);
  while (Clock::now() < until) {
    const auto streams = watch.largest("hy_router_logic_streams");
    const auto at = streams.find(router);
    if (at != streams.end() && at->second >= static_cast<double>(town.names_of("logic").size()))
      return true;
    std::this_thread::sleep_for(Millis(50));
  }
  return false;
}

TEST_P(Degraded, OneRouterAway) {
  for (const std::string& name : town().names_of("router")) {
    ASSERT_TRUE(town().hold({name}).has_value());
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(talk("without " + name + std::to_string(i), kSoon));
    ASSERT_TRUE(town().release({name}).has_value());
    ASSERT_TRUE(town().cluster().wait_ready({name}, Millis(30'000)).has_value());
    ASSERT_TRUE(is_found_again(town(), name));
  }
}

TEST_P(Degraded, AllRoutersAway) {
  const auto routers = town().names_of("router");
  ASSERT_TRUE(town().hold(routers).has_value());
  for (int i = 0; i < 3; ++i) {
    const std::string text = "by poll " + std::to_string(i);
    const hy::Sent sent = alice->write(*bob, text);
    EXPECT_TRUE(sent.wait(Step::kStored, kSoon)) << "sends do not need a router";
    const auto begin = Clock::now();
    EXPECT_TRUE(bob->wait_shown(text, kPolled)) << text;
    std::printf("  shown %.1f s after STORED\n", seconds_since(begin));
  }
  ASSERT_TRUE(town().release(routers).has_value());
  ASSERT_TRUE(town().cluster().wait_ready({}, Millis(30'000)).has_value());
  EXPECT_TRUE(talk("routers are back", kSoon));
}

TEST_P(Degraded, OneEntryAway) {
  const std::string address = alice->client().entry();
  const std::string name = name_of_entry(address);
  ASSERT_NE(name, "");
  auto carol = settle("carol", name == "entry-a" ? 1 : 0);
  auto dave = settle("dave", name == "entry-a" ? 1 : 0);
  ASSERT_TRUE(carol && dave);
  ASSERT_TRUE(town().hold({name}).has_value());
  const hy::Sent others = carol->write(*dave, "others go on");
  EXPECT_TRUE(others.wait(Step::kStored, kSoon));
  EXPECT_TRUE(dave->wait_shown("others go on", kInstant));
  const hy::Sent moved = alice->write(*bob, "from the other entry");
  EXPECT_TRUE(moved.wait(Step::kStored, kOutboxBack));
  EXPECT_TRUE(bob->wait_shown("from the other entry", kOutboxBack));
}

/// C-DRAIN: an orderly stop of an entry tells everybody, who goes elsewhere; nothing is lost,
/// nothing is shown twice, nobody is thrown out.
TEST_P(Degraded, ADrainedEntryTellsEverybodyAndLosesNothing) {
  const std::string address = alice->client().entry();
  const std::string name = name_of_entry(address);
  ASSERT_NE(name, "");
  auto carol = settle("carol", name == "entry-a" ? 0 : 1);
  ASSERT_TRUE(carol);
  ASSERT_EQ(carol->client().entry(), address);
  std::vector<std::string> texts{"hello a"};
  std::vector<hy::Sent> sent;
  const auto write = [&] {
    texts.push_back("drain " + std::to_string(sent.size()));
    sent.push_back(alice->write(*bob, texts.back()));
  };
  for (int i = 0; i < 20; ++i) write();
  auto drained =
      std::async(std::launch::async, [&] { return town().cluster().supervisor().hold(name, 0); });
  while (drained.wait_for(Millis{25}) != std::future_status::ready) write();
  ASSERT_TRUE(drained.get().has_value());
  write();
  for (const hy::Sent& one : sent) EXPECT_TRUE(one.wait(Step::kStored, kOutboxBack));
  EXPECT_TRUE(bob->wait_in_log(texts.back(), kSoon));
  EXPECT_EQ(bob->log_of(alice->uid()), texts) << "in order, and all of them";
  for (const std::string& text : texts) EXPECT_EQ(bob->shown(text)->times, 1) << text;
  for (const Resident* one : {alice.get(), carol.get()}) {
    const auto reasons = one->reasons();
    ASSERT_EQ(reasons.size(), 1U) << "left once";
    EXPECT_NE(reasons.front().find("HY-7004"), std::string::npos) << reasons.front();
  }
  EXPECT_NE(alice->client().entry(), address);
  ASSERT_TRUE(town().release({name}).has_value());
}

/// C-REVOKE (G20): the sessions of a sign-in that the operator ends are cut within 5 s, and nothing
/// that is written there afterwards is said to anybody.
TEST_P(Degraded, ARevokedSignInSpeaksNoMore) {
  auto mallory = settle("mallory", 1);
  ASSERT_TRUE(mallory);
  EXPECT_TRUE(mallory->write(*bob, "before").wait(Step::kStored, kSoon));
  const auto access = cli::operator_access(town().cluster().layout());
  auto door = cli::OperatorClient::open(access, Millis{5'000});
  ASSERT_TRUE(door.has_value());
  ASSERT_TRUE((*door)->revoke(mallory->uid(), Slot::kNone, Millis{5'000}).has_value());
  ASSERT_TRUE(mallory->wait_state(LinkState::kStopped, Millis{5'000})) << "cut, and told so";
  const hy::Sent after = mallory->write(*bob, "after");
  EXPECT_FALSE(after.wait(Step::kRelayed, Millis{2'000}));
  EXPECT_FALSE(bob->shown("after").has_value());
  // The person is not locked out: the password signs in anew, and what waits goes under that key.
  ASSERT_TRUE(mallory->sign_in(Millis{10'000}).has_value());
  EXPECT_TRUE(after.wait(Step::kStored, kOutboxBack));
}

TEST_P(Degraded, AllEntriesAway) {
  const auto entries = town().names_of("entry");
  ASSERT_TRUE(town().hold(entries).has_value());
  const hy::Sent sent = alice->write(*bob, "kept in the outbox");
  EXPECT_FALSE(sent.wait(Step::kRelayed, Millis(1'500)));
  EXPECT_EQ(alice->client().outbox().size(), 1U);
  ASSERT_TRUE(town().release(entries).has_value());
  ASSERT_TRUE(town().cluster().wait_ready({}, Millis(30'000)).has_value());
  EXPECT_TRUE(sent.wait(Step::kStored, kOutboxBack));
  EXPECT_TRUE(bob->wait_shown("kept in the outbox", kOutboxBack)) << "by sync";
}

TEST_P(Degraded, PowerCutForgetsNothingThatWasStored) {
  if (is_mysql()) GTEST_SKIP() << "SKIPPED: the shim is on the embedded engine's disk";
  std::vector<std::string> texts{"hello a"};
  std::vector<hy::Sent> sent;
  for (int i = 0; i < 200; ++i) {
    texts.push_back("power " + std::to_string(i));
    sent.push_back(alice->write(*bob, texts.back()));
  }
  ASSERT_TRUE(sent[20].wait(Step::kStored, kOutboxBack));
  ASSERT_TRUE(town().hold({"das-a"}).has_value());
  const auto taken = town().disk().cut_power();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(town().disk().counters().undo_lost, 0U);
  std::map<std::size_t, Seq> promised;
  for (std::size_t i = 0; i < sent.size(); ++i)
    if (sent[i].step() >= Step::kStored) promised[i] = sent[i].seq();
  std::printf("  %zu of 200 were STORED, %llu unsynced writes taken back\n", promised.size(),
              static_cast<unsigned long long>(*taken));
  EXPECT_GE(promised.size(), 21U);
  ASSERT_TRUE(town().release({"das-a"}).has_value());
  ASSERT_TRUE(town().cluster().wait_ready({}, Millis(30'000)).has_value());
  // A device that was away: what it learns comes from the disk alone.
  const auto second = town().device_of(*bob, Slot::kPhone);
  ASSERT_TRUE(second->sign_in(Millis(10'000)).has_value());
  for (const hy::Sent& one : sent) ASSERT_TRUE(one.wait(Step::kStored, kOutboxBack));
  for (const auto& [i, seq] : promised) {
    ASSERT_TRUE(second->wait_in_log(texts[i + 1], kOutboxBack)) << texts[i + 1];
    EXPECT_EQ(second->shown(texts[i + 1])->seq, seq) << "the seq that was promised";
  }
  ASSERT_TRUE(second->wait_in_log(texts.back(), kOutboxBack));
  EXPECT_EQ(second->log_of(alice->uid()), texts);
}

TEST_P(Degraded, SlowDisk) {
  if (is_mysql()) GTEST_SKIP() << "SKIPPED: the shim is on the embedded engine's disk";
  town().disk().set({.sync_delay = Millis(300)});
  EXPECT_TRUE(talk("a slow disk", kSoon));
  EXPECT_GT(town().disk().counters().syncs_delayed, 0U);
}

TEST_P(Degraded, FailingFsync) {
  if (is_mysql()) GTEST_SKIP() << "SKIPPED: the shim is on the embedded engine's disk";
  talk_through_an_outage(
      []() -> Status {
        town().disk().set({.sync_errno = EIO});
        return {};
      },
      []() -> Status {
        town().disk().heal();
        return {};
      });
  EXPECT_GT(town().disk().counters().syncs_failed, 0U);
}

TEST_P(Degraded, EntryWithoutDescriptors) {
  const std::string name = name_of_entry(alice->client().entry());
  auto squeeze = faults::DescriptorSqueeze::begin(town().pid_of(name), 0);
  ASSERT_TRUE(squeeze.has_value());
  EXPECT_TRUE(talk("open connections go on", kSoon));
  const auto carol = settle("carol", name == "entry-a" ? 0 : 1);
  ASSERT_TRUE(carol) << "the other entry takes her";
  EXPECT_NE(carol->client().entry(), alice->client().entry());
  squeeze->restore();
  EXPECT_TRUE(talk("descriptors are back", kSoon));
}

TEST_P(Degraded, ADasThatStopsForAWhile) {
  faults::Pauses pauses;
  for (const std::string& name : town().names_of("das"))
    ASSERT_TRUE(pauses.pause(town().pid_of(name), Millis(1'500)).has_value());
  const hy::Sent sent = alice->write(*bob, "while das slept");
  EXPECT_TRUE(sent.wait(Step::kStored, kOutboxBack));
  EXPECT_TRUE(bob->wait_in_log("while das slept", kOutboxBack));
  EXPECT_EQ(bob->shown("while das slept")->times, 1);
}

TEST_P(Degraded, RowsHeldByAnotherSession) {
  if (!is_mysql()) GTEST_SKIP() << "SKIPPED: the embedded engine has one writer";
  const auto rows = town().mariadb().hold_rows("SELECT conv FROM conversation", Millis(3'000));
  ASSERT_TRUE(rows.has_value()) << rows.error().detail;
  EXPECT_GT(*rows, 0U);
  const hy::Sent sent = alice->write(*bob, "behind a lock");
  EXPECT_FALSE(sent.wait(Step::kStored, Millis(500)));
  EXPECT_TRUE(sent.wait(Step::kStored, kOutboxBack));
  EXPECT_TRUE(bob->wait_in_log("behind a lock", kOutboxBack));
  EXPECT_EQ(bob->shown("behind a lock")->times, 1);
}

INSTANTIATE_TEST_SUITE_P(Engines, Degraded,
                         testing::Values(StoreKind::kEmbedded, StoreKind::kMysql),
                         [](const auto& i) { return std::string(cli::store_kind_name(i.param)); });

}  // namespace
}  // namespace hy::degraded
