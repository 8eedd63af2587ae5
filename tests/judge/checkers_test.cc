#include <gtest/gtest.h>

#include <algorithm>

#include "client/judge/case.h"
#include "client/judge/cursor.h"
#include "client/judge/display.h"
#include "client/judge/durability.h"
#include "client/judge/history.h"
#include "client/judge/judge.h"
#include "client/judge/log.h"
#include "client/judge/prompt.h"
#include "client/judge/reads.h"
#include "client/judge/receipts.h"
#include "client/judge/revoked.h"
#include "client/judge/sessions.h"
#include "client/judge/speed.h"
#include "client/judge/tapped.h"
#include "tests/judge/shorthand.h"

/// Rules of single checkers that a planted fault in a whole history does not isolate.
namespace hy::judge {
namespace {

const ConversationId kPair = ConversationId::pair(Uid{1}, Uid{2});

class Checkers : public testing::Test {
 protected:
  Checkers() {
    evidence.histories.emplace_back(DeviceKey{Uid{1}, Slot::kPhone, 1});
    evidence.histories.emplace_back(DeviceKey{Uid{2}, Slot::kPhone, 1});
    evidence.store.conversations.push_back({kPair, 0, 1, 0});
    rules.samples_min = 1;
  }
  History& alice() { return evidence.histories[0]; }
  History& bob() { return evidence.histories[1]; }
  void row(std::uint64_t seq, std::int64_t ms = 0) {
    evidence.store.messages.push_back({kPair, seq, Uid{1}, id_of(seq), seq, ms, true, false});
    evidence.store.conversations[0].head = seq;
  }
  /// Alice writes message n and it is STORED at seq n.
  void stored(std::uint64_t n, double s) {
    alice().send_invoke(at_s(s), id_of(n), kPair, n);
    alice().send_stored(at_s(s + 0.01), id_of(n), kPair, Seq{n});
    row(n);
  }
  std::uint64_t found(Report (*check)(const Case&)) const {
    const Case c(evidence, rules);
    return check(c).found;
  }
  Evidence evidence;
  Rules rules;
};

TEST_F(Checkers, AReportKeepsTheFirstAndCountsAll) {
  Report report("C-LOSS", "messages");
  for (int i = 0; i < 1'000; ++i) report.add({"", "lost", {}, {}, 0, {}});
  EXPECT_EQ(report.found, 1'000u);
  EXPECT_EQ(report.violations.size(), Report::kShown);
  EXPECT_EQ(report.violations.front().checker, "C-LOSS");
}

/// Lines that were tapped and say nothing prove nothing; lines that were not tapped are not asked
/// for.
TEST_F(Checkers, TappedLinesThatCarryNothingAreNoVerdict) {
  stored(1, 1);
  for (History* const history : {&alice(), &bob()}) history->end(at_s(9), false);
  evidence.has_store = true;
  const auto is_missing = [&] {
    const Verdict verdict = judge(evidence, rules);
    return std::ranges::count(verdict.missing, Missing::kTap, &Gap::what);
  };
  EXPECT_EQ(is_missing(), 0);
  evidence.wire.emplace();
  EXPECT_EQ(is_missing(), 3) << "nothing carried, nothing to look for, nothing played";
  using Kind = TappedFrame::Kind;
  evidence.wire->taps.push_back({"a line", {{Kind::kHandshake, "one"}, {Kind::kData, "two"}}, {}});
  evidence.wire->canaries.push_back({"a text", "text"});
  evidence.wire->playbacks.push_back({"a part", true, false, 0});
  EXPECT_EQ(is_missing(), 2) << "one way is silent, and no handshake was answered";
  evidence.wire->taps[0].to_client = {{Kind::kHandshake, "three"}, {Kind::kData, "four"}};
  evidence.wire->playbacks[0].met_handshake = true;
  EXPECT_EQ(is_missing(), 0);
  EXPECT_EQ(found(check_wire), 0u);
  EXPECT_EQ(found(check_replay), 0u);
}

/// An ended sign-in may be served until the servers could ask the database again, and no longer.
TEST_F(Checkers, AnEndedSignInIsOverFromTheReturnOfTheDatabase) {
  alice().login_ok(at_s(1), 1, {3, 1});
  alice().send_stored(at_s(9), id_of(1), kPair, Seq{1});
  evidence.revocations.push_back({Uid{1}, Slot::kNone, at_s(2), at_s(3), at_s(3)});
  EXPECT_EQ(found(check_revoke), 1u) << "told at 3 s, over at 8 s";
  evidence.revocations[0].reachable_from = at_s(5);
  EXPECT_EQ(found(check_revoke), 0u);
  evidence.revocations[0].asked_at = at_s(0.5);
  evidence.revocations[0].reachable_from = at_s(3);
  EXPECT_EQ(found(check_revoke), 0u) << "a sign-in made after it is another one";
  EXPECT_EQ(found(check_prompt), 0u) << "no window is said to be calm";
}

TEST_F(Checkers, TimeWithoutReachDoesNotCount) {
  evidence.faults.push_back({"F03", at_s(2), at_s(10), Hits::kReach, true});
  evidence.faults.push_back({"F03", at_s(9), at_s(12), Hits::kReach, true});
  evidence.faults.push_back({"F01", at_s(13), at_s(30), Hits::kSpeed, true});
  const Case c(evidence, rules);
  EXPECT_EQ(c.connected_after(at_s(0), at_s(5)), at_s(15)) << "2 s before the cut, 3 s behind it";
  EXPECT_EQ(c.connected_after(at_s(5), at_s(5)), at_s(17));
  EXPECT_EQ(c.connected_after(at_s(20), at_s(5)), at_s(25));
  EXPECT_TRUE(c.is_cut(at_s(11), at_s(20)));
  EXPECT_FALSE(c.is_cut(at_s(12.5), at_s(20)));
  EXPECT_TRUE(c.is_disturbed(at_s(31), at_s(2)));
  EXPECT_FALSE(c.is_disturbed(at_s(33), at_s(2)));
}

TEST_F(Checkers, ExpiredMessagesAreNotLost) {
  stored(1, 1);
  stored(2, 2);
  evidence.store.messages.erase(evidence.store.messages.begin());
  EXPECT_EQ(found(check_loss), 1u);
  EXPECT_EQ(found(check_honest), 1u);
  evidence.store.conversations[0].kept_from = 2;
  EXPECT_EQ(found(check_loss), 0u);
  EXPECT_EQ(found(check_honest), 0u);
  EXPECT_EQ(found(check_agree), 0u);
}

TEST_F(Checkers, TheSameTextThriceIsThreeMessages) {
  for (std::uint64_t n = 1; n <= 3; ++n) {
    alice().send_invoke(at_s(1), id_of(n), kPair, 77);
    bob().show(at_s(2), kPair, Seq{n}, Uid{1}, id_of(n));
  }
  EXPECT_EQ(found(check_dup), 0u);
  EXPECT_EQ(found(check_order), 0u);
}

TEST_F(Checkers, AMessageMetInTheLogIsSavedWithoutAnAnswer) {
  alice().send_invoke(at_s(1), id_of(1), kPair, 1);
  row(1);
  alice().state(at_s(3), id_of(1), Shown::kOutbox, Shown::kStored);
  alice().end(at_s(9), true);
  EXPECT_EQ(found(check_honest), 2u) << "shown as saved, and no outcome";
  auto& events = alice().events();
  Event met = events[1];
  met.ev = Ev::kPersist;
  met.at = at_s(2);
  met.conv = kPair;
  met.seq = 1;
  met.uid = Uid{1};
  events.insert(events.begin() + 1, met);
  EXPECT_EQ(found(check_honest), 0u);
}

TEST_F(Checkers, ARefusedMessageThatAPersonSendsAgainMayStandLater) {
  alice().send_invoke(at_s(1), id_of(2), kPair, 2);
  alice().send_fail(at_s(2), id_of(2), kPair, Errc::kForbidden, true);
  stored(1, 3);
  EXPECT_EQ(found(check_fifo), 0u);
  alice().send_invoke(at_s(4), id_of(2), kPair, 2);
  alice().send_stored(at_s(5), id_of(2), kPair, Seq{2});
  row(2);
  EXPECT_EQ(found(check_fifo), 0u);
  EXPECT_EQ(found(check_honest), 0u);
}

TEST_F(Checkers, ARefusalAfterATryOfUnknownOutcomeSaysNothingOfThatTry) {
  const auto refused = [&](Errc first) {
    alice() = History({Uid{1}, Slot::kPhone, 1});
    alice().send_invoke(at_s(1), id_of(1), kPair, 1);
    alice().send_fail(at_s(2), id_of(1), kPair, first, false);
    alice().send_fail(at_s(3), id_of(1), kPair, Errc::kBlocked, true);
    alice().end(at_s(9), true);
    return found(check_honest);
  };
  row(1);
  EXPECT_EQ(refused(Errc::kDeadlineExceeded), 0u);
  EXPECT_EQ(refused(Errc::kStoreDown), 1u) << "that one said that nothing was done";
}

TEST_F(Checkers, ASetBackLogMayGiveASeqTwice) {
  stored(1, 1);
  bob().show(at_s(2), kPair, Seq{1}, Uid{1}, id_of(9));
  EXPECT_EQ(found(check_agree), 1u);
  bob().reset(at_s(3), kPair);
  bob().show(at_s(4), kPair, Seq{1}, Uid{1}, id_of(1));
  EXPECT_EQ(found(check_agree), 0u);
  EXPECT_EQ(found(check_dup), 0u);
  EXPECT_EQ(found(check_order), 0u);
}

TEST_F(Checkers, AReadThatBeganBeforeTheAnswerMayMissIt) {
  stored(1, 1);
  const auto pulled = [&](double invoked) {
    bob() = History({Uid{2}, Slot::kPhone, 1});
    bob().pull_invoke(at_s(invoked), 1, kPair, Seq{1}, Seq{1});
    bob().pull_ok(at_s(3), 1, kPair, Seq{1}, Seq{1}, {});
    return found(check_ryw);
  };
  EXPECT_EQ(pulled(1.005), 0u);
  EXPECT_EQ(pulled(1.02), 1u);
  rules.clock_error = at_s(0.05);
  EXPECT_EQ(pulled(1.02), 0u);
}

TEST_F(Checkers, AHeadFromTheCacheMayBeAMinuteOld) {
  stored(1, 1);
  evidence.store.messages[0].server_ms = 5'000;
  const auto synced = [&](double invoked) {
    bob() = History({Uid{2}, Slot::kPhone, 1});
    bob().sync_invoke(at_s(invoked), 1, 4'000);
    bob().sync_ok(at_s(200), 1, 9'000, Useq{0}, {});
    return found(check_sync);
  };
  EXPECT_EQ(synced(60), 0u);
  EXPECT_EQ(synced(62), 1u);
  rules.sync_stale = 0;
  EXPECT_EQ(synced(2), 1u);
}

TEST_F(Checkers, ASinceOfAClockThatWasAheadIsMadeGoodByComparingEverythingSoon) {
  stored(1, 1);
  evidence.store.messages[0].server_ms = 5'000;
  const auto synced = [&](double again, std::int64_t since, std::uint64_t steps) {
    bob() = History({Uid{2}, Slot::kPhone, 1});
    bob().sync_invoke(at_s(62), 1, 4'500);
    bob().sync_ok(at_s(63), 1, 9'000, Useq{0}, {}, false, 0);
    bob().sync_invoke(at_s(again), 2, since);
    bob().sync_ok(at_s(200), 2, 9'000, Useq{0}, std::array{Item{kPair, 1, {}}}, false, steps);
    return found(check_sync);
  };
  EXPECT_EQ(synced(64, 0, 1), 0u);
  EXPECT_EQ(synced(64, 0, 0), 1u) << "no clock stepped";
  EXPECT_EQ(synced(64, 4'600, 1), 1u) << "it did not compare everything";
  EXPECT_EQ(synced(130, 0, 1), 1u) << "too late";
}

TEST_F(Checkers, AReconnectEndsTheOldConnectionWithoutAClose) {
  bob().login_ok(at_s(1), 1, {1, 1});
  bob().login_ok(at_s(100), 2, {1, 2});
  bob().end(at_s(200), true);
  EXPECT_EQ(found(check_kick), 0u);
}

TEST_F(Checkers, WhatALinkCarriesStandsBeforeTheEndOfAnOldSession) {
  const auto outlived = [&](double ended) {
    bob() = History({Uid{2}, Slot::kPhone, 1});
    bob().login_ok(at_s(1), 1, {1, 1});
    bob().close(at_s(ended), 1, Errc::kKicked, ClosedBy::kServer);
    evidence.histories.resize(2);
    History& newer = evidence.histories.emplace_back(DeviceKey{Uid{2}, Slot::kPhone, 2});
    newer.login_ok(at_s(10), 1, {1, 2});
    newer.end(at_s(200), true);
    return found(check_kick);
  };
  EXPECT_EQ(outlived(14), 0u);
  EXPECT_EQ(outlived(16), 1u);
  rules.link_carries = 3 * kSecond;
  EXPECT_EQ(outlived(16), 0u);
  EXPECT_EQ(outlived(19), 1u);
}

TEST_F(Checkers, SlowReturnsAreCounted) {
  const auto with_gap = [&](double gap) {
    bob() = History({Uid{2}, Slot::kPhone, 1});
    bob().login_ok(at_s(1), 1, {1, 1});
    bob().close(at_s(5), 1, Errc::kOk, ClosedBy::kNetwork);
    bob().login_ok(at_s(5 + gap), 2, {1, 2});
    return found(check_avail);
  };
  EXPECT_EQ(with_gap(14), 0u);
  EXPECT_EQ(with_gap(16), 1u);
  evidence.faults.push_back({"F01", at_s(4), at_s(12), Hits::kSpeed, true});
  EXPECT_EQ(with_gap(16), 0u) << "measured from the end of the fault";
  EXPECT_EQ(with_gap(25), 1u);
  rules.judges_speed = false;
  EXPECT_EQ(with_gap(25), 0u);
}

TEST_F(Checkers, UnreadWithoutItsExpiredRowsIsNotJudged) {
  for (std::uint64_t n = 1; n <= 4; ++n) row(n);
  evidence.store.members.push_back({Uid{2}, kPair, 0, 0, 1, 3});
  bob().unread(at_s(5), kPair, 3);
  bob().end(at_s(6), true);
  EXPECT_EQ(found(check_unread), 0u);
  evidence.store.members[0].unread = 2;
  EXPECT_EQ(found(check_unread), 1u);
  evidence.store.conversations[0].kept_from = 3;
  EXPECT_EQ(found(check_unread), 0u);
}

TEST_F(Checkers, AReceiptIsTrueOnceAnyDeviceOfThePersonHasIt) {
  stored(1, 1);
  alice().receipt(at_s(3), kPair, Seq{1}, Uid{2}, false);
  EXPECT_EQ(found(check_receipt), 1u);
  evidence.histories.emplace_back(DeviceKey{Uid{2}, Slot::kDesktop, 1});
  evidence.histories[2].persist(at_s(2), kPair, Seq{1}, Uid{1}, id_of(1));
  EXPECT_EQ(found(check_receipt), 0u);
}

TEST_F(Checkers, ACursorStandsOnRowsOrAnnouncedGaps) {
  bob().persist(at_s(1), kPair, Seq{3}, Uid{1}, id_of(3));
  bob().cursor(at_s(2), kPair, Seq{2}, Seq{3});
  EXPECT_EQ(found(check_cursor), 1u);
  bob() = History({Uid{2}, Slot::kPhone, 1});
  bob().gap(at_s(1), kPair, Seq{1}, Seq{2}, Errc::kOk);
  bob().persist(at_s(1), kPair, Seq{3}, Uid{1}, id_of(3));
  bob().cursor(at_s(2), kPair, Seq{2}, Seq{3});
  EXPECT_EQ(found(check_cursor), 0u);
}

}  // namespace
}  // namespace hy::judge
