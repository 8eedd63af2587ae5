#include "logic/rpc/das_client.h"

#include <gtest/gtest.h>

#include "logic/rpc/das_codec.h"
#include "tests/support/fake_ports.h"
#include "tests/support/fake_stream.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::das::v1;
using Stream = hy::test::FakeStream<pb::DataBatch>;

struct DasClientTest : ::testing::Test {
  DasClientTest() {
    for (std::size_t i = 0; i < 2; ++i) up(i);
  }
  void up(std::size_t peer, bool store_up = true) {
    streams[peer] = std::make_unique<Stream>();
    client.on_up(peer, streams[peer]->stream());
    pb::DataAnswerBatch hello;
    hello.mutable_hello()->set_role("das");
    hello.set_store_up(store_up);
    hello.set_store_epoch(4);
    hello.set_clock_steps(2);
    client.on_batch(peer, hello);
  }
  void append(ConversationId conversation = {1, 2}, std::string body = "x") {
    auto request = std::make_shared<AppendRequest>();
    request->conversation = conversation;
    request->sender = Uid{1};
    request->client_msg_id.bytes.fill(static_cast<std::uint8_t>(++sent));
    request->kind = 1;
    request->body = std::move(body);
    request->member_version = 3;
    request->call = {clock.now() + Millis{3'000}, TraceId{5}};
    client.append(request, [this](Result<Appended> r) { results.push_back(std::move(r)); });
  }
  void answer(std::size_t peer, std::uint64_t id, std::uint64_t seq, Errc code = Errc::kOk) {
    pb::DataAnswerBatch batch;
    pb::AppendAnswer& a = *batch.add_appends();
    a.set_id(id);
    a.set_seq(seq);
    if (code != Errc::kOk) a.mutable_failure()->set_code(static_cast<std::uint32_t>(code));
    client.on_batch(peer, batch);
  }
  void down(std::size_t peer) { client.on_down(peer); }
  /// Which das got the conversation's next append, and the envelope.
  std::pair<std::size_t, pb::Append> taken() {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      pb::DataBatch batch = streams[i]->taken();
      if (batch.appends_size() > 0) return {i, batch.appends(0)};
    }
    ADD_FAILURE() << "nothing was sent";
    return {};
  }
  HandClock clock;
  obs::Registry registry;
  Metrics metrics{registry};
  DasClient client{{"das-a", "das-b"}, clock, metrics, {}};
  std::array<std::unique_ptr<Stream>, 2> streams;
  std::vector<Result<Appended>> results;
  int sent = 0;
};

TEST_F(DasClientTest, AppendCarriesEverythingAndTheAnswerComesBack) {
  append({1, 2}, "body");
  const auto [peer, out] = taken();
  EXPECT_EQ(out.conversation(), (ConversationId{1, 2}.to_bytes()));
  EXPECT_EQ(out.body(), "body");
  EXPECT_EQ(out.member_version(), 3U);
  EXPECT_EQ(out.client_msg_id().size(), 16U);
  EXPECT_EQ(out.payload_hash().size(), 16U);
  EXPECT_TRUE(out.countable());
  EXPECT_EQ(out.trace(), 5U);
  EXPECT_EQ(out.remaining_ms(), 2'000U) << "das gets two seconds of logic's three";
  answer(peer, out.id(), 7);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0]->seq, Seq{7});
  EXPECT_EQ(client.pending(), 0U);
}

TEST_F(DasClientTest, OneConversationKeepsToOneDasAndBothAreUsed) {
  std::array<int, 2> used{};
  for (std::uint64_t n = 2; n < 60; ++n) {
    append({1, n});
    const std::size_t first = taken().first;
    append({1, n});
    EXPECT_EQ(taken().first, first);
    ++used[first];
  }
  EXPECT_GT(used[0], 10);
  EXPECT_GT(used[1], 10);
}

TEST_F(DasClientTest, LostStreamIsRetriedOnceElsewhereInOrder) {
  std::vector<std::string> ids;
  append();
  const auto [peer, out] = taken();
  append();
  append();
  streams[peer]->taken();
  down(peer);
  pb::DataBatch again = streams[1 - peer]->taken();
  ASSERT_EQ(again.appends_size(), 3);
  EXPECT_EQ(again.appends(0).client_msg_id(), out.client_msg_id());
  EXPECT_LT(again.appends(0).id(), again.appends(1).id());
  EXPECT_LT(again.appends(1).id(), again.appends(2).id());
  EXPECT_TRUE(results.empty());
  answer(1 - peer, again.appends(0).id(), 1);
  EXPECT_EQ(results[0]->seq, Seq{1});
  // The second das is lost too: unknown, not refused, not a third try.
  up(peer);
  down(1 - peer);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[1].error().code, Errc::kOutcomeUnknown);
  EXPECT_EQ(results[2].error().code, Errc::kOutcomeUnknown);
  EXPECT_EQ(streams[peer]->taken().appends_size(), 0);
}

TEST_F(DasClientTest, OnlyDasLostMeansUnknown) {
  down(1);
  append();
  streams[0]->taken();
  down(0);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].error().code, Errc::kOutcomeUnknown);
  // Nobody was asked here: this is certain.
  append();
  EXPECT_EQ(results[1].error().code, Errc::kStoreDown);
  EXPECT_FALSE(client.store_up());
  EXPECT_EQ(client.missing(), (std::vector<std::string>{"das-a", "das-b"}));
}

TEST_F(DasClientTest, UnavailableGoesElsewhereRefusalsDoNot) {
  append();
  auto [peer, out] = taken();
  answer(peer, out.id(), 0, Errc::kUnavailable);
  EXPECT_EQ(streams[1 - peer]->taken().appends_size(), 1);
  answer(1 - peer, out.id(), 0, Errc::kUnavailable);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].error().code, Errc::kUnavailable);
  for (const Errc code : {Errc::kConflict, Errc::kGap, Errc::kMembersChanged, Errc::kStoreDown,
                          Errc::kOutcomeUnknown}) {
    append();
    std::tie(peer, out) = taken();
    answer(peer, out.id(), 0, code);
    EXPECT_EQ(results.back().error().code, code);
    EXPECT_EQ(streams[1 - peer]->taken().appends_size(), 0);
  }
}

TEST_F(DasClientTest, AnswerWithoutASeqProvesNothing) {
  append();
  const auto [peer, out] = taken();
  answer(peer, out.id(), 0);
  EXPECT_EQ(results[0].error().code, Errc::kOutcomeUnknown);
}

TEST_F(DasClientTest, SilenceEndsAsUnknownAfterTheDeadline) {
  append();
  const auto [peer, out] = taken();
  clock.advance(Millis{2'000});
  client.tick();
  EXPECT_TRUE(results.empty());
  clock.advance(Millis{400});
  client.tick();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].error().code, Errc::kOutcomeUnknown);
  answer(peer, out.id(), 5);  // too late: nobody waits
  EXPECT_EQ(results.size(), 1U);
}

TEST_F(DasClientTest, SilentDasLosesItsWorkToTheOtherAndComesBackWithASign) {
  append();
  const auto [silent, out] = taken();
  const std::size_t other = 1 - silent;
  clock.advance(Millis{999});
  client.tick();
  EXPECT_EQ(streams[other]->taken().appends_size(), 0);
  clock.advance(Millis{1});
  client.tick();
  const pb::DataBatch moved = streams[other]->taken();
  ASSERT_EQ(moved.appends_size(), 1);
  EXPECT_EQ(moved.appends(0).client_msg_id(), out.client_msg_id());
  EXPECT_EQ(streams[silent]->taken().calls_size(), 1) << "asked for a sign of life";
  append();
  EXPECT_EQ(taken().first, other);
  // A late refusal of the one that was given up decides nothing; a late success does.
  answer(silent, out.id(), 0, Errc::kDeadlineExceeded);
  EXPECT_TRUE(results.empty());
  answer(silent, out.id(), 9);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0]->seq, Seq{9});
  append();
  EXPECT_EQ(taken().first, silent);
}

TEST_F(DasClientTest, OnlyDasSilentMeansStoreDownForNewWorkAndUnknownForOld) {
  down(1);
  append();
  streams[0]->taken();
  clock.advance(Millis{1'100});
  client.tick();
  EXPECT_TRUE(results.empty()) << "the answer may still come";
  EXPECT_FALSE(client.store_up());
  append();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].error().code, Errc::kStoreDown);
  clock.advance(Millis{2'000});
  client.tick();
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[1].error().code, Errc::kOutcomeUnknown);
  pb::DataAnswerBatch sign;
  client.on_batch(0, sign);
  EXPECT_TRUE(client.store_up());
}

TEST_F(DasClientTest, IdleDasIsNotSuspected) {
  clock.advance(std::chrono::hours{1});
  client.tick();
  EXPECT_TRUE(client.store_up());
  append();
  EXPECT_TRUE(results.empty());
}

TEST_F(DasClientTest, DasWithAWorkingStoreIsPreferred) {
  pb::DataAnswerBatch changed;
  changed.set_store_changed(true);
  changed.set_store_up(false);
  client.on_batch(0, changed);
  for (std::uint64_t n = 2; n < 20; ++n) {
    append({1, n});
    EXPECT_EQ(taken().first, 1U);
  }
  EXPECT_TRUE(client.store_up());
  client.on_batch(1, changed);
  EXPECT_FALSE(client.store_up());
  append();
  taken();  // still asked: it says kStoreDown itself
}

TEST_F(DasClientTest, FullQueueIsOverloadAndNotUnknown) {
  streams[0]->set_room(false);
  streams[1]->set_room(false);
  append();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].error().code, Errc::kOverloaded);
  EXPECT_GT(results[0].error().retry_after.count(), 0);
}

TEST_F(DasClientTest, MarksAreLearnt) {
  EXPECT_EQ(client.marks().store_epoch, 4U);
  pb::DataAnswerBatch changed;
  changed.set_store_changed(true);
  changed.set_store_up(true);
  changed.set_store_epoch(5);
  changed.set_clock_steps(2);
  client.on_batch(0, changed);
  EXPECT_EQ(client.marks().store_epoch, 5U);
}

TEST_F(DasClientTest, WhoeverSaysThatItsStoreWorksIsHeard) {
  int heard = 0;
  client.on_store_back([&heard] { ++heard; });
  pb::DataAnswerBatch changed;
  changed.set_store_changed(true);
  changed.set_store_up(false);
  client.on_batch(0, changed);
  EXPECT_EQ(heard, 0);
  changed.set_store_up(true);
  client.on_batch(0, changed);
  EXPECT_EQ(heard, 1);
  // A lane of it had failed for so short a time that nothing was announced.
  client.on_batch(0, changed);
  EXPECT_EQ(heard, 2);
  append();
  const auto [peer, out] = taken();
  answer(peer, out.id(), 7);
  EXPECT_EQ(heard, 2) << "an answer is no announcement";
  down(0);
  up(0);
  EXPECT_EQ(heard, 3) << "a das that comes back with a store that works";
}

TEST_F(DasClientTest, GoodbyeMovesNewWorkAway) {
  pb::DataAnswerBatch goodbye;
  goodbye.mutable_goodbye()->set_code(7004);
  client.on_batch(0, goodbye);
  for (std::uint64_t n = 2; n < 20; ++n) {
    append({1, n});
    EXPECT_EQ(taken().first, 1U);
  }
}

TEST_F(DasClientTest, CallsOfEveryKindFindTheirAnswer) {
  std::optional<Result<Slice>> slice;
  client.pull({.uid = Uid{1}, .conversation = {1, 2}, .from = 1}, {clock.now() + Millis{500}, {}},
              [&](Result<Slice> r) { slice = std::move(r); });
  pb::Call call;
  std::size_t peer = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    pb::DataBatch batch = streams[i]->taken();
    if (batch.calls_size() > 0) {
      call = batch.calls(0);
      peer = i;
    }
  }
  EXPECT_EQ(call.pull().from(), 1U);
  EXPECT_EQ(call.remaining_ms(), 500U);
  pb::DataAnswerBatch batch;
  pb::CallAnswer& a = *batch.add_calls();
  a.set_id(call.id());
  pb::StoredMessage& m = *a.mutable_slice()->add_messages();
  m.set_conversation(ConversationId{1, 2}.to_bytes());
  m.set_client_msg_id(std::string(16, 'i'));
  m.set_seq(1);
  m.set_body("b");
  a.mutable_slice()->set_head_seq(1);
  client.on_batch(peer, batch);
  ASSERT_TRUE(slice && *slice);
  EXPECT_EQ((*slice)->messages[0].body, "b");
}

TEST_F(DasClientTest, BrokenAnswersAreInternalErrorsNotCrashes) {
  std::optional<Result<Found>> found;
  client.find({.uid = Uid{1}, .conversation = {1, 2}, .sender = Uid{1}, .seq = 3},
              {clock.now() + Millis{500}, {}}, [&](Result<Found> r) { found = std::move(r); });
  std::uint64_t id = 0;
  for (auto& stream : streams) {
    const pb::DataBatch batch = stream->taken();
    if (batch.calls_size() > 0) id = batch.calls(0).id();
  }
  pb::DataAnswerBatch batch;
  pb::CallAnswer& a = *batch.add_calls();
  a.set_id(id);
  a.mutable_found_message()->mutable_message()->set_conversation("short");
  client.on_batch(0, batch);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->error().code, Errc::kInternal);

  std::optional<Result<PairFacts>> facts;
  client.open_pair({1, 2}, {clock.now() + Millis{500}, {}},
                   [&](Result<PairFacts> r) { facts = std::move(r); });
  for (auto& stream : streams) {
    const pb::DataBatch open = stream->taken();
    if (open.calls_size() > 0) id = open.calls(0).id();
  }
  pb::DataAnswerBatch wrong;
  wrong.add_calls()->set_id(id);
  wrong.mutable_calls(0)->mutable_done();
  client.on_batch(0, wrong);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->error().code, Errc::kInternal);
}

TEST_F(DasClientTest, BlockFactsAreTurnedToTheConversationsOrder) {
  std::optional<Result<PairFacts>> facts;
  client.set_block(Uid{9}, Uid{2}, true, {clock.now() + Millis{500}, {}},
                   [&](Result<PairFacts> r) { facts = std::move(r); });
  std::uint64_t id = 0;
  for (auto& stream : streams) {
    const pb::DataBatch batch = stream->taken();
    if (batch.calls_size() > 0) id = batch.calls(0).id();
  }
  pb::DataAnswerBatch batch;
  batch.add_calls()->set_id(id);
  pb::PairFacts& said = *batch.mutable_calls(0)->mutable_pair_facts();
  said.set_a_exists(true);
  said.set_b_exists(true);
  said.set_a_blocks_b(true);  // 9 blocks 2
  client.on_batch(0, batch);
  ASSERT_TRUE(facts && *facts);
  EXPECT_TRUE((*facts)->b_blocks_a) << "9 is b of the pair (2, 9)";
  EXPECT_FALSE((*facts)->a_blocks_b);
}

}  // namespace
}  // namespace hy::logic::test
