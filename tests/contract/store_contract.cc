#include <set>

#include "tests/contract/contract.h"

/// What is not about one aggregate: facts, beat, clock, schema, cache.
namespace hy::das::contract {

class StoreContract : public EngineContract {};

TEST_P(StoreContract, FactsNameEpochStepsAndClock) {
  const auto facts = writer_->facts();
  ASSERT_OK(facts);
  EXPECT_GT(facts->store_epoch, 0U);
  EXPECT_TRUE(facts->durable) << facts->why_not_durable;
  EXPECT_LT(std::abs(facts->store_ms - clock_.wall_ms()), 60'000);
  const auto again = reader_->facts();
  ASSERT_OK(again);
  EXPECT_EQ(again->store_epoch, facts->store_epoch);
}

TEST_P(StoreContract, TheBeatOnlyRises) {
  const auto facts = writer_->facts();
  ASSERT_OK(facts);
  ASSERT_TRUE(writer_->beat(facts->store_ms + 100).has_value());
  ASSERT_TRUE(writer_->beat(facts->store_ms).has_value());
  const auto after = reader_->facts();
  ASSERT_OK(after);
  EXPECT_EQ(after->beat_ms, facts->store_ms + 100);
}

TEST_P(StoreContract, ClockStepsAreRaisedOnceForOneStep) {
  const auto before = writer_->facts();
  ASSERT_OK(before);
  ASSERT_TRUE(writer_->beat(before->store_ms + 3'600'000).has_value());
  ASSERT_TRUE(writer_->raise_clock_steps(before->clock_steps).has_value());
  ASSERT_TRUE(writer_->raise_clock_steps(before->clock_steps).has_value()) << "a second das";
  const auto after = writer_->facts();
  ASSERT_OK(after);
  EXPECT_EQ(after->clock_steps, before->clock_steps + 1);
  EXPECT_LT(after->beat_ms, before->store_ms + 3'000'000) << "the beat starts again";
}

TEST_P(StoreContract, TheSchemaIsTheNewestAndApplyingAgainChangesNothing) {
  const auto status = engine_->schema_status();
  ASSERT_OK(status);
  EXPECT_GT(status->expected, 0U);
  EXPECT_EQ(status->current, status->expected);
  EXPECT_TRUE(status->pending.empty());
  const Pair p = new_pair();
  must_append(message(p, "x"));
  const auto epoch = writer_->facts();
  ASSERT_TRUE(engine_->schema_apply().has_value());
  EXPECT_EQ(head(*reader_, p.a, p.conv).value(), 1U);
  EXPECT_EQ(writer_->facts()->store_epoch, epoch->store_epoch);
}

TEST_P(StoreContract, EverythingIsThereForTheNextDas) {
  const Pair p = new_pair();
  const AppendItem item = message(p, "x");
  must_append(item);
  const auto facts = writer_->facts();
  reader_.reset();
  writer_.reset();
  engine_.reset();
  auto engine = store_->open();
  ASSERT_OK(engine);
  engine_ = std::move(*engine);
  writer_ = new_writer();
  reader_ = new_reader();
  EXPECT_EQ(writer_->facts()->store_epoch, facts->store_epoch);
  const auto again = writer_->messages().append_one(item);
  ASSERT_OK(again);
  EXPECT_TRUE(again->stored.repeat);
  EXPECT_EQ(must_append(message(p, "y")).value(), 2U);
}

TEST_P(StoreContract, ChangeCountersMoveWithEachChangeAndForNobodyElse) {
  CacheStore& cache = engine_->cache();
  ASSERT_TRUE(cache.is_up());  // every store of this suite runs with its cache
  const std::vector<Uid> uids{Uid{1}, Uid{2}, Uid{3}};
  const CommittedHead head{ConversationId::pair(Uid{1}, Uid{2}), Seq{5}, 1'000};
  cache.committed({&head, 1});
  const auto first = cache.change_counters(uids);
  ASSERT_EQ(first.size(), 3U);
  cache.committed({&head, 1});
  const auto second = cache.change_counters(uids);
  EXPECT_NE(first[0], second[0]);
  EXPECT_NE(first[1], second[1]);
  EXPECT_EQ(first[2], second[2]);
  cache.changed({uids.data() + 2, 1});
  const auto third = cache.change_counters(uids);
  EXPECT_EQ(third[0], second[0]);
  EXPECT_NE(third[2], second[2]);
}

TEST_P(StoreContract, AfterALossNoCounterIsOneThatWasTold) {
  CacheStore& cache = engine_->cache();
  ASSERT_TRUE(cache.is_up());  // every store of this suite runs with its cache
  const std::vector<Uid> uids{Uid{1}, Uid{2}};
  // Of each person: a device compares its own.
  std::vector<std::set<std::uint64_t>> told(uids.size());
  const CommittedHead head{ConversationId::pair(Uid{1}, Uid{2}), Seq{5}, 1'000};
  for (int life = 0; life < 5; ++life) {
    for (int i = 0; i < 3; ++i) {
      cache.committed({&head, 1});
      const auto values = cache.change_counters(uids);
      for (std::size_t k = 0; k < values.size(); ++k)
        if (values[k] != 0) EXPECT_TRUE(told[k].insert(values[k]).second || i > 0) << values[k];
    }
    cache.lose_all();
    const auto values = cache.change_counters(uids);
    for (std::size_t k = 0; k < values.size(); ++k)
      EXPECT_TRUE(values[k] == 0 || !told[k].contains(values[k]))
          << "a device would think nothing happened";
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreContract, testing::ValuesIn(stores()), store_name);

}  // namespace hy::das::contract
