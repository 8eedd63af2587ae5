#include <gtest/gtest.h>

#include <algorithm>

#include "client/cli/session.h"
#include "tests/e2e/cluster_fixture.h"

namespace hy::cli {
namespace {

using TalkTest = ClusterTest;

/// A client with its messages in a queue.
struct Device {
  MessageQueue messages;
  std::unique_ptr<hy::Client> client;
  ~Device() { client.reset(); }
  void listen() {
    client->on_message([this](const Message& m) {
      if (!m.mine) messages.put(m);
    });
  }
  std::optional<Message> next() { return messages.take(std::chrono::steady_clock::now() + kSoon); }
};

TEST_P(TalkTest, OneMessageIsSixPackets) {
  const auto sent = stage().say("alice", "bob", "hello");
  ASSERT_TRUE(sent);
  EXPECT_TRUE(sent->wait(Step::kDelivered, kSoon));
  std::vector<Rung> rungs;
  EXPECT_TRUE(stage().watch(kSoon, [&] {
    rungs = stage().rungs_of(sent->id());
    return std::ranges::count_if(rungs, [](const Rung& r) { return r.place > 0; }) == 6;
  }));
  std::vector<std::string> packets;
  for (const Rung& r : rungs) {
    if (r.place > 0) packets.push_back(std::string(1, r.kind) + " " + r.who + " " + r.packet);
  }
  EXPECT_EQ(packets, (std::vector<std::string>{"R alice SEND", "A alice STORED", "N bob PUSH",
                                               "R bob PUSH_ACK", "A bob ok", "N alice RECEIPT"}));
}

TEST_P(TalkTest, BothWaysAtOnceEverythingArrivesOnceInOrder) {
  const LedgerCounts before = stage().counts();
  constexpr int kEach = 300;
  for (int i = 0; i < kEach; ++i) {
    ASSERT_TRUE(stage().say("alice", "bob", "a" + std::to_string(i)));
    ASSERT_TRUE(stage().say("bob", "alice", "b" + std::to_string(i)));
  }
  EXPECT_TRUE(stage().settle(kSoon));
  const LedgerCounts after = stage().final_counts();
  EXPECT_EQ(after.delivered - before.delivered, 2u * kEach);
  EXPECT_TRUE(after.is_clean()) << ledger_text(after);
}

TEST_P(TalkTest, WhatWasSentWhileAwayComesBySyncOnceInOrder) {
  const Account dora = make_user("dora");
  const std::string store = scratch(dora.name + ".db");
  {
    Device first;
    first.client = make_client(dora, Slot::kPhone, store);
    ASSERT_TRUE(first.client->login(credentials_of(dora), kSoon));
  }
  std::vector<Sent> sent;
  for (int i = 0; i < 50; ++i) {
    auto one = stage().client("alice").send(dora.uid, "n" + std::to_string(i));
    ASSERT_TRUE(one);
    sent.push_back(*std::move(one));
  }
  for (const Sent& one : sent) ASSERT_TRUE(one.wait(Step::kStored, kSoon));
  EXPECT_EQ(sent.back().step(), Step::kStored) << "nobody was there to deliver to";

  Device again;
  again.client = make_client(dora, Slot::kPhone, store);
  again.listen();
  ASSERT_TRUE(again.client->login(credentials_of(dora), kSoon));
  for (int i = 0; i < 50; ++i) {
    const auto m = again.next();
    ASSERT_TRUE(m) << "message " << i;
    EXPECT_EQ(m->body, "n" + std::to_string(i));
    EXPECT_EQ(m->seq, Seq{static_cast<std::uint64_t>(i) + 1});
  }
  EXPECT_TRUE(again.messages.empty());
}

TEST_P(TalkTest, AWrongPasswordIsRefusedAndRepeatedOnesMustWait) {
  const Account eve = make_user("eve");
  Errc last = Errc::kOk;
  for (int i = 0; i < 12 && last != Errc::kLoginLocked; ++i) {
    auto client = make_client(eve, Slot::kPhone);
    Credentials wrong = credentials_of(eve);
    wrong.password = "not-the-password";
    const Status in = client->login(std::move(wrong), kSoon);
    ASSERT_FALSE(in);
    last = in.error().code;
    if (i == 0) EXPECT_EQ(last, Errc::kPasswordWrong);
  }
  EXPECT_EQ(last, Errc::kLoginLocked);
}

TEST_P(TalkTest, AnUnknownNameIsAnsweredLikeAWrongPassword) {
  auto client = make_client({Uid{1}, "x", "y"}, Slot::kPhone);
  Credentials nobody;
  nobody.name = "nobody-of-that-name";
  nobody.password = "some-password";
  const Status in = client->login(std::move(nobody), kSoon);
  ASSERT_FALSE(in);
  EXPECT_EQ(in.error().code, Errc::kPasswordWrong);
}

TEST_P(TalkTest, UnknownReceiverAndOneselfAreRefused) {
  const auto nobody = stage().client("alice").send(Uid{987'654'321}, "hi");
  ASSERT_TRUE(nobody);
  EXPECT_FALSE(nobody->wait(Step::kStored, kSoon));
  EXPECT_EQ(nobody->step(), Step::kRefused);
  EXPECT_EQ(nobody->code(), Errc::kUnknownUser);
  const auto self = stage().client("alice").send(stage().uid("alice"), "hi");
  ASSERT_FALSE(self);
  EXPECT_EQ(self.error().code, Errc::kSelfSend);
  const auto large = stage().client("alice").send(stage().uid("bob"), Bytes(16'385, 'x'));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::kBodyTooLarge);
}

TEST_P(TalkTest, WhoIsBlockedIsRefusedUntilUnblocked) {
  const Account mallory = make_user("mallory");
  const Account victim = make_user("victim");
  Device m;
  Device v;
  m.client = make_client(mallory, Slot::kPhone);
  v.client = make_client(victim, Slot::kPhone);
  v.listen();
  ASSERT_TRUE(m.client->login(credentials_of(mallory), kSoon));
  ASSERT_TRUE(v.client->login(credentials_of(victim), kSoon));
  ASSERT_TRUE(m.client->send(victim.uid, "first")->wait(Step::kDelivered, kSoon));
  ASSERT_TRUE(v.client->block(mallory.uid, true));
  const auto blocked = m.client->send(victim.uid, "second");
  ASSERT_TRUE(blocked);
  EXPECT_FALSE(blocked->wait(Step::kStored, kSoon));
  EXPECT_EQ(blocked->step(), Step::kRefused);
  EXPECT_EQ(blocked->code(), Errc::kBlocked);
  ASSERT_TRUE(v.client->block(mallory.uid, false));
  // A refusal is remembered for two seconds at most.
  bool is_through = false;
  const MonoTime deadline = std::chrono::steady_clock::now() + kSoon;
  while (!is_through && std::chrono::steady_clock::now() < deadline) {
    is_through = m.client->send(victim.uid, "third")->wait(Step::kDelivered, Millis(2'000));
  }
  EXPECT_TRUE(is_through);
  const auto first = v.next();
  const auto third = v.next();
  ASSERT_TRUE(first && third);
  EXPECT_EQ(first->body, "first");
  EXPECT_EQ(third->body, "third");
}

TEST_P(TalkTest, ASecondSignInOfTheSameKindKicksTheFirst) {
  const Account kim = make_user("kim");
  std::mutex mutex;
  std::condition_variable changed;
  bool is_stopped = false;
  auto first = make_client(kim, Slot::kPhone);
  first->on_state([&](LinkState state, const std::string&) {
    const std::lock_guard lock(mutex);
    is_stopped = is_stopped || state == LinkState::kStopped;
    changed.notify_all();
  });
  ASSERT_TRUE(first->login(credentials_of(kim), kSoon));
  auto other_kind = make_client(kim, Slot::kDesktop);
  ASSERT_TRUE(other_kind->login(credentials_of(kim), kSoon));
  ASSERT_TRUE(first->sync());
  EXPECT_EQ(first->state(), LinkState::kOnline);
  auto second = make_client(kim, Slot::kPhone);
  ASSERT_TRUE(second->login(credentials_of(kim), kSoon));
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, kSoon, [&] { return is_stopped; }));
  }
  ASSERT_TRUE(second->sync());
  ASSERT_TRUE(other_kind->sync());
  EXPECT_EQ(second->state(), LinkState::kOnline);
  EXPECT_EQ(other_kind->state(), LinkState::kOnline);
  first.reset();
}

TEST_P(TalkTest, HistoryAndRecentsShowWhatWasSaid) {
  const Account ann = make_user("ann");
  const Account ben = make_user("ben");
  Device a;
  a.client = make_client(ann, Slot::kPhone);
  ASSERT_TRUE(a.client->login(credentials_of(ann), kSoon));
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(a.client->send(ben.uid, "m" + std::to_string(i))->wait(Step::kStored, kSoon));
  }
  Device b;
  b.client = make_client(ben, Slot::kPhone);
  ASSERT_TRUE(b.client->login(credentials_of(ben), kSoon));
  const auto conversation = ConversationId::pair(ann.uid, ben.uid);
  const auto last = b.client->history(conversation, Seq{}, Seq{}, 3);
  ASSERT_TRUE(last) << error_text(last.error().code, last.error().detail);
  ASSERT_EQ(last->size(), 3u);
  EXPECT_EQ(last->front().body, "m3");
  EXPECT_EQ(last->back().body, "m5");
  const auto recents = b.client->recents(10);
  ASSERT_TRUE(recents);
  ASSERT_EQ(recents->size(), 1u);
  EXPECT_EQ(recents->front().peer, ann.uid);
  EXPECT_EQ(recents->front().unread, 5u);
  ASSERT_TRUE(b.client->mark_read(conversation, Seq{5}));
  // The mark is on its way: the outbox of marks does not make the caller wait.
  std::uint32_t unread = 5;
  EXPECT_TRUE(stage().watch(kSoon, [&] {
    if (const auto now = b.client->recents(10); now && !now->empty()) unread = now->front().unread;
    return unread == 0;
  })) << unread;
  const auto found = b.client->look_up({ann.name}, {});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().first, ann.uid);
}

HY_BOTH_ENGINES(TalkTest);

}  // namespace
}  // namespace hy::cli
