#include "das/append/commit_pacer.h"

#include <gtest/gtest.h>

namespace hy::das {
namespace {

using std::chrono::milliseconds;

constexpr MonoTime kStart{std::chrono::seconds(1'000)};
constexpr milliseconds kMax{4};

/// The distance after a second of commits, `rows` each `every`.
std::chrono::nanoseconds distance_at(std::size_t rows, std::chrono::microseconds every,
                                     milliseconds max = kMax) {
  CommitPacer pacer(max);
  MonoTime now = kStart;
  for (; now < kStart + std::chrono::seconds(1); now += every) pacer.on_commit(now, rows);
  pacer.on_commit(now, rows);
  return pacer.next() - now;
}

TEST(CommitPacer, AQuietLaneCommitsAtOnce) {
  EXPECT_LT(distance_at(1, milliseconds(20)), std::chrono::microseconds(60)) << "50 rows a second";
  EXPECT_LE(distance_at(1, milliseconds(200)), std::chrono::microseconds(10));
}

TEST(CommitPacer, ABusyLaneLeavesTimeForMoreRowsUpToItsMaximum) {
  const auto at_4000 = distance_at(4, milliseconds(1));
  EXPECT_NEAR(static_cast<double>(at_4000.count()), 4e6, 2e5);
  const auto at_2000 = distance_at(2, milliseconds(1));
  EXPECT_NEAR(static_cast<double>(at_2000.count()), 2e6, 1e5);
}

TEST(CommitPacer, WhereEnoughRowsComeSoonerItWaitsLess) {
  const auto at_16000 = distance_at(16, milliseconds(1));
  EXPECT_NEAR(static_cast<double>(at_16000.count()), CommitPacer::kEnough / 16'000 * 1e9, 1e5);
}

TEST(CommitPacer, WithoutAMaximumCommitsAreNeverHeldBack) {
  CommitPacer pacer{milliseconds(0)};
  for (int i = 0; i < 1'000; ++i) pacer.on_commit(kStart + milliseconds(i), 100);
  EXPECT_EQ(pacer.next(), MonoTime{});
}

}  // namespace
}  // namespace hy::das
