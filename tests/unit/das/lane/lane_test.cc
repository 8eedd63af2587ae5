#include "das/lane/lane.h"

#include <gtest/gtest.h>

#include <map>

#include "das/lane/read_pool.h"
#include "das/lane/store_watch.h"
#include "das/lane/workers.h"
#include "tests/unit/das/fake_engine.h"

namespace hy::das {
namespace {

using fake::Fault;
using fake::item;

/// A call that says what became of it.
class Probe final : public StoreCall {
 public:
  Probe(MonoTime deadline, std::optional<ReadMark> mark = std::nullopt)
      : StoreCall(deadline), mark_(mark) {}
  Probe(MonoTime deadline, UidPair pair) : StoreCall(deadline), pair_(pair) {}
  Status run(StoreSession& session) override {
    ++ran;
    const auto facts = session.facts();
    answered = facts ? Errc::kOk : facts.error().code;
    return {};
  }
  void refuse(const Error& why) override { answered = why.code; }
  [[nodiscard]] std::optional<ReadMark> read_mark() const override { return mark_; }
  void marked(const Result<ReadMarked>& answer) override {
    answered = answer ? Errc::kOk : answer.error().code;
  }
  [[nodiscard]] std::optional<UidPair> pair_to_open() const override { return pair_; }
  void opened(const PairFacts& facts) override {
    answered = facts.member_version == 1 ? Errc::kOk : Errc::kInternal;
  }
  void finish() override {}
  Errc answered = Errc::kInternal;
  int ran = 0;

 private:
  std::optional<ReadMark> mark_;
  std::optional<UidPair> pair_;
};

class NoDoor final : public LaneDoor {
 public:
  void shut(const Error&) override {}
  void open() override {}
  void took(std::size_t, std::chrono::nanoseconds) override {}
};

class LaneTest : public testing::Test, public LaneObserver {
 protected:
  void lane_works(std::size_t) override {
    note([&] { ++works_; });
  }
  void lane_failed(std::size_t, const Error& why) override {
    note([&] { failures_.push_back(why.code); });
  }
  void batch_done(std::size_t rows, bool, std::size_t, std::size_t,
                  std::chrono::nanoseconds) override {
    note([&] { batches_.push_back(rows); });
  }
  void waited(std::chrono::nanoseconds) override {}
  void stamped(std::int64_t) override {}
  void resolved(std::size_t unknown) override {
    note([&] { resolved_ += unknown; });
  }
  Status look(std::size_t, StoreSession& session) override {
    note([&] { ++looks_; });
    const auto facts = session.facts();
    if (!facts) return std::unexpected(facts.error());
    return {};
  }

  template <class Work>
  void note(Work&& work) {
    {
      const std::scoped_lock guard(mutex_);
      work();
    }
    changed_.notify_all();
  }
  /// Until `what` holds, 10 s at most.
  template <class What>
  bool wait(What&& what) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), what);
  }
  CompletionSink sink() {
    return [this](Completion done) {
      note([&] {
        ++completions_;
        for (AppendDone& one : done.appends) appends_.emplace(one.ticket, std::move(one.answer));
        for (auto& call : done.calls) calls_.push_back(std::move(call));
      });
    };
  }
  std::unique_ptr<Lane> lane(LaneOptions options = {}) {
    return std::make_unique<Lane>(options, engine_, clock_, std::make_unique<SeededRandom>(1),
                                  *this, sink());
  }
  AppendRequest request(std::uint64_t ticket, Millis left = Millis{5'000}) {
    return {{item(ticket), clock_.now() + left}, ticket, clock_.now()};
  }
  void offer(Lane& lane, std::uint64_t from, std::uint64_t to, Millis left = Millis{5'000}) {
    std::vector<AppendRequest> requests;
    for (std::uint64_t i = from; i < to; ++i) requests.push_back(request(i, left));
    Completion refused;
    lane.offer(std::move(requests), refused);
    note([&] {
      for (AppendDone& one : refused.appends) appends_.emplace(one.ticket, std::move(one.answer));
    });
  }
  Errc code(std::uint64_t ticket) {
    const std::scoped_lock guard(mutex_);
    const auto it = appends_.find(ticket);
    if (it == appends_.end()) return Errc::kTimedOut;
    return it->second ? Errc::kOk : it->second.error().code;
  }

  SystemClock clock_;
  fake::Store store_;
  fake::FakeEngine engine_{store_};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Result<Stored>> appends_;
  std::vector<std::unique_ptr<StoreCall>> calls_;
  std::vector<std::size_t> batches_;
  std::vector<Errc> failures_;
  std::size_t resolved_ = 0;
  int completions_ = 0;
  int works_ = 0;
  int looks_ = 0;
};

TEST_F(LaneTest, WhatWaitsTogetherIsOneTransactionAndOneHandOver) {
  auto one = lane();
  offer(*one, 1, 101);
  one->start();
  ASSERT_TRUE(wait([&] { return appends_.size() == 100; }));
  one->stop();
  EXPECT_EQ(batches_, std::vector<std::size_t>{100});
  EXPECT_EQ(completions_, 1);
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(appends_.at(i)->seq.value(), i);
  EXPECT_EQ(engine_.fake_cache().raised.size(), 1U);
}

TEST_F(LaneTest, HeadsAreUpInTheCacheBeforeAnybodyIsTold) {
  std::size_t raised_when_told = 0;
  Lane one({}, engine_, clock_, std::make_unique<SeededRandom>(1), *this, [&](Completion done) {
    raised_when_told = engine_.fake_cache().raised.size();
    note([&] { completions_ += static_cast<int>(done.appends.size()); });
  });
  offer(one, 1, 2);
  one.start();
  ASSERT_TRUE(wait([&] { return completions_ == 1; }));
  EXPECT_EQ(raised_when_told, 1U);
}

TEST_F(LaneTest, MembersOfAGroupAreToldByTheirCountersBeforeTheAnswer) {
  std::vector<Uid> raised_when_told;
  Lane one({}, engine_, clock_, std::make_unique<SeededRandom>(1), *this, [&](Completion done) {
    raised_when_told = engine_.fake_cache().users;
    note([&] { completions_ += static_cast<int>(done.appends.size()); });
  });
  std::vector<AppendRequest> requests;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    requests.push_back({{item(i), clock_.now() + Millis{1'000}}, i, clock_.now()});
    AppendItem& message = requests.back().pending.item;
    message.conv = ConversationId::group(Gid{5});
    // The last one is refused: it tells nobody.
    message.member_version = i == 3 ? 9 : 1;
    message.tell = {Uid{i == 3 ? 100U : 1U}, Uid{i}, Uid{7}};
  }
  store_.faults = {Fault::kLockWait, Fault::kLostCommit};
  Completion refused;
  one.offer(std::move(requests), refused);
  one.start();
  ASSERT_TRUE(wait([&] { return completions_ == 3; }));
  // The first message's COMMIT was lost: it counts once it is known to have taken effect.
  EXPECT_EQ(raised_when_told, (std::vector{Uid{1}, Uid{2}, Uid{7}}));
}

TEST_F(LaneTest, ALostCommitIsResolvedOnANewSessionAndNobodySeesIt) {
  store_.faults = {Fault::kLostCommit};
  auto one = lane();
  offer(*one, 1, 11);
  one->start();
  ASSERT_TRUE(wait([&] { return appends_.size() == 10; }));
  one->stop();
  for (std::uint64_t i = 1; i <= 10; ++i) {
    ASSERT_EQ(code(i), Errc::kOk);
    EXPECT_EQ(appends_.at(i)->seq.value(), i);
  }
  EXPECT_EQ(store_.rows.begin()->second.size(), 10U);
  EXPECT_EQ(resolved_, 10U);
  EXPECT_EQ(store_.opened, 2);
}

TEST_F(LaneTest, ACommitThatDidNotTakeEffectIsStoredOnTheNewSession) {
  store_.faults = {Fault::kDroppedCommit};
  auto one = lane();
  offer(*one, 1, 4);
  one->start();
  ASSERT_TRUE(wait([&] { return appends_.size() == 3; }));
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(code(i), Errc::kOk);
}

TEST_F(LaneTest, AnIdleConnectionThatDiedCostsNobodyAnAnswer) {
  store_.faults = {Fault::kDown};
  auto one = lane();
  offer(*one, 1, 4);
  one->start();
  ASSERT_TRUE(wait([&] { return appends_.size() == 3; }));
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(code(i), Errc::kOk);
}

TEST_F(LaneTest, ASessionThatSaysStoreDownIsReplacedEvenIfItDoesNotCallItselfBroken) {
  store_.faults = {Fault::kReadOnly, Fault::kReadOnly};
  auto one = lane();
  offer(*one, 1, 4);
  one->start();
  ASSERT_TRUE(wait([&] { return appends_.size() == 3; })) << "nobody waits for ever";
  one->stop();
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(code(i), Errc::kOk);
  EXPECT_EQ(store_.opened, 3);
}

TEST_F(LaneTest, StillUnknownAtTheDeadlineIsUnknownAndNeverRefused) {
  store_.faults = {Fault::kLostCommit};
  for (int i = 0; i < 1'000; ++i) store_.open_failures.push_back({Errc::kStoreDown, "away", {}});
  store_.open_failures.pop_front();
  const auto failures = std::exchange(store_.open_failures, {});
  auto one = lane();
  one->start();
  ASSERT_TRUE(wait([&] { return works_ > 0; }));
  {
    const std::scoped_lock guard(store_.mutex);
    store_.open_failures = failures;
  }
  Completion refused;
  std::vector<AppendRequest> requests;
  requests.push_back(request(1, Millis{300}));
  one->offer(std::move(requests), refused);
  ASSERT_TRUE(wait([&] { return appends_.size() == 1; }));
  EXPECT_EQ(code(1), Errc::kOutcomeUnknown);
}

TEST_F(LaneTest, WithoutAStoreOffersAreRefusedAtOnceAndTheReturnIsNoticed) {
  for (int i = 0; i < 3; ++i) store_.open_failures.push_back({Errc::kStoreDown, "away", {}});
  LaneOptions options;
  options.backoff_min = Millis{200};
  auto one = lane(options);
  one->start();
  ASSERT_TRUE(wait([&] { return !failures_.empty(); }));
  offer(*one, 1, 2);
  ASSERT_TRUE(wait([&] { return appends_.size() == 1; }));
  EXPECT_EQ(code(1), Errc::kStoreDown);
  Completion refused;
  one->offer(std::make_unique<Probe>(clock_.now() + Millis{1'000}), refused);
  if (!refused.calls.empty())
    EXPECT_EQ(static_cast<Probe&>(*refused.calls[0]).answered, Errc::kStoreDown);
  ASSERT_TRUE(wait([&] { return works_ > 0; })) << "tries again by itself";
  offer(*one, 2, 3);
  ASSERT_TRUE(wait([&] { return appends_.size() == 2; }));
  EXPECT_EQ(code(2), Errc::kOk);
}

TEST_F(LaneTest, AFullDiskIsReportedAndItsEndToo) {
  auto one = lane();
  one->start();
  ASSERT_TRUE(wait([&] { return works_ == 1; }));
  {
    const std::scoped_lock guard(store_.mutex);
    store_.faults = {Fault::kFull};
  }
  offer(*one, 1, 2);
  ASSERT_TRUE(wait([&] { return failures_.size() == 1; }));
  EXPECT_EQ(failures_[0], Errc::kStoreFull);
  offer(*one, 2, 3);
  ASSERT_TRUE(wait([&] { return works_ == 2 && appends_.size() == 2; }));
  EXPECT_EQ(code(1), Errc::kStoreFull);
  EXPECT_EQ(code(2), Errc::kOk);
}

/// Who is told that the disk is full sends nothing more: the lane has to find out by itself.
TEST_F(LaneTest, RoomOnTheDiskIsNoticedWithoutAnybodyWriting) {
  LaneOptions options;
  options.look_period = Millis{20};
  auto one = lane(options);
  one->start();
  ASSERT_TRUE(wait([&] { return works_ > 0; }));
  {
    const std::scoped_lock guard(store_.mutex);
    store_.faults = {Fault::kFull};
  }
  offer(*one, 1, 2);
  ASSERT_TRUE(wait([&] { return !failures_.empty(); }));
  EXPECT_EQ(failures_[0], Errc::kStoreFull);
  int before = 0;
  note([&] { before = works_; });
  EXPECT_TRUE(wait([&] { return works_ > before; }));
}

/// Nobody offers anything to a store that was announced to be down: the store's return is noticed
/// as late as the lane tries again, however long it was away.
TEST_F(LaneTest, TheStoresReturnIsNoticedWithinHalfASecond) {
  fake::ManualClock clock;
  NoDoor door;
  {
    const std::scoped_lock guard(store_.mutex);
    store_.open_failures.assign(200, {Errc::kTooManyConnections, {}, {}});
  }
  LaneCore core({}, engine_, clock, std::make_unique<SeededRandom>(1), *this, door, sink());
  for (int tries = 0; tries < 200; ++tries) {
    core.begin();
    ASSERT_FALSE(core.has_session());
    ASSERT_LE(core.due() - clock.now(), Millis{500}) << "after " << tries << " failures";
    clock.at += std::chrono::ceil<Millis>(core.due() - clock.now());
  }
  core.begin();
  EXPECT_TRUE(core.has_session());
}

/// The same with a session that is well and a store that takes nothing: full, or read-only.
TEST_F(LaneTest, RoomOnTheDiskIsNoticedWithinHalfASecond) {
  fake::ManualClock clock;
  NoDoor door;
  {
    const std::scoped_lock guard(store_.mutex);
    store_.faults = {Fault::kFull};
  }
  LaneCore core({}, engine_, clock, std::make_unique<SeededRandom>(1), *this, door, sink());
  core.begin();
  ASSERT_GT(core.due() - clock.now(), Millis{500}) << "a lane that works is left alone";
  LaneBatch batch;
  batch.appends.push_back({{item(1), clock.now() + Millis{5'000}}, 1, clock.now()});
  core.serve(std::move(batch));
  ASSERT_EQ(code(1), Errc::kStoreFull);
  EXPECT_LE(core.due() - clock.now(), Millis{500});
}

TEST_F(LaneTest, ReadMarksOfATurnShareOneTransaction) {
  auto one = lane();
  Completion refused;
  for (std::uint64_t i = 1; i <= 20; ++i)
    one->offer(std::make_unique<Probe>(clock_.now() + Millis{5'000},
                                       ReadMark{Uid{i}, item(1).conv, Seq{1}}),
               refused);
  one->offer(std::make_unique<Probe>(clock_.now() + Millis{5'000}), refused);
  one->start();
  ASSERT_TRUE(wait([&] { return calls_.size() == 21; }));
  EXPECT_EQ(store_.mark_calls, 1);
  EXPECT_EQ(store_.reads_marked, 20);
  for (const auto& call : calls_) EXPECT_EQ(static_cast<Probe&>(*call).answered, Errc::kOk);
}

TEST_F(LaneTest, PairsOfATurnAreOpenedInOneTransaction) {
  for (const int deadlocks : {0, 2, 3}) {
    SCOPED_TRACE(deadlocks);
    store_.open_calls = 0;
    store_.opens_overloaded = deadlocks;
    calls_.clear();
    auto one = lane();
    Completion refused;
    for (std::uint64_t i = 1; i <= 20; ++i)
      one->offer(std::make_unique<Probe>(clock_.now() + Millis{5'000}, UidPair{Uid{i}, Uid{99}}),
                 refused);
    one->start();
    ASSERT_TRUE(wait([&] { return calls_.size() == 20; }));
    EXPECT_EQ(store_.open_calls, std::min(deadlocks + 1, 3));
    for (const auto& call : calls_)
      EXPECT_EQ(static_cast<Probe&>(*call).answered, deadlocks < 3 ? Errc::kOk : Errc::kOverloaded);
    one->stop();
  }
}

TEST_F(LaneTest, AFullQueueIsRefusedWithATimeToComeAgain) {
  LaneOptions options;
  options.limits.queue_appends_max = 5;
  auto one = lane(options);
  std::vector<AppendRequest> requests;
  for (std::uint64_t i = 1; i <= 8; ++i) requests.push_back(request(i));
  Completion refused;
  one->offer(std::move(requests), refused);
  ASSERT_EQ(refused.appends.size(), 3U);
  EXPECT_EQ(refused.appends[0].ticket, 6U);
  EXPECT_EQ(refused.appends[0].answer.error().code, Errc::kOverloaded);
  EXPECT_GE(refused.appends[0].answer.error().retry_after, Millis{50});
}

TEST_F(LaneTest, ExpiredWorkIsAnsweredWithoutTouchingTheStore) {
  auto one = lane();
  Completion refused;
  std::vector<AppendRequest> requests;
  requests.push_back(request(1, Millis{-1}));
  one->offer(std::move(requests), refused);
  one->start();
  ASSERT_TRUE(wait([&] { return appends_.size() == 1; }));
  EXPECT_EQ(code(1), Errc::kDeadlineExceeded);
  EXPECT_EQ(store_.fast_calls + store_.slow_calls, 0);
}

TEST_F(LaneTest, StopCommitsAndAnswersWhatWasTaken) {
  auto one = lane();
  one->start();
  // Room for a sanitizer on a busy machine.
  for (std::uint64_t i = 0; i < 50; ++i) offer(*one, i * 100, i * 100 + 100, Millis{60'000});
  one->stop();
  EXPECT_EQ(appends_.size(), 5'000U);
  for (const auto& [ticket, answer] : appends_) EXPECT_TRUE(answer.has_value());
  offer(*one, 90'000, 90'001);
  EXPECT_EQ(code(90'000), Errc::kDraining);
}

TEST_F(LaneTest, AnIdleLaneLooksAfterItsConnection) {
  LaneOptions options;
  options.look_period = Millis{20};
  auto one = lane(options);
  one->start();
  EXPECT_TRUE(wait([&] { return looks_ >= 5; }));
}

TEST_F(LaneTest, ReadersAnswerAllAndReopenWhatBroke) {
  ReadPool pool({.threads = 3, .queue_calls_max = 1'000}, engine_, clock_, sink());
  Completion refused;
  for (int i = 0; i < 200; ++i)
    pool.offer(std::make_unique<Probe>(clock_.now() + Millis{5'000}), refused);
  pool.start();
  ASSERT_TRUE(wait([&] { return calls_.size() == 200; }));
  EXPECT_TRUE(refused.empty());
  EXPECT_LE(store_.opened, 3);
  pool.stop();
  pool.offer(std::make_unique<Probe>(clock_.now() + Millis{5'000}), refused);
  ASSERT_EQ(refused.calls.size(), 1U);
  EXPECT_EQ(static_cast<Probe&>(*refused.calls[0]).answered, Errc::kDraining);
}

TEST_F(LaneTest, ReadersRefuseWhileTheStoreIsAwayAndWhenFull) {
  for (int i = 0; i < 100; ++i) store_.open_failures.push_back({Errc::kStoreDown, "away", {}});
  ReadPool pool({.threads = 1, .queue_calls_max = 2}, engine_, clock_, sink());
  Completion refused;
  for (int i = 0; i < 3; ++i)
    pool.offer(std::make_unique<Probe>(clock_.now() + Millis{5'000}), refused);
  ASSERT_EQ(refused.calls.size(), 1U);
  EXPECT_EQ(static_cast<Probe&>(*refused.calls[0]).answered, Errc::kOverloaded);
  pool.start();
  ASSERT_TRUE(wait([&] { return calls_.size() == 2; }));
  for (const auto& call : calls_) EXPECT_EQ(static_cast<Probe&>(*call).answered, Errc::kStoreDown);
}

TEST_F(LaneTest, WorkersKeepAConversationOnOneLane) {
  WorkerOptions options;
  options.lanes = 4;
  Workers workers(
      options, engine_, clock_, [] { return std::make_unique<SeededRandom>(1); }, *this, sink());
  std::vector<AppendRequest> requests;
  for (std::uint64_t i = 1; i <= 400; ++i) {
    AppendRequest one = request(i);
    one.pending.item = item(i, 2 + i % 8);
    requests.push_back(std::move(one));
  }
  Completion refused;
  workers.offer(std::move(requests), refused);
  workers.start();
  ASSERT_TRUE(wait([&] { return appends_.size() == 400; }));
  workers.stop();
  for (std::uint64_t i = 1; i <= 400; ++i)
    EXPECT_EQ(appends_.at(i)->seq.value(), (i - (i % 8 == 0 ? 8 : i % 8)) / 8 + 1) << i;
}

TEST(StoreWatch, RaisesStepsWritesTheBeatAndKeepsTheState) {
  fake::Store store;
  fake::Session session(store);
  StoreState state;
  StoreWatch watch({}, state);
  MonoTime now{};
  auto seen = watch.look(now, session);
  ASSERT_TRUE(seen.has_value());
  EXPECT_TRUE(seen->changed);
  EXPECT_EQ(state.store_epoch.load(), 1U);
  EXPECT_EQ(store.facts.beat_ms, 1'000'000);
  store.facts.store_ms = 1'003'000;
  seen = watch.look(now + Millis{3'000}, session);
  EXPECT_FALSE(seen->stepped || seen->changed);
  EXPECT_EQ(store.facts.beat_ms, 1'000'000) << "not yet due";
  store.facts.store_ms = 400'000;
  seen = watch.look(now + Millis{6'000}, session);
  EXPECT_TRUE(seen->stepped && seen->changed);
  EXPECT_EQ(state.clock_steps.load(), 1U);
  EXPECT_EQ(store.facts.beat_ms, 400'000);
  store.facts.store_ms = 403'000;
  seen = watch.look(now + Millis{9'000}, session);
  EXPECT_FALSE(seen->stepped) << "one step is told once";
}

// hy_chaos --seed 9020: an hour ahead for three seconds, between two looks, and a device synced
// then.
TEST(StoreWatch, AClockThatWasWrongBetweenTwoLooksCountsAsAStepBack) {
  fake::Store store;
  fake::Session session(store);
  StoreState state;
  StoreWatch watch({}, state);
  MonoTime now{};
  ASSERT_TRUE(watch.look(now, session).has_value());
  const std::int64_t hour = 3'600'000;
  state.readings.note(1'001'000 + hour);
  store.facts.store_ms = 1'003'000;
  auto seen = watch.look(now + Millis{3'000}, session);
  EXPECT_TRUE(seen->stepped && seen->changed) << "a `since` of that hour would hide what comes";
  EXPECT_EQ(state.clock_steps.load(), 1U);
  store.facts.store_ms = 1'006'000;
  EXPECT_FALSE(watch.look(now + Millis{6'000}, session)->stepped) << "told once";

  state.readings.note(1'007'000);
  state.readings.note(1'007'500 - 600'000);
  state.readings.note(1'008'000);
  store.facts.store_ms = 1'009'000;
  seen = watch.look(now + Millis{9'000}, session);
  EXPECT_TRUE(seen->stepped) << "changes of those minutes lie below what devices ask from";

  state.readings.note(1'010'000);
  state.readings.note(1'009'000 - 20'000);
  store.facts.store_ms = 1'012'000;
  EXPECT_FALSE(watch.look(now + Millis{12'000}, session)->stepped) << "within SYNC's overlap";
}

}  // namespace
}  // namespace hy::das
