#include "das/storage/group_rules.h"

#include <gtest/gtest.h>

namespace hy::das {
namespace {

GroupMember member(std::uint64_t uid, std::uint64_t join_seq, bool owner = false) {
  return {Uid{uid}, owner, Seq{join_seq}};
}

std::vector<Uid> uids(std::initializer_list<std::uint64_t> values) {
  std::vector<Uid> out;
  for (const std::uint64_t value : values) out.emplace_back(value);
  return out;
}

GroupChange change_by(std::uint64_t actor, std::vector<Uid> add, std::vector<Uid> remove) {
  return {Gid{5}, Uid{actor}, std::move(add), std::move(remove), 512, nullptr};
}

const std::vector<GroupMember> kThree{member(1, 1, true), member(2, 4), member(3, 2)};

Bytes who_came(const GroupEvent& event) {
  return event.created + std::to_string(event.added.size()) + "," +
         std::to_string(event.removed.size()) + "," + std::to_string(event.owner.value());
}

TEST(GroupRules, AMemberMayGoAndNothingElse) {
  const auto plan = plan_change(kThree, false, change_by(2, {}, uids({2})));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->removed, uids({2}));
  EXPECT_EQ(plan->owner, Uid{});
  for (const GroupChange& change :
       {change_by(2, {}, uids({3})), change_by(2, uids({9}), {}), change_by(2, uids({2}), {}),
        change_by(2, uids({9}), uids({2})), change_by(2, {}, uids({2, 3}))})
    EXPECT_EQ(plan_change(kThree, false, change).error().code, Errc::kForbidden);
}

TEST(GroupRules, AStrangerLearnsNothingButMayLeaveTwice) {
  EXPECT_EQ(plan_change(kThree, false, change_by(9, {}, uids({9}))).error().code, Errc::kNotMember);
  const auto again = plan_change(kThree, true, change_by(9, {}, uids({9})));
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->changes_nothing());
  EXPECT_EQ(plan_change(kThree, true, change_by(9, uids({9}), {})).error().code, Errc::kNotMember);
  EXPECT_EQ(plan_change({}, true, change_by(1, uids({1}), {})).error().code, Errc::kNotMember);
}

TEST(GroupRules, RemoveWinsOverAddAndNobodyStandsInItTwice) {
  const auto plan =
      plan_change(kThree, false, change_by(1, uids({9, 8, 9, 2, 7}), uids({7, 3, 3, 6})));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->added, uids({8, 9}));
  EXPECT_EQ(plan->removed, uids({3}));
  const auto after = members_after(kThree, *plan, Seq{20});
  ASSERT_EQ(after.size(), 4U);
  EXPECT_EQ(after[0].uid, Uid{1});
  EXPECT_TRUE(after[0].owner);
  EXPECT_EQ(after[1].join_seq, Seq{4});
  EXPECT_EQ(after[3].uid, Uid{9});
  EXPECT_EQ(after[3].join_seq, Seq{20});
  EXPECT_FALSE(after[3].owner);
}

TEST(GroupRules, TheOldestMemberInheritsAndAmongEqualsTheSmallestUid) {
  auto plan = plan_change(kThree, false, change_by(1, {}, uids({1})));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->owner, Uid{3});
  EXPECT_TRUE(members_after(kThree, *plan, Seq{9})[1].owner);
  const std::vector equal{member(1, 1, true), member(4, 2), member(7, 2)};
  EXPECT_EQ(plan_change(equal, false, change_by(1, {}, uids({1})))->owner, Uid{4});
  // Whoever comes with the same change is the youngest.
  plan = plan_change(kThree, false, change_by(1, uids({2, 8}), uids({1, 2})));
  EXPECT_EQ(plan->owner, Uid{3});
  plan = plan_change(kThree, false, change_by(1, uids({8}), uids({1, 2, 3})));
  EXPECT_EQ(plan->owner, Uid{8});
  plan = plan_change(kThree, false, change_by(1, {}, uids({1, 2, 3})));
  EXPECT_EQ(plan->owner, Uid{});
}

TEST(GroupRules, AboveTheLimitItMayOnlyShrink) {
  GroupChange change = change_by(1, uids({8}), {});
  change.members_max = 3;
  EXPECT_EQ(plan_change(kThree, false, change).error().code, Errc::kGroupFull);
  change.remove = uids({2});
  EXPECT_TRUE(plan_change(kThree, false, change).has_value());
  change = change_by(1, {}, uids({2}));
  change.members_max = 1;
  EXPECT_TRUE(plan_change(kThree, false, change).has_value());
}

TEST(GroupRules, AnEventNamesTheChangeAndAnIdOfItsOwn) {
  NewGroup group{Uid{1}, "g", uids({3, 2}), ClientMsgId{}, 3, who_came};
  group.creation_id.bytes[3] = 7;
  const auto all = plan_group(group);
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(*all, uids({1, 2, 3}));
  const AppendItem created = creation_event(group, Gid{5}, *all);
  EXPECT_EQ(created.body.bytes, "g2,0,1");
  EXPECT_EQ(created.client_msg_id, group.creation_id);
  EXPECT_EQ(created.kind, kGroupEventKind);
  EXPECT_FALSE(created.countable);
  GroupChange change = change_by(1, uids({9}), uids({2}));
  change.event_body = who_came;
  const GroupFacts before{Gid{5}, "g", kThree, 4};
  const AppendItem first = change_event(change, {uids({9}), uids({2}), {}}, before, 1'000);
  EXPECT_EQ(first.body.bytes, "1,1,0");
  EXPECT_EQ(first.conv, ConversationId::group(Gid{5}));
  EXPECT_EQ(first.sender, Uid{1});
  GroupFacts later = before;
  later.member_version = 5;
  const AppendItem second = change_event(change, {uids({9}), {}, {}}, later, 1'000);
  EXPECT_NE(first.client_msg_id, second.client_msg_id);
  EXPECT_LT(first.client_msg_id,
            change_event(change, {uids({9}), {}, {}}, before, 1'001).client_msg_id);
}

TEST(GroupRules, ALogEndsWhereSomebodyLeft) {
  EXPECT_EQ(visible_head(Seq{9}, Seq{0}), Seq{9});
  EXPECT_EQ(visible_head(Seq{9}, Seq{5}), Seq{4});
  EXPECT_EQ(visible_head(Seq{4}, Seq{5}), Seq{4});
}

}  // namespace
}  // namespace hy::das
