#include "das/rpc/logic_service.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include <unistd.h>

#include "das/lane/workers.h"
#include "hy/client/v1/group.pb.h"
#include "tests/unit/das/fake_engine.h"

namespace hy::das {
namespace {

namespace pb = hy::das::v1;
using fake::Fault;
using fake::item;

class NoMetrics final : public ServiceMetrics {
 public:
  void append_answered(Errc) override {}
  void call_answered(Errc) override {}
  void streams(std::size_t) override {}
};

class NoLaneObserver final : public LaneObserver {
 public:
  void lane_works(std::size_t) override {}
  void lane_failed(std::size_t, const Error&) override {}
  void batch_done(std::size_t, bool, std::size_t, std::size_t, std::chrono::nanoseconds) override {}
  void waited(std::chrono::nanoseconds) override {}
  void stamped(std::int64_t) override {}
  void resolved(std::size_t) override {}
  Status look(std::size_t, StoreSession&) override { return {}; }
};

/// A logic: collects what das says.
class Logic final : public rpc::ClientEvents<pb::DataBatch, pb::DataAnswerBatch> {
 public:
  explicit Logic(std::string role) : role_(std::move(role)) {}
  void on_up(rpc::Stream<pb::DataBatch> up) override {
    stream = up;
    hy::common::v1::Hello& mine = *up.next().mutable_hello();
    mine.set_role(role_);
    mine.set_name("logic-a");
    mine.set_version_low(1);
    mine.set_version_high(3);
    up.queued(16);
  }
  void on_batch(pb::DataAnswerBatch& batch) override {
    {
      const std::scoped_lock guard(mutex);
      if (batch.has_hello()) hello = batch;
      if (batch.has_goodbye()) goodbye = batch.goodbye().code();
      if (batch.store_changed()) {
        ++store_changes;
        store_up = batch.store_up();
      }
      for (const auto& answer : batch.appends()) appends[answer.id()] = answer;
      for (const auto& answer : batch.calls()) calls[answer.id()] = answer;
    }
    changed.notify_all();
  }
  void on_down(const std::string&) override {
    {
      const std::scoped_lock guard(mutex);
      ++downs;
    }
    changed.notify_all();
  }
  template <class What>
  bool wait(What&& what) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), what);
  }

  rpc::Stream<pb::DataBatch> stream;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<pb::DataAnswerBatch> hello;
  std::map<std::uint64_t, pb::AppendAnswer> appends;
  std::map<std::uint64_t, pb::CallAnswer> calls;
  std::uint32_t goodbye = 0;
  int store_changes = 0;
  bool store_up = false;
  int downs = 0;

 private:
  std::string role_;
};

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override { begin("logic"); }
  void TearDown() override {
    client_->stop();
    workers_->stop();
    server_->shutdown();
    loop_.stop();
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void begin(const std::string& role) {
    std::string folder = (std::filesystem::temp_directory_path() / "hy-das-rpc-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    logic_ = std::make_unique<Logic>(role);
    state_.store_epoch = 77;
    workers_ = std::make_unique<Workers>(
        WorkerOptions{}, engine_, clock_, [] { return std::make_unique<SeededRandom>(1); },
        observer_,
        [this](Completion done) {
          loop_.post(
              [this, done = std::move(done)]() mutable { service_->complete(std::move(done)); });
        });
    service_ = std::make_unique<LogicService>(LogicService::Options{"das-a", 5}, loop_, *workers_,
                                              CallContext{engine_.cache(), state_}, metrics_);
    rpc::ServerOptions options;
    options.listen = {"unix:" + folder_ + "/das.sock"};
    server_ = std::make_unique<rpc::Server>(loop_, options);
    server_->serve_with<LogicService::StreamHandler, pb::DataAnswerBatch>(
        "/hy.das.v1.LogicStream/Data", {"logic"},
        [this](rpc::Stream<pb::DataAnswerBatch> stream) { return service_->make(stream); });
    ASSERT_TRUE(server_->start().has_value());
    rpc::ClientOptions dial;
    dial.target = options.listen.front();
    dial.method = "/hy.das.v1.LogicStream/Data";
    client_ = std::make_unique<rpc::Client>(loop_, dial, *logic_);
    thread_ = std::thread([this] { loop_.run(); });
    workers_->start();
    client_->start();
    ASSERT_TRUE(logic_->wait([&] { return logic_->hello.has_value(); }));
  }

  void send(std::function<void(pb::DataBatch&)> fill) {
    loop_.post([this, fill = std::move(fill)] {
      fill(logic_->stream.next());
      logic_->stream.queued(100);
    });
  }
  static void add_append(pb::DataBatch& batch, std::uint64_t id, const AppendItem& from,
                         std::uint32_t remaining_ms = 5'000) {
    pb::Append& out = *batch.add_appends();
    out.set_id(id);
    out.set_conversation(from.conv.to_bytes());
    out.set_sender(from.sender.value());
    out.set_client_msg_id(from.client_msg_id.to_bytes());
    out.set_payload_hash(std::string(as_text(from.payload_hash)));
    out.set_member_version(1);
    out.set_remaining_ms(remaining_ms);
  }

  std::string folder_;
  SystemClock clock_;
  fake::Store store_;
  fake::FakeEngine engine_{store_};
  StoreState state_;
  NoMetrics metrics_;
  NoLaneObserver observer_;
  rpc::Loop loop_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<LogicService> service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<Logic> logic_;
  std::unique_ptr<rpc::Client> client_;
  std::thread thread_;
};

TEST_F(ServiceTest, TheHelloSaysWhoItIsAndHowTheStoreIs) {
  EXPECT_EQ(logic_->hello->hello().role(), "das");
  EXPECT_EQ(logic_->hello->hello().name(), "das-a");
  EXPECT_FALSE(logic_->hello->store_up()) << "not before a lane has written";
  EXPECT_EQ(logic_->hello->store_epoch(), 77U);
  loop_.post([&] { service_->set_store_up(true); });
  EXPECT_TRUE(logic_->wait([&] { return logic_->store_changes == 1 && logic_->store_up; }));
}

TEST_F(ServiceTest, AppendsAndCallsAreAnsweredEachByItsId) {
  send([](pb::DataBatch& batch) {
    for (std::uint64_t i = 1; i <= 200; ++i) add_append(batch, 1'000 + i, item(i));
    add_append(batch, 5, item(1));
    batch.mutable_appends(200)->set_dyed(true);
    pb::Call& call = *batch.add_calls();
    call.set_id(9);
    call.mutable_open_pair()->set_a(1);
    call.mutable_open_pair()->set_b(2);
    pb::Call& counters = *batch.add_calls();
    counters.set_id(10);
    counters.mutable_change_counters()->add_uids(1);
    pb::Call& read = *batch.add_calls();
    read.set_id(11);
    read.mutable_mark_read()->set_uid(1);
    read.mutable_mark_read()->set_conversation(item(1).conv.to_bytes());
    read.mutable_mark_read()->set_seq(4);
  });
  ASSERT_TRUE(
      logic_->wait([&] { return logic_->appends.size() == 201 && logic_->calls.size() == 3; }));
  for (std::uint64_t i = 1; i <= 200; ++i) EXPECT_EQ(logic_->appends[1'000 + i].seq(), i);
  EXPECT_EQ(logic_->appends[5].seq(), 1U);
  EXPECT_TRUE(logic_->appends[5].repeat());
  EXPECT_GT(logic_->appends[5].batch(), 0U) << "dyed: how it was batched";
  EXPECT_EQ(logic_->calls[9].pair_facts().member_version(), 1U);
  EXPECT_EQ(logic_->calls[10].change_counters().values(0), 9U);
  EXPECT_EQ(logic_->calls[10].change_counters().store_epoch(), 77U);
  EXPECT_TRUE(logic_->calls[11].read_marked().changed());
  EXPECT_EQ(engine_.fake_cache().users.size(), 1U) << "the reader's change counter moved";
}

TEST_F(ServiceTest, WhatIsMalformedIsRefusedAloneAndTheRestGoesOn) {
  send([](pb::DataBatch& batch) {
    add_append(batch, 1, item(1));
    batch.mutable_appends(0)->set_client_msg_id("short");
    add_append(batch, 2, item(2));
    batch.add_calls()->set_id(3);
    pb::Call& pull = *batch.add_calls();
    pull.set_id(4);
    pull.mutable_pull()->set_uid(0);
    pb::Call& self = *batch.add_calls();
    self.set_id(5);
    self.mutable_open_pair()->set_a(7);
    self.mutable_open_pair()->set_b(7);
  });
  ASSERT_TRUE(
      logic_->wait([&] { return logic_->appends.size() == 2 && logic_->calls.size() == 3; }));
  EXPECT_EQ(logic_->appends[1].failure().code(), 1009U);
  EXPECT_EQ(logic_->appends[2].seq(), 1U);
  EXPECT_EQ(logic_->calls[3].failure().code(), 1008U);
  EXPECT_EQ(logic_->calls[4].failure().code(), 1009U);
  EXPECT_EQ(logic_->calls[5].failure().code(), 1009U);
}

TEST_F(ServiceTest, GroupsAreMadeOpenedAndChanged) {
  {
    const std::scoped_lock guard(store_.mutex);
    store_.groups_overloaded = 2;
  }
  send([](pb::DataBatch& batch) {
    pb::Call& create = *batch.add_calls();
    create.set_id(1);
    create.mutable_create_group()->set_owner(7);
    create.mutable_create_group()->set_name("friends");
    create.mutable_create_group()->add_members(8);
    create.mutable_create_group()->set_creation_id("0123456789abcdef");
    create.mutable_create_group()->set_members_max(500);
  });
  ASSERT_TRUE(logic_->wait([&] { return logic_->calls.size() == 1; }));
  const pb::GroupChanged& made = logic_->calls[1].group_changed();
  EXPECT_EQ(made.facts().gid(), 5U) << "a deadlock is tried again";
  EXPECT_EQ(made.facts().name(), "friends");
  ASSERT_EQ(made.facts().members_size(), 2);
  EXPECT_TRUE(made.facts().members(0).owner());
  EXPECT_EQ(made.facts().members(1).uid(), 8U);
  EXPECT_EQ(made.facts().members(1).join_seq(), 1U);
  EXPECT_EQ(made.event().seq(), 1U);
  EXPECT_EQ(made.event().kind(), 3U);
  hy::client::v1::GroupEvent event;
  ASSERT_TRUE(event.ParseFromString(made.event().body()));
  EXPECT_EQ(event.created(), "friends");
  EXPECT_EQ(event.added(0), 8U);
  EXPECT_EQ(event.owner(), 7U);
  EXPECT_EQ(engine_.fake_cache().users, (std::vector{Uid{7}, Uid{8}}));
  send([](pb::DataBatch& batch) {
    pb::Call& open = *batch.add_calls();
    open.set_id(2);
    open.mutable_open_group()->set_gid(5);
    pb::Call& unknown = *batch.add_calls();
    unknown.set_id(3);
    unknown.mutable_open_group()->set_gid(6);
    pb::Call& change = *batch.add_calls();
    change.set_id(4);
    change.mutable_change_group()->set_gid(5);
    change.mutable_change_group()->set_actor(1);
    change.mutable_change_group()->add_remove(2);
    change.mutable_change_group()->add_add(9);
    pb::Call& nothing = *batch.add_calls();
    nothing.set_id(5);
    nothing.mutable_change_group()->set_gid(5);
    nothing.mutable_change_group()->set_actor(1);
    pb::Call& forbidden = *batch.add_calls();
    forbidden.set_id(6);
    forbidden.mutable_change_group()->set_gid(5);
    forbidden.mutable_change_group()->set_actor(2);
    pb::Call& many = *batch.add_calls();
    many.set_id(7);
    many.mutable_change_group()->set_gid(5);
    many.mutable_change_group()->set_actor(1);
    for (std::uint64_t uid = 1; uid <= 513; ++uid) many.mutable_change_group()->add_add(uid);
    pb::Call& no_id = *batch.add_calls();
    no_id.set_id(8);
    no_id.mutable_create_group()->set_owner(7);
    no_id.mutable_create_group()->set_creation_id("short");
  });
  ASSERT_TRUE(logic_->wait([&] { return logic_->calls.size() == 8; }));
  EXPECT_EQ(logic_->calls[2].group_facts().member_version(), 4U);
  EXPECT_EQ(logic_->calls[2].group_facts().members(1).join_seq(), 3U);
  EXPECT_FALSE(logic_->calls[3].has_failure());
  EXPECT_EQ(logic_->calls[3].group_facts().gid(), 0U);
  EXPECT_EQ(logic_->calls[4].group_changed().removed(0), 2U);
  ASSERT_TRUE(event.ParseFromString(logic_->calls[4].group_changed().event().body()));
  EXPECT_EQ(event.added(0), 9U);
  EXPECT_EQ(event.removed(0), 2U);
  EXPECT_FALSE(logic_->calls[5].group_changed().has_event());
  EXPECT_EQ(logic_->calls[6].failure().code(), 4007U);
  EXPECT_EQ(logic_->calls[7].failure().code(), 1009U);
  EXPECT_EQ(logic_->calls[8].failure().code(), 1009U);
}

/// Events ride with the list of SYNC: those whose doings its rows show.
class EventsTest : public ServiceTest {
 protected:
  /// The store's page has the head 7; its events are `events`.
  pb::Conversations sync(std::uint64_t useq, UserEvents events, bool with_events = true) {
    {
      const std::scoped_lock guard(store_.mutex);
      store_.page.store_ms = 1'234;
      store_.page.useq_head = Useq{7};
      store_.events = std::move(events);
      store_.event_reads = 0;
    }
    const std::uint64_t id = ++calls_;
    send([=](pb::DataBatch& batch) {
      pb::Call& call = *batch.add_calls();
      call.set_id(id);
      call.mutable_list_conversations()->set_uid(1);
      call.mutable_list_conversations()->set_useq(useq);
      call.mutable_list_conversations()->set_with_events(with_events);
    });
    EXPECT_TRUE(logic_->wait([&] { return logic_->calls.contains(id); }));
    const std::scoped_lock guard(logic_->mutex);
    EXPECT_EQ(logic_->calls[id].conversations().store_ms(), 1'234);
    return logic_->calls[id].conversations();
  }
  int event_reads() {
    const std::scoped_lock guard(store_.mutex);
    return store_.event_reads;
  }
  static UserEvents events_of(std::uint64_t first, std::uint64_t last, std::uint64_t head) {
    UserEvents out;
    for (std::uint64_t useq = first; useq <= last; ++useq)
      out.events.push_back(
          {Useq{useq}, UserEventKind::kRead, item(1).conv, Seq{useq}, Uid{}, true});
    out.head = Useq{head};
    out.more = last < head;
    return out;
  }

 private:
  std::uint64_t calls_ = 0;
};

TEST_F(EventsTest, ADeviceThatHasThemAllCostsNoReadOfThem) {
  const pb::Conversations page = sync(7, events_of(8, 8, 8));
  EXPECT_EQ(page.useq(), 7U);
  EXPECT_FALSE(page.too_far());
  EXPECT_EQ(page.events_size(), 0);
  EXPECT_EQ(event_reads(), 0);
  EXPECT_EQ(sync(0, events_of(1, 7, 7), false).useq(), 0U) << "a later page of one SYNC";
  EXPECT_EQ(event_reads(), 0);
}

TEST_F(EventsTest, NoneIsToldThatTheRowsMayNotShowYet) {
  pb::Conversations page = sync(5, events_of(6, 9, 9));
  ASSERT_EQ(page.events_size(), 2);
  EXPECT_EQ(page.events(0).useq(), 6U);
  EXPECT_EQ(page.events(1).useq(), 7U);
  EXPECT_EQ(page.useq(), 7U) << "the next SYNC goes on from there";
  page = sync(2, events_of(3, 5, 7));
  ASSERT_EQ(page.events_size(), 3);
  EXPECT_EQ(page.useq(), 5U) << "cut: the others have not been told";
  EXPECT_FALSE(page.too_far());
}

TEST_F(EventsTest, AHoleAndADeviceAheadOfTheStoreAreTooFar) {
  UserEvents hole;
  hole.head = Useq{7};
  hole.too_far = true;
  pb::Conversations page = sync(2, hole);
  EXPECT_TRUE(page.too_far());
  EXPECT_EQ(page.useq(), 7U);
  page = sync(8, events_of(9, 9, 9));
  EXPECT_TRUE(page.too_far());
  EXPECT_EQ(page.useq(), 7U);
  EXPECT_EQ(page.events_size(), 0);
}

TEST_F(ServiceTest, ALostCommitIsAnsweredStored) {
  {
    const std::scoped_lock guard(store_.mutex);
    store_.faults = {Fault::kLostCommit};
  }
  send([](pb::DataBatch& batch) { add_append(batch, 1, item(1)); });
  ASSERT_TRUE(logic_->wait([&] { return logic_->appends.size() == 1; }));
  EXPECT_EQ(logic_->appends[1].seq(), 1U);
}

TEST_F(ServiceTest, AfterGoodbyeNewWorkIsRefusedAndOldWorkIsAnswered) {
  send([](pb::DataBatch& batch) { add_append(batch, 1, item(1)); });
  ASSERT_TRUE(logic_->wait([&] { return logic_->appends.size() == 1; }));
  loop_.post([&] { service_->drain(); });
  ASSERT_TRUE(logic_->wait([&] { return logic_->goodbye == 7004; }));
  send([](pb::DataBatch& batch) {
    add_append(batch, 2, item(2));
    pb::Call& call = *batch.add_calls();
    call.set_id(3);
    call.mutable_open_pair()->set_a(1);
    call.mutable_open_pair()->set_b(2);
  });
  ASSERT_TRUE(
      logic_->wait([&] { return logic_->appends.size() == 2 && logic_->calls.size() == 1; }));
  EXPECT_EQ(logic_->appends[2].failure().code(), 7004U);
  EXPECT_EQ(logic_->calls[3].failure().code(), 7004U);
}

class StrangerTest : public ServiceTest {
 protected:
  void SetUp() override { begin("entry"); }
};

TEST_F(StrangerTest, OnlyALogicMayOpenTheStream) {
  EXPECT_TRUE(logic_->wait([&] { return logic_->downs > 0; }));
  EXPECT_EQ(logic_->goodbye, 4007U);
}

}  // namespace
}  // namespace hy::das
