#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "tests/e2e/cluster_fixture.h"
#include "tests/e2e/screen.h"

/// What went wrong in other message servers, tried on this one. Origins: docs/peers-bugs.md.
namespace hy::cli {
namespace {

using PeersBugs = ClusterTest;

/// open-im-server, batch limit of 100: the rest of a burst was dropped.
TEST_P(PeersBugs, AThousandMessagesAtOnceAreAllStoredInOrder) {
  const Account ann = make_user("ann");
  const Account ben = make_user("ben");
  Screen screen;
  const auto a = make_client(ann, Slot::kPhone);
  const auto b = make_client(ben, Slot::kPhone);
  screen.watch(*b);
  ASSERT_TRUE(a->login(credentials_of(ann), kSoon));
  ASSERT_TRUE(b->login(credentials_of(ben), kSoon));
  std::vector<Bytes> expected;
  std::vector<Sent> sent;
  for (int i = 0; i < 1'000; ++i) {
    expected.push_back("burst " + std::to_string(i));
    auto one = a->send(ben.uid, expected.back());
    ASSERT_TRUE(one);
    sent.push_back(*std::move(one));
  }
  EXPECT_TRUE(screen.wait_for(expected.size(), Millis{60'000}));
  EXPECT_EQ(screen.all(), expected);
  std::uint64_t seq = 0;
  for (const Sent& one : sent) {
    ASSERT_TRUE(one.wait(Step::kStored, kSoon));
    EXPECT_EQ(one.seq().value(), ++seq);
  }
}

/// wildfirechat/im-server #289: one full conversation pushed the others out of what a device gets.
TEST_P(PeersBugs, TwoThousandUnreadPushOutNobodyElse) {
  const Account ben = make_user("ben");
  const Account loud = make_user("loud");
  const Account quiet = make_user("quiet");
  const auto first = make_client(quiet, Slot::kPhone);
  const auto second = make_client(loud, Slot::kPhone);
  ASSERT_TRUE(first->login(credentials_of(quiet), kSoon));
  ASSERT_TRUE(second->login(credentials_of(loud), kSoon));
  ASSERT_TRUE(first->send(ben.uid, "are you there")->wait(Step::kStored, kSoon));
  std::vector<Sent> sent;
  for (int i = 0; i < 2'000; ++i) {
    auto one = second->send(ben.uid, "noise " + std::to_string(i));
    ASSERT_TRUE(one);
    sent.push_back(*std::move(one));
  }
  for (const Sent& one : sent) ASSERT_TRUE(one.wait(Step::kStored, Millis{60'000}));
  Screen screen;
  const auto b = make_client(ben, Slot::kPhone);
  screen.watch(*b);
  ASSERT_TRUE(b->login(credentials_of(ben), kSoon));
  EXPECT_TRUE(screen.wait_for(2'001, Millis{60'000}));
  const std::vector<Bytes> shown = screen.all();
  EXPECT_EQ(std::ranges::count(shown, "are you there"), 1);
  const auto recents = b->recents(10);
  ASSERT_TRUE(recents);
  ASSERT_EQ(recents->size(), 2u);
  for (const ConversationInfo& one : *recents) {
    EXPECT_EQ(one.unread, one.peer == quiet.uid ? 1u : 2'000u);
  }
}

/// open-im-server #2807, #2260, #3068: what one wrote oneself counted as unread.
TEST_P(PeersBugs, OwnMessagesAreNeverUnread) {
  const Account ann = make_user("ann");
  const Account ben = make_user("ben");
  const auto a = make_client(ann, Slot::kPhone);
  const auto b = make_client(ben, Slot::kPhone);
  ASSERT_TRUE(a->login(credentials_of(ann), kSoon));
  ASSERT_TRUE(b->login(credentials_of(ben), kSoon));
  const auto unread_of = [](hy::Client& client) {
    const auto recents = client.recents(10);
    return recents && recents->size() == 1 ? static_cast<int>(recents->front().unread) : -1;
  };
  ASSERT_TRUE(a->send(ben.uid, "one")->wait(Step::kStored, kSoon));
  ASSERT_TRUE(a->send(ben.uid, "two")->wait(Step::kStored, kSoon));
  EXPECT_EQ(unread_of(*a), 0);
  EXPECT_EQ(unread_of(*b), 2);
  // Who answers has seen what stands above.
  ASSERT_TRUE(b->send(ann.uid, "three")->wait(Step::kStored, kSoon));
  EXPECT_EQ(unread_of(*b), 0);
  EXPECT_EQ(unread_of(*a), 1);
  const auto elsewhere = make_client(ann, Slot::kDesktop);
  ASSERT_TRUE(elsewhere->login(credentials_of(ann), kSoon));
  EXPECT_EQ(unread_of(*elsewhere), 1);
}

/// esl/MongooseIM #4280: a session could not be taken up elsewhere after its server was gone.
TEST_P(PeersBugs, PeopleGoOnAtAnotherEntryWhenTheirsIsGone) {
  const Account ann = make_user("ann");
  const Account ben = make_user("ben");
  Screen screen;
  const auto a = make_client(ann, Slot::kPhone);
  const auto b = make_client(ben, Slot::kPhone);
  screen.watch(*b);
  ASSERT_TRUE(a->login(credentials_of(ann), kSoon));
  ASSERT_TRUE(b->login(credentials_of(ben), kSoon));
  ASSERT_TRUE(a->send(ben.uid, "before")->wait(Step::kDelivered, kSoon));
  const std::vector<std::string> entries = cluster().layout().entry_addresses();
  const auto at = std::ranges::find(entries, b->entry());
  ASSERT_NE(at, entries.end());
  const std::string name = std::string("entry-") + static_cast<char>('a' + (at - entries.begin()));
  ASSERT_TRUE(cluster().supervisor().hold(name, SIGKILL));
  EXPECT_TRUE(a->send(ben.uid, "meanwhile")->wait(Step::kStored, kSoon));
  EXPECT_TRUE(screen.wait_for(2, kSoon)) << "with that entry still down";
  EXPECT_NE(b->entry(), *at);
  ASSERT_TRUE(cluster().supervisor().release(name));
  ASSERT_TRUE(cluster().wait_ready({name}, kSoon));
  EXPECT_EQ(screen.all(), (std::vector<Bytes>{"before", "meanwhile"}));
}

HY_BOTH_ENGINES(PeersBugs);

}  // namespace
}  // namespace hy::cli
