#include <algorithm>
#include <map>

#include "tests/contract/contract.h"

namespace hy::das::contract {

class MembershipContract : public EngineContract {
 protected:
  ConversationPage list(ListQuery query) {
    const auto page = reader_->membership().list_conversations(query);
    EXPECT_TRUE(page.has_value()) << (page ? "" : page.error().detail);
    return page.value_or(ConversationPage{});
  }
  static ListQuery all_of(Uid uid) {
    ListQuery query;
    query.uid = uid;
    query.limit = 200;
    query.last_body_bytes_max = 256;
    return query;
  }
  ReadMarked mark(Uid uid, ConversationId conv, std::uint64_t seq) {
    const ReadMark one{uid, conv, Seq{seq}};
    const auto marked = writer_->membership().mark_read({&one, 1});
    EXPECT_TRUE(marked.has_value() && (*marked)[0].has_value());
    return marked && (*marked)[0] ? *(*marked)[0] : ReadMarked{};
  }
};

TEST_P(MembershipContract, OpenPairSaysWhoExistsAndMakesRowsForTwo) {
  const auto who = people(2);
  const Uid nobody{4'000'000'000};
  auto facts = writer_->membership().open_pair(who[0], nobody);
  ASSERT_OK(facts);
  EXPECT_TRUE(facts->a_exists);
  EXPECT_FALSE(facts->b_exists);
  EXPECT_EQ(facts->member_version, 0U);
  facts = writer_->membership().open_pair(nobody, who[0]);
  ASSERT_OK(facts);
  EXPECT_FALSE(facts->a_exists);
  EXPECT_TRUE(facts->b_exists);
  for (int i = 0; i < 2; ++i) {
    facts = writer_->membership().open_pair(who[1], who[0]);
    ASSERT_OK(facts);
    EXPECT_TRUE(facts->a_exists && facts->b_exists);
    EXPECT_EQ(facts->member_version, 1U);
  }
  EXPECT_TRUE(list(all_of(who[0])).rows.empty()) << "a conversation without a message is no news";
}

TEST_P(MembershipContract, PairsOfOneCallAreOpenedTogetherAndAnsweredInTheirOrder) {
  const auto who = people(5);
  const Uid nobody{4'000'000'000};
  ASSERT_OK(writer_->membership().set_block(who[1], who[0], true));
  std::vector<UidPair> pairs = {{who[2], who[3]}, {who[0], who[1]}, {who[0], nobody},
                                {who[3], who[2]}, {nobody, who[4]}, {who[4], who[0]}};
  for (int round = 0; round < 2; ++round) {
    const auto facts = writer_->membership().open_pairs(pairs);
    ASSERT_OK(facts);
    ASSERT_EQ(facts->size(), pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      SCOPED_TRACE(i);
      const PairFacts& f = (*facts)[i];
      EXPECT_EQ(f.a_exists, pairs[i].a != nobody);
      EXPECT_EQ(f.b_exists, pairs[i].b != nobody);
      EXPECT_FALSE(f.a_blocks_b);
      EXPECT_EQ(f.b_blocks_a, i == 1);
      EXPECT_EQ(f.member_version, i == 1 ? 2U : f.a_exists && f.b_exists ? 1U : 0U);
      const auto alone = writer_->membership().open_pair(pairs[i].a, pairs[i].b);
      ASSERT_OK(alone);
      EXPECT_EQ(alone->member_version, f.member_version);
      EXPECT_EQ(alone->b_blocks_a, f.b_blocks_a);
    }
  }
  // Both have a row of their own: the message is in both lists.
  for (const auto& [a, b] : {pairs[0], pairs[5]}) {
    must_append(message(Pair{a, b, ConversationId::pair(a, b), 1}, a, "x"));
    EXPECT_EQ(list(all_of(a)).rows.size(), 1U);
  }
  EXPECT_EQ(list(all_of(who[3])).rows.size(), 1U);
  EXPECT_EQ(list(all_of(who[0])).rows.size(), 1U);
}

TEST_P(MembershipContract, AsManyPairsAsMayStandInOneCall) {
  const auto who = people(Membership::kPairsMax + 1);
  std::vector<UidPair> pairs;
  for (std::size_t i = 1; i < who.size(); ++i) pairs.push_back({who[i], who[0]});
  ASSERT_OK(writer_->membership().open_pair(who[3], who[0]));
  const auto facts = writer_->membership().open_pairs(pairs);
  ASSERT_OK(facts);
  for (const PairFacts& f : *facts) {
    EXPECT_TRUE(f.a_exists && f.b_exists);
    EXPECT_EQ(f.member_version, 1U);
  }
  for (const UidPair& pair : {pairs[0], pairs[57], pairs.back()})
    must_append(
        message(Pair{pair.a, pair.b, ConversationId::pair(pair.a, pair.b), 1}, pair.b, "x"));
  EXPECT_EQ(list(all_of(who[0])).rows.size(), 3U);
}

TEST_P(MembershipContract, BlockingRaisesMemberVersionAndWritesAnEventOnce) {
  const auto who = people(2);
  const Pair p = pair(who[0], who[1]);
  for (int i = 0; i < 2; ++i) {
    const auto facts = writer_->membership().set_block(who[1], who[0], true);
    ASSERT_OK(facts);
    EXPECT_TRUE(facts->a_blocks_b);
    EXPECT_FALSE(facts->b_blocks_a);
    EXPECT_EQ(facts->member_version, p.version + 1);
  }
  const auto other_way = writer_->membership().open_pair(who[0], who[1]);
  ASSERT_OK(other_way);
  EXPECT_FALSE(other_way->a_blocks_b);
  EXPECT_TRUE(other_way->b_blocks_a);
  const auto off = writer_->membership().set_block(who[1], who[0], false);
  ASSERT_OK(off);
  EXPECT_FALSE(off->a_blocks_b);
  EXPECT_EQ(off->member_version, p.version + 2);
  const auto events = reader_->user_log().read(who[1], Useq{0}, 10);
  ASSERT_OK(events);
  ASSERT_EQ(events->events.size(), 2U);
  EXPECT_EQ(events->events[0].kind, UserEventKind::kBlock);
  EXPECT_EQ(events->events[0].peer, who[0]);
  EXPECT_TRUE(events->events[0].on);
  EXPECT_FALSE(events->events[1].on);
  const auto none = reader_->user_log().read(who[0], Useq{0}, 10);
  ASSERT_OK(none);
  EXPECT_TRUE(none->events.empty());
}

TEST_P(MembershipContract, BlockingSomebodyOneNeverTalkedToWorks) {
  const auto who = people(2);
  const auto facts = writer_->membership().set_block(who[0], who[1], true);
  ASSERT_OK(facts);
  EXPECT_EQ(facts->member_version, 2U);
  const auto missing = writer_->membership().set_block(who[0], Uid{4'000'000'000}, true);
  ASSERT_OK(missing);
  EXPECT_FALSE(missing->b_exists);
  EXPECT_FALSE(missing->a_blocks_b);
}

TEST_P(MembershipContract, ReadMarksMoveForwardOnly) {
  const Pair p = new_pair();
  for (int i = 0; i < 5; ++i) must_append(message(p, p.b, "x"));
  auto marked = mark(p.a, p.conv, 3);
  EXPECT_TRUE(marked.changed);
  EXPECT_EQ(marked.read_seq.value(), 3U);
  EXPECT_EQ(marked.useq.value(), 1U);
  marked = mark(p.a, p.conv, 2);
  EXPECT_FALSE(marked.changed);
  EXPECT_EQ(marked.read_seq.value(), 3U);
  EXPECT_EQ(marked.useq.value(), 0U);
  marked = mark(p.a, p.conv, 99);
  EXPECT_EQ(marked.read_seq.value(), 5U) << "a mark above the head is the head";
  EXPECT_EQ(marked.useq.value(), 2U);
}

TEST_P(MembershipContract, ABatchOfMarksAnswersEach) {
  const Pair p = new_pair();
  const Pair q = new_pair();
  for (int i = 0; i < 5; ++i) must_append(message(p, p.b, "x"));
  must_append(message(q, q.b, "y"));
  const std::vector<ReadMark> marks{{p.a, p.conv, Seq{4}},
                                    {p.a, q.conv, Seq{1}},
                                    {q.a, q.conv, Seq{1}},
                                    {p.a, p.conv, Seq{2}},
                                    {p.a, p.conv, Seq{5}}};
  const auto marked = writer_->membership().mark_read(marks);
  ASSERT_OK(marked);
  ASSERT_EQ(marked->size(), 5U);
  ASSERT_OK((*marked)[0]);
  EXPECT_EQ((*marked)[0]->read_seq.value(), 4U);
  EXPECT_CODE((*marked)[1], Errc::kNotMember);
  ASSERT_OK((*marked)[2]);
  EXPECT_TRUE((*marked)[2]->changed);
  ASSERT_OK((*marked)[3]);
  EXPECT_FALSE((*marked)[3]->changed);
  ASSERT_OK((*marked)[4]);
  EXPECT_EQ((*marked)[4]->useq.value(), 2U);
}

TEST_P(MembershipContract, UserEventsInSlices) {
  const Pair p = new_pair();
  for (int i = 0; i < 6; ++i) must_append(message(p, p.b, "x"));
  for (std::uint64_t i = 1; i <= 6; ++i) mark(p.a, p.conv, i);
  auto events = reader_->user_log().read(p.a, Useq{1}, 3);
  ASSERT_OK(events);
  ASSERT_EQ(events->events.size(), 3U);
  EXPECT_EQ(events->events[0].useq.value(), 2U);
  EXPECT_EQ(events->events[0].kind, UserEventKind::kRead);
  EXPECT_EQ(events->events[0].conv, p.conv);
  EXPECT_EQ(events->events[0].seq.value(), 2U);
  EXPECT_TRUE(events->more);
  EXPECT_EQ(events->head.value(), 6U);
  events = reader_->user_log().read(p.a, Useq{6}, 3);
  ASSERT_OK(events);
  EXPECT_TRUE(events->events.empty());
  EXPECT_FALSE(events->more || events->too_far);
  events = reader_->user_log().read(p.a, Useq{7}, 3);
  ASSERT_OK(events);
  EXPECT_TRUE(events->too_far) << "a device ahead of the store must start again";
  EXPECT_CODE(reader_->user_log().read(Uid{4'000'000'000}, Useq{0}, 3), Errc::kUnknownUser);
}

TEST_P(MembershipContract, EveryPageKnowsTheHeadOfTheEvents) {
  const Pair p = new_pair();
  EXPECT_EQ(list(all_of(p.a)).useq_head.value(), 0U) << "nothing to list";
  for (int i = 0; i < 3; ++i) must_append(message(p, p.b, "x"));
  mark(p.a, p.conv, 1);
  mark(p.a, p.conv, 3);
  ListQuery query = all_of(p.a);
  EXPECT_EQ(list(query).useq_head.value(), 2U);
  query.newest_first = true;
  EXPECT_EQ(list(query).useq_head.value(), 2U);
  EXPECT_EQ(list(all_of(p.b)).useq_head.value(), 0U) << "they are one person's own";
  query = all_of(p.a);
  query.page_after = p.conv;
  const ConversationPage after = list(query);
  EXPECT_TRUE(after.rows.empty());
  EXPECT_EQ(after.useq_head.value(), 2U);
  EXPECT_GT(after.store_ms, 0);
  for (const bool newest_first : {false, true}) {
    query = all_of(Uid{4'000'000'000});
    query.newest_first = newest_first;
    EXPECT_CODE(reader_->membership().list_conversations(query), Errc::kUnknownUser);
  }
}

TEST_P(MembershipContract, ListNamesWhatChangedSince) {
  const auto who = people(3);
  const Pair p = pair(who[0], who[1]);
  const Pair q = pair(who[0], who[2]);
  must_append(message(p, p.b, "first"));
  must_append(message(q, q.b, "second"));
  const auto page = list(all_of(who[0]));
  ASSERT_EQ(page.rows.size(), 2U);
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.rows[0].conv, std::min(p.conv, q.conv)) << "ascending";
  ListQuery since = all_of(who[0]);
  since.since_ms = page.store_ms + 60'000;
  EXPECT_TRUE(list(since).rows.empty());
  if (!store_->move_clock(Millis{120'000})) return;
  must_append(message(q, q.b, "third"));
  const auto changed = list(since);
  ASSERT_EQ(changed.rows.size(), 1U);
  EXPECT_EQ(changed.rows[0].conv, q.conv);
  EXPECT_EQ(changed.rows[0].head.value(), 2U);
  ASSERT_TRUE(changed.rows[0].last.has_value());
  EXPECT_EQ(changed.rows[0].last->body.bytes, "third");
  EXPECT_GE(changed.rows[0].head_ms, since.since_ms);
  EXPECT_GE(changed.store_ms, page.store_ms + 120'000);
}

TEST_P(MembershipContract, ListPagesNameEachConversationOnce) {
  const auto who = people(12);
  for (std::size_t i = 1; i < who.size(); ++i) must_append(message(pair(who[0], who[i]), "x"));
  ListQuery query = all_of(who[0]);
  query.limit = 4;
  std::vector<ConversationId> seen;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = list(query);
    for (const auto& row : page.rows) seen.push_back(row.conv);
    if (!page.more) break;
    ASSERT_EQ(page.rows.size(), 4U);
    query.page_after = page.rows.back().conv;
  }
  EXPECT_EQ(seen.size(), 11U);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
}

TEST_P(MembershipContract, RecentsComeNewestFirstAndEqualTimesStayTogether) {
  const auto who = people(8);
  std::vector<AppendItem> same;
  for (std::size_t i = 1; i < 5; ++i) same.push_back(message(pair(who[0], who[i]), "x"));
  ASSERT_EQ(fast(*writer_, same).result, FastResult::kStored);
  for (std::size_t i = 5; i < 8; ++i) must_append(message(pair(who[0], who[i]), "y"));
  ListQuery query = all_of(who[0]);
  query.newest_first = true;
  query.limit = 5;
  std::vector<ConversationId> seen;
  std::int64_t before = INT64_MAX;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = list(query);
    for (const auto& row : page.rows) {
      EXPECT_LE(row.head_ms, before);
      before = row.head_ms;
      seen.push_back(row.conv);
    }
    if (!page.more) break;
    ASSERT_FALSE(page.rows.empty());
    query.before_ms = page.rows.back().head_ms;
  }
  std::ranges::sort(seen);
  EXPECT_EQ(seen.size(), 7U);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
}

TEST_P(MembershipContract, TheLastBodyIsCut) {
  const Pair p = new_pair();
  must_append(message(p, std::string(1'000, 'x')));
  ListQuery query = all_of(p.a);
  query.last_body_bytes_max = 10;
  const auto page = list(query);
  ASSERT_EQ(page.rows.size(), 1U);
  ASSERT_TRUE(page.rows[0].last.has_value());
  EXPECT_EQ(page.rows[0].last->body.bytes, std::string(10, 'x'));
}

/// G10: unread is what counting by hand gives, after any mixture of sends and reads.
TEST_P(MembershipContract, UnreadAndListEqualBruteForce) {
  const auto who = people(5);
  struct Row {
    Uid sender;
    bool countable;
  };
  std::map<ConversationId, std::vector<Row>> logs;
  std::map<std::pair<Uid, ConversationId>, std::uint64_t> read;
  for (int step = 0; step < 600; ++step) {
    const std::size_t i = random_.below(who.size());
    const std::size_t j = (i + 1 + random_.below(who.size() - 1)) % who.size();
    const ConversationId conv = ConversationId::pair(who[i], who[j]);
    auto& log = logs[conv];
    if (random_.below(4) != 0) {
      AppendItem item = message(pair(who[i], who[j]), who[i], "x");
      item.countable = random_.below(5) != 0;
      must_append(item);
      log.push_back({who[i], item.countable});
    } else if (!log.empty()) {
      const std::uint64_t seq = 1 + random_.below(log.size());
      mark(who[i], conv, seq);
      auto& mine = read[{who[i], conv}];
      mine = std::max(mine, seq);
    }
    if (step % 20 != 0) continue;
    for (const Uid uid : who) {
      std::map<ConversationId, ConversationRow> listed;
      for (auto& row : list(all_of(uid)).rows) listed[row.conv] = row;
      std::size_t expected = 0;
      for (const auto& [id, rows] : logs) {
        if (!id.has(uid) || rows.empty()) continue;
        ++expected;
        std::uint64_t from = read[{uid, id}];
        for (std::size_t k = 0; k < rows.size(); ++k)
          if (rows[k].sender == uid) from = std::max<std::uint64_t>(from, k + 1);
        std::uint32_t unread = 0;
        for (std::size_t k = from; k < rows.size(); ++k) unread += rows[k].countable ? 1 : 0;
        ASSERT_TRUE(listed.contains(id));
        EXPECT_EQ(listed[id].unread, unread);
        EXPECT_EQ(listed[id].head.value(), rows.size());
        EXPECT_EQ(listed[id].read_seq.value(), (read[{uid, id}]));
        EXPECT_EQ(listed[id].peer_read.value(), (read[{id.peer_of(uid), id}]));
        ASSERT_TRUE(listed[id].last.has_value());
        EXPECT_EQ(listed[id].last->seq.value(), rows.size());
      }
      ASSERT_EQ(listed.size(), expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, MembershipContract, testing::ValuesIn(stores()), store_name);

}  // namespace hy::das::contract
