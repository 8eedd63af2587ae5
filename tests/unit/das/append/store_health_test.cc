#include "das/append/store_health.h"

#include <gtest/gtest.h>

namespace hy::das {
namespace {

MonoTime at(int ms) {
  return MonoTime{} + Millis{ms};
}
const Error kGone{Errc::kStoreDown, "gone", {}};

TEST(StoreHealth, UpWhenEveryLaneHasWritten) {
  StoreHealth health(2, Millis{2'000});
  EXPECT_FALSE(health.judge(at(0)));
  EXPECT_FALSE(health.is_up());
  EXPECT_FALSE(health.lane_works(0)) << "it has not failed";
  EXPECT_FALSE(health.judge(at(1)));
  health.lane_works(1);
  EXPECT_TRUE(health.judge(at(2)));
  EXPECT_TRUE(health.is_up());
  EXPECT_EQ(health.why().code, Errc::kOk);
  EXPECT_FALSE(health.judge(at(3))) << "told once";
}

TEST(StoreHealth, OneLaneOfTwoFailingCountsAfterTwoSeconds) {
  StoreHealth health(2, Millis{2'000});
  health.lane_works(0);
  health.lane_works(1);
  health.judge(at(0));
  health.lane_failed(1, at(100), kGone);
  EXPECT_FALSE(health.judge(at(200)));
  health.lane_failed(1, at(1'500), kGone);
  EXPECT_FALSE(health.judge(at(2'099)));
  EXPECT_TRUE(health.judge(at(2'100)));
  EXPECT_FALSE(health.is_up());
  EXPECT_EQ(health.why().detail, "gone");
}

TEST(StoreHealth, AShortFailureIsNotAnnounced) {
  StoreHealth health(2, Millis{2'000});
  health.lane_works(0);
  health.lane_works(1);
  health.judge(at(0));
  health.lane_failed(0, at(100), kGone);
  EXPECT_TRUE(health.lane_works(0)) << "yet whoever it refused has to hear of its return";
  EXPECT_FALSE(health.lane_works(0));
  EXPECT_FALSE(health.judge(at(5'000)));
  EXPECT_TRUE(health.is_up());
}

TEST(StoreHealth, AllLanesFailingIsDownAtOnce) {
  StoreHealth health(2, Millis{2'000});
  health.lane_works(0);
  health.lane_works(1);
  health.judge(at(0));
  health.lane_failed(0, at(100), kGone);
  health.lane_failed(1, at(100), kGone);
  EXPECT_TRUE(health.judge(at(100)));
  EXPECT_FALSE(health.is_up());
}

}  // namespace
}  // namespace hy::das
