#include <gtest/gtest.h>

#include "tests/contract/contract.h"
#include "tests/contract/embedded_store.h"
#include "tests/sim/store/model_engine.h"
#include "tests/sim/store/store_dump.h"

/// Faults of the model store: each does to das what the real one does.
namespace hy::das::contract {
namespace {

using sim::ModelEngine;
using sim::ModelRedis;
using sim::ModelStore;
using sim::StoreFault;
using sim::StoreFlavour;

class ModelFaults : public testing::TestWithParam<StoreFlavour> {
 protected:
  void SetUp() override {
    writer_ = std::move(*engine_.open_writer());
    reader_ = std::move(*engine_.open_reader());
    const std::vector<NewAccount> two(2);
    const auto made = writer_->accounts().create(two);
    ASSERT_OK(made);
    a_ = *(*made)[0];
    b_ = *(*made)[1];
    conv_ = ConversationId::pair(a_, b_);
    ASSERT_OK(writer_->membership().open_pair(a_, b_));
  }
  AppendItem message(std::uint64_t number) const {
    AppendItem item;
    item.conv = conv_;
    item.sender = a_;
    put_be(item.client_msg_id.bytes.data(), number);
    put_be(item.payload_hash.data(), number);
    item.member_version = 1;
    item.body.bytes = "x";
    return item;
  }
  FastAppend fast(std::uint64_t number) {
    const AppendItem item = message(number);
    const AppendItem* one = &item;
    return writer_->messages().append_fast({&one, 1});
  }
  void renew() {
    auto session = engine_.open_writer();
    ASSERT_OK(session);
    writer_ = std::move(*session);
    reader_ = std::move(*engine_.open_reader());
  }
  std::uint64_t head() const { return store_.tables().conversations.at(conv_).head_seq; }
  [[nodiscard]] bool is_one() const { return GetParam() == StoreFlavour::kOneWriter; }

  OffsetClock clock_;
  ModelStore store_{{.flavour = GetParam()}, clock_};
  ModelRedis redis_;
  bool alive_ = true;
  ModelEngine engine_{store_, &redis_, clock_, 1, [this] { return alive_; }};
  std::unique_ptr<StoreSession> writer_;
  std::unique_ptr<StoreSession> reader_;
  Uid a_, b_;
  ConversationId conv_;
};

TEST_P(ModelFaults, ALostReplyTookEffectAndALostCommitDidNot) {
  store_.plan(StoreFault::kReplyLost);
  EXPECT_EQ(fast(1).result, FastResult::kUnknown);
  EXPECT_TRUE(writer_->is_broken());
  EXPECT_EQ(reader_->is_broken(), is_one()) << "one file: readers may confirm nothing either";
  EXPECT_CODE(writer_->facts(), Errc::kStoreDown);
  EXPECT_EQ(head(), 1U);
  renew();
  store_.plan(StoreFault::kCommitLost);
  const auto lost = writer_->messages().append_one(message(2));
  EXPECT_CODE(lost, Errc::kOutcomeUnknown);
  EXPECT_EQ(head(), 1U);
  renew();
  const auto known = writer_->messages().append_one(message(1));
  ASSERT_OK(known);
  EXPECT_TRUE(known->stored.repeat);
  EXPECT_FALSE(writer_->messages().append_one(message(2))->stored.repeat);
}

TEST_P(ModelFaults, ARowOfAHungCommitIsWaitedForAndAPlainReadDoesNotSeeIt) {
  store_.plan(StoreFault::kCommitHangs);
  EXPECT_EQ(fast(1).result, FastResult::kUnknown);
  EXPECT_EQ(store_.in_flight(), 1U);
  FindQuery query;
  query.uid = query.sender = a_;
  query.conv = conv_;
  query.client_msg_id = message(1).client_msg_id;
  if (!is_one()) {
    auto other = std::move(*engine_.open_reader());
    EXPECT_CODE(other->messages().find(query), Errc::kMessageNotFound);
  }
  renew();
  // The lock wait may be too short; nothing is half done then.
  auto resolved = writer_->messages().append_one(message(1));
  while (!resolved) {
    ASSERT_EQ(resolved.error().code, Errc::kOverloaded);
    EXPECT_GE(engine_.take_spent(), std::chrono::seconds(2));
    clock_.move_mono(Millis{2'000});
    resolved = writer_->messages().append_one(message(1));
  }
  EXPECT_EQ(store_.in_flight(), 0U);
  EXPECT_EQ(resolved->stored.seq.value(), 1U);
  EXPECT_EQ(head(), 1U);
}

TEST_P(ModelFaults, LockWaitsAndDeadlocksRollBackAndKeepTheSession) {
  for (const StoreFault fault : {StoreFault::kLockWait, StoreFault::kDeadlock}) {
    store_.plan(fault);
    EXPECT_EQ(fast(1).result, FastResult::kRolledBack);
    store_.plan(fault);
    const auto refused = writer_->messages().append_one(message(1));
    EXPECT_CODE(refused, Errc::kOverloaded);
    EXPECT_FALSE(writer_->is_broken());
    EXPECT_EQ(head(), 0U);
  }
  store_.hold_row(conv_, Millis{60'000});
  EXPECT_CODE(writer_->messages().append_one(message(1)), Errc::kOverloaded);
  clock_.move_mono(Millis{60'001});
  EXPECT_TRUE(writer_->messages().append_one(message(1)).has_value());
}

TEST_P(ModelFaults, AFullDiskRefusesAndReadsGoOn) {
  ASSERT_EQ(fast(1).result, FastResult::kStored);
  store_.set_full(true);
  const auto full = fast(2);
  EXPECT_EQ(full.result, FastResult::kFailed);
  EXPECT_EQ(full.why.code, Errc::kStoreFull);
  EXPECT_CODE(writer_->messages().append_one(message(2)), Errc::kStoreFull);
  EXPECT_FALSE(writer_->is_broken());
  EXPECT_EQ(head(), 1U);
  EXPECT_TRUE(writer_->messages().append_one(message(1))->stored.repeat) << "needs no room";
  store_.set_full(false);
  EXPECT_EQ(fast(2).result, FastResult::kStored);
}

TEST_P(ModelFaults, DownReadOnlyAndLostConnections) {
  store_.plan(StoreFault::kConnectionLost);
  EXPECT_EQ(fast(1).why.code, Errc::kStoreDown);
  EXPECT_TRUE(writer_->is_broken());
  renew();
  store_.set_read_only(true);
  EXPECT_EQ(fast(1).why.code, Errc::kStoreDown);
  EXPECT_TRUE(writer_->is_broken());
  EXPECT_CODE(engine_.open_writer(), Errc::kStoreDown);
  EXPECT_TRUE(reader_->facts().has_value());
  store_.set_read_only(false);
  renew();
  store_.set_down(true);
  EXPECT_TRUE(reader_->is_broken());
  EXPECT_CODE(engine_.open_reader(), Errc::kStoreDown);
  EXPECT_CODE(engine_.open_writer(), Errc::kStoreDown);
  store_.set_down(false);
  renew();
  EXPECT_EQ(fast(1).result, FastResult::kStored);
}

/// G1: everything that was answered is there after a crash of the store.
TEST_P(ModelFaults, WhatWasAnsweredSurvivesACrashOfTheStore) {
  std::vector<std::uint64_t> answered;
  sim::StoreFaults faults;
  faults.commit_lost = faults.reply_lost = faults.commit_hangs = 50'000;
  faults.lock_wait = faults.connection_lost = 50'000;
  store_.set_faults(faults);
  for (std::uint64_t i = 1; i <= 500; ++i) {
    clock_.move_mono(Millis{1'000});
    if (writer_->is_broken() || i % 50 == 0) {
      if (i % 50 == 0) store_.crash();
      renew();
    }
    if (fast(i).result == FastResult::kStored) answered.push_back(i);
  }
  store_.set_faults({});
  store_.crash();
  renew();
  EXPECT_GT(answered.size(), 200U);
  EXPECT_GT(store_.struck(StoreFault::kCommitHangs), 5U);
  const auto& log = store_.tables().logs.at(conv_);
  for (const std::uint64_t i : answered)
    EXPECT_NE(log.find(a_, message(i).client_msg_id), nullptr) << i;
  for (std::size_t i = 0; i < log.rows.size(); ++i) ASSERT_EQ(log.rows[i].seq, i + 1);
  EXPECT_EQ(head(), log.rows.size());
}

TEST_P(ModelFaults, ADeadProcessHasNoEffect) {
  if (!is_one()) {
    // It dies between its statements and its COMMIT.
    int asked = 0;
    ModelEngine dying(store_, &redis_, clock_, 2, [&asked] { return ++asked < 4; });
    auto session = std::move(*dying.open_writer());
    asked = 2;
    const auto unheard = session->messages().append_one(message(1));
    EXPECT_CODE(unheard, Errc::kOutcomeUnknown);
    EXPECT_EQ(head(), 0U);
  }
  alive_ = false;
  EXPECT_EQ(fast(2).why.code, Errc::kStoreDown);
  EXPECT_CODE(engine_.open_writer(), Errc::kStoreDown);
  engine_.cache().changed({&a_, 1});
  EXPECT_EQ(head(), 0U);
}

TEST_P(ModelFaults, AFailoverWithLossRaisesTheEpochAndOneWithoutDoesNot) {
  const auto epoch = writer_->facts()->store_epoch;
  ASSERT_EQ(fast(1).result, FastResult::kStored);
  store_.mark_replica();
  ASSERT_EQ(fast(2).result, FastResult::kStored);
  store_.fail_over();
  EXPECT_TRUE(writer_->is_broken());
  renew();
  EXPECT_EQ(head(), 2U);
  EXPECT_EQ(writer_->facts()->store_epoch, epoch);
  store_.fail_over_with_loss();
  renew();
  EXPECT_EQ(head(), 1U);
  EXPECT_GT(writer_->facts()->store_epoch, epoch);
}

TEST_P(ModelFaults, AStoreClockThatStepsBackMovesNoHeadBackWithManyWriters) {
  ASSERT_EQ(fast(1).result, FastResult::kStored);
  const std::int64_t before = store_.tables().conversations.at(conv_).head_ms;
  store_.set_clock_skew(-600'000);
  EXPECT_LT(writer_->facts()->store_ms, before - 500'000);
  ASSERT_EQ(fast(2).result, FastResult::kStored);
  const std::int64_t after = store_.tables().conversations.at(conv_).head_ms;
  EXPECT_EQ(after >= before, !is_one()) << "GREATEST in one, the clock alone in the other";
}

TEST_P(ModelFaults, ATransactionThatWasBegunLongAgoHasAnOldHeadMsOrNone) {
  engine_.set_commit_delay(Millis{3'000});
  const auto late = writer_->messages().append_one(message(1));
  ASSERT_OK(late);
  EXPECT_LE(late->head.head_ms, store_.now_ms() - 3'000 + (is_one() ? 0 : 3'000));
  engine_.set_commit_delay(Millis{6'000});
  const auto never = writer_->messages().append_one(message(2));
  EXPECT_CODE(never, is_one() ? Errc::kOverloaded : Errc::kStoreDown);
  EXPECT_EQ(head(), 1U);
}

TEST_P(ModelFaults, TheDumpIsWhatTheJudgeReads) {
  ASSERT_EQ(fast(1).result, FastResult::kStored);
  ASSERT_EQ(fast(2).result, FastResult::kStored);
  const judge::StoreDump dump = sim::dump(store_);
  ASSERT_EQ(dump.conversations.size(), 1U);
  EXPECT_EQ(dump.conversations[0].head, 2U);
  ASSERT_EQ(dump.messages.size(), 2U);
  EXPECT_EQ(dump.messages[1].phash, 2U);
  ASSERT_EQ(dump.members.size(), 2U);
  EXPECT_EQ(dump.members[0].unread, 0) << "one's own are never unread";
  EXPECT_EQ(dump.members[1].unread, 2);
}

INSTANTIATE_TEST_SUITE_P(Flavours, ModelFaults,
                         testing::Values(StoreFlavour::kManyWriters, StoreFlavour::kOneWriter),
                         [](const auto& flavour) {
                           return flavour.param == StoreFlavour::kOneWriter ? "One" : "Many";
                         });

class ModelCacheFaults : public testing::Test {
 protected:
  static constexpr Uid kUid{1};
  std::uint64_t told() { return cache_.change_counters({&kUid, 1}).front(); }
  void change() { cache_.changed({&kUid, 1}); }
  OffsetClock clock_;
  ModelRedis redis_;
  std::chrono::nanoseconds spent_{0};
  sim::ModelCache cache_{redis_, clock_, 1, [] { return true; }, spent_};
};

TEST_F(ModelCacheFaults, DownCostsFiftyMillisecondsOnceASecond) {
  const std::uint64_t before = told();
  redis_.set_down(true);
  EXPECT_EQ(told(), 0U);
  EXPECT_EQ(told(), 0U);
  EXPECT_EQ(spent_, Millis{50});
  EXPECT_FALSE(cache_.is_up());
  redis_.set_down(false);
  EXPECT_EQ(told(), 0U) << "not asked within the second";
  clock_.move_mono(Millis{1'001});
  EXPECT_EQ(told(), before);
}

TEST_F(ModelCacheFaults, AStaleReplicaComesBackOldAndAReadOnlyOneTakesNothing) {
  const std::uint64_t before = told();
  redis_.mark_replica();
  change();
  EXPECT_NE(told(), before);
  redis_.fail_over();
  EXPECT_EQ(told(), before);
  redis_.set_refuses_writes(true);
  change();
  EXPECT_EQ(told(), before);
  redis_.set_refuses_writes(false);
  redis_.flush();
  EXPECT_NE(told(), before);
}

}  // namespace
}  // namespace hy::das::contract
