#include "logic/session/session_fifo.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace hy::logic {
namespace {

const SessionFifo::Key kOne{1, ConnId{1}};
const SessionFifo::Key kTwo{1, ConnId{2}};

struct SessionFifoTest : ::testing::Test {
  bool enter(SessionFifo::Key key, int n) {
    SessionFifo::Job job = [this, n](SessionFifo::Turn turn) {
      started.push_back(n);
      turns.push_back(std::move(turn));
    };
    return fifo.enter(key, job);
  }
  std::vector<int> started;
  SessionFifo fifo{2};
  std::deque<SessionFifo::Turn> turns;  // a release may add one: references stay
};

TEST_F(SessionFifoTest, OneSessionsCommandsStartOneAfterAnother) {
  EXPECT_TRUE(enter(kOne, 1));
  EXPECT_TRUE(enter(kOne, 2));
  EXPECT_TRUE(enter(kOne, 3));
  EXPECT_EQ(started, (std::vector{1}));
  turns[0].release();
  EXPECT_EQ(started, (std::vector{1, 2}));
  turns[1].release();
  EXPECT_EQ(started, (std::vector{1, 2, 3}));
  turns[2].release();
  EXPECT_EQ(fifo.sessions(), 0U);
}

TEST_F(SessionFifoTest, SessionsDoNotWaitForEachOther) {
  enter(kOne, 1);
  enter(kTwo, 2);
  EXPECT_EQ(started, (std::vector{1, 2}));
}

TEST_F(SessionFifoTest, FullLineRefusesAndLeavesTheJob) {
  EXPECT_TRUE(enter(kOne, 1));
  EXPECT_TRUE(enter(kOne, 2));
  EXPECT_TRUE(enter(kOne, 3));
  bool is_run = false;
  SessionFifo::Job job = [&is_run](SessionFifo::Turn) { is_run = true; };
  EXPECT_FALSE(fifo.enter(kOne, job));
  EXPECT_FALSE(is_run);
  job({});
  EXPECT_TRUE(is_run);
}

TEST_F(SessionFifoTest, TurnDroppedWithItsHolderStartsTheNext) {
  enter(kOne, 1);
  enter(kOne, 2);
  turns[0] = {};
  EXPECT_EQ(started, (std::vector{1, 2}));
}

TEST_F(SessionFifoTest, LongLineOfJobsThatEndAtOnceDoesNotRecurse) {
  SessionFifo deep{200'000};
  SessionFifo::Turn first;
  SessionFifo::Job hold = [&first](SessionFifo::Turn turn) { first = std::move(turn); };
  ASSERT_TRUE(deep.enter(kOne, hold));
  int ran = 0;
  for (int i = 0; i < 200'000; ++i) {
    SessionFifo::Job job = [&ran](SessionFifo::Turn turn) {
      ++ran;
      turn.release();
    };
    ASSERT_TRUE(deep.enter(kOne, job));
  }
  first.release();
  EXPECT_EQ(ran, 200'000);
  EXPECT_EQ(deep.sessions(), 0U);
}

TEST_F(SessionFifoTest, TheFirstOfALineNeedsNoJob) {
  auto turn = fifo.enter_now(kOne);
  ASSERT_TRUE(turn);
  EXPECT_FALSE(fifo.enter_now(kOne)) << "somebody is before";
  EXPECT_TRUE(fifo.enter_now(kTwo));
  EXPECT_TRUE(enter(kOne, 1));
  EXPECT_TRUE(started.empty());
  turn->release();
  EXPECT_EQ(started, (std::vector{1}));
  EXPECT_FALSE(fifo.enter_now(kOne));
  turns[0].release();
  EXPECT_EQ(fifo.sessions(), 0U);
  fifo.close();
  EXPECT_FALSE(fifo.enter_now(kOne));
}

TEST_F(SessionFifoTest, AfterCloseNobodyStarts) {
  enter(kOne, 1);
  enter(kOne, 2);
  fifo.close();
  turns[0].release();
  EXPECT_EQ(started, (std::vector{1}));
  EXPECT_FALSE(enter(kTwo, 3));
}

}  // namespace
}  // namespace hy::logic
