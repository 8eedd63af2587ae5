#include "tests/contract/contract.h"
#include "tests/support/with_mutant.h"

/// Bugs put into every engine alike bite in every engine: with one on, the wrong outcome is there.
/// A checker that does not notice it is not worth its green light.
namespace hy::das::contract {

class MutantsContract : public EngineContract {
 protected:
  void SetUp() override {
    if (!has_mutants()) GTEST_SKIP() << "built without HY_TEST_HOOKS";
    EngineContract::SetUp();
  }
  /// As after a restart of das with the mutant on.
  void reopen() {
    reader_.reset();
    writer_.reset();
    engine_.reset();
    auto engine = store_->open();
    ASSERT_OK(engine);
    engine_ = std::move(*engine);
    writer_ = new_writer();
    reader_ = new_reader();
  }
  std::size_t rows(const Pair& p) {
    const auto slice = reader_->messages().pull(range(p.a, p.conv, 1, 0));
    EXPECT_TRUE(slice.has_value());
    return slice ? slice->messages.size() : 0;
  }
  /// The head has moved and `rows` rows are there; an engine whose rows are a chain refuses to read
  /// such a log at all.
  void expect_hole(const Pair& p, std::uint64_t head, std::size_t rows) {
    const auto slice = reader_->messages().pull(range(p.a, p.conv, 1, 0));
    if (!slice) {
      EXPECT_EQ(slice.error().code, Errc::kInternal);
      return;
    }
    EXPECT_EQ(slice->head.value(), head);
    EXPECT_EQ(slice->messages.size(), rows);
  }
  /// A batch that cannot be stored: its last message has no predecessor.
  std::vector<AppendItem> batch_with_a_gap(const Pair& p) {
    std::vector<AppendItem> batch{message(p, "1"), message(p, "2")};
    batch[1].after = new_id();
    return batch;
  }
};

TEST_P(MutantsContract, NoDeduplicationStoresARepeatTwice) {
  const Pair p = new_pair();
  const WithMutant on(Mutant::kNoDeduplication);
  reopen();
  const AppendItem item = message(p, "x");
  EXPECT_EQ(must_append(item).value(), 1U);
  EXPECT_EQ(must_append(item).value(), 2U);
  std::vector<AppendItem> batch{item};
  EXPECT_EQ(fast(*writer_, batch).result, FastResult::kStored);
  EXPECT_EQ(rows(p), 3U);
}

TEST_P(MutantsContract, DeduplicationInCacheOnlyForgetsWithTheProcess) {
  const Pair p = new_pair();
  const WithMutant on(Mutant::kDeduplicationInCacheOnly);
  reopen();
  std::vector<PendingAppend> batch{{message(p, "x"), clock_.now() + Millis{20'000}}};
  AppendPlanner planner(clock_, 100);
  EXPECT_EQ(planner.run(writer_->messages(), batch).verdicts[0].answer->seq.value(), 1U);
  const auto again = planner.run(writer_->messages(), batch);
  EXPECT_TRUE(again.verdicts[0].answer->repeat) << "the same lane remembers";
  AppendPlanner restarted(clock_, 100);
  EXPECT_EQ(restarted.run(writer_->messages(), batch).verdicts[0].answer->seq.value(), 2U);
  EXPECT_EQ(rows(p), 2U);
}

TEST_P(MutantsContract, PayloadHashIgnoredCallsAnotherMessageARepeat) {
  const Pair p = new_pair();
  const AppendItem first = message(p, "one");
  must_append(first);
  AppendItem other = first;
  other.payload_hash = hash_of("two");
  EXPECT_CODE(writer_->messages().append_one(other), Errc::kConflict);
  const WithMutant on(Mutant::kPayloadHashIgnored);
  const auto taken = writer_->messages().append_one(other);
  ASSERT_OK(taken);
  EXPECT_TRUE(taken->stored.repeat);
}

TEST_P(MutantsContract, HeadRaisedForRepeatLeavesAHole) {
  const Pair p = new_pair();
  const AppendItem first = message(p, "one");
  must_append(first);
  {
    const WithMutant on(Mutant::kHeadRaisedForRepeat);
    ASSERT_OK(writer_->messages().append_one(first));
  }
  EXPECT_EQ(must_append(message(p, "two")).value(), 3U);
  expect_hole(p, 3, 2);  // seq 2 is nowhere
}

TEST_P(MutantsContract, HalfABatchIsCommittedAfterAnError) {
  const auto who = people(3);
  const Pair first = pair(who[0], who[1]);
  const Pair second = pair(who[0], who[2]);
  std::vector<AppendItem> batch{message(first, "1"), message(second, "2")};
  batch[1].after = new_id();
  const WithMutant on(Mutant::kHalfBatchAfterLockTimeout);
  EXPECT_EQ(fast(*writer_, batch).result, FastResult::kRolledBack);
  EXPECT_EQ(head(*reader_, first.a, first.conv).value(), 1U) << "it said that nothing is stored";
}

TEST_P(MutantsContract, SeqBeforeLockLeavesAHoleWhenTheTransactionFails) {
  const Pair p = new_pair();
  {
    const WithMutant on(Mutant::kSeqBeforeLock);
    std::vector<AppendItem> batch = batch_with_a_gap(p);
    EXPECT_EQ(fast(*writer_, batch).result, FastResult::kRolledBack);
  }
  expect_hole(p, 2, 0);
}

TEST_P(MutantsContract, UserConvAfterAppendHidesTheMessageFromItsReceiver) {
  const auto who = people(2);
  const WithMutant on(Mutant::kUserConvAfterAppend);
  const Pair p = pair(who[0], who[1]);
  must_append(message(p, "x"));
  ListQuery query;
  query.uid = p.b;
  query.limit = 10;
  const auto list = reader_->membership().list_conversations(query);
  ASSERT_OK(list);
  EXPECT_TRUE(list->rows.empty()) << "his SYNC does not name the conversation";
  EXPECT_CODE(reader_->messages().pull(range(p.b, p.conv, 1, 0)), Errc::kNotMember);
  pair(who[0], who[1]);
  const auto later = reader_->membership().list_conversations(query);
  ASSERT_OK(later);
  EXPECT_EQ(later->rows.size(), 1U) << "made after the append";
}

TEST_P(MutantsContract, ALostCounterThatBeginsAgainHidesAChange) {
  CacheStore& cache = engine_->cache();
  const Uid uid{1};
  const WithMutant on(Mutant::kLostCounterBeginsAgain);
  cache.lose_all();
  const std::uint64_t told = cache.change_counters({&uid, 1}).front();
  cache.changed({&uid, 1});
  EXPECT_NE(cache.change_counters({&uid, 1}).front(), told);
  cache.lose_all();
  EXPECT_EQ(cache.change_counters({&uid, 1}).front(), told) << "a device would look no further";
}

INSTANTIATE_TEST_SUITE_P(Engines, MutantsContract, testing::ValuesIn(stores()), store_name);

}  // namespace hy::das::contract
