// router_client, entry_service and admin_service over streams without a network.
#include <gtest/gtest.h>

#include "common/wire/refused.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "logic/rpc/admin_service.h"
#include "logic/rpc/entry_service.h"
#include "logic/rpc/router_client.h"
#include "tests/support/fake_stream.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

using hy::test::FakeStream;

struct RouterClientTest : ::testing::Test {
  RouterClientTest() { client.connect(deliverer); }
  void up(std::size_t replica, bool ready) {
    client.on_up(replica, streams[replica].stream());
    router::v1::RouterAnswerBatch hello;
    hello.mutable_hello()->set_role("router");
    hello.set_ready(ready);
    client.on_batch(replica, hello);
  }
  HandClock clock;
  obs::Registry registry;
  Metrics metrics{registry};
  RouterClient client{{"router-a", "router-b"}};
  Deliverer deliverer{client, clock, metrics, {}};
  std::array<FakeStream<router::v1::LogicBatch>, 2> streams;
};

TEST_F(RouterClientTest, ReadyIsWhatTheReplicaSays) {
  EXPECT_FALSE(client.is_up(0));
  up(0, false);
  EXPECT_TRUE(client.is_up(0));
  EXPECT_FALSE(client.is_ready(0));
  router::v1::RouterAnswerBatch batch;
  batch.set_ready(true);
  batch.set_ready_changed(true);
  client.on_batch(0, batch);
  EXPECT_TRUE(client.is_ready(0));
  client.on_batch(0, *std::make_unique<router::v1::RouterAnswerBatch>());
  EXPECT_TRUE(client.is_ready(0)) << "a batch without the mark says nothing about it";
  streams[0].set_room(false);
  EXPECT_FALSE(client.is_up(0));
  streams[0].set_room(true);
  client.on_down(0);
  EXPECT_FALSE(client.is_up(0));
  EXPECT_EQ(client.missing(), (std::vector<std::string>{"router-a", "router-b"}));
}

TEST_F(RouterClientTest, DeliveryCarriesWhatThePushWindowNeeds) {
  up(0, true);
  Delivery d;
  d.type = 0x4001;
  d.body = "push";
  d.conversation = {1, 2};
  d.seq = Seq{8};
  d.sender = Uid{1};
  d.targets = {{Uid{2}, 0}, {Uid{1}, 6}};
  d.numbered = true;
  d.deadline = clock.now() + Millis{2'000};
  deliverer.deliver(std::move(d));
  const auto batch = streams[0].taken();
  ASSERT_EQ(batch.delivers_size(), 1);
  const auto& out = batch.delivers(0);
  EXPECT_EQ(out.conversation(), (ConversationId{1, 2}.to_bytes()));
  EXPECT_EQ(out.seq(), 8U);
  EXPECT_EQ(out.sender(), 1U);
  EXPECT_EQ(out.targets(1).slots(), 6U);
  EXPECT_TRUE(out.numbered());
  EXPECT_EQ(out.remaining_ms(), 2'000U);
  router::v1::RouterAnswerBatch results;
  auto& r = *results.add_results();
  r.set_id(out.id());
  r.add_results()->set_uid(2);
  r.mutable_results(0)->set_result(99);  // of a newer router: counts as unknown
  client.on_batch(0, results);
  EXPECT_EQ(deliverer.pending(), 1U);
}

TEST_F(RouterClientTest, OutcomesOfSeveralDeliveriesAreToldApart) {
  up(0, true);
  const auto deliver = [this](Targets targets) {
    Delivery d;
    d.conversation = {1, 2};
    d.targets = std::move(targets);
    d.deadline = clock.now() + Millis{2'000};
    deliverer.deliver(std::move(d));
    return streams[0].taken().delivers(0).id();
  };
  const std::uint64_t one = deliver({{Uid{2}, 0}, {Uid{1}, 6}});
  const std::uint64_t two = deliver({{Uid{4}, 0}});
  router::v1::RouterAnswerBatch batch;
  const auto add = [&batch](std::uint64_t id, std::uint64_t uid, std::uint64_t slot,
                            DeliverResult result) {
    const auto last = slot << 3U | static_cast<std::uint64_t>(result);
    for (const std::uint64_t n : {id, uid, last}) batch.add_outcomes(n);
  };
  add(one, 1, 0, DeliverResult::kGone);
  add(two, 4, 1, DeliverResult::kWritten);
  client.on_batch(0, batch);
  EXPECT_EQ(deliverer.pending(), 1U) << "the first still waits for its receiver";
  batch.Clear();
  add(one, 2, 3, DeliverResult::kWritten);
  batch.add_outcomes(one);  // cut off: no outcome
  client.on_batch(0, batch);
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(RouterClientTest, UnknownOutcomeIsTriedAtTheOtherReplicaForItsSlotAlone) {
  up(0, true);
  Delivery d;
  d.targets = {{Uid{2}, 0}};
  d.deadline = clock.now() + Millis{2'000};
  deliverer.deliver(std::move(d));
  const std::uint64_t id = streams[0].taken().delivers(0).id();
  up(1, true);
  router::v1::RouterAnswerBatch batch;
  for (const std::uint64_t n : {id, std::uint64_t{2}, std::uint64_t{3U << 3U | 7U}}) {
    batch.add_outcomes(n);  // 7: of a newer router, counts as unknown
  }
  client.on_batch(0, batch);
  const auto again = streams[1].taken();
  ASSERT_EQ(again.delivers_size(), 1);
  EXPECT_EQ(again.delivers(0).targets(0).slots(), 1U << 3U);
}

TEST_F(RouterClientTest, EveryoneGoesAsPlainNumbersAndTheirResultsAreCounted) {
  up(0, true);
  Delivery d;
  d.conversation = ConversationId::group(Gid{7});
  d.targets = {{Uid{1}, 6}};
  d.everyone = std::make_shared<const std::vector<Uid>>(std::vector<Uid>{Uid{1}, Uid{2}, Uid{3}});
  d.no_receipt = true;
  d.deadline = clock.now() + Millis{2'000};
  deliverer.deliver(std::move(d));
  const auto sent = streams[0].taken();
  ASSERT_EQ(sent.delivers_size(), 1);
  const auto& out = sent.delivers(0);
  EXPECT_EQ(out.everyone_size(), 3);
  EXPECT_EQ(out.everyone(2), 3U);
  EXPECT_EQ(out.targets_size(), 1);
  EXPECT_TRUE(out.brief());
  EXPECT_TRUE(out.no_receipt());
  router::v1::RouterAnswerBatch batch;
  const auto add = [&](std::uint64_t uid, std::uint64_t high, DeliverResult result) {
    const auto last = high << 3U | static_cast<std::uint64_t>(result);
    for (const std::uint64_t n : {out.id(), uid, last}) batch.add_outcomes(n);
  };
  add(0, 3, DeliverResult::kNone);
  add(0, 1, DeliverResult::kGone);
  client.on_batch(0, batch);
  EXPECT_EQ(deliverer.pending(), 1U);
  batch.Clear();
  add(0, 2, DeliverResult::kWritten);
  client.on_batch(0, batch);
  EXPECT_EQ(deliverer.pending(), 0U);
}

TEST_F(RouterClientTest, KicksGoToEveryReplica) {
  up(0, true);
  up(1, false);
  client.kick({.uid = Uid{1}, .slot = Slot::kPhone, .below_auth_epoch = 5, .reason = "pad"});
  for (auto& stream : streams) {
    const auto batch = stream.taken();
    ASSERT_EQ(batch.kicks_size(), 1);
    EXPECT_EQ(batch.kicks(0).below_auth_epoch(), 5U);
    EXPECT_EQ(batch.kicks(0).code(), 2043U);
    EXPECT_EQ(batch.kicks(0).reason(), "pad");
  }
}

struct EntryServiceTest : ::testing::Test {
  EntryServiceTest() {
    service.connect(dispatcher, bench.receipts);
    handler = service.make_handler(stream.stream());
  }
  ~EntryServiceTest() override { bench.fifo.close(); }
  void hello(std::string role = "entry", std::uint32_t version = 1, std::uint32_t id = 1) {
    logic::v1::EntryBatch batch;
    batch.mutable_hello()->set_role(std::move(role));
    batch.mutable_hello()->set_name("entry-a");
    batch.mutable_hello()->set_entry_id(id);
    batch.mutable_hello()->set_version_low(version);
    batch.mutable_hello()->set_version_high(version);
    handler->on_batch(batch);
  }
  void ping(std::uint64_t id) {
    logic::v1::EntryBatch batch;
    auto& f = *batch.add_forwards();
    f.set_id(id);
    f.set_conn(kConn.value());
    f.set_type(client::v1::PING);
    f.set_request_id(12);
    const SessionInfo s = bench.session_of(kAlice);
    f.mutable_session()->set_uid(s.uid.value());
    f.mutable_session()->set_slot(static_cast<std::uint32_t>(s.slot));
    f.mutable_session()->set_auth_epoch(s.auth_epoch);
    f.mutable_session()->set_conn_counter(s.conn_counter);
    f.mutable_session()->set_grant_expires_s(s.grant_expires_s);
    f.mutable_session()->set_grant(s.grant.data(), s.grant.size());
    f.set_remaining_ms(5'000);
    handler->on_batch(batch);
    bench.turn();
  }
  LogicBench bench;
  EntryService service{bench.clock, bench.metrics, {"logic-a", 1}};
  Dispatcher dispatcher{
      {service, bench.grants, bench.rates, bench.fence, bench.fifo, bench.clock, bench.metrics},
      {bench.login, bench.ping, bench.send_message, bench.read, bench.message_state, bench.sync,
       bench.pull, bench.history, bench.recents, bench.user_lookup, bench.block,
       bench.group_commands},
      {}};
  FakeStream<logic::v1::LogicBatch> stream;
  std::unique_ptr<rpc::Handler<EntryService::Out, EntryService::In>> handler;
};

TEST_F(EntryServiceTest, SaysHelloFirst) {
  const auto batch = stream.taken();
  EXPECT_EQ(batch.hello().role(), "logic");
  EXPECT_EQ(batch.hello().name(), "logic-a");
}

TEST_F(EntryServiceTest, ForwardIsAnsweredUnderItsNumbers) {
  hello();
  stream.taken();
  ping(41);
  EXPECT_EQ(service.in_flight(), 1U);
  auto question = take(bench.log.counters);
  question.answer({3});
  const auto batch = stream.taken();
  ASSERT_EQ(batch.replies_size(), 1);
  const auto& reply = batch.replies(0);
  EXPECT_EQ(reply.id(), 41U);
  EXPECT_EQ(reply.conn(), kConn.value());
  EXPECT_EQ(reply.request_id(), 12U);
  EXPECT_EQ(reply.type(), client::v1::PING | 0x8000U);
  EXPECT_EQ(reply.flags(), 0U);
  client::v1::PingAnswer body;
  ASSERT_TRUE(body.ParseFromString(reply.body()));
  EXPECT_EQ(body.change_counter(), 3U);
  EXPECT_EQ(service.in_flight(), 0U);
}

TEST_F(EntryServiceTest, RefusalCarriesFlagCodeAndBody) {
  hello();
  stream.taken();
  logic::v1::EntryBatch batch;
  batch.add_forwards()->set_type(0x0777);
  handler->on_batch(batch);
  const auto out = stream.taken();
  ASSERT_EQ(out.replies_size(), 1);
  EXPECT_EQ(out.replies(0).flags(), 0x0004U);
  EXPECT_EQ(out.replies(0).refused_code(), 1008U);
  EXPECT_EQ(wire::decode_refused(as_bytes(out.replies(0).body()))->error.code,
            Errc::kUnknownCommand);
}

TEST_F(EntryServiceTest, WithoutAnEntrysHelloNothingIsTaken) {
  ping(1);
  EXPECT_TRUE(stream.is_closed());
  EXPECT_TRUE(bench.log.counters.empty());
}

TEST_F(EntryServiceTest, OtherRolesVersionsAndNumbersAreSentAway) {
  hello("router");
  EXPECT_TRUE(stream.is_closed());
  for (const auto& [version, id] : {std::pair{2U, 1U}, std::pair{1U, 0U}, std::pair{1U, 70'000U}}) {
    FakeStream<logic::v1::LogicBatch> other;
    handler = service.make_handler(other.stream());
    hello("entry", version, id);
    EXPECT_TRUE(other.is_closed());
    handler.reset();
  }
}

TEST_F(EntryServiceTest, EntryUnderAnothersNameIsSentAway) {
  stream.set_peer({.role = "entry", .name = "a", .address = {}, .authenticated = true});
  hello();
  EXPECT_FALSE(stream.is_closed());
  FakeStream<logic::v1::LogicBatch> other;
  other.set_peer({.role = "entry", .name = "b", .address = {}, .authenticated = true});
  const auto first = std::exchange(handler, service.make_handler(other.stream()));
  hello();
  EXPECT_TRUE(other.is_closed());
}

TEST_F(EntryServiceTest, AnswerForAStreamThatEndedIsDropped) {
  hello();
  ping(1);
  handler->on_close("lost");
  handler.reset();
  stream.taken();
  take(bench.log.counters).answer({3});
  EXPECT_EQ(stream.taken().replies_size(), 0);
  EXPECT_EQ(service.in_flight(), 0U);
  EXPECT_EQ(service.streams(), 0U);
}

TEST_F(EntryServiceTest, ConfirmationBecomesAReceipt) {
  hello();
  logic::v1::EntryBatch batch;
  auto& confirm = *batch.add_confirms();
  confirm.set_uid(kBob.value());
  confirm.set_slot(1);
  confirm.set_conversation(kPair.to_bytes());
  confirm.set_seq(4);
  confirm.set_sender(kAlice.value());
  batch.add_confirms()->set_conversation("broken");
  handler->on_batch(batch);
  bench.turn();
  ASSERT_EQ(bench.router.sent.size(), 1U);
  EXPECT_EQ(bench.router.sent[0].targets[0].uid, kAlice);
}

TEST_F(EntryServiceTest, GoodbyeIsSaidOnEveryStream) {
  hello();
  service.say_goodbye();
  EXPECT_EQ(stream.taken().goodbye().code(), 7004U);
}

struct AdminServiceTest : ::testing::Test {
  AdminServiceTest() { handler = service.make_handler(stream.stream()); }
  logic::v1::AdminAnswer ask(logic::v1::AdminCall call, std::string token = std::string(32, 'o')) {
    send(std::move(call), std::move(token));
    return answer();
  }
  void send(logic::v1::AdminCall call, std::string token = std::string(32, 'o')) {
    stream.taken();
    logic::v1::AdminBatch batch;
    batch.set_operator_token(std::move(token));
    call.set_id(++last);
    *batch.add_calls() = std::move(call);
    handler->on_batch(batch);
    bench.turn();
  }
  logic::v1::AdminAnswer answer() {
    const auto batch = stream.taken();
    if (batch.answers_size() != 1) return {};
    EXPECT_EQ(batch.answers(0).id(), last);
    return batch.answers(0);
  }
  LogicBench bench;
  AdminService service{{bench.accounts, bench.passwords, bench.router, bench.fence, bench.tokens,
                        bench.trace, bench.clock, bench.metrics},
                       {.instance = "logic-a", .operator_token = Secret(std::string(32, 'o'))}};
  FakeStream<logic::v1::AdminAnswerBatch> stream;
  std::unique_ptr<rpc::Handler<AdminService::Out, AdminService::In>> handler;
  std::uint64_t last = 0;
};

TEST_F(AdminServiceTest, WithoutTheOperatorsTokenEverythingIsForbidden) {
  logic::v1::AdminCall call;
  call.mutable_add_users()->add_users()->set_name("eve");
  for (const std::string& token : {std::string{}, std::string(32, 'x'), std::string(31, 'o')}) {
    FakeStream<logic::v1::AdminAnswerBatch> other;
    auto session = service.make_handler(other.stream());
    logic::v1::AdminBatch batch;
    batch.set_operator_token(token);
    *batch.add_calls() = call;
    session->on_batch(batch);
    EXPECT_EQ(other.taken().answers(0).failure().code(), 4007U);
    EXPECT_TRUE(other.is_closed());
  }
  EXPECT_TRUE(bench.accounts.creates.empty());
}

TEST_F(AdminServiceTest, ProofHoldsForTheStream) {
  logic::v1::AdminCall call;
  call.mutable_find_users()->add_names("bob");
  send(call);
  take(bench.accounts.finds).answer({{.uid = kBob, .name = "bob"}});
  EXPECT_EQ(answer().users().users(0).uid(), kBob.value());
  send(call, "");
  EXPECT_EQ(bench.accounts.finds.size(), 1U);
}

TEST_F(AdminServiceTest, UsersAreCheckedHashedAndMade) {
  logic::v1::AdminCall call;
  const auto add = [&call](const std::string& name, const std::string& password) {
    auto& user = *call.mutable_add_users()->add_users();
    user.set_name(name);
    user.set_password(password);
  };
  add("alice", "correct horse");
  add("bad\nname", "");
  add("carol", "short");
  add("dave", "");
  send(call);
  ASSERT_EQ(bench.passwords.hashes.size(), 1U);
  EXPECT_EQ(bench.passwords.hashes.front().query, "correct horse");
  EXPECT_TRUE(bench.accounts.creates.empty());
  take(bench.passwords.hashes).answer(Secret("$phc"));
  auto create = take(bench.accounts.creates);
  ASSERT_EQ(create.query.size(), 2U);
  EXPECT_EQ(create.query[0].password_phc.reveal(), "$phc");
  EXPECT_TRUE(create.query[1].password_phc.empty());
  create.answer({{.uid = Uid{10}, .name = "alice"},
                 {.uid = {}, .name = "dave", .failure = {Errc::kNameTaken, {}, {}}}});
  const auto users = answer().users();
  ASSERT_EQ(users.users_size(), 4);
  EXPECT_EQ(users.users(0).uid(), 10U);
  EXPECT_FALSE(users.users(0).has_failure());
  EXPECT_EQ(users.users(1).failure().code(), 4006U);
  EXPECT_EQ(users.users(2).failure().code(), 2046U);
  EXPECT_EQ(users.users(3).failure().code(), 4005U);
}

TEST_F(AdminServiceTest, ImportOf500WithoutPasswordsIsOneCall) {
  logic::v1::AdminCall call;
  for (int i = 0; i < 500; ++i) {
    call.mutable_add_users()->add_users()->set_name("u" + std::to_string(i));
  }
  send(call);
  ASSERT_EQ(bench.accounts.creates.size(), 1U);
  EXPECT_EQ(bench.accounts.creates.front().query.size(), 500U);
  call.mutable_add_users()->add_users()->set_name("one more");
  EXPECT_EQ(ask(call).failure().code(), 3005U);
}

TEST_F(AdminServiceTest, TokensOpenSessions) {
  logic::v1::AdminCall call;
  auto& make = *call.mutable_make_tokens();
  make.add_uids(1);
  make.add_uids(2);
  make.set_slot(3);
  make.set_device_id("load-%u");
  make.set_life_s(3'600);
  bench.accounts.epochs[{kBob, Slot::kDesktop}] = 0;  // no such user
  const auto tokens = ask(call).tokens();
  ASSERT_EQ(tokens.tokens_size(), 2);
  EXPECT_TRUE(bench.tokens.check(tokens.tokens(0), Slot::kDesktop, "load-1", bench.now_s()));
  EXPECT_FALSE(bench.tokens.check(tokens.tokens(0), Slot::kDesktop, "load-2", bench.now_s()));
  EXPECT_TRUE(tokens.tokens(1).empty());
  make.set_life_s(0);
  EXPECT_EQ(ask(call).failure().code(), 3005U);
  make.set_life_s(60);
  make.set_slot(9);
  EXPECT_EQ(ask(call).failure().code(), 3005U);
}

TEST_F(AdminServiceTest, RevocationFencesAndKicks) {
  const SlotKey key{kAlice, Slot::kDesktop};
  bench.fence.learn(key, 1);
  bench.accounts.epochs[key] = 2;
  logic::v1::AdminCall call;
  call.mutable_revoke_user()->set_uid(kAlice.value());
  call.mutable_revoke_user()->set_slot(3);
  send(call);
  take(bench.accounts.revokes).answer(true);
  bench.turn();
  EXPECT_FALSE(answer().has_failure());
  ASSERT_EQ(bench.router.kicks.size(), 1U);
  EXPECT_EQ(bench.router.kicks[0].below_auth_epoch, 2U);
  EXPECT_EQ(bench.router.kicks[0].code, Errc::kRevoked);
  const std::uint64_t id = bench.ask_as(kAlice, client::v1::PING, {});
  EXPECT_EQ(bench.code_of(id), Errc::kStaleSession);
}

TEST_F(AdminServiceTest, TraceShowsTheRungsOfOneMessage) {
  const auto ref = bench.trace.begin(message_id(9), kPair, TraceId{1}, true, bench.clock.now());
  bench.clock.advance(Millis{2});
  bench.trace.stored(ref, Seq{4}, bench.clock.now());
  logic::v1::AdminCall call;
  call.mutable_trace()->set_client_msg_id_hex(message_id(9).to_hex());
  const auto rungs = ask(call).trace();
  ASSERT_EQ(rungs.rungs_size(), 2);
  EXPECT_EQ(rungs.rungs(0).hop(), "logic-a");
  EXPECT_EQ(rungs.rungs(0).what(), "received");
  EXPECT_EQ(rungs.rungs(1).at_us(), 2'000);
  EXPECT_EQ(rungs.rungs(1).note(), "seq 4");
  call.mutable_trace()->set_client_msg_id_hex("zz");
  EXPECT_EQ(ask(call).failure().code(), 1009U);
  call.mutable_trace()->set_client_msg_id_hex(message_id(1).to_hex());
  EXPECT_EQ(ask(call).failure().code(), 3004U);
  call.mutable_trace()->clear_client_msg_id_hex();
  call.mutable_trace()->set_conversation(kPair.to_bytes());
  call.mutable_trace()->set_seq(4);
  EXPECT_EQ(ask(call).trace().rungs_size(), 2);
}

TEST_F(AdminServiceTest, AnswerAfterTheStreamEndedIsDropped) {
  logic::v1::AdminCall call;
  call.mutable_find_users()->add_names("bob");
  send(call);
  handler->on_close("gone");
  handler.reset();
  take(bench.accounts.finds).answer({});
  EXPECT_EQ(stream.taken().answers_size(), 0);
}

}  // namespace
}  // namespace hy::logic::test
