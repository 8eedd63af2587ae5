#include <algorithm>
#include <map>
#include <optional>

#include "tests/contract/contract.h"

/// Batches of every mixture, through the planner that the lanes run.
namespace hy::das::contract {

class AppendMixContract : public EngineContract {
 protected:
  struct Answer {
    std::uint64_t seq = 0;
    bool repeat = false;
    Errc code = Errc::kOk;
    friend bool operator==(const Answer&, const Answer&) = default;
    friend void PrintTo(const Answer& a, std::ostream* out) {
      *out << "seq " << a.seq << (a.repeat ? " repeat " : " ") << error_info(a.code).name;
    }
  };

  std::vector<Answer> planned(const std::vector<AppendItem>& items) {
    AppendPlanner planner(clock_, 1'000);
    return run(planner, items);
  }
  std::vector<Answer> run(AppendPlanner& planner, const std::vector<AppendItem>& items) {
    std::vector<PendingAppend> batch;
    for (const AppendItem& item : items) batch.push_back({item, clock_.now() + Millis{20'000}});
    const BatchOutcome outcome = planner.run(writer_->messages(), batch);
    EXPECT_FALSE(outcome.broken);
    std::vector<Answer> answers;
    for (const AppendVerdict& verdict : outcome.verdicts) answers.push_back(answer(verdict.answer));
    return answers;
  }
  std::vector<Answer> one_by_one(const std::vector<AppendItem>& items) {
    std::vector<Answer> answers;
    for (const AppendItem& item : items) {
      const auto one = writer_->messages().append_one(item);
      answers.push_back(answer(one ? Result<Stored>(one->stored) : std::unexpected(one.error())));
    }
    return answers;
  }
  static Answer answer(const Result<Stored>& result) {
    if (!result) return {0, false, result.error().code};
    return {result->seq.value(), result->repeat, Errc::kOk};
  }

  /// A random batch over a few conversations: new messages, repeats of old and of the same batch,
  /// conflicts, chains with `after`, broken chains, stale rights. `choices` decide; the same
  /// choices over other conversations give the same batch.
  std::vector<AppendItem> batch(const std::vector<Pair>& pairs, std::vector<AppendItem>& history,
                                SeededRandom& choices) {
    std::vector<AppendItem> items;
    const std::size_t size = 1 + choices.below(20);
    while (items.size() < size) {
      const Pair& p = pairs[choices.below(pairs.size())];
      const Uid sender = choices.below(2) == 0 ? p.a : p.b;
      AppendItem item = message(p, sender, "t" + std::to_string(choices.below(1'000'000)));
      choices.fill(item.client_msg_id.bytes);
      const std::uint64_t what = choices.below(12);
      const auto& from = choices.below(2) == 0 && !items.empty() ? items : history;
      if (what < 2 && !from.empty()) {
        item = from[choices.below(from.size())];
      } else if (what == 2 && !from.empty()) {
        item = from[choices.below(from.size())];
        item.payload_hash = hash_of("other");
      } else if (what < 6 && !from.empty()) {
        const AppendItem& before = from[choices.below(from.size())];
        item.conv = before.conv;
        item.sender = before.sender;
        item.member_version = before.member_version;
        item.after = before.client_msg_id;
      } else if (what == 6) {
        item.after = ClientMsgId{};
      } else if (what == 7) {
        item.member_version += 1;
      }
      items.push_back(item);
    }
    for (const AppendItem& item : items) history.push_back(item);
    return items;
  }
};

TEST_P(AppendMixContract, TheSameIdTwiceInOneBatchIsOneRowAndTwoEqualAnswers) {
  const Pair p = new_pair();
  const AppendItem a = message(p, "a");
  const AppendItem b = message(p, "b");
  const auto answers = planned({a, b, a, a});
  EXPECT_EQ(answers, (std::vector<Answer>{{1, false}, {2, false}, {1, true}, {1, true}}));
  EXPECT_EQ(whole_log(*reader_, p.a, p.conv).size(), 2U);
}

TEST_P(AppendMixContract, ARepeatBesideNewRowsAndAConflictInTheMiddle) {
  const Pair p = new_pair();
  const AppendItem old = message(p, "old");
  must_append(old);
  AppendItem conflict = old;
  conflict.payload_hash = hash_of("else");
  AppendItem gap = message(p, "gap");
  gap.after = new_id();
  const AppendItem x = message(p, "x");
  const AppendItem y = message(p, "y");
  const auto answers = planned({x, old, conflict, gap, y});
  EXPECT_EQ(
      answers,
      (std::vector<Answer>{
          {2, false}, {1, true}, {0, false, Errc::kConflict}, {0, false, Errc::kGap}, {3, false}}));
  expect_dense(whole_log(*reader_, p.a, p.conv));
}

TEST_P(AppendMixContract, ARefusedBatchLeavesNothing) {
  const Pair p = new_pair();
  AppendItem gap = message(p, "gap");
  gap.after = new_id();
  EXPECT_EQ(planned({gap}), (std::vector<Answer>{{0, false, Errc::kGap}}));
  EXPECT_TRUE(whole_log(*reader_, p.a, p.conv).empty());
}

/// The batch answers are those of the same messages one by one. Within one batch the planner takes
/// conversations in their own order and conflicts of one id last, so the comparison runs in that
/// order.
TEST_P(AppendMixContract, BatchAnswersEqualOneByOneAnswers) {
  const auto who = people(8);
  const std::vector<Pair> left{pair(who[0], who[1]), pair(who[0], who[2]), pair(who[0], who[3])};
  const std::vector<Pair> right{pair(who[4], who[5]), pair(who[4], who[6]), pair(who[4], who[7])};
  SeededRandom left_choices(7);
  SeededRandom right_choices(7);
  std::vector<AppendItem> left_history;
  std::vector<AppendItem> right_history;
  AppendPlanner planner(clock_, 64);
  for (int round = 0; round < 60; ++round) {
    const auto batched = batch(left, left_history, left_choices);
    const auto single = batch(right, right_history, right_choices);
    const auto from_batch = run(planner, batched);
    // The order in which the planner lets equal ids of another payload go: after all others.
    std::map<std::tuple<ConversationId, Uid, ClientMsgId>, PayloadHash> first;
    std::vector<std::size_t> order;
    std::vector<std::size_t> late;
    for (std::size_t i = 0; i < single.size(); ++i) {
      const AppendItem& item = single[i];
      const auto [it, fresh] =
          first.emplace(std::tuple(item.conv, item.sender, item.client_msg_id), item.payload_hash);
      (it->second == item.payload_hash ? order : late).push_back(i);
    }
    std::ranges::move(late, std::back_inserter(order));
    std::vector<AppendItem> ordered;
    for (const std::size_t i : order) ordered.push_back(single[i]);
    const auto answers = one_by_one(ordered);
    for (std::size_t k = 0; k < order.size(); ++k)
      ASSERT_EQ(from_batch[order[k]], answers[k]) << "round " << round << " item " << order[k];
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto one = whole_log(*reader_, left[i].a, left[i].conv);
    const auto two = whole_log(*reader_, right[i].a, right[i].conv);
    expect_dense(one);
    ASSERT_EQ(one.size(), two.size());
    EXPECT_GT(one.size(), 50U);
    for (std::size_t k = 0; k < one.size(); ++k)
      ASSERT_EQ(one[k].client_msg_id, two[k].client_msg_id) << k;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, AppendMixContract, testing::ValuesIn(message_log_stores()),
                         store_name);

}  // namespace hy::das::contract
