#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "common/base/limits.h"
#include "tests/contract/contract.h"

/// Chat groups: das/storage/membership.h, and what the message log promises to who comes and goes.
namespace hy::das::contract {
namespace {

/// Enough to tell events apart; the store passes them on unread.
Bytes plain_body(const GroupEvent& event) {
  std::string out = event.created;
  for (const Uid uid : event.added) out += " +" + std::to_string(uid.value());
  for (const Uid uid : event.removed) out += " -" + std::to_string(uid.value());
  if (event.owner.value() > 0) out += " owner " + std::to_string(event.owner.value());
  return out;
}

std::vector<Uid> uids_of(const GroupFacts& facts) {
  std::vector<Uid> out;
  for (const GroupMember& member : facts.members) out.push_back(member.uid);
  return out;
}

Uid owner_of(const GroupFacts& facts) {
  Uid owner;
  for (const GroupMember& member : facts.members) {
    if (!member.owner) continue;
    EXPECT_EQ(owner, Uid{}) << "two owners";
    owner = member.uid;
  }
  return owner;
}

}  // namespace

class GroupContract : public EngineContract {
 protected:
  static constexpr std::uint32_t kMembersMax = 512;

  NewGroup group_of(Uid owner, std::vector<Uid> members) {
    return {owner, "friends", std::move(members), new_id(), kMembersMax, plain_body};
  }
  GroupFacts made(Uid owner, std::vector<Uid> members) {
    const auto changed = writer_->membership().create_group(group_of(owner, std::move(members)));
    EXPECT_TRUE(changed.has_value())
        << (changed ? "" : error_text(changed.error().code, changed.error().detail));
    return changed ? changed->facts : GroupFacts{};
  }
  Result<GroupChanged> change(Gid gid, Uid actor, std::vector<Uid> add, std::vector<Uid> remove,
                              std::uint32_t most = kMembersMax) {
    return writer_->membership().change_group(
        {gid, actor, std::move(add), std::move(remove), most, plain_body});
  }
  GroupFacts facts(Gid gid) {
    const auto out = reader_->membership().group_facts(gid);
    EXPECT_TRUE(out.has_value());
    return out.value_or(GroupFacts{});
  }
  AppendItem say(const GroupFacts& in, Uid sender, std::string text) {
    return message(Pair{sender, sender, ConversationId::group(in.gid), in.member_version}, sender,
                   std::move(text));
  }
  /// seqs from .. to as one of them sees the log, and the bodies.
  std::vector<std::string> sees(Uid uid, Gid gid, std::uint64_t from = 1, std::uint64_t to = 0) {
    const auto slice = reader_->messages().pull(range(uid, ConversationId::group(gid), from, to));
    EXPECT_TRUE(slice.has_value());
    std::vector<std::string> out;
    if (!slice) return out;
    for (const StoredMessage& one : slice->messages)
      out.push_back(std::to_string(one.seq.value()) + ":" + one.body.bytes);
    return out;
  }
  std::optional<ConversationRow> row(Uid uid, Gid gid, bool newest_first = false,
                                     std::int64_t since_ms = 0) {
    ListQuery query;
    query.uid = uid;
    query.limit = 200;
    query.last_body_bytes_max = 256;
    query.newest_first = newest_first;
    query.since_ms = since_ms;
    const auto page = reader_->membership().list_conversations(query);
    EXPECT_TRUE(page.has_value()) << (page ? "" : page.error().detail);
    if (page)
      for (const ConversationRow& one : page->rows)
        if (one.conv == ConversationId::group(gid)) return one;
    return std::nullopt;
  }
  Result<ReadMarked> mark(Uid uid, Gid gid, std::uint64_t seq) {
    const ReadMark one{uid, ConversationId::group(gid), Seq{seq}};
    auto marked = writer_->membership().mark_read({&one, 1});
    if (!marked) return std::unexpected(std::move(marked).error());
    return marked->front();
  }
  /// "+12" as plain_body writes it.
  static std::string plus(Uid uid) { return " +" + std::to_string(uid.value()); }
  static std::string minus(Uid uid) { return " -" + std::to_string(uid.value()); }
};

TEST_P(GroupContract, CreatingMakesRowsAndTheFirstEvent) {
  const auto who = people(3);
  const auto created =
      writer_->membership().create_group(group_of(who[0], {who[2], who[1], who[2], who[0]}));
  ASSERT_OK(created);
  const GroupFacts& group = created->facts;
  EXPECT_GT(group.gid.value(), 0U);
  EXPECT_EQ(group.name, "friends");
  EXPECT_EQ(uids_of(group), (std::vector{who[0], who[1], who[2]}));
  EXPECT_EQ(owner_of(group), who[0]);
  EXPECT_EQ(group.member_version, 1U);
  ASSERT_TRUE(created->event.has_value());
  EXPECT_EQ(created->event->seq.value(), 1U);
  EXPECT_EQ(created->event->sender, who[0]);
  EXPECT_EQ(created->event->kind, kGroupEventKind);
  EXPECT_EQ(created->event->conv, ConversationId::group(group.gid));
  const std::string body =
      "friends" + plus(who[1]) + plus(who[2]) + " owner " + std::to_string(who[0].value());
  EXPECT_EQ(created->event->body.bytes, body);
  // What is in the store says the same.
  const GroupFacts stored = facts(group.gid);
  EXPECT_EQ(stored.name, "friends");
  EXPECT_EQ(uids_of(stored), uids_of(group));
  EXPECT_EQ(owner_of(stored), who[0]);
  EXPECT_EQ(stored.member_version, 1U);
  for (const GroupMember& member : stored.members) EXPECT_EQ(member.join_seq.value(), 1U);
  for (const Uid uid : who) {
    EXPECT_EQ(sees(uid, group.gid), (std::vector{"1:" + body}));
    const auto listed = row(uid, group.gid);
    ASSERT_TRUE(listed.has_value());
    EXPECT_EQ(listed->group_name, "friends");
    EXPECT_EQ(listed->join_seq.value(), 1U);
    EXPECT_EQ(listed->unread, 0U) << "an event is not unread";
    EXPECT_EQ(listed->peer_read.value(), 0U);
  }
}

TEST_P(GroupContract, ACreationThatIsRepeatedFindsTheFirstGroup) {
  const auto who = people(3);
  const NewGroup group = group_of(who[0], {who[1]});
  const auto first = writer_->membership().create_group(group);
  ASSERT_OK(first);
  ASSERT_OK(change(first->facts.gid, who[0], {who[2]}, {}));
  const auto again = writer_->membership().create_group(group);
  ASSERT_OK(again);
  EXPECT_EQ(again->facts.gid, first->facts.gid);
  EXPECT_FALSE(again->event.has_value());
  EXPECT_EQ(uids_of(again->facts), who) << "as it is now";
  EXPECT_EQ(sees(who[0], first->facts.gid).size(), 2U);
  // The same id of somebody else is another creation.
  NewGroup other = group;
  other.owner = who[1];
  const auto second = writer_->membership().create_group(other);
  ASSERT_OK(second);
  EXPECT_NE(second->facts.gid, first->facts.gid);
  ASSERT_OK(change(first->facts.gid, who[0], {}, {who[0]}));
  EXPECT_CODE(writer_->membership().create_group(group), Errc::kNotMember);
}

TEST_P(GroupContract, TwoTriesOfOneCreationAtTheSameTimeMakeOneGroup) {
  const auto who = people(2);
  for (int round = 0; round < 10; ++round) {
    const NewGroup group = group_of(who[0], {who[1]});
    std::vector<Gid> made(4);
    std::atomic<int> events = 0;
    std::vector<std::thread> threads;
    for (Gid& mine : made)
      threads.emplace_back([&] {
        const auto session = new_writer();
        for (int tries = 0; tries < 20; ++tries) {
          const auto changed = session->membership().create_group(group);
          if (!changed) {
            EXPECT_EQ(changed.error().code, Errc::kOverloaded);
            continue;
          }
          mine = changed->facts.gid;
          events += changed->event ? 1 : 0;
          return;
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(made[0].value(), 0U);
    for (const Gid gid : made) EXPECT_EQ(gid, made[0]);
    EXPECT_EQ(events, 1);
  }
}

TEST_P(GroupContract, ARefusedCreationLeavesNothing) {
  const auto who = people(3);
  NewGroup group = group_of(who[0], {who[1], Uid{4'000'000'000}});
  EXPECT_CODE(writer_->membership().create_group(group), Errc::kUnknownUser);
  group.members = {who[1], who[2]};
  group.members_max = 2;
  EXPECT_CODE(writer_->membership().create_group(group), Errc::kGroupFull);
  group.members_max = kMembersMax;
  group.name.clear();
  EXPECT_CODE(writer_->membership().create_group(group), Errc::kNameInvalid);
  group.name = std::string(limits::kNameBytesMax + 1, 'x');
  EXPECT_CODE(writer_->membership().create_group(group), Errc::kNameInvalid);
  ListQuery query;
  query.uid = who[1];
  query.limit = 10;
  const auto page = reader_->membership().list_conversations(query);
  ASSERT_OK(page);
  EXPECT_TRUE(page->rows.empty());
  // The id is not used up.
  group.name = "now";
  ASSERT_OK(writer_->membership().create_group(group));
}

TEST_P(GroupContract, TheOwnerAloneChangesOthers) {
  const auto who = people(4);
  const Gid gid = made(who[0], {who[1], who[2]}).gid;
  EXPECT_CODE(change(gid, who[1], {who[3]}, {}), Errc::kForbidden);
  EXPECT_CODE(change(gid, who[1], {}, {who[2]}), Errc::kForbidden);
  EXPECT_CODE(change(gid, who[1], {}, {who[1], who[2]}), Errc::kForbidden);
  EXPECT_CODE(change(gid, who[1], {who[3]}, {who[1]}), Errc::kForbidden);
  EXPECT_CODE(change(gid, who[3], {who[3]}, {}), Errc::kNotMember);
  EXPECT_CODE(change(gid, who[3], {}, {who[3]}), Errc::kNotMember);  // he never was in
  EXPECT_CODE(change(Gid{4'000'000'000}, who[0], {who[3]}, {}), Errc::kNotMember);
  EXPECT_CODE(change(gid, who[0], {who[3], Uid{4'000'000'000}}, {who[1]}), Errc::kUnknownUser);
  const GroupFacts still = facts(gid);
  EXPECT_EQ(uids_of(still), (std::vector{who[0], who[1], who[2]})) << "nothing for anyone";
  EXPECT_EQ(still.member_version, 1U);
  EXPECT_EQ(sees(who[0], gid).size(), 1U);
  EXPECT_EQ(facts(Gid{4'000'000'000}).gid, Gid{});
}

TEST_P(GroupContract, WhoIsAddedSeesFromTheEventOn) {
  const auto who = people(3);
  const GroupFacts before = made(who[0], {who[1]});
  must_append(say(before, who[1], "old"));
  const auto changed = change(before.gid, who[0], {who[2]}, {});
  ASSERT_OK(changed);
  ASSERT_TRUE(changed->event.has_value());
  EXPECT_EQ(changed->event->seq.value(), 3U);
  EXPECT_EQ(changed->event->body.bytes, plus(who[2]));
  EXPECT_EQ(changed->facts.member_version, 2U);
  EXPECT_TRUE(changed->removed.empty());
  must_append(say(changed->facts, who[0], "new"));
  const std::vector<std::string> expected{"3:" + plus(who[2]), "4:new"};
  EXPECT_EQ(sees(who[2], before.gid), expected);
  EXPECT_EQ(sees(who[1], before.gid).size(), 4U);
  const ConversationId conv = ConversationId::group(before.gid);
  const auto slice = reader_->messages().pull(range(who[2], conv, 1, 0));
  ASSERT_OK(slice);
  EXPECT_EQ(slice->truncated_to.value(), 2U);
  EXPECT_EQ(slice->head.value(), 4U);
  PullQuery last = range(who[2], conv, 1, 0);
  last.last = 10;
  const auto tail = reader_->messages().pull(last);
  ASSERT_OK(tail);
  ASSERT_EQ(tail->messages.size(), 2U);
  EXPECT_EQ(tail->messages[0].seq.value(), 3U);
  const auto listed = row(who[2], before.gid);
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->join_seq.value(), 3U);
  EXPECT_EQ(listed->unread, 1U) << "not what was said before he came";
  // FIND as PULL.
  EXPECT_CODE(reader_->messages().find({who[2], conv, Seq{2}, {}, {}}), Errc::kMessageNotFound);
  ASSERT_OK(reader_->messages().find({who[2], conv, Seq{3}, {}, {}}));
  const auto old = reader_->messages().find({who[1], conv, Seq{2}, {}, {}});
  ASSERT_OK(old);
  const ClientMsgId id = old->message.client_msg_id;
  EXPECT_CODE(reader_->messages().find({who[2], conv, Seq{}, who[1], id}), Errc::kMessageNotFound);
  ASSERT_OK(reader_->messages().find({who[0], conv, Seq{}, who[1], id}));
}

TEST_P(GroupContract, WhoIsRemovedSeesTheEventAndNothingAfterIt) {
  const auto who = people(3);
  const GroupFacts before = made(who[0], {who[1], who[2]});
  must_append(say(before, who[2], "his"));
  const auto changed = change(before.gid, who[0], {}, {who[2]});
  ASSERT_OK(changed);
  EXPECT_EQ(changed->removed, (std::vector{who[2]}));
  EXPECT_EQ(uids_of(changed->facts), (std::vector{who[0], who[1]}));
  EXPECT_EQ(uids_of(facts(before.gid)), (std::vector{who[0], who[1]}));
  const AppendItem secret = say(changed->facts, who[0], "secret");
  EXPECT_EQ(must_append(secret).value(), 4U);
  const auto log = sees(who[2], before.gid);
  ASSERT_EQ(log.size(), 3U);
  EXPECT_EQ(log[2], "3:" + minus(who[2]));
  EXPECT_TRUE(sees(who[2], before.gid, 4, 4).empty());
  const ConversationId conv = ConversationId::group(before.gid);
  const auto slice = reader_->messages().pull(range(who[2], conv, 4, 0));
  ASSERT_OK(slice);
  EXPECT_EQ(slice->head.value(), 3U) << "for him the log ends there";
  EXPECT_FALSE(slice->more);
  PullQuery last = range(who[2], conv, 1, 0);
  last.last = 2;
  const auto tail = reader_->messages().pull(last);
  ASSERT_OK(tail);
  ASSERT_EQ(tail->messages.size(), 2U);
  EXPECT_EQ(tail->messages[0].seq.value(), 2U);
  EXPECT_EQ(tail->messages[1].seq.value(), 3U);
  EXPECT_CODE(reader_->messages().find({who[2], conv, Seq{4}, {}, {}}), Errc::kMessageNotFound);
  EXPECT_CODE(reader_->messages().find({who[2], conv, Seq{}, who[0], secret.client_msg_id}),
              Errc::kMessageNotFound);
  ASSERT_OK(reader_->messages().find({who[2], conv, Seq{3}, {}, {}}));
  // READ ends there as well; strangers have no mark at all.
  const auto marked = mark(who[2], before.gid, 99);
  ASSERT_OK(marked);
  EXPECT_EQ(marked->read_seq.value(), 3U);
  const auto stranger = people(1)[0];
  EXPECT_CODE(mark(stranger, before.gid, 1), Errc::kNotMember);
  EXPECT_CODE(reader_->messages().pull(range(stranger, conv, 1, 0)), Errc::kNotMember);
  EXPECT_CODE(reader_->messages().find({stranger, conv, Seq{1}, {}, {}}), Errc::kNotMember);
}

TEST_P(GroupContract, TheListOfSomebodyRemovedShowsTheRemovalAndNoMore) {
  const auto who = people(2);
  const GroupFacts before = made(who[0], {who[1]});
  must_append(say(before, who[0], "one"));
  must_append(say(before, who[0], "two"));
  const auto changed = change(before.gid, who[0], {}, {who[1]});
  ASSERT_OK(changed);
  for (int i = 0; i < 3; ++i) must_append(say(changed->facts, who[0], "after"));
  const auto listed = row(who[1], before.gid);
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->head.value(), 4U);
  ASSERT_TRUE(listed->last.has_value());
  EXPECT_EQ(listed->last->body.bytes, minus(who[1]));
  EXPECT_EQ(listed->unread, 2U);
  EXPECT_EQ(listed->group_name, "friends");
  ASSERT_TRUE(mark(who[1], before.gid, 3).has_value());
  EXPECT_EQ(row(who[1], before.gid)->unread, 0U);
  EXPECT_FALSE(row(who[1], before.gid, true).has_value()) << "RECENTS shows what one is in";
  ASSERT_TRUE(row(who[0], before.gid, true).has_value());
  EXPECT_EQ(row(who[0], before.gid, true)->head.value(), 7U);
  EXPECT_FALSE(row(who[1], before.gid, false, listed->head_ms + 600'000).has_value());
}

TEST_P(GroupContract, WhoComesBackSeesFromHisReturnOn) {
  const auto who = people(3);
  const GroupFacts first = made(who[0], {who[1], who[2]});
  must_append(say(first, who[0], "a"));
  ASSERT_TRUE(mark(who[1], first.gid, 2).has_value());
  ASSERT_OK(change(first.gid, who[1], {}, {who[1]}));
  must_append(say(facts(first.gid), who[0], "without him"));
  const auto back = change(first.gid, who[0], {who[1]}, {});
  ASSERT_OK(back);
  ASSERT_TRUE(back->event.has_value());
  EXPECT_EQ(back->event->seq.value(), 5U);
  must_append(say(back->facts, who[2], "b"));
  EXPECT_EQ(sees(who[1], first.gid), (std::vector{"5:" + plus(who[1]), std::string("6:b")}));
  const auto listed = row(who[1], first.gid);
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->join_seq.value(), 5U);
  EXPECT_EQ(listed->unread, 1U);
  ASSERT_TRUE(row(who[1], first.gid, true).has_value());
}

TEST_P(GroupContract, NothingToChangeIsASuccessWithoutAnEvent) {
  const auto who = people(3);
  const Gid gid = made(who[0], {who[1]}).gid;
  for (const auto& [add, remove] : std::vector<std::pair<std::vector<Uid>, std::vector<Uid>>>{
           {{who[1]}, {}}, {{}, {who[2]}}, {{}, {}}, {{who[2]}, {who[2]}}}) {
    const auto changed = change(gid, who[0], add, remove);
    ASSERT_OK(changed);
    EXPECT_FALSE(changed->event.has_value());
    EXPECT_EQ(changed->facts.member_version, 1U);
    EXPECT_EQ(uids_of(changed->facts), (std::vector{who[0], who[1]}));
  }
  ASSERT_OK(change(gid, who[1], {}, {who[1]}));
  const auto again = change(gid, who[1], {}, {who[1]});
  ASSERT_OK(again) << "the answer to the first try may have been lost";
  EXPECT_FALSE(again->event.has_value());
  EXPECT_EQ(facts(gid).member_version, 2U);
  EXPECT_EQ(sees(who[0], gid).size(), 2U);
}

TEST_P(GroupContract, AnOwnerWhoLeavesHandsOverToTheOldestMember) {
  const auto who = people(4);
  // who[3] joins first, so he is older than who[1] and who[2] although his uid is larger.
  const Gid gid = made(who[0], {who[3]}).gid;
  ASSERT_OK(change(gid, who[0], {who[1], who[2]}, {}));
  const auto left = change(gid, who[0], {}, {who[0]});
  ASSERT_OK(left);
  EXPECT_EQ(owner_of(left->facts), who[3]);
  EXPECT_EQ(owner_of(facts(gid)), who[3]);
  EXPECT_EQ(left->event->body.bytes, minus(who[0]) + " owner " + std::to_string(who[3].value()));
  EXPECT_CODE(change(gid, who[0], {who[0]}, {}), Errc::kNotMember);
  // Equal join_seq: the smaller uid.
  ASSERT_OK(change(gid, who[3], {}, {who[3]}));
  EXPECT_EQ(owner_of(facts(gid)), who[1]);
  ASSERT_OK(change(gid, who[1], {who[0]}, {}));
  // Who returns is a member like any other.
  EXPECT_EQ(owner_of(facts(gid)), who[1]);
  ASSERT_OK(change(gid, who[1], {}, {who[0], who[1], who[2]}));
  const GroupFacts empty = facts(gid);
  EXPECT_EQ(empty.gid, gid);
  EXPECT_TRUE(empty.members.empty());
  EXPECT_CODE(change(gid, who[1], {who[1]}, {}), Errc::kNotMember);
  EXPECT_EQ(sees(who[2], gid).back().substr(0, 2), "6:") << "the last ones still read";
}

TEST_P(GroupContract, AFullGroupTakesNobodyButMayShrink) {
  const auto who = people(4);
  const Gid gid = made(who[0], {who[1], who[2]}).gid;
  EXPECT_CODE(change(gid, who[0], {who[3]}, {}, 3), Errc::kGroupFull);
  ASSERT_OK(change(gid, who[0], {who[3]}, {who[1]}, 3));
  EXPECT_EQ(uids_of(facts(gid)), (std::vector{who[0], who[2], who[3]}));
  ASSERT_OK(change(gid, who[0], {}, {who[2]}, 1)) << "above a limit that was lowered";
}

TEST_P(GroupContract, AppendsAreJudgedByTheMembersOfNow) {
  const auto who = people(3);
  const GroupFacts before = made(who[0], {who[1], who[2]});
  must_append(say(before, who[1], "in time"));
  const AppendItem late = say(before, who[1], "too late");
  ASSERT_OK(change(before.gid, who[0], {}, {who[1]}));
  EXPECT_CODE(writer_->messages().append_one(late), Errc::kMembersChanged);
  std::vector<AppendItem> batch{late, say(before, who[0], "old version")};
  EXPECT_EQ(fast(*writer_, batch).result, FastResult::kRolledBack);
  EXPECT_EQ(sees(who[0], before.gid).size(), 3U);
  // A repeat is answered whatever the members are now: it was stored.
  AppendItem repeat = say(before, who[0], "again");
  repeat.member_version = 2;
  const Seq seq = must_append(repeat);
  ASSERT_OK(change(before.gid, who[2], {}, {who[2]}));
  const auto again = writer_->messages().append_one(repeat);
  ASSERT_OK(again);
  EXPECT_TRUE(again->stored.repeat);
  EXPECT_EQ(again->stored.seq, seq);
}

TEST_P(GroupContract, UnreadCountsWhatCameSinceTheMark) {
  const auto who = people(3);
  GroupFacts group = made(who[0], {who[1]});
  std::vector<AppendItem> batch;
  for (int i = 0; i < 5; ++i) batch.push_back(say(group, who[i % 2 == 0 ? 0 : 1], "x"));
  batch[2].countable = false;
  ASSERT_EQ(fast(*writer_, batch).result, FastResult::kStored);
  EXPECT_EQ(row(who[1], group.gid)->unread, 4U);
  EXPECT_EQ(row(who[0], group.gid)->unread, 4U) << "sending marks nothing read in a group";
  const auto marked = mark(who[1], group.gid, 3);
  ASSERT_OK(marked);
  EXPECT_TRUE(marked->changed);
  EXPECT_EQ(row(who[1], group.gid)->unread, 2U);
  const auto changed = change(group.gid, who[0], {who[2]}, {});
  ASSERT_OK(changed);
  EXPECT_EQ(row(who[1], group.gid)->unread, 2U);
  EXPECT_EQ(row(who[2], group.gid)->unread, 0U);
  must_append(say(changed->facts, who[2], "y"));
  EXPECT_EQ(row(who[1], group.gid)->unread, 3U);
  EXPECT_EQ(row(who[2], group.gid)->unread, 1U);
}

TEST_P(GroupContract, AGroupOfManyIsMadeAndEmptied) {
  const auto who = people(limits::kGroupMembersMax);
  const std::vector<Uid> others(who.begin() + 1, who.end());
  const GroupFacts group = made(who[0], others);
  EXPECT_EQ(uids_of(group), who);
  EXPECT_EQ(uids_of(facts(group.gid)), who);
  EXPECT_EQ(sees(who.back(), group.gid).size(), 1U);
  must_append(say(group, who.back(), "to all"));
  EXPECT_EQ(row(who[300], group.gid)->unread, 1U);
  const auto emptied = change(group.gid, who[0], {}, others);
  ASSERT_OK(emptied);
  EXPECT_EQ(emptied->removed, others);
  EXPECT_EQ(uids_of(facts(group.gid)), (std::vector{who[0]}));
  EXPECT_EQ(row(who[511], group.gid)->head.value(), 3U);
  const auto refilled = change(group.gid, who[0], others, {});
  ASSERT_OK(refilled);
  EXPECT_EQ(uids_of(facts(group.gid)), who);
  EXPECT_EQ(sees(who[257], group.gid).size(), 1U);
}

/// Everything that a list shows of pairs and groups together, page by page.
TEST_P(GroupContract, ListsShowGroupsAmongPairs) {
  const auto who = people(6);
  std::set<ConversationId> expected;
  for (std::size_t i = 1; i < 6; ++i) {
    const Pair p = pair(who[0], who[i]);
    must_append(message(p, "x"));
    expected.insert(p.conv);
  }
  std::vector<Gid> gids;
  for (int i = 0; i < 5; ++i) {
    gids.push_back(made(who[0], {who[1]}).gid);
    expected.insert(ConversationId::group(gids.back()));
  }
  for (const bool newest : {false, true}) {
    ListQuery query;
    query.uid = who[0];
    // A page holds at most twice its limit, and all of these may bear one time.
    query.limit = newest ? 6 : 3;
    query.newest_first = newest;
    std::set<ConversationId> seen;
    for (int pages = 0; pages < 10; ++pages) {
      const auto page = reader_->membership().list_conversations(query);
      ASSERT_OK(page);
      for (const ConversationRow& one : page->rows) {
        seen.insert(one.conv);
        EXPECT_EQ(one.group_name, one.conv.is_group() ? "friends" : "");
        EXPECT_EQ(one.join_seq.value(), one.conv.is_group() ? 1U : 0U);
      }
      if (!page->more) break;
      query.page_after = page->rows.back().conv;
      query.before_ms = page->rows.back().head_ms;
    }
    EXPECT_EQ(seen, expected);
  }
}

/// Seqs stay dense and nobody's message is stored under members who did not include him, with
/// changes and appends of several sessions at once.
TEST_P(GroupContract, ChangesAndAppendsAtOnceLeaveADenseLogThatFitsTheMembers) {
  const auto who = people(4);
  const Gid gid = made(who[0], {who[1], who[2], who[3]}).gid;
  const ConversationId conv = ConversationId::group(gid);
  std::atomic<int> stored = 0;
  std::atomic<int> changes = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < 3; ++i)
    threads.emplace_back([&, i] {
      const auto session = new_writer();
      SeededRandom random(i);
      for (int k = 0; k < 60; ++k) {
        AppendItem item = [&] {
          AppendItem out;
          out.conv = conv;
          out.sender = who[i];
          random.fill(out.client_msg_id.bytes);
          out.payload_hash = hash_of("x");
          out.kind = 1;
          out.body.bytes = "x";
          return out;
        }();
        // As logic does it: by the facts, and again when they were old.
        for (int tries = 0; tries < 50; ++tries) {
          const auto now = session->membership().group_facts(gid);
          if (!now) continue;
          const auto in = uids_of(*now);
          if (std::ranges::find(in, who[i]) == in.end()) continue;
          item.member_version = now->member_version;
          const auto one = session->messages().append_one(item);
          if (one) {
            ++stored;
            break;
          }
          EXPECT_TRUE(one.error().code == Errc::kMembersChanged ||
                      one.error().code == Errc::kOverloaded)
              << error_text(one.error().code, one.error().detail);
        }
      }
    });
  // Two devices of the owner change members at the same time.
  for (const std::vector<Uid>& others : std::vector<std::vector<Uid>>{{who[1], who[2]}, {who[3]}})
    threads.emplace_back([&, others] {
      const auto session = new_writer();
      for (int k = 0; k < 40; ++k) {
        const bool out = k % 2 == 0;
        GroupChange wanted{gid, who[0], {}, {}, kMembersMax, plain_body};
        (out ? wanted.remove : wanted.add) = others;
        const auto changed = session->membership().change_group(wanted);
        if (!changed)
          EXPECT_EQ(changed.error().code, Errc::kOverloaded)
              << error_text(changed.error().code, changed.error().detail);
        if (changed && changed->event) ++changes;
      }
    });
  for (std::thread& thread : threads) thread.join();
  const auto log = whole_log(*reader_, who[0], conv);
  expect_dense(log);
  EXPECT_EQ(log.size(), 1U + static_cast<std::size_t>(stored + changes));
  // The log says itself who was in when.
  std::set<Uid> in{who.begin(), who.end()};
  for (const StoredMessage& one : log) {
    if (one.kind != kGroupEventKind) {
      EXPECT_TRUE(in.contains(one.sender)) << "seq " << one.seq.value() << " of one who was out";
      continue;
    }
    for (const Uid uid : who) {
      if (one.body.bytes.contains(plus(uid))) in.insert(uid);
      if (one.body.bytes.contains(minus(uid))) in.erase(uid);
    }
  }
  const GroupFacts after = facts(gid);
  EXPECT_EQ(after.member_version, 1U + static_cast<std::uint64_t>(changes));
  EXPECT_EQ(uids_of(after), std::vector(in.begin(), in.end()));
}

INSTANTIATE_TEST_SUITE_P(Engines, GroupContract, testing::ValuesIn(stores()), store_name);

}  // namespace hy::das::contract
