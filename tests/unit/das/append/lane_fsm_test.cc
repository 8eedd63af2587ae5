#include "das/append/lane_fsm.h"

#include <gtest/gtest.h>

#include "tests/unit/das/fake_engine.h"

namespace hy::das {
namespace {

class NoCall final : public StoreCall {
 public:
  using StoreCall::StoreCall;
  Status run(StoreSession&) override { return {}; }
  void refuse(const Error&) override {}
  void finish() override {}
};

MonoTime at(int ms) {
  return MonoTime{} + Millis{ms};
}
AppendRequest request(std::uint64_t ticket, int deadline = 1'000, std::size_t bytes = 0) {
  AppendRequest out{{fake::item(ticket), at(deadline)}, ticket, {}};
  out.pending.item.body.bytes.resize(bytes);
  return out;
}

TEST(LaneFsm, WhatGatheredIsTheNextBatchInOrder) {
  LaneFsm fsm({});
  EXPECT_FALSE(fsm.has_work());
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(fsm.offer(request(i)), LaneFsm::Offer::kQueued);
  const auto batch = fsm.take(at(0));
  ASSERT_EQ(batch.appends.size(), 5U);
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(batch.appends[i].ticket, i);
  EXPECT_FALSE(fsm.has_work());
  EXPECT_TRUE(fsm.take(at(0)).empty());
}

TEST(LaneFsm, ABatchIsBoundedByRowsAndBytesAndOneAlwaysFits) {
  LaneLimits limits;
  limits.batch_rows_max = 3;
  limits.batch_bytes_max = 100;
  LaneFsm fsm(limits);
  for (std::uint64_t i = 0; i < 4; ++i) fsm.offer(request(i));
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 3U);
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 1U);
  fsm.offer(request(1, 1'000, 500));
  fsm.offer(request(2, 1'000, 60));
  fsm.offer(request(3, 1'000, 60));
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 1U);
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 1U);
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 1U);
}

TEST(LaneFsm, ExpiredWorkComesOutApartAndTakesNoPlace) {
  LaneLimits limits;
  limits.batch_rows_max = 2;
  LaneFsm fsm(limits);
  fsm.offer(request(1, 10));
  fsm.offer(request(2, 1'000));
  fsm.offer(request(3, 10));
  fsm.offer(request(4, 1'000));
  fsm.offer(std::make_unique<NoCall>(at(10)));
  fsm.offer(std::make_unique<NoCall>(at(1'000)));
  const auto batch = fsm.take(at(10));
  EXPECT_EQ(batch.appends.size(), 2U);
  EXPECT_EQ(batch.expired_appends.size(), 2U);
  EXPECT_EQ(batch.calls.size(), 1U);
  EXPECT_EQ(batch.expired_calls.size(), 1U);
}

TEST(LaneFsm, AFullQueueRefusesAndKeepsWhatItHas) {
  LaneLimits limits;
  limits.queue_appends_max = 2;
  limits.queue_calls_max = 1;
  LaneFsm fsm(limits);
  fsm.offer(request(1));
  fsm.offer(request(2));
  AppendRequest third = request(3, 1'000, 7);
  EXPECT_EQ(fsm.offer(std::move(third)), LaneFsm::Offer::kFull);
  EXPECT_EQ(third.pending.item.body.bytes.size(), 7U) << "handed back untouched";
  fsm.offer(std::make_unique<NoCall>(at(1)));
  auto call = std::make_unique<NoCall>(at(1));
  std::unique_ptr<StoreCall> base = std::move(call);
  EXPECT_EQ(fsm.offer(std::move(base)), LaneFsm::Offer::kFull);
  EXPECT_NE(base, nullptr);
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 2U);
}

TEST(LaneFsm, QueuedBytesAreBoundedToo) {
  LaneLimits limits;
  limits.queue_bytes_max = 100;
  LaneFsm fsm(limits);
  EXPECT_EQ(fsm.offer(request(1, 1'000, 60)), LaneFsm::Offer::kQueued);
  EXPECT_EQ(fsm.offer(request(2, 1'000, 60)), LaneFsm::Offer::kFull);
  static_cast<void>(fsm.take(at(0)));
  EXPECT_EQ(fsm.offer(request(2, 1'000, 60)), LaneFsm::Offer::kQueued);
  static_cast<void>(fsm.take_all());
  EXPECT_EQ(fsm.offer(request(3, 1'000, 100)), LaneFsm::Offer::kQueued);
}

TEST(LaneFsm, RetryAfterFollowsTheQueueWithinBounds) {
  LaneFsm fsm({});
  EXPECT_EQ(fsm.retry_after(), Millis{50});
  for (int i = 0; i < 100; ++i) fsm.took(1, Millis{10});
  for (std::uint64_t i = 0; i < 50; ++i) fsm.offer(request(i));
  EXPECT_NEAR(static_cast<double>(fsm.retry_after().count()), 500, 10);
  for (std::uint64_t i = 0; i < 1'000; ++i) fsm.offer(request(i));
  EXPECT_EQ(fsm.retry_after(), Millis{2'000});
}

TEST(LaneFsm, WhatWouldWaitTooLongIsRefusedWhenItComes) {
  LaneLimits limits;
  limits.batch_rows_max = 10;
  LaneFsm fsm(limits);
  // A burst comes before anything is known about the pace; then each turn takes 100 ms.
  std::uint64_t n = 0;
  for (; n < 400; ++n) fsm.offer(request(n, 100'000));
  int now = 0;
  for (int turn = 0; turn < 30; ++turn, now += 100) fsm.take(at(now));
  EXPECT_EQ(fsm.queued_appends(), 100U);
  EXPECT_EQ(fsm.offer(request(++n, 100'000)), LaneFsm::Offer::kFull);
  EXPECT_NEAR(static_cast<double>(fsm.retry_after().count()), 1'000, 100);
  for (int turn = 0; turn < 5; ++turn, now += 100) fsm.take(at(now));
  EXPECT_EQ(fsm.offer(request(++n, 100'000)), LaneFsm::Offer::kQueued) << "half a second is left";
}

TEST(LaneFsm, ATurnAfterAPauseIsNoSlowTurn) {
  LaneLimits limits;
  limits.batch_rows_max = 10;
  LaneFsm fsm(limits);
  for (std::uint64_t n = 0; n < 10; ++n) fsm.offer(request(n, 1'000'000));
  fsm.take(at(0));  // takes all
  for (std::uint64_t n = 0; n < 100; ++n) fsm.offer(request(n, 1'000'000));
  fsm.take(at(600'000));
  EXPECT_EQ(fsm.expected_wait().count(), 0);
}

TEST(LaneFsm, AfterAnOutageTheLimitsClimbFromATenth) {
  LaneLimits limits;
  limits.batch_rows_max = 100;
  limits.queue_appends_max = 1'000;
  limits.queue_wait_max = Millis{1'000'000};
  LaneFsm fsm(limits);
  const auto fill = [&fsm] {
    std::uint64_t n = 0;
    while (fsm.offer(request(n, 100'000)) == LaneFsm::Offer::kQueued) ++n;
  };
  fill();
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 100U) << "no ramp without an outage";
  fsm.begin_ramp();
  EXPECT_EQ(fsm.take(at(1'000)).appends.size(), 10U);
  while (fsm.queued_appends() > 0) fsm.take(at(1'000));
  fill();
  EXPECT_EQ(fsm.queued_appends(), 100U) << "the queue is a tenth too";
  EXPECT_EQ(fsm.take(at(6'000)).appends.size(), 55U);
  while (fsm.queued_appends() > 0) fsm.take(at(11'000));
  fill();
  EXPECT_EQ(fsm.queued_appends(), 1'000U);
  EXPECT_EQ(fsm.take(at(11'001)).appends.size(), 100U);
}

TEST(LaneFsm, ClosedTakesNothingMoreAndGivesOutTheRest) {
  LaneFsm fsm({});
  fsm.offer(request(1));
  fsm.close();
  EXPECT_EQ(fsm.offer(request(2)), LaneFsm::Offer::kClosed);
  EXPECT_EQ(fsm.take(at(0)).appends.size(), 1U);
}

}  // namespace
}  // namespace hy::das
