#include <algorithm>
#include <map>

#include "common/base/limits.h"
#include "tests/contract/contract.h"

namespace hy::das::contract {

class MessageLogContract : public EngineContract {};

TEST_P(MessageLogContract, FirstMessageIsSeqOneAndTheLogIsDense) {
  const Pair p = new_pair();
  EXPECT_EQ(head(*reader_, p.a, p.conv).value(), 0U);
  std::vector<AppendItem> batch;
  for (int i = 0; i < 50; ++i) batch.push_back(message(p, i % 2 == 0 ? p.a : p.b, "m"));
  const auto done = fast(*writer_, batch);
  ASSERT_EQ(done.result, FastResult::kStored) << done.why.detail;
  ASSERT_EQ(done.stored.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(done.stored[i].seq.value(), i + 1);
    EXPECT_FALSE(done.stored[i].repeat);
  }
  ASSERT_EQ(done.heads.size(), 1U);
  EXPECT_EQ(done.heads[0].head.value(), 50U);
  EXPECT_EQ(must_append(message(p, "next")).value(), 51U);
  const auto log = whole_log(*reader_, p.b, p.conv);
  ASSERT_EQ(log.size(), 51U);
  expect_dense(log);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(log[i].client_msg_id, batch[i].client_msg_id);
}

TEST_P(MessageLogContract, OneBatchOverManyConversationsIsDenseInEach) {
  const auto who = people(6);
  std::vector<AppendItem> batch;
  for (std::size_t round = 0; round < 10; ++round)
    for (std::size_t i = 1; i < who.size(); ++i)
      batch.push_back(message(pair(who[0], who[i]), "x"));
  const auto done = fast(*writer_, batch);
  ASSERT_EQ(done.result, FastResult::kStored) << done.why.detail;
  EXPECT_EQ(done.heads.size(), 5U);
  for (std::size_t i = 1; i < who.size(); ++i) {
    const auto log = whole_log(*reader_, who[i], ConversationId::pair(who[0], who[i]));
    EXPECT_EQ(log.size(), 10U);
    expect_dense(log);
  }
}

TEST_P(MessageLogContract, ARepeatGetsTheFirstAnswerAndLeavesNoHole) {
  const Pair p = new_pair();
  const AppendItem first = message(p, "hello");
  const auto stored = writer_->messages().append_one(first);
  ASSERT_OK(stored);
  std::vector<AppendItem> batch{message(p, "new"), first};
  const auto done = fast(*writer_, batch);
  EXPECT_EQ(done.result, FastResult::kRolledBack);
  EXPECT_EQ(head(*reader_, p.a, p.conv).value(), 1U) << "a rolled back batch raised the head";
  const auto again = writer_->messages().append_one(first);
  ASSERT_OK(again);
  EXPECT_EQ(again->stored.seq, stored->stored.seq);
  EXPECT_EQ(again->stored.server_ms, stored->stored.server_ms);
  EXPECT_TRUE(again->stored.repeat);
  EXPECT_EQ(must_append(message(p, "next")).value(), 2U);
  EXPECT_FALSE(writer_->is_broken());
}

TEST_P(MessageLogContract, TheSameIdWithAnotherPayloadIsAConflict) {
  const Pair p = new_pair();
  const AppendItem first = message(p, "one");
  must_append(first);
  AppendItem other = first;
  other.payload_hash = hash_of("two");
  other.body.bytes = "two";
  EXPECT_CODE(writer_->messages().append_one(other), Errc::kConflict);
  // Another sender's same id is another message.
  other.sender = p.b;
  EXPECT_EQ(must_append(other).value(), 2U);
  const auto log = whole_log(*reader_, p.a, p.conv);
  ASSERT_EQ(log.size(), 2U);
  EXPECT_EQ(log[0].body.bytes, "one");
}

TEST_P(MessageLogContract, AMessageWaitsForItsPredecessor) {
  const Pair p = new_pair();
  const AppendItem first = message(p, "1");
  AppendItem second = message(p, "2");
  second.after = first.client_msg_id;
  std::vector<AppendItem> alone{second};
  EXPECT_EQ(fast(*writer_, alone).result, FastResult::kRolledBack);
  EXPECT_CODE(writer_->messages().append_one(second), Errc::kGap);
  EXPECT_EQ(head(*reader_, p.a, p.conv).value(), 0U);
  // Another person's message of the same id is no predecessor.
  AppendItem others = first;
  others.sender = p.b;
  must_append(others);
  EXPECT_CODE(writer_->messages().append_one(second), Errc::kGap);
  // Earlier in the same batch.
  std::vector<AppendItem> both{first, second};
  const auto done = fast(*writer_, both);
  ASSERT_EQ(done.result, FastResult::kStored) << done.why.detail;
  EXPECT_EQ(done.stored[1].seq.value(), 3U);
  // Committed before.
  AppendItem third = message(p, "3");
  third.after = second.client_msg_id;
  std::vector<AppendItem> next{third};
  EXPECT_EQ(fast(*writer_, next).result, FastResult::kStored);
}

TEST_P(MessageLogContract, RightsThatChangedSinceAreRefused) {
  Pair p = new_pair();
  AppendItem item = message(p, "x");
  ASSERT_OK(writer_->membership().set_block(p.b, p.a, true));
  std::vector<AppendItem> batch{item};
  EXPECT_EQ(fast(*writer_, batch).result, FastResult::kRolledBack);
  EXPECT_CODE(writer_->messages().append_one(item), Errc::kMembersChanged);
  p = pair(p.a, p.b);
  item.member_version = p.version;
  EXPECT_EQ(must_append(item).value(), 1U);
  // A repeat is answered whatever the rights are now.
  ASSERT_OK(writer_->membership().set_block(p.b, p.a, false));
  const auto again = writer_->messages().append_one(item);
  ASSERT_OK(again);
  EXPECT_TRUE(again->stored.repeat);
}

/// Whatever an engine remembers of a conversation, each change of it by another way counts at once:
/// rights, the slow path, a batch that was rolled back, another writing session.
TEST_P(MessageLogContract, EveryWayToChangeAConversationIsSeenByTheNextBatch) {
  Pair p = new_pair();
  const Pair other = new_pair();
  auto second = new_writer();
  std::uint64_t head = 0;
  for (int i = 0; i < 60; ++i) {
    StoreSession& session = random_.below(3) == 0 ? *second : *writer_;
    std::vector<AppendItem> batch{message(p, "1"), message(other, "x"), message(p, p.b, "2")};
    switch (random_.below(6)) {
      case 0: {
        ASSERT_OK(session.membership().set_block(p.a, p.b, random_.below(2) == 0));
        const std::uint64_t before = p.version;
        p = pair(p.a, p.b);
        const bool changed = p.version != before;
        EXPECT_EQ(fast(*writer_, batch).result,
                  changed ? FastResult::kRolledBack : FastResult::kStored);
        head += changed ? 0 : 2;
        break;
      }
      case 1:
        ASSERT_OK(session.messages().append_one(batch[0]));
        ASSERT_OK(session.messages().append_one(batch[0]));
        ++head;
        break;
      case 2:
        // The later conversation of the two: the earlier one's part was ready to be committed.
        ASSERT_LT(p.conv, other.conv);
        batch[1].after = new_id();
        EXPECT_EQ(fast(session, batch).result, FastResult::kRolledBack);
        break;
      default: {
        const auto done = fast(session, batch);
        ASSERT_EQ(done.result, FastResult::kStored) << done.why.detail;
        head += 2;
      }
    }
    if (i % 10 == 9) {
      const auto log = whole_log(*reader_, p.b, p.conv);
      ASSERT_EQ(log.size(), head);
      expect_dense(log);
    }
  }
}

TEST_P(MessageLogContract, NoConversationRowMeansAskAgain) {
  const auto who = people(2);
  const Pair p{who[0], who[1], ConversationId::pair(who[0], who[1]), 1};
  std::vector<AppendItem> batch{message(p, "x")};
  EXPECT_EQ(fast(*writer_, batch).result, FastResult::kRolledBack);
  EXPECT_CODE(writer_->messages().append_one(batch[0]), Errc::kMembersChanged);
  EXPECT_CODE(reader_->messages().pull(range(p.a, p.conv, 1, 0)), Errc::kNotMember);
}

TEST_P(MessageLogContract, AnOldRepeatMovesHeadMsAndAYoungOneDoesNot) {
  const Pair p = new_pair();
  const AppendItem item = message(p, "x");
  const auto first = writer_->messages().append_one(item);
  ASSERT_OK(first);
  const auto young = writer_->messages().append_one(item);
  ASSERT_OK(young);
  EXPECT_EQ(young->head.head_ms, first->head.head_ms);
  if (!store_->move_clock(Millis{11'000})) GTEST_SKIP() << "this store's clock cannot be moved";
  const auto old = writer_->messages().append_one(item);
  ASSERT_OK(old);
  EXPECT_EQ(old->stored.server_ms, first->stored.server_ms);
  EXPECT_GE(old->head.head_ms, first->head.head_ms + 11'000);
  ListQuery query;
  query.uid = p.b;
  query.since_ms = first->head.head_ms + 10'000;
  query.limit = 10;
  const auto list = reader_->membership().list_conversations(query);
  ASSERT_OK(list);
  EXPECT_EQ(list->rows.size(), 1U) << "a SYNC since then must name the conversation";
}

TEST_P(MessageLogContract, BodiesComeBackByteForByte) {
  const Pair p = new_pair();
  std::string binary(256, '\0');
  for (std::size_t i = 0; i < binary.size(); ++i) binary[i] = static_cast<char>(i);
  std::string large(limits::kMessageBodyBytesMax, '\0');
  random_.fill({reinterpret_cast<std::uint8_t*>(large.data()), large.size()});
  const std::vector<std::string> bodies{"",
                                        "a",
                                        "鸿雁传书",
                                        "👩‍👩‍👧‍👦 🇨🇳",
                                        "مرحبا بالعالم",
                                        std::string("\0\0x", 3),
                                        "'\"\\%_;--",
                                        "\xff\xfe broken utf-8 \xc3",
                                        binary,
                                        large};
  std::vector<AppendItem> batch;
  for (const std::string& body : bodies) batch.push_back(message(p, body));
  batch[1].kind = 4'000'000'000U;
  ASSERT_EQ(fast(*writer_, batch).result, FastResult::kStored);
  for (const std::string& body : bodies) must_append(message(p, body));
  const auto log = whole_log(*reader_, p.b, p.conv);
  ASSERT_EQ(log.size(), 2 * bodies.size());
  for (std::size_t i = 0; i < log.size(); ++i)
    EXPECT_TRUE(log[i].body.bytes == bodies[i % bodies.size()]) << i;
  EXPECT_EQ(log[1].kind, 4'000'000'000U);
}

/// Batches of every way to write one: by the row, packed, cut by their bytes.
TEST_P(MessageLogContract, LargeBatchesComeBackByteForByte) {
  const auto who = people(41);
  std::vector<Pair> pairs;
  for (std::size_t i = 1; i < who.size(); ++i) pairs.push_back(pair(who[0], who[i]));
  const std::string every =
      "');DROP TABLE message;-- \\' \" ` ? %s \n x'41' \xff\xfe\xc3 " + std::string("\0\x1a\0", 3);
  std::map<ConversationId, std::vector<AppendItem>> sent;
  std::size_t made = 0;
  const auto send = [&](std::size_t rows, std::size_t conversations, std::size_t bytes) {
    std::vector<AppendItem> batch;
    for (std::size_t i = 0; i < rows; ++i, ++made) {
      const Pair& in = pairs[i % conversations];
      std::string body(bytes, '\0');
      random_.fill({reinterpret_cast<std::uint8_t*>(body.data()), body.size()});
      if (bytes == 0) body = every.substr(made % every.size()) + std::string(made % 7, '\'');
      if (made % 11 == 0) body.clear();
      batch.push_back(message(in, made % 3 == 0 ? in.b : in.a, std::move(body)));
      batch.back().kind = static_cast<std::uint32_t>(made * 65'537);
      batch.back().countable = made % 5 != 0;
    }
    const auto done = fast(*writer_, batch);
    ASSERT_EQ(done.result, FastResult::kStored) << done.why.detail;
    ASSERT_EQ(done.stored.size(), rows);
    for (std::size_t i = 0; i < rows; ++i) {
      sent[batch[i].conv].push_back(batch[i]);
      EXPECT_EQ(done.stored[i].seq.value(), sent[batch[i].conv].size());
    }
  };
  send(31, 31, 0);
  send(32, 32, 0);
  send(33, 1, 0);
  send(180, 40, 0);
  send(256, 40, 0);
  send(256, 3, 3'000);  // in two parts
  send(256, 2, limits::kMessageBodyBytesMax);
  for (const Pair& in : pairs) {
    const auto log = whole_log(*reader_, in.b, in.conv);
    const auto& expected = sent[in.conv];
    ASSERT_EQ(log.size(), expected.size());
    expect_dense(log);
    for (std::size_t i = 0; i < log.size(); ++i) {
      EXPECT_EQ(log[i].sender, expected[i].sender);
      EXPECT_EQ(log[i].client_msg_id, expected[i].client_msg_id);
      EXPECT_EQ(log[i].kind, expected[i].kind);
      EXPECT_TRUE(log[i].body.bytes == expected[i].body.bytes) << i;
    }
    // Rows of a batch are recognised as what they were, by their hash.
    const auto repeat = writer_->messages().append_one(expected.back());
    ASSERT_OK(repeat);
    EXPECT_TRUE(repeat->stored.repeat);
    EXPECT_EQ(repeat->stored.seq.value(), expected.size());
  }
}

TEST_P(MessageLogContract, PullGivesTheAskedRangeInSlices) {
  const Pair p = new_pair();
  for (int i = 0; i < 30; ++i) must_append(message(p, std::string(100, 'x')));
  const auto seqs = [&](PullQuery query) {
    const auto slice = reader_->messages().pull(query);
    EXPECT_TRUE(slice.has_value());
    std::vector<std::uint64_t> out;
    if (slice)
      for (const auto& m : slice->messages) out.push_back(m.seq.value());
    return out;
  };
  EXPECT_EQ(seqs(range(p.a, p.conv, 5, 7)), (std::vector<std::uint64_t>{5, 6, 7}));
  EXPECT_EQ(seqs(range(p.a, p.conv, 29, 0)), (std::vector<std::uint64_t>{29, 30}));
  EXPECT_EQ(seqs(range(p.a, p.conv, 29, 99)), (std::vector<std::uint64_t>{29, 30}));
  EXPECT_TRUE(seqs(range(p.a, p.conv, 31, 0)).empty());
  EXPECT_EQ(seqs(range(p.a, p.conv, 0, 2)), (std::vector<std::uint64_t>{1, 2}));
  PullQuery last = range(p.a, p.conv, 0, 0);
  last.last = 3;
  EXPECT_EQ(seqs(last), (std::vector<std::uint64_t>{28, 29, 30}));
  last.to = Seq{10};
  EXPECT_EQ(seqs(last), (std::vector<std::uint64_t>{8, 9, 10}));
  last.last = 500;
  EXPECT_EQ(seqs(last).size(), 10U);
  last.bytes_max = 250;
  EXPECT_EQ(seqs(last), (std::vector<std::uint64_t>{9, 10})) << "a cut leaves out the oldest";
  PullQuery cut = range(p.a, p.conv, 1, 20);
  cut.messages_max = 4;
  const auto slice = reader_->messages().pull(cut);
  ASSERT_OK(slice);
  EXPECT_EQ(slice->messages.size(), 4U);
  EXPECT_TRUE(slice->more);
  EXPECT_EQ(slice->head.value(), 30U);
  cut.bytes_max = 10;
  const auto one = reader_->messages().pull(cut);
  ASSERT_OK(one);
  EXPECT_EQ(one->messages.size(), 1U) << "one message always fits";
  cut = range(p.a, p.conv, 17, 20);
  cut.messages_max = 4;
  const auto exact = reader_->messages().pull(cut);
  ASSERT_OK(exact);
  EXPECT_FALSE(exact->more);
}

/// Every way to begin, end and cut, against the log in memory.
TEST_P(MessageLogContract, PullAgreesWithTheLogAtEveryPlace) {
  const Pair p = new_pair();
  std::vector<AppendItem> log;
  while (log.size() < 150) {
    std::vector<AppendItem> batch;
    for (std::uint64_t i = 0; i < 1 + random_.below(40); ++i)
      batch.push_back(message(p, i % 3 == 0 ? p.b : p.a, std::string(random_.below(300), 'x')));
    ASSERT_EQ(fast(*writer_, batch).result, FastResult::kStored);
    log.insert(log.end(), batch.begin(), batch.end());
  }
  const std::uint64_t head = log.size();
  for (int i = 0; i < 400; ++i) {
    PullQuery query = range(p.a, p.conv, 1 + random_.below(head), 0);
    if (random_.below(4) > 0)
      query.to = Seq{query.from.value() + random_.below(head + 5 - query.from.value())};
    if (random_.below(3) == 0) query.last = static_cast<std::uint32_t>(1 + random_.below(70));
    query.messages_max = static_cast<std::uint32_t>(1 + random_.below(100));
    query.bytes_max = static_cast<std::uint32_t>(1 + random_.below(10'000));
    const std::uint64_t to =
        query.to.value() == 0 ? head : std::min<std::uint64_t>(query.to.value(), head);
    const std::uint64_t most =
        query.last > 0 ? std::min<std::uint64_t>({query.last, query.messages_max, to})
                       : std::min<std::uint64_t>(query.messages_max, to - query.from.value() + 1);
    std::vector<std::uint64_t> wanted;
    for (std::uint64_t k = 0, bytes = 0; k < most; ++k) {
      const std::uint64_t seq = query.last > 0 ? to - k : query.from.value() + k;
      bytes += log[seq - 1].body.bytes.size();
      if (!wanted.empty() && bytes > query.bytes_max) break;
      wanted.push_back(seq);
    }
    if (query.last > 0) std::ranges::reverse(wanted);
    const auto slice = reader_->messages().pull(query);
    ASSERT_OK(slice);
    ASSERT_EQ(slice->messages.size(), wanted.size());
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      ASSERT_EQ(slice->messages[k].seq.value(), wanted[k]);
      ASSERT_EQ(slice->messages[k].client_msg_id, log[wanted[k] - 1].client_msg_id);
      ASSERT_EQ(slice->messages[k].body.bytes, log[wanted[k] - 1].body.bytes);
    }
    EXPECT_EQ(slice->more, query.last == 0 && wanted.back() < to);
  }
}

TEST_P(MessageLogContract, PullIsForMembersAndSaneRanges) {
  const Pair p = new_pair();
  must_append(message(p, "x"));
  const Uid stranger = people(1)[0];
  EXPECT_CODE(reader_->messages().pull(range(stranger, p.conv, 1, 0)), Errc::kNotMember);
  EXPECT_CODE(reader_->messages().pull(range(p.a, p.conv, 3, 2)), Errc::kRangeInvalid);
  FindQuery find;
  find.uid = stranger;
  find.conv = p.conv;
  find.seq = Seq{1};
  EXPECT_CODE(reader_->messages().find(find), Errc::kNotMember);
}

TEST_P(MessageLogContract, FindBySeqAndById) {
  const Pair p = new_pair();
  must_append(message(p, "one"));
  const AppendItem item = message(p, p.b, "two");
  must_append(item);
  FindQuery by_seq;
  by_seq.uid = p.a;
  by_seq.conv = p.conv;
  by_seq.seq = Seq{2};
  const auto found = reader_->messages().find(by_seq);
  ASSERT_OK(found);
  EXPECT_EQ(found->message.client_msg_id, item.client_msg_id);
  EXPECT_TRUE(found->message.body.bytes.empty());
  FindQuery by_id;
  by_id.uid = p.b;
  by_id.conv = p.conv;
  by_id.sender = p.b;
  by_id.client_msg_id = item.client_msg_id;
  ReadMark mark{p.a, p.conv, Seq{1}};
  ASSERT_OK(writer_->membership().mark_read({&mark, 1}));
  const auto mine = reader_->messages().find(by_id);
  ASSERT_OK(mine);
  EXPECT_EQ(mine->message.seq.value(), 2U);
  EXPECT_EQ(mine->peer_read.value(), 1U);
  by_id.sender = p.a;
  EXPECT_CODE(reader_->messages().find(by_id), Errc::kMessageNotFound);
  by_seq.seq = Seq{3};
  EXPECT_CODE(reader_->messages().find(by_seq), Errc::kMessageNotFound);
}

/// G6: what was answered is there for whoever asks next.
TEST_P(MessageLogContract, AReaderSeesWhatWasAnswered) {
  const Pair p = new_pair();
  for (std::uint64_t i = 1; i <= 100; ++i) {
    ASSERT_EQ(must_append(message(p, "x")).value(), i);
    ASSERT_EQ(head(*reader_, p.b, p.conv).value(), i);
  }
}

TEST_P(MessageLogContract, AReaderCannotWrite) {
  const Pair p = new_pair();
  EXPECT_CODE(reader_->messages().append_one(message(p, "x")), Errc::kInternal);
  EXPECT_EQ(head(*writer_, p.a, p.conv).value(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Engines, MessageLogContract, testing::ValuesIn(message_log_stores()),
                         store_name);

}  // namespace hy::das::contract
