#include <gtest/gtest.h>

#include "client/judge/case.h"
#include "client/judge/cursor.h"
#include "client/judge/display.h"
#include "client/judge/durability.h"
#include "client/judge/log.h"
#include "client/judge/prompt.h"
#include "client/judge/receipts.h"
#include "tests/judge/shorthand.h"

/// What the checkers ask of a group whose people come, go and come back.
namespace hy::judge {
namespace {

const ConversationId kGroup = ConversationId::group(Gid{7});

/// Seven messages of the owner, person 1. Person 2 was in up to seq 3, and again from 6 on.
class Groups : public testing::Test {
 protected:
  Groups() {
    evidence.histories.emplace_back(DeviceKey{Uid{2}, Slot::kPhone, 1});
    evidence.store.conversations.push_back({kGroup, 7, 1, 0});
    for (std::uint64_t seq = 1; seq <= 7; ++seq) row(seq, Uid{1});
    evidence.store.members = {{Uid{1}, kGroup, 1, 0, 0, -1}, {Uid{2}, kGroup, 6, 0, 0, -1}};
    evidence.store.stints = {
        {Uid{1}, kGroup, 1, 0}, {Uid{2}, kGroup, 1, 4}, {Uid{2}, kGroup, 6, 0}};
  }
  History& bob() { return evidence.histories[0]; }
  void row(std::uint64_t seq, Uid sender) {
    evidence.store.messages.push_back({kGroup, seq, sender, id_of(seq), seq, 0, true, false});
  }
  void has(std::uint64_t seq) {
    bob().persist(at_s(1), kGroup, Seq{seq}, Uid{1}, id_of(seq));
    bob().show(at_s(1), kGroup, Seq{seq}, Uid{1}, id_of(seq));
  }
  std::uint64_t found(Report (*check)(const Case&)) const {
    const Case c(evidence, rules);
    return check(c).found;
  }
  Evidence evidence;
  Rules rules;
};

TEST_F(Groups, WhatWasSaidInEachOfHisTimesMayBeOnHisScreen) {
  for (const std::uint64_t seq : {1U, 3U, 6U, 7U}) has(seq);
  EXPECT_EQ(found(check_acl), 0u);
  has(4);
  EXPECT_EQ(found(check_acl), 1u) << "said while he was out";
  has(5);
  EXPECT_EQ(found(check_acl), 2u);
}

TEST_F(Groups, WhatWasSaidInTheLastOfHisTimesMustBe) {
  has(6);
  has(7);
  bob().end(at_s(2), true);
  EXPECT_EQ(found(check_loss), 0u);
  EXPECT_EQ(found(check_gap), 0u);
  evidence.store.stints.pop_back();
  evidence.store.members[1] = {Uid{2}, kGroup, 1, 4, 0, -1};
  EXPECT_EQ(found(check_loss), 3u) << "without a later one the store still shows him the first";
  EXPECT_EQ(found(check_gap), 1u);
}

TEST_F(Groups, AGapUpToOnesEntryHidesNothing) {
  bob().gap(at_s(1), kGroup, Seq{1}, Seq{5}, Errc::kOk);
  EXPECT_EQ(found(check_gap), 0u);
  bob().gap(at_s(1), kGroup, Seq{4}, Seq{6}, Errc::kOk);
  EXPECT_EQ(found(check_gap), 1u);
}

TEST_F(Groups, ACursorMaySkipNothingOfAnEarlierTimeUnsaid) {
  bob().cursor(at_s(1), kGroup, Seq{0}, Seq{3});
  EXPECT_EQ(found(check_cursor), 1u);
}

TEST_F(Groups, WhoStandsInTheLogIsAMember) {
  EXPECT_EQ(found(check_acl), 0u);
  evidence.store.messages[1].sender = Uid{2};
  EXPECT_EQ(found(check_acl), 0u) << "in his first time";
  evidence.store.messages[4].sender = Uid{2};
  EXPECT_EQ(found(check_acl), 1u) << "while he was out";
  evidence.store.messages[2].sender = Uid{3};
  EXPECT_EQ(found(check_acl), 2u) << "somebody who never was in";
}

TEST_F(Groups, TheRowsOfMembersSayWhatTheLogTells) {
  evidence.store.members[1].join_seq = 0;
  EXPECT_EQ(found(check_acl), 1u);
  evidence.store.members[1] = {Uid{2}, kGroup, 6, 8, 0, -1};
  EXPECT_EQ(found(check_acl), 1u);
  evidence.store.members.pop_back();
  EXPECT_EQ(found(check_acl), 1u);
}

TEST_F(Groups, TheServerWritesWhoComesAndGoes) {
  evidence.store.messages[5].sender = Uid{2};
  EXPECT_EQ(found(check_agree), 1u) << "his device is recorded and wrote nothing";
  evidence.store.messages[5].by_server = true;
  EXPECT_EQ(found(check_agree), 0u);
}

TEST_F(Groups, WritingMarksNothingAsRead) {
  evidence.store.messages[6].sender = Uid{2};
  evidence.store.members[1].unread = 2;
  EXPECT_EQ(found(check_unread), 0u);
  evidence.store.members[1].unread = 0;
  EXPECT_EQ(found(check_unread), 1u);
}

TEST_F(Groups, OfAGroupThatHeLeftNoListSpeaksAnyMore) {
  bob().unread(at_s(1), kGroup, 1);
  bob().end(at_s(2), true);
  EXPECT_EQ(found(check_unread), 1u) << "he is in, and two are unread";
  evidence.store.members[1].leave_seq = 7;
  EXPECT_EQ(found(check_unread), 0u);
}

TEST_F(Groups, InCalmEveryMemberHasItAtOnce) {
  evidence.histories.emplace_back(DeviceKey{Uid{1}, Slot::kPhone, 1});
  evidence.calm.push_back({at_s(0), at_s(10)});
  bob().login_ok(at_s(0.5), 1, Epoch{1, 1});
  History& owner = evidence.histories[1];
  owner.send_invoke(at_s(1), id_of(7), kGroup, 7);
  owner.send_stored(at_s(1.1), id_of(7), kGroup, Seq{7});
  EXPECT_EQ(found(check_prompt), 1u);
  bob().show(at_s(1.2), kGroup, Seq{7}, Uid{1}, id_of(7));
  EXPECT_EQ(found(check_prompt), 0u);
}

TEST_F(Groups, InCalmASignInThatAnOperatorEndedIsOwedNothing) {
  evidence.histories.emplace_back(DeviceKey{Uid{1}, Slot::kPhone, 1});
  evidence.calm.push_back({at_s(0), at_s(10)});
  bob().login_ok(at_s(0.5), 1, Epoch{1, 1});
  History& owner = evidence.histories[1];
  owner.send_invoke(at_s(1), id_of(7), kGroup, 7);
  owner.send_stored(at_s(1.1), id_of(7), kGroup, Seq{7});
  evidence.revocations.push_back({Uid{2}, Slot::kNone, at_s(0.8), at_s(0.9), at_s(0.9)});
  EXPECT_EQ(found(check_prompt), 0u);
  evidence.revocations[0].asked_at = at_s(0.4);
  EXPECT_EQ(found(check_prompt), 1u) << "he signed in anew after it";
  evidence.revocations[0].asked_at = at_s(9);
  EXPECT_EQ(found(check_prompt), 1u) << "it should have been there long before";
  evidence.revocations[0] = {Uid{1}, Slot::kNone, at_s(0.8), at_s(0.9), at_s(0.9)};
  EXPECT_EQ(found(check_prompt), 1u) << "somebody else";
}

}  // namespace
}  // namespace hy::judge
