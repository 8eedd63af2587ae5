#include "client/cli/private_store.h"

#include <gtest/gtest.h>

namespace hy::cli {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30U;

TEST(PrivatePool, IsAnEighthOfTheMemoryWithinBounds) {
  EXPECT_EQ(private_pool(0).pool_mib, 64U) << "unknown: the least";
  EXPECT_EQ(private_pool(256ULL << 20U).pool_mib, 64U);
  EXPECT_EQ(private_pool(4 * kGiB).pool_mib, 512U);
  EXPECT_EQ(private_pool(24 * kGiB).pool_mib, 1'024U);
  EXPECT_EQ(private_pool(1'024 * kGiB).pool_mib, 1'024U) << "a demo is not the only program here";
}

TEST(PrivatePool, TheLogFollowsThePool) {
  EXPECT_EQ(private_pool(0).log_mib, 16U);
  EXPECT_EQ(private_pool(4 * kGiB).log_mib, 64U);
  EXPECT_EQ(private_pool(24 * kGiB).log_mib, 128U);
}

}  // namespace
}  // namespace hy::cli
