#include "client/core/ack_patience.h"

#include <gtest/gtest.h>

namespace hy::client {
namespace {

constexpr MonoTime kStart{std::chrono::hours(1)};
constexpr MonoTime kNothing = MonoTime::max();

MonoTime at(int ms) {
  return kStart + Millis(ms);
}

AckPatience patience(std::uint32_t owed_max = 8, std::uint32_t bytes_max = 1'000) {
  return AckPatience({.within = Millis{50}, .owed_max = owed_max, .bytes_max = bytes_max});
}

TEST(AckPatience, AnEntryThatSaysNothingIsAnsweredAtOnce) {
  AckPatience p;
  EXPECT_EQ(p.due(), kNothing);
  for (int ms = 0; ms < 10; ++ms) {
    p.pushed(at(ms), 10);
    EXPECT_EQ(p.due(), at(ms));
    p.sent();
    EXPECT_EQ(p.due(), kNothing);
  }
}

TEST(AckPatience, NobodyWaitsLongerThanASecondWhateverTheEntryAllows) {
  AckPatience p({.within = Millis{600'000}, .owed_max = 8, .bytes_max = 1'000});
  p.pushed(at(0), 10);
  p.sent();
  p.pushed(at(100), 10);
  EXPECT_EQ(p.due(), at(1'100));
}

TEST(AckPatience, WhatComesAloneIsAcknowledgedAtOnce) {
  AckPatience p = patience();
  p.pushed(at(0), 10);
  EXPECT_EQ(p.due(), at(0));
  p.sent();
  p.pushed(at(100), 10);
  EXPECT_EQ(p.due(), at(100)) << "the next one is not expected within the wait";
}

TEST(AckPatience, InAStreamTheFirstThatIsOwedSetsTheTime) {
  AckPatience p = patience();
  p.pushed(at(0), 10);
  p.sent();
  p.pushed(at(99), 10);
  EXPECT_EQ(p.due(), at(149));
  p.pushed(at(140), 10);
  EXPECT_EQ(p.due(), at(149)) << "no push is kept waiting by those that follow";
  p.sent();
  EXPECT_EQ(p.due(), kNothing);
  p.pushed(at(150), 10);
  EXPECT_EQ(p.due(), at(200));
}

TEST(AckPatience, NoMoreIsOwedThanTheTermsAllow) {
  AckPatience few = patience(3);
  few.pushed(at(0), 10);
  few.sent();
  for (int i = 1; i <= 3; ++i) few.pushed(at(i), 10);
  EXPECT_EQ(few.due(), at(51));
  few.pushed(at(4), 10);
  EXPECT_EQ(few.due(), at(4));

  AckPatience small = patience(8, 100);
  small.pushed(at(0), 10);
  small.sent();
  small.pushed(at(1), 60);
  EXPECT_EQ(small.due(), at(51));
  small.pushed(at(2), 60);
  EXPECT_EQ(small.due(), at(2));
}

TEST(AckPatience, WhoIsWaitedForDoesNotWait) {
  AckPatience p = patience();
  p.pushed(at(0), 10);
  p.sent();
  p.pushed(at(1), 10);
  p.at_once(at(2));
  EXPECT_EQ(p.due(), at(2));
  p.pushed(at(3), 10);
  EXPECT_EQ(p.due(), at(2));
}

}  // namespace
}  // namespace hy::client
