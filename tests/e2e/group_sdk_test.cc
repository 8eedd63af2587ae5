#include <gtest/gtest.h>

#include <algorithm>

#include "client/cli/process.h"
#include "client/cli/session.h"
#include "tests/e2e/cluster_fixture.h"

namespace hy::cli {
namespace {

/// A person with one device, and what it was shown.
struct Friend {
  Account account;
  MessageQueue messages;
  std::unique_ptr<hy::Client> client;
  ~Friend() { client.reset(); }
  /// The next message of `kind`; others before it are passed over.
  std::optional<Message> next(std::uint32_t kind) {
    const MonoTime until = std::chrono::steady_clock::now() + kSoon;
    while (auto m = messages.take(until)) {
      if (m->kind == kind) return m;
    }
    return std::nullopt;
  }
};

class GroupSdkTest : public ClusterTest {
 protected:
  std::unique_ptr<Friend> person(const std::string& name, bool is_online = true) {
    auto out = std::make_unique<Friend>();
    out->account = make_user(name);
    if (is_online) sign_in(*out);
    return out;
  }
  void sign_in(Friend& p) {
    p.client = make_client(p.account, Slot::kPhone);
    p.client->on_message([&p](const Message& m) { p.messages.put(m); });
    ASSERT_TRUE(p.client->login(credentials_of(p.account), kSoon));
  }
  static void say(Friend& p, Gid gid, const std::string& text) {
    const auto sent = p.client->send(gid, text);
    ASSERT_TRUE(sent);
    EXPECT_TRUE(sent->wait(Step::kStored, kSoon)) << error_code_text(sent->code());
  }
  static Finished hy(std::vector<std::string> arguments) {
    Command command;
    command.argv = {std::string(HY_BUILD_DIR) + "/bin/hy"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.argv.insert(command.argv.end(), {"--profile", "e2e"});
    const auto done = run(command, Millis(60'000));
    return done ? *done : Finished{-1, done.error().detail};
  }
};

TEST_P(GroupSdkTest, ThreeTalkAndEachIsShownEverythingInOneOrder) {
  auto a = person("ga");
  auto b = person("gb");
  auto c = person("gc");
  const auto group = a->client->create_group("friends", {b->account.uid, c->account.uid});
  ASSERT_TRUE(group) << group.error().detail;
  EXPECT_EQ(group->members.size(), 3u);
  for (Friend* p : {b.get(), c.get()}) {
    const auto event = p->next(kKindGroupEvent);
    ASSERT_TRUE(event);
    EXPECT_EQ(group_event_of(*event)->created, "friends");
  }
  constexpr int kEach = 20;
  for (int i = 0; i < kEach; ++i) {
    say(*a, group->gid, "a" + std::to_string(i));
    say(*b, group->gid, "b" + std::to_string(i));
  }
  std::vector<Seq> seqs;
  for (int i = 0; i < 2 * kEach; ++i) {
    const auto m = c->next(1);
    ASSERT_TRUE(m) << i;
    EXPECT_EQ(m->body, (i % 2 == 0 ? "a" : "b") + std::to_string(i / 2));
    seqs.push_back(m->seq);
  }
  EXPECT_TRUE(std::ranges::is_sorted(seqs));
  for (int i = 0; i < kEach; ++i) {
    EXPECT_EQ(a->next(1)->body, "b" + std::to_string(i));
    EXPECT_EQ(b->next(1)->body, "a" + std::to_string(i));
  }
  const auto recents = c->client->recents(10);
  ASSERT_TRUE(recents);
  ASSERT_EQ(recents->size(), 1u);
  EXPECT_EQ(recents->front().group_name, "friends");
  EXPECT_EQ(recents->front().head, seqs.back());
}

TEST_P(GroupSdkTest, ReceiptsTellWhoHasIt) {
  auto a = person("ra");
  auto b = person("rb");
  auto c = person("rc", false);
  const auto group = a->client->create_group("team", {b->account.uid, c->account.uid});
  ASSERT_TRUE(group) << group.error().detail;
  const auto sent = a->client->send(group->gid, "who has it?");
  ASSERT_TRUE(sent && sent->wait(Step::kStored, kSoon));
  EXPECT_TRUE(stage().watch(kSoon, [&] {
    const auto receipts = a->client->group_receipts(group->gid);
    return receipts.size() == 1 && receipts[0].uid == b->account.uid &&
           receipts[0].delivered >= sent->seq();
  }));
  EXPECT_EQ(sent->step(), Step::kStored) << "one of two has it";
  sign_in(*c);
  EXPECT_EQ(c->next(1)->body, "who has it?") << "who was away gets it by SYNC";
}

TEST_P(GroupSdkTest, WhoIsRemovedGetsNothingLaterAndWhoJoinsSeesNothingBefore) {
  auto a = person("xa");
  auto b = person("xb");
  auto c = person("xc");
  const auto group = a->client->create_group("changing", {b->account.uid});
  ASSERT_TRUE(group) << group.error().detail;
  const Gid gid = group->gid;
  say(*a, gid, "early");
  ASSERT_TRUE(b->next(1));
  const auto removed = a->client->change_group(gid, {}, {b->account.uid});
  ASSERT_TRUE(removed) << removed.error().detail;
  const auto added = a->client->change_group(gid, {c->account.uid}, {});
  ASSERT_TRUE(added) << added.error().detail;
  EXPECT_GT(added->seq, removed->seq);
  say(*a, gid, "late");
  EXPECT_EQ(c->next(1)->body, "late");
  const auto out = b->next(kKindGroupEvent);
  ASSERT_TRUE(out);
  EXPECT_EQ(group_event_of(*out)->removed, std::vector{b->account.uid});
  // After a SYNC that is done nothing more can be on its way to him.
  ASSERT_TRUE(b->client->sync());
  EXPECT_TRUE(b->messages.empty());
  const auto refused = b->client->send(gid, "let me in");
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->wait(Step::kStored, kSoon));
  EXPECT_EQ(refused->code(), Errc::kNotMember);
  EXPECT_FALSE(b->client->group(gid)) << "not his to look at any more";

  const auto seen = c->client->history(ConversationId::group(gid), Seq{1}, Seq{}, 0);
  ASSERT_TRUE(seen);
  for (const Message& m : *seen) EXPECT_GE(m.seq, added->seq) << "before she joined";
  const auto kept = b->client->history(ConversationId::group(gid), Seq{1}, Seq{}, 0);
  ASSERT_TRUE(kept);
  for (const Message& m : *kept) EXPECT_LE(m.seq, removed->seq) << "after he was removed";
  EXPECT_TRUE(std::ranges::any_of(*kept, [](const Message& m) { return m.body == "early"; }));
}

TEST_P(GroupSdkTest, OnlyTheOwnerChangesAndALeavingOwnerHandsOver) {
  auto a = person("oa");
  auto b = person("ob");
  auto c = person("oc");
  const auto group = a->client->create_group("owned", {b->account.uid});
  ASSERT_TRUE(group) << group.error().detail;
  const auto denied = b->client->change_group(group->gid, {c->account.uid}, {});
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Errc::kForbidden);
  const auto nobody = a->client->change_group(group->gid, {Uid{987'654'321}}, {});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Errc::kUnknownUser);
  ASSERT_TRUE(a->client->change_group(group->gid, {}, {a->account.uid}));
  const auto now = b->client->group(group->gid);
  ASSERT_TRUE(now) << now.error().detail;
  ASSERT_EQ(now->members.size(), 1u);
  EXPECT_TRUE(now->members[0].owner);
  EXPECT_TRUE(b->client->change_group(group->gid, {c->account.uid}, {}));
}

TEST_P(GroupSdkTest, TheVerbsWorkFromAShell) {
  const Finished made = hy({"group", "new", "-u", "alice", "shell", "bob", "carol", "-o", "json"});
  ASSERT_EQ(made.code, 0) << made.output;
  const std::size_t at = made.output.find("group:");
  ASSERT_NE(at, std::string::npos) << made.output;
  const std::string group = made.output.substr(at, made.output.find('"', at) - at);
  EXPECT_EQ(hy({"send", "-u", "alice", group, "from a shell"}).code, 0);
  // The stage's people are online: every other member confirms.
  const Finished all = hy({"send", "-u", "alice", group, "to all", "--wait", "delivered"});
  EXPECT_EQ(all.code, 0) << all.output;
  EXPECT_EQ(hy({"send", "-u", "alice", group, "read?", "--wait", "read"}).code, 2);
  const Finished history = hy({"history", "-u", "bob", group});
  EXPECT_NE(history.output.find("from a shell"), std::string::npos) << history.output;
  EXPECT_NE(history.output.find("made the group \"shell\""), std::string::npos) << history.output;
  const Finished ls = hy({"group", "ls", "-u", "carol"});
  EXPECT_NE(ls.output.find(group + " "), std::string::npos) << ls.output;
  EXPECT_EQ(hy({"group", "rm", "-u", "bob", group, "carol"}).code, 5) << "not the owner";
  EXPECT_EQ(hy({"group", "rm", "-u", "alice", group, "carol"}).code, 0);
  const Finished members = hy({"group", "members", "-u", "bob", group});
  EXPECT_NE(members.output.find("owner"), std::string::npos) << members.output;
  EXPECT_EQ(members.output.find("carol"), std::string::npos) << members.output;
  EXPECT_EQ(hy({"send", "-u", "carol", group, "still here?"}).code, 5);
  EXPECT_EQ(hy({"group", "leave", "-u", "bob", group}).code, 0);
}

HY_BOTH_ENGINES(GroupSdkTest);

}  // namespace
}  // namespace hy::cli
