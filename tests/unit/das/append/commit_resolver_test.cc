#include "das/append/commit_resolver.h"

#include <gtest/gtest.h>

#include "tests/unit/das/fake_engine.h"

namespace hy::das {
namespace {

using fake::Fault;
using fake::item;

class ResolverTest : public testing::Test {
 protected:
  void add(std::size_t ticket, std::uint64_t number, bool unknown, Millis left = Millis{1'000}) {
    resolver_.add({ticket, {item(number), clock_.now() + left}, unknown});
  }
  const CommitResolver::Answer* of(const CommitResolver::Answers& answers, std::size_t ticket) {
    for (const auto& answer : answers.answers)
      if (answer.ticket == ticket) return &answer;
    return nullptr;
  }

  fake::Store store_;
  fake::Log log_{store_};
  fake::ManualClock clock_;
  AppendPlanner planner_{clock_, 100};
  CommitResolver resolver_;
  const Error down_{Errc::kStoreDown, "away", {}};
};

TEST_F(ResolverTest, WhatTookEffectIsFoundAndWhatDidNotIsStored) {
  ASSERT_TRUE(log_.append_one(item(1)).has_value());
  add(10, 1, true);
  add(11, 2, true);
  const auto out = resolver_.resolve(planner_, log_);
  EXPECT_EQ(out.resolved, 2U);
  EXPECT_EQ(of(out, 10)->answer->seq.value(), 1U);
  EXPECT_TRUE(of(out, 10)->answer->repeat);
  EXPECT_EQ(of(out, 11)->answer->seq.value(), 2U);
  EXPECT_EQ(out.heads.size(), 2U);
  EXPECT_TRUE(resolver_.empty());
}

TEST_F(ResolverTest, AProvenRefusalIsARefusal) {
  resolver_.add({1, {item(1), clock_.now() + Millis{100}}, true});
  AppendItem gap = item(2);
  gap.after = item(9).client_msg_id;
  resolver_.add({2, {gap, clock_.now() + Millis{100}}, true});
  const auto out = resolver_.resolve(planner_, log_);
  EXPECT_EQ(of(out, 2)->answer.error().code, Errc::kGap);
}

TEST_F(ResolverTest, WhatSaysNothingAboutTheMessageLeavesItUnknown) {
  store_.faults = {Fault::kFull, Fault::kFull};
  add(1, 1, true);
  add(2, 2, false);
  const auto out = resolver_.resolve(planner_, log_);
  EXPECT_EQ(of(out, 1)->answer.error().code, Errc::kOutcomeUnknown);
  EXPECT_EQ(of(out, 2)->answer.error().code, Errc::kStoreFull);
}

TEST_F(ResolverTest, ANewLossKeepsThemOpen) {
  store_.faults = {Fault::kDown};
  add(1, 1, true);
  add(2, 2, false);
  const auto out = resolver_.resolve(planner_, log_);
  EXPECT_TRUE(out.broken);
  EXPECT_TRUE(out.answers.empty());
  EXPECT_EQ(resolver_.size(), 2U);
  // A clean loss of the second session proves nothing about the COMMIT of the first.
  const auto told = resolver_.give_up(clock_.now(), down_);
  ASSERT_EQ(told.answers.size(), 1U);
  EXPECT_EQ(of(told, 2)->answer.error().code, Errc::kStoreDown);
  fake::Log next(store_);
  const auto later = resolver_.resolve(planner_, next);
  ASSERT_NE(of(later, 1), nullptr);
  EXPECT_EQ(of(later, 1)->answer->seq.value(), 1U);
}

TEST_F(ResolverTest, OnceUnknownStaysUnknownAfterALaterCleanLoss) {
  store_.faults = {Fault::kDroppedCommit};
  add(1, 1, false);
  EXPECT_TRUE(resolver_.resolve(planner_, log_).broken);
  auto out = resolver_.give_up(clock_.now(), down_);
  EXPECT_TRUE(out.answers.empty()) << "not yet its deadline";
  clock_.at += Millis{1'000};
  out = resolver_.give_up(clock_.now(), down_);
  EXPECT_EQ(of(out, 1)->answer.error().code, Errc::kOutcomeUnknown) << "never a refusal";
}

TEST_F(ResolverTest, WithoutASessionTheCertainOnesAreToldAtOnce) {
  add(1, 1, false);
  add(2, 2, true);
  const auto out = resolver_.give_up(clock_.now(), down_);
  ASSERT_EQ(out.answers.size(), 1U);
  EXPECT_EQ(of(out, 1)->answer.error().code, Errc::kStoreDown);
  EXPECT_EQ(resolver_.size(), 1U);
}

}  // namespace
}  // namespace hy::das
