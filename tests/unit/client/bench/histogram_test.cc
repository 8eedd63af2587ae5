#include "client/bench/histogram.h"

#include <gtest/gtest.h>

namespace hy::bench {
namespace {

constexpr std::pair<std::int64_t, int> kValues[] = {
    {1, 1}, {2, 3}, {2047, 2}, {2048, 1}, {5000, 10}, {123456, 4}, {3'600'000'000, 1}};

// Made by hdr-histogram-js 3.0.1 from the same values (1 … 3,600,000,000, three digits).
constexpr char kReference[] =
    "HISTFAAAADR4nJNpmSzMwMAgyMDAwMjAwMDMAAEgNsO1yUsY4Hwmtu/yLEwHhUVOe3FcfsPIBACq6whW";

Histogram sample() {
  Histogram h;
  for (const auto& [value, times] : kValues) h.record(value, static_cast<std::uint64_t>(times));
  return h;
}

TEST(Histogram, ReadsWhatAnotherImplementationWrote) {
  const auto h = Histogram::decode(kReference);
  ASSERT_TRUE(h) << h.error().detail;
  EXPECT_EQ(h->count(), 22U);
  EXPECT_EQ(h->at(50), 5'003);
  EXPECT_EQ(h->at(90), 123'519);
  EXPECT_EQ(h->at(100), 3'600'000'000);
}

TEST(Histogram, WritesTheSameCountsAsAnotherImplementation) {
  const auto reference = Histogram::decode(kReference);
  const auto own = Histogram::decode(sample().encode());
  ASSERT_TRUE(reference && own);
  for (const double p : {1.0, 10.0, 20.0, 30.0, 50.0, 77.0, 90.0, 99.0, 100.0})
    EXPECT_EQ(own->at(p), reference->at(p)) << p;
  EXPECT_EQ(sample().encode().substr(0, 6), std::string(kReference).substr(0, 6));
}

TEST(Histogram, PercentilesAreTheHighestEquivalentValue) {
  Histogram h;
  for (std::int64_t v = 1; v <= 10'000; ++v) h.record(v);
  for (const double p : {1.0, 50.0, 99.0, 99.9, 99.99}) {
    const double exact = p * 100;
    EXPECT_GE(static_cast<double>(h.at(p)), exact - 1) << p;
    EXPECT_LE(static_cast<double>(h.at(p)), exact * 1.001 + 1) << p;
  }
  EXPECT_EQ(h.at(100), 10'000);
  EXPECT_EQ(h.max(), 10'000);
  EXPECT_EQ(h.min(), 1);
  EXPECT_NEAR(h.mean(), 5'000.5, 0.001);
  EXPECT_NEAR(static_cast<double>(h.count_above(9'000)), 1'000, 10);
}

TEST(Histogram, MergeIsTheSameAsRecordingBoth) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (std::int64_t v = 1; v < 3'000; v += 7) {
    (v % 2 == 0 ? a : b).record(v * v);
    both.record(v * v);
  }
  a.merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.encode(), both.encode());
  a.clear();
  EXPECT_EQ(a.count(), 0U);
  EXPECT_EQ(a.at(99), 0);
  EXPECT_EQ(a.max(), 0);
}

TEST(Histogram, WhatIsTooLongCountsAsTheLongest) {
  Histogram h;
  h.record(Histogram::kHighest * 10);
  h.record(-5);
  EXPECT_EQ(h.max(), Histogram::kHighest);
  EXPECT_EQ(h.min(), 0);
  EXPECT_EQ(h.count(), 2U);
}

TEST(Histogram, RefusesWhatIsNoHistogram) {
  for (const char* bad : {"", "HIST", "!!!!", "AAAAAAAAAAAAAAAAAAAA"})
    EXPECT_FALSE(Histogram::decode(bad)) << bad;
  std::string cut = kReference;
  cut.resize(40);
  EXPECT_FALSE(Histogram::decode(cut));
}

TEST(Histogram, ALogLineHasTagTimesAndTheHistogram) {
  Histogram h;
  h.record(12'345);
  const std::string line = log_line("stored", 1.5, 5, h);
  EXPECT_EQ(line.substr(0, 33), "Tag=stored,1.500,5.000,12.345,HIS");
  EXPECT_TRUE(log_head(0).starts_with("#[Histogram log format version 1.3]\n"));
}

}  // namespace
}  // namespace hy::bench
