#include "client/core/sync.h"

#include <gtest/gtest.h>

#include "hy/client/v1/sync.pb.h"

namespace hy::client {
namespace {

class SyncTest : public testing::Test {
 protected:
  void login(std::uint64_t store_epoch = 1, std::uint64_t clock_steps = 0, bool partial = false) {
    LoginAnswered answer;
    answer.store_epoch = store_epoch;
    answer.clock_steps = clock_steps;
    answer.registration_partial = partial;
    reset = sync.logged_in(turn, now, device, answer);
  }
  /// The `since` of the SYNC that is due now; nullopt: none is.
  std::optional<std::int64_t> due() {
    const auto body = sync.take_request(now, device);
    if (!body) return std::nullopt;
    hy::client::v1::SyncRequest request;
    EXPECT_TRUE(request.ParseFromString(*body));
    page_after = request.page_after();
    return request.since();
  }
  Sync::Outcome answer(std::int64_t since, std::size_t conversations = 0, bool more = false,
                       std::uint64_t counter = 0, std::uint64_t epoch = 1) {
    SyncAnswered a;
    a.since = since;
    a.more = more;
    a.store_epoch = epoch;
    a.change_counter = counter;
    for (std::size_t i = 0; i < conversations; ++i) {
      ConversationInfo info;
      info.conversation = ConversationId::pair(Uid{1}, Uid{2 + i});
      a.conversations.push_back(info);
    }
    return sync.answered(turn, now, device, a);
  }
  void pong(std::uint64_t counter, Millis poll = Millis{0}) {
    sync.pong(now, {counter, poll, false});
  }
  void pass(Millis span) { now += span; }

  Sync sync{SyncSettings{}};
  DeviceRecord device;
  SeededRandom random{5};
  Turn turn;
  MonoTime now{std::chrono::hours(30)};
  bool reset = false;
  std::string page_after;
};

TEST_F(SyncTest, ExactlyOneAfterLoginAndSinceMovesWithTheLastPageAlone) {
  login();
  EXPECT_EQ(due(), 0);
  EXPECT_EQ(due(), std::nullopt) << "one at a time";
  answer(50, 3, true);
  EXPECT_EQ(device.since, 0);
  EXPECT_EQ(due(), 0);
  EXPECT_EQ(page_after.size(), 16u);
  EXPECT_FALSE(sync.is_up_to_date());
  EXPECT_TRUE(answer(60, 1).is_done);
  EXPECT_EQ(device.since, 50) << "what changed after the first page";
  EXPECT_TRUE(sync.is_up_to_date());
  pass(Millis{10'000});
  EXPECT_EQ(due(), std::nullopt);
}

/// A conversation before page_after may change while the later pages are read: neither `since` nor
/// the counter may say that it was seen.
TEST_F(SyncTest, AListInPagesCoversWhatItsFirstPageDid) {
  login();
  due();
  SyncAnswered first;
  first.since = 50;
  first.useq = Useq{7};
  first.change_counter = 100;
  first.store_epoch = 1;
  first.more = true;
  first.conversations.emplace_back().conversation = ConversationId::pair(Uid{1}, Uid{2});
  sync.answered(turn, now, device, first);
  due();
  answer(60, 1, true, 101);
  due();
  EXPECT_TRUE(answer(70, 1, false, 102).is_done);
  EXPECT_EQ(device.since, 50);
  EXPECT_EQ(device.useq.value(), 7U) << "later pages carry no events";
  pass(Millis{60'000});
  pong(102);
  EXPECT_EQ(due(), 50) << "what moved the counter may stand before the last page";
  answer(130, 1, false, 102);
  EXPECT_EQ(device.since, 130);
}

TEST_F(SyncTest, AReasonWhileOneIsOnItsWayLeadsToAnotherAfterIt) {
  login();
  due();
  sync.want(now, Sync::Reason::kHint);
  sync.want(now, Sync::Reason::kHint);
  answer(5);
  pass(Millis{200});
  EXPECT_EQ(due(), 5);
  answer(6);
  pass(Millis{200});
  EXPECT_EQ(due(), std::nullopt);
}

TEST_F(SyncTest, TheCounterAsksWhenItDiffersAndNoPushExplainsIt) {
  login();
  due();
  answer(5, 0, false, 100);
  pass(Millis{60'000});
  pong(100);
  EXPECT_EQ(due(), std::nullopt);
  sync.saw_change();
  pong(101);
  EXPECT_EQ(due(), std::nullopt) << "a push explains it";
  pass(Millis{60'000});
  pong(101);
  EXPECT_EQ(due(), 5) << "the first quiet heartbeat proves it";
  answer(7, 1, false, 101);
  pass(Millis{60'000});
  pong(101);
  EXPECT_EQ(due(), std::nullopt);
}

TEST_F(SyncTest, ACounterThatDiffersWhileSyncBringsNothingComparesEverythingOnce) {
  login();
  due();
  answer(5, 0, false, 100);
  pass(std::chrono::minutes(2));
  pong(101);
  EXPECT_EQ(due(), 5);
  answer(6, 0, false, 100);
  pass(Millis{200});
  EXPECT_EQ(due(), 0) << "SYNC(0)";
  answer(7, 0, false, 100);
  pass(Millis{30'000});
  pong(101);
  EXPECT_EQ(due(), 7);
  answer(8, 0, false, 100);
  pass(Millis{200});
  EXPECT_EQ(due(), std::nullopt) << "at most once a minute";
}

TEST_F(SyncTest, PollsWhereTheServerSaysSoOrKnowsNoCounter) {
  login();
  due();
  answer(5, 0, false, 9);
  pong(0);
  pass(Millis{59'000});
  EXPECT_EQ(due(), std::nullopt);
  pass(Millis{1'000});
  EXPECT_EQ(due(), 5);
  answer(6);
  pong(9, Millis{5'000});
  pass(Millis{5'000});
  EXPECT_EQ(due(), 6);
}

TEST_F(SyncTest, PeriodicAndDaily) {
  login();
  due();
  answer(5);
  pass(std::chrono::minutes(15));
  EXPECT_EQ(due(), 5);
  answer(6);
  pass(std::chrono::hours(24));
  EXPECT_EQ(due(), 0);
}

TEST_F(SyncTest, PartialRegistrationSyncsAgainAfterTheFirstPong) {
  login(1, 0, true);
  due();
  answer(5, 0, false, 9);
  pass(Millis{1'000});
  EXPECT_EQ(due(), std::nullopt);
  pong(9);
  EXPECT_EQ(due(), 5);
}

TEST_F(SyncTest, AnotherStoreEpochIsFromScratchAnotherClockOnlyCompares) {
  login(1);
  EXPECT_FALSE(reset) << "the first epoch told is no change";
  due();
  answer(5);
  login(1);
  EXPECT_FALSE(reset);
  EXPECT_EQ(due(), 5);
  answer(6);
  login(2);
  EXPECT_TRUE(reset);
  EXPECT_EQ(due(), 0);
  answer(7, 0, false, 0, 2);
  login(2, 1);
  EXPECT_FALSE(reset);
  EXPECT_EQ(due(), 0) << "SYNC(0) once";
  SyncAnswered other;
  other.since = 8;
  other.store_epoch = 3;
  other.clock_steps = 1;
  EXPECT_TRUE(sync.answered(turn, now, device, other).reset_all);
  pass(Millis{200});
  EXPECT_EQ(due(), 0);
}

TEST_F(SyncTest, AnAnswerThatTellsOfAnotherClockMovesSinceNowhere) {
  login(1);
  due();
  const std::int64_t ahead = 3'600'000;
  answer(ahead);
  pass(Millis{200});
  sync.want(now, Sync::Reason::kHint);
  EXPECT_EQ(due(), ahead);
  // What changed meanwhile lies below `ahead` and may lie below the answer's own time.
  SyncAnswered told;
  told.since = 70'000;
  told.store_epoch = 1;
  told.clock_steps = 1;
  EXPECT_FALSE(sync.answered(turn, now, device, told).is_done);
  EXPECT_EQ(device.since, 0);
  pass(Millis{200});
  EXPECT_EQ(due(), 0) << "everything is compared";
  told.since = 71'000;
  EXPECT_TRUE(sync.answered(turn, now, device, told).is_done);
  EXPECT_EQ(device.since, 71'000);
}

TEST_F(SyncTest, ARefusalBacksOffAndObeysItsTime) {
  login();
  due();
  for (int i = 0; i < 5; ++i) {
    sync.failed(now, Millis{3'000}, random);
    EXPECT_GE(sync.wake_at() - now, Millis{4'000});
    now = sync.wake_at();
    EXPECT_EQ(due(), 0);
  }
}

}  // namespace
}  // namespace hy::client
