#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "tests/e2e/cluster_fixture.h"

/// Chat groups on real daemons, where changes and messages meet: who is in sees what is said while
/// he is, and nobody else anything.
namespace hy::cli {
namespace {

/// What one device showed of its group, in order.
struct GroupScreen {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Message> messages;

  void watch(hy::Client& client) {
    client.on_message([this](const Message& m) {
      const std::lock_guard lock(mutex);
      if (!m.moved) messages.push_back(m);
      changed.notify_all();
    });
  }
  std::vector<Bytes> texts() {
    const std::lock_guard lock(mutex);
    std::vector<Bytes> out;
    for (const Message& m : messages) {
      if (m.kind == 1) out.push_back(m.body);
    }
    return out;
  }
  bool wait_text(const Bytes& text, Millis within = kSoon) {
    return wait_for([&](const Message& m) { return m.kind == 1 && m.body == text; }, within);
  }
  bool wait_removal(Uid uid) {
    return wait_for(
        [&](const Message& m) {
          const auto event = group_event_of(m);
          return event && std::ranges::find(event->removed, uid) != event->removed.end();
        },
        kSoon);
  }
  template <class Wanted>
  bool wait_for(const Wanted& wanted, Millis within) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, within, [&] { return std::ranges::any_of(messages, wanted); });
  }
};

/// A person with one device.
struct Person {
  Account account;
  std::unique_ptr<GroupScreen> screen = std::make_unique<GroupScreen>();
  std::unique_ptr<hy::Client> client;  // ends before its screen
  [[nodiscard]] Uid uid() const { return account.uid; }
};

struct GroupTest : ClusterTest {
  static Person person(const std::string& name) {
    return device_of(make_user(name), Slot::kDesktop);
  }
  static Person device_of(const Account& account, Slot slot) {
    Person out;
    out.account = account;
    out.client = make_client(out.account, slot);
    out.screen->watch(*out.client);
    EXPECT_TRUE(out.client->login(credentials_of(out.account), kSoon));
    return out;
  }
  static Gid group_of(Person& owner, const std::vector<Uid>& members) {
    const auto made = owner.client->create_group("club", members);
    EXPECT_TRUE(made) << (made ? "" : made.error().detail);
    return made ? made->gid : Gid{};
  }
  static void say(Person& who, Gid gid, const Bytes& text) {
    const auto sent = who.client->send(gid, text);
    ASSERT_TRUE(sent);
    ASSERT_TRUE(sent->wait(Step::kStored, kSoon)) << text << " " << static_cast<int>(sent->code());
  }
  static Errc refusal(Person& who, Gid gid, const Bytes& text) {
    const auto sent = who.client->send(gid, text);
    if (!sent) return sent.error().code;
    EXPECT_FALSE(sent->wait(Step::kStored, kSoon));
    return sent->code();
  }
};

TEST_P(GroupTest, TheSendersOtherDeviceShowsWhatTheSendingOneNeedNot) {
  Person ann = person("ann");
  Person pad = device_of(ann.account, Slot::kPad);
  Person ben = person("ben");
  const Gid gid = group_of(ann, {ben.uid()});
  std::vector<Bytes> said;
  for (int i = 0; i < 10; ++i) {
    said.push_back("m" + std::to_string(i));
    say(i % 2 == 0 ? ann : ben, gid, said.back());
  }
  say(ben, gid, "last");
  said.push_back("last");
  EXPECT_TRUE(pad.screen->wait_text("last"));
  EXPECT_TRUE(ann.screen->wait_text("last"));
  EXPECT_EQ(pad.screen->texts(), said);
  EXPECT_EQ(ann.screen->texts(), (std::vector<Bytes>{"m1", "m3", "m5", "m7", "m9", "last"}));
}

TEST_P(GroupTest, AReceiptComesFromThoseWhoHaveItAlone) {
  Person ann = person("ann");
  Person ben = person("ben");
  Person cat = person("cat");
  const Gid gid = group_of(ann, {ben.uid(), cat.uid()});
  cat.client->unplug(true);
  const auto sent = ann.client->send(gid, "who has it?");
  ASSERT_TRUE(sent && sent->wait(Step::kStored, kSoon));
  const auto has = [&](Uid uid) {
    const auto all = ann.client->group_receipts(gid);
    return std::ranges::any_of(
        all, [&](const MemberReceipt& r) { return r.uid == uid && r.delivered >= sent->seq(); });
  };
  EXPECT_TRUE(stage().watch(kSoon, [&] { return has(ben.uid()); }));
  EXPECT_FALSE(has(cat.uid())) << "she reads nothing";
  cat.client->unplug(false);
  EXPECT_TRUE(stage().watch(kSoon, [&] { return has(cat.uid()); }));
}

TEST_P(GroupTest, WhoWasAwayLearnsOfTheRemovalAndSeesNoMore) {
  Person ann = person("ann");
  Person ben = person("ben");
  const Gid gid = group_of(ann, {ben.uid()});
  say(ann, gid, "before");
  EXPECT_TRUE(ben.screen->wait_text("before"));
  ben.client->unplug(true);
  ASSERT_TRUE(ann.client->change_group(gid, {}, {ben.uid()}));
  for (int i = 0; i < 5; ++i) say(ann, gid, "after" + std::to_string(i));
  ben.client->drop_connection();
  ben.client->unplug(false);
  EXPECT_TRUE(ben.screen->wait_removal(ben.uid()));
  EXPECT_TRUE(ben.client->sync());
  EXPECT_EQ(ben.screen->texts(), std::vector<Bytes>{"before"});
  const auto history = ben.client->history(ConversationId::group(gid), Seq{}, Seq{}, 50);
  ASSERT_TRUE(history);
  for (const Message& m : *history) EXPECT_FALSE(m.body.starts_with("after")) << m.body;
  EXPECT_EQ(refusal(ben, gid, "let me in"), Errc::kNotMember);
}

TEST_P(GroupTest, StrangersLearnNothing) {
  Person ann = person("ann");
  Person ben = person("ben");
  Person cat = person("cat");
  const Gid gid = group_of(ann, {ben.uid()});
  say(ann, gid, "secret");
  const auto code = [](const auto& result) { return result ? Errc::kOk : result.error().code; };
  for (const Gid asked : {gid, Gid{999'999'999}}) {  // one that is, and one that is not
    EXPECT_EQ(refusal(cat, asked, "hello?"), Errc::kNotMember);
    EXPECT_EQ(code(cat.client->group(asked)), Errc::kNotMember);
    EXPECT_EQ(code(cat.client->change_group(asked, {cat.uid()}, {})), Errc::kNotMember);
    EXPECT_EQ(code(cat.client->history(ConversationId::group(asked), Seq{}, Seq{}, 50)),
              Errc::kNotMember);
  }
  EXPECT_EQ(code(ann.client->change_group(gid, {Uid{888'888'888}, cat.uid()}, {})),
            Errc::kUnknownUser);
  EXPECT_EQ(code(cat.client->group(gid)), Errc::kNotMember) << "nothing was done for anyone";
}

TEST_P(GroupTest, WhoIsRemovedWhileSendingHasStoredWhatOthersSeeAndNothingElse) {
  Person ann = person("ann");
  Person ben = person("ben");
  Person cat = person("cat");
  const Gid gid = group_of(ann, {ben.uid(), cat.uid()});
  say(ben, gid, "first");
  std::vector<std::pair<Bytes, Sent>> sent;
  for (int i = 0; i < 12; ++i) {
    if (i == 6) {
      ASSERT_TRUE(ann.client->change_group(gid, {}, {ben.uid()}));
    }
    const Bytes text = "b" + std::to_string(i);
    auto one = ben.client->send(gid, text);
    ASSERT_TRUE(one);
    sent.emplace_back(text, *std::move(one));
  }
  std::vector<Bytes> stored{"first"};
  std::size_t refused = 0;
  for (const auto& [text, one] : sent) {
    if (one.wait(Step::kStored, kSoon)) {
      stored.push_back(text);
    } else {
      EXPECT_EQ(one.code(), Errc::kNotMember) << text;
      ++refused;
    }
  }
  EXPECT_GE(refused, 6U) << "what was said after the change was confirmed";
  say(ann, gid, "end");
  ASSERT_TRUE(cat.screen->wait_text("end"));
  stored.push_back("end");
  EXPECT_EQ(cat.screen->texts(), stored);
}

TEST_P(GroupTest, MessagesThatMeetChangesReachExactlyTheMembers) {
  Person ann = person("ann");
  Person ben = person("ben");
  Person cat = person("cat");
  const Gid gid = group_of(ann, {ben.uid()});
  // Ben talks while Ann lets Cat in and out: Cat sees what stands between the two events.
  std::vector<std::pair<Bytes, Sent>> sent;
  std::vector<std::pair<Seq, Seq>> stays;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      const Bytes text = std::to_string(round) + "-" + std::to_string(i);
      auto one = ben.client->send(gid, text);
      ASSERT_TRUE(one);
      sent.emplace_back(text, *std::move(one));
      if (i == 1) {
        const auto in = ann.client->change_group(gid, {cat.uid()}, {});
        ASSERT_TRUE(in);
        stays.emplace_back(in->seq, Seq{});
      }
      if (i == 3) {
        const auto out = ann.client->change_group(gid, {}, {cat.uid()});
        ASSERT_TRUE(out);
        stays.back().second = out->seq;
      }
    }
  }
  std::vector<Bytes> hers;
  for (const auto& [text, one] : sent) {
    ASSERT_TRUE(one.wait(Step::kStored, Millis{60'000})) << text;
    const bool is_hers = std::ranges::any_of(
        stays, [&](const auto& stay) { return one.seq() > stay.first && one.seq() < stay.second; });
    if (is_hers) hers.push_back(text);
  }
  say(ann, gid, "end");
  EXPECT_TRUE(ben.screen->wait_text("end"));
  EXPECT_TRUE(cat.client->sync());
  EXPECT_TRUE(stage().watch(kSoon, [&] { return cat.screen->texts().size() >= hers.size(); }));
  EXPECT_EQ(cat.screen->texts(), hers);
}

TEST_P(GroupTest, MoreThanAGroupMaySayArrivesLaterAndInOrder) {
  Person ann = person("ann");
  Person ben = person("ben");
  const Gid gid = group_of(ann, {ben.uid()});
  std::vector<Bytes> said;
  for (int i = 0; i < 35; ++i) {  // 20 at once, then ten a second
    said.push_back("m" + std::to_string(i));
    ASSERT_TRUE(ann.client->send(gid, said.back()));
  }
  EXPECT_TRUE(ben.screen->wait_text("m34", Millis{60'000}));
  EXPECT_EQ(ben.screen->texts(), said);
}

HY_BOTH_ENGINES(GroupTest);

}  // namespace
}  // namespace hy::cli
