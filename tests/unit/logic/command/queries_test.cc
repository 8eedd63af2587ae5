// SYNC, PULL, HISTORY, RECENTS, READ, MESSAGE_STATE, USER_LOOKUP, BLOCK, PING over played
// neighbours.
#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"
#include "logic/command/block.h"
#include "logic/command/conversation_list.h"
#include "logic/command/history.h"
#include "logic/command/message_state.h"
#include "logic/command/ping.h"
#include "logic/command/pull.h"
#include "logic/command/read.h"
#include "logic/command/recents.h"
#include "logic/command/sync.h"
#include "logic/command/user_lookup.h"
#include "logic/session/change_counters.h"
#include "tests/support/logic_bench.h"
#include "tests/support/with_mutant.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

const ConversationId kForeign = ConversationId::pair(Uid{5}, Uid{6});

StoredMessage stored(std::uint64_t seq, std::string body = "hi") {
  return {.conversation = kPair,
          .seq = Seq{seq},
          .sender = kBob,
          .client_msg_id = message_id(static_cast<std::uint8_t>(seq)),
          .kind = 1,
          .body = std::move(body),
          .server_ms = 1'000};
}

struct QueriesTest : ::testing::Test {
  template <class Message>
  std::uint64_t ask(std::uint16_t type, const Message& in, Uid as = kAlice) {
    return bench.ask_as(as, type, in.SerializeAsString());
  }
  LogicBench bench{{.send = {}, .read = {}, .sync = {}, .pull = {}, .query = {}, .relay = {}}};
};

/// A message whose head_ms was taken before `since` and that showed after it would be missed.
TEST_F(QueriesTest, MutantSyncWithoutOverlapAsksFromSinceAlone) {
  if (!has_mutants()) GTEST_SKIP() << "built without HY_TEST_HOOKS";
  const WithMutant on(Mutant::kSyncWithoutOverlap);
  pb::SyncRequest in;
  in.set_since(1'000'000);
  ask(pb::SYNC, in);
  EXPECT_EQ(take(bench.log.lists).query.since_ms, 1'000'000);
}

TEST_F(QueriesTest, SyncAsksWithTheOverlapAndSaysWhatTheStoreSaid) {
  pb::SyncRequest in;
  in.set_since(1'000'000);
  in.set_useq(4);
  const std::uint64_t id = ask(pb::SYNC, in);
  auto list = take(bench.log.lists);
  EXPECT_EQ(list.query.uid, kAlice);
  EXPECT_EQ(list.query.since_ms, 1'000'000 - 120'000);
  EXPECT_EQ(list.query.useq, 4U);
  EXPECT_TRUE(list.query.with_events);
  Conversations page;
  page.rows.push_back({.conversation = kPair,
                       .head = Seq{9},
                       .head_ms = 55,
                       .read = Seq{3},
                       .peer_read = Seq{8},
                       .unread = 6,
                       .last = stored(9)});
  page.events.push_back(
      {.useq = Useq{5}, .kind = 1, .conversation = kPair, .seq = Seq{3}, .peer = {}, .on = false});
  page.store_ms = 2'000'000;
  page.useq = Useq{5};
  page.marks = {7, 3};
  page.change_counter = 42;
  list.answer(std::move(page));
  const auto answer = bench.body_of<pb::SyncAnswer>(id);
  ASSERT_EQ(answer.conversations_size(), 1);
  EXPECT_EQ(answer.conversations(0).peer(), kBob.value());
  EXPECT_EQ(answer.conversations(0).unread(), 6U);
  EXPECT_EQ(answer.conversations(0).last().body(), "hi");
  ASSERT_EQ(answer.events_size(), 1);
  EXPECT_EQ(answer.events(0).useq(), 5U);
  EXPECT_EQ(answer.since(), 2'000'000);
  EXPECT_EQ(answer.useq(), 5U);
  EXPECT_EQ(answer.store_epoch(), 7U);
  EXPECT_EQ(answer.change_counter(), 42U);
  EXPECT_FALSE(answer.more());
}

TEST_F(QueriesTest, SyncNearTheBeginningComparesEverything) {
  for (const std::int64_t since : {std::int64_t{0}, std::int64_t{-5}, std::int64_t{100},
                                   std::numeric_limits<std::int64_t>::min()}) {
    pb::SyncRequest in;
    in.set_since(since);
    ask(pb::SYNC, in);
    EXPECT_EQ(take(bench.log.lists).query.since_ms, 0);
  }
}

TEST_F(QueriesTest, SyncPagesGoOnAfterTheLastConversation) {
  pb::SyncRequest in;
  in.set_page_after(kPair.to_bytes());
  ask(pb::SYNC, in);
  EXPECT_EQ(bench.log.lists.front().query.page_after, kPair);
  EXPECT_FALSE(bench.log.lists.front().query.with_events);
  in.set_page_after("short");
  EXPECT_EQ(bench.code_of(ask(pb::SYNC, in)), Errc::kMalformedBody);
}

TEST_F(QueriesTest, StoreAwayIsSaidAsSuch) {
  const std::uint64_t id = ask(pb::SYNC, pb::SyncRequest{});
  take(bench.log.lists).fail_with(Errc::kStoreDown);
  EXPECT_EQ(bench.code_of(id), Errc::kStoreDown);
  EXPECT_GT(bench.refusal_of(id).error.retry_after.count(), 0);
  const std::uint64_t lost = ask(pb::SYNC, pb::SyncRequest{});
  take(bench.log.lists).fail_with(Errc::kOutcomeUnknown);
  EXPECT_EQ(bench.code_of(lost), Errc::kUnavailable);
  EXPECT_GT(bench.refusal_of(lost).error.retry_after.count(), 0);
}

TEST_F(QueriesTest, PullGivesTheSlice) {
  pb::PullRequest in;
  in.set_conversation(kPair.to_bytes());
  in.set_from(2);
  in.set_to(9);
  const std::uint64_t id = ask(pb::PULL, in);
  auto pull = take(bench.log.pulls);
  EXPECT_EQ(pull.query.uid, kAlice);
  EXPECT_EQ(pull.query.from, 2U);
  EXPECT_EQ(pull.query.to, 9U);
  pull.answer({.messages = {stored(2), stored(3)}, .head = Seq{9}, .more = true});
  const auto answer = bench.body_of<pb::PullAnswer>(id);
  ASSERT_EQ(answer.messages_size(), 2);
  EXPECT_EQ(answer.messages(1).seq(), 3U);
  EXPECT_EQ(answer.head_seq(), 9U);
  EXPECT_TRUE(answer.more());
}

TEST_F(QueriesTest, CursorBehindTheEndIsToldTheHead) {
  pb::PullRequest in;
  in.set_conversation(kPair.to_bytes());
  in.set_from(11);
  std::uint64_t id = ask(pb::PULL, in);
  take(bench.log.pulls).answer({.messages = {}, .head = Seq{9}});
  EXPECT_EQ(bench.code_of(id), Errc::kCursorAhead);
  EXPECT_EQ(bench.refusal_of(id).head_seq, 9U);
  // head + 1 is up to date.
  in.set_from(10);
  id = ask(pb::PULL, in);
  take(bench.log.pulls).answer({.messages = {}, .head = Seq{9}});
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
}

TEST_F(QueriesTest, RangesAndConversationsAreJudgedBeforeTheStoreIsAsked) {
  pb::PullRequest in;
  in.set_conversation(kPair.to_bytes());
  EXPECT_EQ(bench.code_of(ask(pb::PULL, in)), Errc::kRangeInvalid);
  in.set_from(5);
  in.set_to(4);
  EXPECT_EQ(bench.code_of(ask(pb::PULL, in)), Errc::kRangeInvalid);
  in.set_to(0);
  in.set_conversation(kForeign.to_bytes());
  EXPECT_EQ(bench.code_of(ask(pb::PULL, in)), Errc::kNotMember);
  in.set_conversation(ConversationId{kBob.value(), kAlice.value()}.to_bytes());
  EXPECT_EQ(bench.code_of(ask(pb::PULL, in)), Errc::kNotMember) << "wrong order of the two";
  in.set_conversation(ConversationId::group(Gid{0}).to_bytes());
  EXPECT_EQ(bench.code_of(ask(pb::PULL, in)), Errc::kNotMember) << "no group has this number";
  in.set_conversation("x");
  EXPECT_EQ(bench.code_of(ask(pb::PULL, in)), Errc::kMalformedBody);
  EXPECT_TRUE(bench.log.pulls.empty());
}

TEST_F(QueriesTest, StrangersGetNothingFromAnyConversationCommand) {
  pb::PullRequest pull;
  pull.set_conversation(kPair.to_bytes());
  pull.set_from(1);
  pb::HistoryRequest history;
  history.set_conversation(kPair.to_bytes());
  history.set_last(5);
  pb::ReadRequest read;
  read.set_conversation(kPair.to_bytes());
  read.set_seq(1);
  pb::MessageStateRequest state;
  state.set_conversation(kPair.to_bytes());
  state.set_seq(1);
  const Uid stranger{9};
  EXPECT_EQ(bench.code_of(ask(pb::PULL, pull, stranger)), Errc::kNotMember);
  EXPECT_EQ(bench.code_of(ask(pb::HISTORY, history, stranger)), Errc::kNotMember);
  EXPECT_EQ(bench.code_of(ask(pb::READ, read, stranger)), Errc::kNotMember);
  EXPECT_EQ(bench.code_of(ask(pb::MESSAGE_STATE, state, stranger)), Errc::kNotMember);
}

TEST_F(QueriesTest, HistoryAsksForATailOrARange) {
  pb::HistoryRequest in;
  in.set_conversation(kPair.to_bytes());
  in.set_last(5'000);
  std::uint64_t id = ask(pb::HISTORY, in);
  auto pull = take(bench.log.pulls);
  EXPECT_EQ(pull.query.last, 200U);
  EXPECT_EQ(pull.query.from, 0U);
  pull.answer({.messages = {stored(8), stored(9)}, .head = Seq{9}});
  EXPECT_EQ(bench.body_of<pb::PullAnswer>(id).messages_size(), 2);
  in.set_last(0);
  EXPECT_EQ(bench.code_of(ask(pb::HISTORY, in)), Errc::kRangeInvalid);
  in.set_from(12);
  id = ask(pb::HISTORY, in);
  take(bench.log.pulls).answer({.messages = {}, .head = Seq{9}});
  EXPECT_EQ(bench.code_of(id), Errc::kRangeInvalid);
  EXPECT_EQ(bench.refusal_of(id).head_seq, 9U);
}

TEST_F(QueriesTest, RecentsAreNewestFirstAndBounded) {
  pb::RecentsRequest in;
  EXPECT_EQ(bench.code_of(ask(pb::RECENTS, in)), Errc::kRangeInvalid);
  in.set_limit(201);
  EXPECT_EQ(bench.code_of(ask(pb::RECENTS, in)), Errc::kRangeInvalid);
  in.set_limit(20);
  in.set_before_ms(77);
  const std::uint64_t id = ask(pb::RECENTS, in);
  auto list = take(bench.log.lists);
  EXPECT_TRUE(list.query.newest_first);
  EXPECT_EQ(list.query.before_ms, 77);
  EXPECT_EQ(list.query.limit, 20U);
  Conversations page;
  page.rows.push_back({.conversation = kPair,
                       .head = Seq{1},
                       .unread = 1,
                       .last = stored(1, std::string(1'000, 'x'))});
  list.answer(std::move(page));
  const auto answer = bench.body_of<pb::RecentsAnswer>(id);
  EXPECT_EQ(answer.conversations(0).last().body().size(), 256U);
}

TEST_F(QueriesTest, ReadTellsThePeerAndTheOwnOtherDevices) {
  pb::ReadRequest in;
  in.set_conversation(kPair.to_bytes());
  in.set_seq(6);
  const std::uint64_t id = ask(pb::READ, in);
  auto mark = take(bench.log.marks_asked);
  EXPECT_EQ(mark.query.uid, kAlice);
  EXPECT_EQ(mark.query.seq, Seq{6});
  mark.answer({.read = Seq{6}, .changed = true, .useq = Useq{2}});
  bench.turn();
  EXPECT_EQ(bench.body_of<pb::ReadAnswer>(id).read_seq(), 6U);
  ASSERT_EQ(bench.router.sent.size(), 2U);
  const FakeRouter::Sent& own = bench.router.sent[0];
  EXPECT_EQ(own.delivery.type, pb::READ_MARK);
  ASSERT_EQ(own.targets.size(), 1U);
  EXPECT_EQ(own.targets[0].uid, kAlice);
  EXPECT_EQ(own.targets[0].slots & (1U << 3), 0U);
  const FakeRouter::Sent& peer = bench.router.sent[1];
  EXPECT_EQ(peer.delivery.type, pb::RECEIPT);
  EXPECT_EQ(peer.targets[0].uid, kBob);
  pb::Receipts receipts;
  ASSERT_TRUE(receipts.ParseFromString(peer.delivery.body));
  EXPECT_EQ(receipts.receipts(0).kind(), pb::READ_BY);
  EXPECT_EQ(receipts.receipts(0).up_to_seq(), 6U);
  EXPECT_EQ(receipts.receipts(0).by_uid(), kAlice.value());
}

TEST_F(QueriesTest, ReadThatMovesNothingTellsNobody) {
  pb::ReadRequest in;
  in.set_conversation(kPair.to_bytes());
  in.set_seq(2);
  const std::uint64_t id = ask(pb::READ, in);
  take(bench.log.marks_asked).answer({.read = Seq{6}, .changed = false, .useq = {}});
  bench.turn();
  EXPECT_EQ(bench.body_of<pb::ReadAnswer>(id).read_seq(), 6U);
  EXPECT_TRUE(bench.router.sent.empty());
  in.set_seq(0);
  EXPECT_EQ(bench.code_of(ask(pb::READ, in)), Errc::kRangeInvalid);
}

TEST_F(QueriesTest, MessageStateByIdOrBySeqWithoutTheBody) {
  pb::MessageStateRequest in;
  in.set_conversation(kPair.to_bytes());
  EXPECT_EQ(bench.code_of(ask(pb::MESSAGE_STATE, in)), Errc::kMalformedBody);
  in.set_client_msg_id("short");
  EXPECT_EQ(bench.code_of(ask(pb::MESSAGE_STATE, in)), Errc::kMalformedBody);
  in.set_client_msg_id(message_id(4).to_bytes());
  std::uint64_t id = ask(pb::MESSAGE_STATE, in);
  auto find = take(bench.log.finds);
  EXPECT_EQ(find.query.sender, kAlice) << "ids are looked up among the caller's own";
  EXPECT_EQ(find.query.client_msg_id, message_id(4));
  find.answer({.message = stored(4), .peer_read = Seq{3}});
  const auto answer = bench.body_of<pb::MessageStateAnswer>(id);
  EXPECT_EQ(answer.message().seq(), 4U);
  EXPECT_TRUE(answer.message().body().empty());
  EXPECT_EQ(answer.peer_read_seq(), 3U);
  id = ask(pb::MESSAGE_STATE, in);
  take(bench.log.finds).fail_with(Errc::kMessageNotFound);
  EXPECT_EQ(bench.code_of(id), Errc::kMessageNotFound);
}

TEST_F(QueriesTest, LookUpIsBoundedAndTyped) {
  pb::UserLookupRequest in;
  in.add_uids(2);
  in.add_names("bob");
  in.add_names(std::string(100, 'n'));  // longer than a name can be
  const std::uint64_t id = ask(pb::USER_LOOKUP, in);
  auto find = take(bench.accounts.finds);
  EXPECT_EQ(find.query.names, (std::vector<std::string>{"bob"}));
  find.answer({{.uid = kBob, .name = "bob"}});
  EXPECT_EQ(bench.body_of<pb::UserLookupAnswer>(id).users(0).uid(), 2U);
  for (int i = 0; i < 500; ++i) in.add_uids(static_cast<std::uint64_t>(i) + 1);
  EXPECT_EQ(bench.code_of(ask(pb::USER_LOOKUP, in)), Errc::kRangeInvalid);
  EXPECT_EQ(bench.code_of(ask(pb::USER_LOOKUP, pb::UserLookupRequest{})), Errc::kOk);
  EXPECT_EQ(bench.code_of(bench.ask_as(kAlice, pb::USER_LOOKUP, "\x12\x01\xff")),
            Errc::kInvalidText);
}

TEST_F(QueriesTest, BlockTeachesTheFacts) {
  bench.facts.put(kPair, friendly(1), bench.clock.now());
  pb::BlockRequest in;
  in.set_uid(kBob.value());
  in.set_blocked(true);
  const std::uint64_t id = ask(pb::BLOCK, in);
  auto block = take(bench.relations.blocks);
  EXPECT_EQ(block.query.uid, kAlice);
  EXPECT_EQ(block.query.peer, kBob);
  PairFacts facts = friendly(2);
  facts.a_blocks_b = true;
  block.answer(facts);
  EXPECT_EQ(bench.code_of(id), Errc::kOk);
  pb::SendRequest send;
  send.set_client_msg_id(message_id(1).to_bytes());
  send.set_to_uid(kAlice.value());
  send.set_kind(1);
  const std::uint64_t refused = ask(pb::SEND, send, kBob);
  take(bench.relations.opens).answer(facts);
  take(bench.log.finds).fail_with(Errc::kMessageNotFound);
  EXPECT_EQ(bench.code_of(refused), Errc::kBlocked);
  in.set_uid(kAlice.value());
  EXPECT_EQ(bench.code_of(ask(pb::BLOCK, in)), Errc::kSelfSend);
  in.set_uid(0);
  EXPECT_EQ(bench.code_of(ask(pb::BLOCK, in)), Errc::kUnknownUser);
}

TEST_F(QueriesTest, PingsOfOneTurnAreOneQuestion) {
  const std::uint64_t a = bench.forward(pb::PING, {}, bench.session_of(kAlice));
  SessionInfo bob = bench.session_of(kBob);
  bench.grants.give(bob, kEntry, ConnId{78}, bench.now_s());
  RequestContext context;
  context.stream = 1;
  context.entry = kEntry;
  context.conn = ConnId{78};
  context.forward_id = 99;
  context.type = pb::PING;
  context.session = bob;
  context.arrival = bench.clock.now();
  context.deadline = bench.clock.now() + Millis{3'000};
  bench.dispatcher.dispatch(context, {});
  bench.turn();
  ASSERT_EQ(bench.log.counters.size(), 1U);
  take(bench.log.counters).answer({5, 6});
  EXPECT_EQ(bench.body_of<pb::PingAnswer>(a).change_counter(), 5U);
  EXPECT_EQ(bench.body_of<pb::PingAnswer>(99).change_counter(), 6U);
}

TEST_F(QueriesTest, PingTellsModeAndPollInterval) {
  std::uint64_t id = ask(pb::PING, pb::PingRequest{});
  take(bench.log.counters).answer({1});
  EXPECT_EQ(bench.body_of<pb::PingAnswer>(id).poll_ms(), 0U);
  EXPECT_EQ(bench.body_of<pb::PingAnswer>(id).store_mode(), 0U);
  bench.router.ready = {false, false};
  bench.log.is_store_up = false;
  id = ask(pb::PING, pb::PingRequest{});
  take(bench.log.counters).fail_with(Errc::kStoreDown);
  const auto answer = bench.body_of<pb::PingAnswer>(id);
  EXPECT_GE(answer.poll_ms(), 5'000U);
  EXPECT_LE(answer.poll_ms(), 15'000U);
  EXPECT_EQ(answer.store_mode(), 1U);
  EXPECT_EQ(answer.change_counter(), 0U);
}

}  // namespace
}  // namespace hy::logic::test
