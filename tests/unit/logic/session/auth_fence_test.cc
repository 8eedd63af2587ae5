#include "logic/session/auth_fence.h"

#include <gtest/gtest.h>

#include "tests/support/fake_ports.h"

namespace hy::logic::test {
namespace {

const SlotKey kKey{Uid{1}, Slot::kPhone};
const SlotKey kOther{Uid{2}, Slot::kPhone};

struct AuthFenceTest : ::testing::Test {
  AuthFenceTest() { accounts.hold_epochs = true; }
  void check(SlotKey key, std::uint32_t epoch) {
    fence.check(key, epoch, [this](const AuthFence::Verdict& v) { verdicts.push_back(v); });
  }
  void answer() {
    auto question = take(accounts.epoch_questions);
    question.answer(accounts.epochs_of(question.query));
  }
  HandClock clock;
  FakeAccounts accounts;
  AuthFence fence{accounts, clock, {}};
  std::vector<AuthFence::Verdict> verdicts;
};

TEST_F(AuthFenceTest, QuestionsOfOneTurnTravelTogether) {
  check(kKey, 1);
  check(kKey, 1);
  check(kOther, 1);
  EXPECT_TRUE(accounts.epoch_questions.empty());
  fence.flush();
  ASSERT_EQ(accounts.epoch_questions.size(), 1U);
  EXPECT_EQ(accounts.epoch_questions.front().query.size(), 2U);
  answer();
  EXPECT_EQ(verdicts.size(), 3U);
}

TEST_F(AuthFenceTest, WhatIsAskedWhileACallIsUnderWayIsTheNextCall) {
  check(kKey, 1);
  fence.flush();
  for (std::uint64_t i = 2; i <= 9; ++i) {
    check({Uid{i}, Slot::kPhone}, 1);
    fence.flush();
    clock.advance(Millis{1});
  }
  ASSERT_EQ(accounts.epoch_questions.size(), 1U) << "its answer is awaited";
  answer();
  EXPECT_EQ(verdicts.size(), 1U);
  fence.flush();
  ASSERT_EQ(accounts.epoch_questions.size(), 1U);
  EXPECT_EQ(accounts.epoch_questions.front().query.size(), 8U);
  answer();
  EXPECT_EQ(verdicts.size(), 9U);
}

TEST_F(AuthFenceTest, ASlowCallHoldsTheNextBackForABoundedTime) {
  check(kKey, 1);
  fence.flush();
  check(kOther, 1);
  clock.advance(Millis{9});
  fence.flush();
  EXPECT_EQ(accounts.epoch_questions.size(), 1U);
  clock.advance(Millis{1});
  fence.flush();
  ASSERT_EQ(accounts.epoch_questions.size(), 2U);
  EXPECT_EQ(accounts.epoch_questions.back().call.deadline, clock.now() + Millis{1'000});
  // The slow one's answer says nothing about the one that left after it, and the other way round.
  check({Uid{3}, Slot::kPhone}, 1);
  answer();
  fence.flush();
  EXPECT_EQ(accounts.epoch_questions.size(), 1U);
  answer();
  fence.flush();
  EXPECT_EQ(accounts.epoch_questions.size(), 1U);
  EXPECT_EQ(verdicts.size(), 2U);
}

TEST_F(AuthFenceTest, ACallThatFailsHoldsNobodyBack) {
  check(kKey, 1);
  fence.flush();
  take(accounts.epoch_questions).fail_with(Errc::kDeadlineExceeded);
  check(kOther, 1);
  fence.flush();
  EXPECT_EQ(accounts.epoch_questions.size(), 1U);
}

TEST_F(AuthFenceTest, KnowledgeIsGoodForTwoSeconds) {
  check(kKey, 1);
  fence.flush();
  answer();
  clock.advance(Millis{2'000});
  check(kKey, 1);
  EXPECT_EQ(verdicts.size(), 2U);
  clock.advance(Millis{1});
  check(kKey, 1);
  EXPECT_EQ(verdicts.size(), 2U);
  fence.flush();
  EXPECT_EQ(accounts.epoch_questions.size(), 1U);
}

TEST_F(AuthFenceTest, FreshKnowledgeAnswersWithoutACall) {
  EXPECT_EQ(fence.is_stale_now(kKey, 1), std::nullopt);
  fence.learn(kKey, 5);
  EXPECT_EQ(fence.is_stale_now(kKey, 4), true);
  EXPECT_EQ(fence.is_stale_now(kKey, 5), false);
  clock.advance(Millis{2'001});
  EXPECT_EQ(fence.is_stale_now(kKey, 5), std::nullopt);
  EXPECT_TRUE(accounts.epoch_questions.empty());
}

TEST_F(AuthFenceTest, AgeCountsFromTheQuestionNotTheAnswer) {
  check(kKey, 1);
  fence.flush();
  clock.advance(Millis{1'500});
  answer();
  clock.advance(Millis{600});
  check(kKey, 1);
  EXPECT_EQ(verdicts.size(), 1U);
}

TEST_F(AuthFenceTest, LowerEpochIsStaleHigherIsNot) {
  accounts.epochs[kKey] = 5;
  check(kKey, 4);
  check(kKey, 5);
  check(kKey, 6);
  fence.flush();
  answer();
  EXPECT_TRUE(verdicts[0].is_stale);
  EXPECT_FALSE(verdicts[1].is_stale);
  EXPECT_FALSE(verdicts[2].is_stale);
}

TEST_F(AuthFenceTest, NobodyKnowsMeansLetIn) {
  check(kKey, 1);
  fence.flush();
  take(accounts.epoch_questions).fail_with(Errc::kStoreDown);
  EXPECT_FALSE(verdicts[0].is_stale);
  EXPECT_FALSE(verdicts[0].is_known);
}

TEST_F(AuthFenceTest, SlowAnswerDoesNotLowerWhatASignInTaught) {
  check(kKey, 1);
  fence.flush();
  fence.learn(kKey, 9);
  answer();  // das was asked before the sign-in: it says 1
  EXPECT_TRUE(verdicts[0].is_stale);
  check(kKey, 9);
  EXPECT_FALSE(verdicts[1].is_stale);
}

TEST_F(AuthFenceTest, LearnNeverLowers) {
  fence.learn(kKey, 9);
  fence.learn(kKey, 3);
  check(kKey, 8);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts[0].is_stale);
}

TEST_F(AuthFenceTest, MoreThan500KeysAreSeveralCalls) {
  for (std::uint64_t i = 1; i <= 501; ++i) check({Uid{i}, Slot::kPhone}, 1);
  fence.flush();
  ASSERT_EQ(accounts.epoch_questions.size(), 2U);
  answer();
  answer();
  EXPECT_EQ(verdicts.size(), 501U);
}

TEST_F(AuthFenceTest, ShortAnswerIsNoAnswer) {
  check(kKey, 1);
  fence.flush();
  take(accounts.epoch_questions).answer({});
  EXPECT_FALSE(verdicts[0].is_known);
}

}  // namespace
}  // namespace hy::logic::test
