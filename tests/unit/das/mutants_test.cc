#include "das/rpc/calls.h"
#include "tests/support/with_mutant.h"
#include "tests/unit/das/model_bench.h"

/// Bugs in the code that all engines share: with one on, the wrong outcome is there. Those inside
/// the engines: tests/contract/mutants_contract.cc.
namespace hy::das {
namespace {

using sim::StoreFault;
namespace pb = hy::das::v1;

class Mutants : public ModelBench {
 protected:
  void SetUp() override {
    if (!has_mutants()) GTEST_SKIP() << "built without HY_TEST_HOOKS";
    begin();
    loop_.run_for(Millis{100});
  }
};

TEST_F(Mutants, AckBeforeCommitIsAnAckForNothingWhenTheDiskIsFull) {
  const WithMutant on(Mutant::kAckBeforeCommit);
  send(1);
  loop_.run_for(Millis{100});
  EXPECT_EQ(answers_.at(1)->seq.value(), 1U);
  EXPECT_TRUE(is_stored(1));
  store_->set_full(true);
  send(2);
  loop_.run_for(Millis{100});
  EXPECT_EQ(code(2), Errc::kOk);
  EXPECT_FALSE(is_stored(2)) << "acknowledged and nowhere";
}

TEST_F(Mutants, AckBeforeTheOkOfCommitIsAnAckForNothingWhenCommitFails) {
  const WithMutant on(Mutant::kAckBeforeCommitOk);
  store_->plan(StoreFault::kCommitLost);
  send(1);
  loop_.run_for(Millis{100});
  EXPECT_EQ(code(1), Errc::kOk);
  EXPECT_FALSE(is_stored(1));
}

TEST_F(Mutants, UnknownCommitIsRefusedAndYetStored) {
  const WithMutant on(Mutant::kUnknownCommitIsRefused);
  store_->plan(StoreFault::kReplyLost);
  send(1);
  loop_.run_for(Millis{100});
  EXPECT_EQ(code(1), Errc::kForbidden);
  EXPECT_TRUE(is_stored(1));
}

TEST_F(Mutants, UnknownCommitByPlainReadIsRefusedAndStoredLater) {
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    begin(seed);
    loop_.run_for(Millis{100});
    {
      const WithMutant on(Mutant::kUnknownCommitByPlainRead);
      store_->plan(StoreFault::kCommitHangs);
      send(1);
      loop_.run_for(Millis{10'000});
    }
    if (code(1) == Errc::kForbidden && is_stored(1)) ++wrong;
  }
  EXPECT_GT(wrong, 3) << "the old transaction was in flight when it was looked for";
}

TEST_F(Mutants, UnknownCommitsAreResolvedWithoutTheMutant) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    begin(seed);
    loop_.run_for(Millis{100});
    store_->plan(StoreFault::kCommitHangs);
    send(1);
    loop_.run_for(Millis{10'000});
    EXPECT_TRUE(code(1) == Errc::kOk ? is_stored(1) : code(1) == Errc::kOutcomeUnknown)
        << seed << ": " << error_text(code(1), {});
    EXPECT_LE(rows(), 1U);
  }
}

TEST_F(Mutants, GapNotCheckedStoresAMessageBeforeItsPredecessor) {
  AppendItem second = message(2);
  second.after = message(1).client_msg_id;
  send(2, second);
  loop_.run_for(Millis{100});
  EXPECT_EQ(code(2), Errc::kGap);
  const WithMutant on(Mutant::kGapNotChecked);
  send(3, second);
  send(1);
  loop_.run_for(Millis{100});
  EXPECT_EQ(answers_.at(3)->seq.value(), 1U);
  EXPECT_EQ(answers_.at(1)->seq.value(), 2U);
}

TEST_F(Mutants, PayloadHashIgnoredInOneBatchIsOneRowForTwoMessages) {
  const WithMutant on(Mutant::kPayloadHashIgnored);
  AppendItem other = message(1);
  other.payload_hash = {9};
  other.body.bytes = "y";
  send(1, message(1));
  send(2, other);
  send(3, message(1));
  loop_.run_for(Millis{100});
  EXPECT_EQ(code(2), Errc::kOk);
  EXPECT_EQ(rows(), 1U);
}

TEST_F(Mutants, StaleCacheServedAsTruthHidesAMessage) {
  StoreState state;
  const CallContext context{engine_->cache(), state};
  const auto told = [&]() -> std::uint64_t {
    pb::Call call;
    call.mutable_change_counters()->add_uids(b_.value());
    auto decoded = decode_call(std::move(call), context);
    auto session = std::move(*engine_->open_reader());
    pb::CallAnswer answer;
    EXPECT_TRUE(decoded->work(*session, answer).has_value());
    EXPECT_EQ(answer.change_counters().values_size(), 1);
    return answer.change_counters().values(0);
  };
  std::uint64_t before = told();
  send(1);
  loop_.run_for(Millis{100});
  EXPECT_NE(told(), before);
  const WithMutant on(Mutant::kStaleCacheServedAsTruth);
  before = told();
  send(2);
  loop_.run_for(Millis{100});
  EXPECT_EQ(told(), before);
}

}  // namespace
}  // namespace hy::das
