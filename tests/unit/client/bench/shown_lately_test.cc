#include "client/bench/shown_lately.h"

#include <gtest/gtest.h>

namespace hy::bench {
namespace {

using Fate = ShownLately::Fate;

constexpr std::uint32_t kMany = 10 * ShownLately::kKept;

/// Message n stands at seq 2n: the ones between are the person's own.
ShownLately after(std::uint32_t messages) {
  ShownLately shown;
  for (std::uint32_t n = 1; n <= messages; ++n) shown.add({2 * n, n});
  return shown;
}

TEST(ShownLately, TheSameMessageAtItsSeqComesAgain) {
  ShownLately shown = after(20);
  EXPECT_EQ(shown.fate({40, 20}, true), Fate::kAgain);
  EXPECT_EQ(shown.fate({2, 1}, true), Fate::kAgain);
}

TEST(ShownLately, AnotherMessageAtAKnownSeqIsAFault) {
  ShownLately shown = after(20);
  EXPECT_EQ(shown.fate({40, 19}, true), Fate::kOther) << "one that was shown elsewhere";
  EXPECT_EQ(shown.fate({40, 21}, true), Fate::kOther) << "one that is new";
  EXPECT_EQ(shown.fate({40, 0}, true), Fate::kOther) << "one of nobody";
  EXPECT_EQ(shown.fate({39, 21}, true), Fate::kOther) << "where a message of one's own stands";
}

TEST(ShownLately, AShownMessageAtAnotherSeqIsAFault) {
  ShownLately shown = after(20);
  EXPECT_EQ(shown.fate({42, 21}, false), Fate::kNew);
  EXPECT_EQ(shown.fate({42, 20}, false), Fate::kOther);
  EXPECT_EQ(shown.seq_of(20), 40U);
  EXPECT_EQ(shown.seq_of(21), std::nullopt);
}

TEST(ShownLately, AMessageThatWasRefusedOnceAndCameLateIsNew) {
  ShownLately shown = after(19);
  shown.add({42, 21});
  EXPECT_EQ(shown.fate({44, 20}, false), Fate::kNew);
}

TEST(ShownLately, WhatIsForgottenIsJudgedByItsOrder) {
  ShownLately shown = after(kMany);
  EXPECT_EQ(shown.fate({2, 1}, true), Fate::kAgain);
  EXPECT_EQ(shown.fate({2, kMany + 1}, true), Fate::kOther) << "a new message at an old seq";
  EXPECT_EQ(shown.fate({2 * kMany, kMany}, true), Fate::kAgain);
  EXPECT_EQ(shown.fate({2 * kMany, 1}, true), Fate::kOther);
}

TEST(ShownLately, WhatStoodThereBeforeTheRunIsOld) {
  ShownLately shown;
  EXPECT_EQ(shown.fate({5, 0}, true), Fate::kAgain);
  EXPECT_EQ(shown.fate({5, 1}, true), Fate::kOther) << "a message of the run, older than the run";
}

}  // namespace
}  // namespace hy::bench
