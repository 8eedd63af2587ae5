#include "das/engines/embedded/head_cache.h"

#include <gtest/gtest.h>

#include <map>

#include "common/base/random.h"

namespace hy::das::embedded {
namespace {

ConversationId conv(std::uint64_t n) {
  return ConversationId::pair(Uid{n}, Uid{n + 1});
}

Head head(std::uint64_t seq) {
  Head out;
  out.seq = Seq{seq};
  out.last_id = static_cast<std::int64_t>(seq);
  return out;
}

TEST(HeadCache, AHeadCountsOnceItsTransactionIsCommitted) {
  HeadCache cache(100);
  cache.stage(conv(1), head(5));
  EXPECT_EQ(cache.find(conv(1)), nullptr);
  cache.committed();
  ASSERT_NE(cache.find(conv(1)), nullptr);
  EXPECT_EQ(cache.find(conv(1))->seq, Seq{5});
}

TEST(HeadCache, AfterATransactionThatFailedTheFileIsAskedAgain) {
  HeadCache cache(100);
  cache.stage(conv(1), head(5));
  cache.committed();
  cache.stage(conv(1), head(6));
  cache.not_committed();
  EXPECT_EQ(cache.find(conv(1)), nullptr) << "5 or 6: a COMMIT without an answer";
  cache.committed();
  EXPECT_EQ(cache.find(conv(1)), nullptr) << "what was dropped does not come back";
}

/// Against a plain map, with conversations enough that the table grows and starts anew.
TEST(HeadCache, WhatItKnowsIsWhatWasCommittedLast) {
  constexpr std::size_t kEntriesMax = 3'000;
  SeededRandom random(5);
  HeadCache cache(kEntriesMax);
  std::map<ConversationId, std::uint64_t> truth;
  std::size_t known = 0;
  for (int batch = 0; batch < 2'000; ++batch) {
    std::map<ConversationId, std::uint64_t> staged;
    for (int i = 0; i < 20; ++i) {
      const ConversationId one = conv(1 + random.below(4'000));
      cache.prefetch(one);
      if (const Head* const found = cache.find(one)) {
        ++known;
        ASSERT_EQ(found->seq.value(), truth.at(one));
      }
      if (staged.contains(one)) continue;
      staged[one] = truth[one] + 1;
      cache.stage(one, head(staged[one]));
    }
    if (random.below(10) == 0) {
      cache.not_committed();
    } else {
      cache.committed();
      for (const auto& [one, seq] : staged) truth[one] = seq;
    }
    if (random.below(10) == 0) {
      const ConversationId gone = conv(1 + random.below(4'000));
      cache.forget(gone);
      ASSERT_EQ(cache.find(gone), nullptr);
    }
  }
  EXPECT_GT(known, 10'000U) << "it remembers";
}

}  // namespace
}  // namespace hy::das::embedded
