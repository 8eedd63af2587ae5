#include "client/core/read_offers.h"

#include <gtest/gtest.h>

#include <chrono>

namespace hy::client {
namespace {

TEST(ReadOffers, WaitsAsLongAsItWasToldAndSendsEachMarkOnce) {
  SeededRandom random(1);
  ReadOffers offers;
  const ConversationId pair = ConversationId::pair(Uid{1}, Uid{2});
  const MonoTime start{std::chrono::hours(1)};
  const std::vector<ReadOffers::Mark> two{{pair, Seq{2}}};
  const std::vector<ReadOffers::Mark> three{{pair, Seq{3}}};
  EXPECT_EQ(offers.take(start, two), two);
  EXPECT_TRUE(offers.take(start, two).empty()) << "on its way";
  EXPECT_EQ(offers.take(start, three), three) << "a larger one does not wait for its answer";
  EXPECT_EQ(offers.wake_at(), kNever);
  offers.failed(start, pair, Millis{5'000}, random);
  EXPECT_TRUE(offers.take(start + Millis{4'999}, three).empty());
  ASSERT_LE(offers.wake_at(), start + Millis{5'000} + ReadOffers::kAgainMin);
  EXPECT_EQ(offers.take(offers.wake_at(), three), three);
  EXPECT_EQ(offers.wake_at(), kNever);
}

TEST(ReadOffers, AnAnswerToASmallerMarkTakesNothingFromALargerOne) {
  SeededRandom random(1);
  ReadOffers offers;
  const ConversationId pair = ConversationId::pair(Uid{1}, Uid{2});
  const MonoTime start{std::chrono::hours(1)};
  const std::vector<ReadOffers::Mark> two{{pair, Seq{2}}};
  const std::vector<ReadOffers::Mark> three{{pair, Seq{3}}};
  ASSERT_EQ(offers.take(start, two), two);
  ASSERT_EQ(offers.take(start, three), three);
  offers.failed(start, pair, Millis{5'000}, random);  // the larger one was refused …
  offers.confirmed(pair, Seq{2});                     // … before the smaller one was answered
  ASSERT_NE(offers.wake_at(), kNever);
  EXPECT_EQ(offers.take(offers.wake_at(), three), three);
  offers.confirmed(pair, Seq{3});
  offers.failed(start, pair, Millis{0}, random);  // an answer that is late changes nothing
  EXPECT_TRUE(offers.take(start + std::chrono::minutes(1), {}).empty());
  EXPECT_EQ(offers.wake_at(), kNever);
}

}  // namespace
}  // namespace hy::client
