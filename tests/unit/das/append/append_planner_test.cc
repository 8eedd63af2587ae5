#include "das/append/append_planner.h"

#include <gtest/gtest.h>

#include "tests/unit/das/fake_engine.h"

namespace hy::das {
namespace {

using fake::Fault;
using fake::item;
using State = AppendVerdict::State;

class PlannerTest : public testing::Test {
 protected:
  BatchOutcome run(std::vector<AppendItem> items) {
    std::vector<PendingAppend> batch;
    for (AppendItem& one : items) batch.push_back({std::move(one), clock_.now() + Millis{1'000}});
    return planner_.run(log_, batch);
  }
  static std::uint64_t seq(const AppendVerdict& verdict) {
    return verdict.answer ? verdict.answer->seq.value() : 0;
  }
  static Errc code(const AppendVerdict& verdict) {
    return verdict.answer ? Errc::kOk : verdict.answer.error().code;
  }

  fake::Store store_;
  fake::Log log_{store_};
  fake::ManualClock clock_;
  AppendPlanner planner_{clock_, 100};
};

TEST_F(PlannerTest, APlainBatchIsOneTransaction) {
  const auto out = run({item(1), item(2, 3), item(3)});
  EXPECT_TRUE(out.fast);
  EXPECT_EQ(store_.fast_calls, 1);
  EXPECT_EQ(store_.slow_calls, 0);
  EXPECT_EQ(seq(out.verdicts[0]), 1U);
  EXPECT_EQ(seq(out.verdicts[1]), 1U);
  EXPECT_EQ(seq(out.verdicts[2]), 2U);
  EXPECT_EQ(out.heads.size(), 2U);
}

TEST_F(PlannerTest, ADuplicateSendsAllThroughTheSlowPathAndEachGetsItsOwnAnswer) {
  run({item(1)});
  AppendItem conflict = item(1);
  conflict.payload_hash = {};
  const auto out = run({item(2), item(1), conflict, item(3)});
  EXPECT_FALSE(out.fast);
  EXPECT_EQ(seq(out.verdicts[0]), 2U);
  EXPECT_EQ(seq(out.verdicts[1]), 1U);
  EXPECT_TRUE(out.verdicts[1].answer->repeat);
  EXPECT_EQ(code(out.verdicts[2]), Errc::kConflict);
  EXPECT_EQ(seq(out.verdicts[3]), 3U);
  EXPECT_EQ(out.repeats, 1U);
  EXPECT_EQ(out.conflicts, 1U);
}

TEST_F(PlannerTest, TheSameIdTwiceIsOneRowAndTwoEqualAnswers) {
  const auto out = run({item(1), item(1), item(2)});
  EXPECT_TRUE(out.fast);
  EXPECT_EQ(seq(out.verdicts[0]), 1U);
  EXPECT_EQ(seq(out.verdicts[1]), 1U);
  EXPECT_FALSE(out.verdicts[0].answer->repeat);
  EXPECT_TRUE(out.verdicts[1].answer->repeat);
  EXPECT_EQ(store_.rows.begin()->second.size(), 2U);
}

TEST_F(PlannerTest, ASecondPayloadOfTheSameBatchIsAConflict) {
  AppendItem other = item(1);
  other.payload_hash = {};
  const auto out = run({item(1), other});
  EXPECT_EQ(seq(out.verdicts[0]), 1U);
  EXPECT_EQ(code(out.verdicts[1]), Errc::kConflict);
}

TEST_F(PlannerTest, AFollowerOfARefusedOneIsRefusedTheSameWay) {
  AppendItem gap = item(5);
  gap.after = item(4).client_msg_id;
  const auto out = run({gap, gap});
  EXPECT_EQ(code(out.verdicts[0]), Errc::kGap);
  EXPECT_EQ(code(out.verdicts[1]), Errc::kGap);
}

TEST_F(PlannerTest, WhatThisLaneCommittedNeedNotBeReadAgain) {
  run({item(1)});
  store_.rows.clear();  // only the lane's own memory can know it now
  AppendItem next = item(2);
  next.after = item(1).client_msg_id;
  EXPECT_EQ(seq(run({next}).verdicts[0]), 1U);
  planner_.forget();
  AppendItem third = item(3);
  third.after = item(1).client_msg_id;
  EXPECT_EQ(code(run({third}).verdicts[0]), Errc::kGap) << "another session: nothing is proven";
}

TEST_F(PlannerTest, ALostCommitLeavesEveryCallerUnknownAndNobodyRefused) {
  store_.faults = {Fault::kLostCommit};
  const auto out = run({item(1), item(2)});
  EXPECT_TRUE(out.broken);
  for (const auto& verdict : out.verdicts) EXPECT_EQ(verdict.state, State::kUnknown);
  EXPECT_EQ(store_.slow_calls, 0) << "a broken session is never used again";
  EXPECT_TRUE(out.heads.empty());
}

TEST_F(PlannerTest, AConnectionLostBeforeCommitIsNotDone) {
  store_.faults = {Fault::kDown};
  const auto out = run({item(1)});
  EXPECT_TRUE(out.broken);
  EXPECT_EQ(out.verdicts[0].state, State::kNotDone);
}

TEST_F(PlannerTest, ASessionThatBreaksHalfWayLeavesTheAnsweredAnswered) {
  run({item(1)});
  store_.faults = {Fault::kNone, Fault::kNone, Fault::kLostCommit};
  const auto out = run({item(2), item(1), item(3)});
  EXPECT_EQ(out.verdicts[0].state, State::kAnswered);
  EXPECT_EQ(out.verdicts[1].state, State::kUnknown);
  EXPECT_EQ(out.verdicts[2].state, State::kNotDone);
  EXPECT_TRUE(out.broken);
}

TEST_F(PlannerTest, AFullDiskIsSaidToAllAtOnce) {
  store_.faults = {Fault::kFull};
  const auto out = run({item(1), item(2)});
  EXPECT_FALSE(out.broken);
  for (const auto& verdict : out.verdicts) EXPECT_EQ(code(verdict), Errc::kStoreFull);
  EXPECT_EQ(store_.slow_calls, 0);
}

TEST_F(PlannerTest, ALockedConversationCostsTheLaneOneWaitAndNotOnePerMessage) {
  store_.faults = {Fault::kLockWait, Fault::kLockWait, Fault::kLockWait};
  const auto out = run({item(1), item(2), item(3), item(4, 3)});
  EXPECT_EQ(code(out.verdicts[0]), Errc::kOverloaded);
  EXPECT_EQ(code(out.verdicts[1]), Errc::kOverloaded);
  EXPECT_EQ(code(out.verdicts[2]), Errc::kOverloaded);
  EXPECT_GT(out.verdicts[1].answer.error().retry_after.count(), 0);
  EXPECT_EQ(seq(out.verdicts[3]), 1U) << "other conversations go on";
  EXPECT_EQ(store_.slow_calls, 3);
}

TEST_F(PlannerTest, ADeadlockIsTriedOnceMore) {
  store_.faults = {Fault::kLockWait, Fault::kLockWait, Fault::kNone};
  EXPECT_EQ(seq(run({item(1)}).verdicts[0]), 1U);
}

TEST_F(PlannerTest, TheSlowPathStaysInsideTheCallersDeadlines) {
  run({item(1)});
  std::vector<PendingAppend> batch{{item(1), clock_.now() + Millis{1}}, {item(2), clock_.now()}};
  const auto out = planner_.run(log_, batch);
  EXPECT_EQ(seq(out.verdicts[0]), 1U);
  EXPECT_EQ(code(out.verdicts[1]), Errc::kDeadlineExceeded);
}

TEST(RecentIds, KnowsTheNewestForgetsOldOnesAndIsNeverWrong) {
  RecentIds ids(16);
  const auto id = [](std::uint64_t n) { return item(n).client_msg_id; };
  const ConversationId conv = item(0).conv;
  const ConversationId other = ConversationId::pair(Uid{77}, Uid{78});
  std::size_t known = 0;
  for (std::uint64_t n = 0; n < 1'000; ++n) {
    ids.add(conv, Uid{1}, id(n));
    EXPECT_TRUE(ids.has(conv, Uid{1}, id(n)));
    EXPECT_FALSE(ids.has(conv, Uid{2}, id(n)));
    EXPECT_FALSE(ids.has(other, Uid{1}, id(n)));
    EXPECT_FALSE(ids.has(conv, Uid{1}, id(n + 1)));
  }
  for (std::uint64_t n = 0; n < 1'000; ++n) known += ids.has(conv, Uid{1}, id(n)) ? 1 : 0;
  EXPECT_LE(known, 16U) << "bounded";
  EXPECT_GE(known, 8U);
  ids.clear();
  for (std::uint64_t n = 0; n < 1'000; ++n) EXPECT_FALSE(ids.has(conv, Uid{1}, id(n)));
}

TEST(RecentIds, TheSameIdAgainTakesNoSecondPlace) {
  RecentIds ids(2);
  const ConversationId conv = item(0).conv;
  ids.add(conv, Uid{1}, item(1).client_msg_id);
  for (int i = 0; i < 5; ++i) ids.add(conv, Uid{1}, item(2).client_msg_id);
  EXPECT_TRUE(ids.has(conv, Uid{1}, item(1).client_msg_id));
  EXPECT_TRUE(ids.has(conv, Uid{1}, item(2).client_msg_id));
}

}  // namespace
}  // namespace hy::das
