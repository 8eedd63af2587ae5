#include "router/app.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/flow/placement_digest.h"
#include "common/http/http_get.h"

namespace hy::router::testing {
namespace {

bool eventually(const std::function<bool()>& condition, int limit_ms = 30'000) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Two routers of one group as their mains build them, on Unix sockets.
class Group {
 public:
  Group() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hy-router-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    std::ofstream(dir_ / "hongyan.toml") << "[host]\nidc = \"sh\"\n[router]\nadmin = "
                                            "\"127.0.0.1:0\"\n";
    std::ofstream(dir_ / "topology.toml")
        << "version = 7\ncluster = \"demo\"\n[idc.sh]\nentry = [\"127.0.0.1:14000\"]\n"
        << "logic = [\"127.0.0.1:14100\"]\nrouter = [\"" << address("a") << "\", \"" << address("b")
        << "\"]\ndas = [\"127.0.0.1:14300\"]\n";
  }
  ~Group() { std::filesystem::remove_all(dir_); }
  [[nodiscard]] std::string address(const std::string& name) const {
    return "unix:" + (dir_ / ("router-" + name + ".sock")).string();
  }
  [[nodiscard]] config::Start start(const std::string& name) const {
    const std::string file = (dir_ / "hongyan.toml").string();
    const std::vector<const char*> argv = {"hy-router", "--config", file.c_str(), "--name",
                                           name.c_str()};
    auto start =
        config::start_from_command_line(daemon_spec(), static_cast<int>(argv.size()), argv.data());
    EXPECT_TRUE(start);
    return *start;
  }

 private:
  std::filesystem::path dir_;
};

struct Router {
  Router(const Group& group, const std::string& name)
      : start(group.start(name)), app(start, *read_config(start)) {
    EXPECT_TRUE(app.start());
  }
  [[nodiscard]] std::string get(const std::string& path) const {
    const auto answer =
        http::get("127.0.0.1:" + std::to_string(app.admin_port()), path, Millis{2'000});
    return answer ? answer->body : "";
  }
  config::Start start;
  App app;
};

/// An entry as far as one replica sees it: fixed rows, dumps when asked.
class FakeEntry final : public rpc::ClientEvents<v1::EntryBatch, v1::RouterBatch> {
 public:
  FakeEntry(rpc::Loop& loop, const std::string& target, std::uint64_t incarnation,
            std::uint64_t topology_version = 7)
      : incarnation_(incarnation),
        topology_version_(topology_version),
        client_(loop, {.target = target, .method = EntryService::kMethod}, *this) {
    digest_.add({Uid{1}, Slot::kPhone, {1, 1}, ConnId{11}});
    client_.start();
  }
  ~FakeEntry() { client_.stop(); }

  void on_up(rpc::Stream<v1::EntryBatch> stream) override {
    stream_ = stream;
    v1::EntryBatch& out = stream_.next();
    out.mutable_hello()->set_role("entry");
    out.mutable_hello()->set_entry_id(1);
    out.mutable_hello()->set_incarnation(incarnation_);
    out.mutable_hello()->set_topology_version(topology_version_);
    out.mutable_hello()->set_version_low(1);
    out.mutable_hello()->set_version_high(1);
    out.set_digest_key(digest_.key());
    out.set_first_op_held(1);
    stream_.queued(64);
  }
  void on_batch(v1::RouterBatch& in) override {
    if (in.need_snapshot()) dump();
    if (in.bad_incarnation_known() > 0) bad_incarnation = in.bad_incarnation_known();
    if (in.has_goodbye()) goodbye = in.goodbye().code();
    if (in.digests_wanted()) ++digests_wanted;
    acked = std::max<std::uint64_t>(acked, in.acked_op());
    for (const v1::Forward& forward : in.forwards()) {
      {
        const std::lock_guard lock(mutex_);
        body_ = forward.body();
      }
      auto& outcomes = *stream_.next().mutable_outcomes();
      for (const std::uint64_t conn : forward.conns()) {
        outcomes.Add(forward.id());
        outcomes.Add(conn);
        outcomes.Add(v1::WRITTEN);
      }
      stream_.queued(32);
    }
  }
  void on_down(const std::string&) override { stream_ = {}; }

  void beat(rpc::Loop& loop) {
    loop.post([this] {
      if (!stream_) return;
      v1::Heartbeat& beat = *stream_.next().mutable_heartbeat();
      beat.set_incarnation(incarnation_);
      beat.set_last_op(5);
      beat.set_rows(1);
      beat.set_digest_root(digest_.root());
      stream_.queued(32);
    });
  }
  [[nodiscard]] std::string body() {
    const std::lock_guard lock(mutex_);
    return body_;
  }

  std::atomic<std::uint64_t> acked = 0;
  std::atomic<std::uint64_t> bad_incarnation = 0;
  std::atomic<std::uint32_t> goodbye = 0;
  std::atomic<int> digests_wanted = 0;

 private:
  void dump() {
    v1::Snapshot& part = *stream_.next().add_snapshots();
    v1::Row& row = *part.add_rows();
    row.set_uid(1);
    row.set_slot(1);
    row.set_auth_epoch(1);
    row.set_conn_counter(1);
    row.set_conn(11);
    part.set_end(true);
    part.set_last_op(5);
    stream_.queued(64);
  }

  std::uint64_t incarnation_;
  std::uint64_t topology_version_;
  flow::PlacementDigest digest_{0xABCD};
  rpc::Stream<v1::EntryBatch> stream_;
  std::mutex mutex_;
  std::string body_;
  rpc::Client client_;
};

class FakeLogic final : public rpc::ClientEvents<v1::LogicBatch, v1::RouterAnswerBatch> {
 public:
  FakeLogic(rpc::Loop& loop, const std::string& target)
      : client_(loop, {.target = target, .method = LogicService::kMethod}, *this) {
    client_.start();
  }
  ~FakeLogic() { client_.stop(); }
  void on_up(rpc::Stream<v1::LogicBatch> stream) override {
    stream_ = stream;
    stream_.next().mutable_hello()->set_role("logic");
    stream_.next().mutable_hello()->set_version_low(1);
    stream_.next().mutable_hello()->set_version_high(1);
    stream_.queued(32);
  }
  void on_batch(v1::RouterAnswerBatch& in) override {
    if (in.has_hello()) ++hellos;
    if (in.has_hello() || in.ready_changed()) ready = in.ready();
    if (in.has_goodbye()) goodbye = in.goodbye().code();
    EXPECT_EQ(in.outcomes_size() % 3, 0);
    for (int i = 0; i + 3 <= in.outcomes_size(); i += 3) {
      last_id = in.outcomes(i);
      last_result = static_cast<std::uint32_t>(in.outcomes(i + 2) & 7U);
    }
  }
  void on_down(const std::string&) override { stream_ = {}; }
  void deliver(rpc::Loop& loop, std::uint64_t id, std::uint64_t uid, const std::string& body) {
    loop.post([this, id, uid, body] {
      if (!stream_) return;
      v1::Deliver& out = *stream_.next().add_delivers();
      out.set_id(id);
      out.set_body(body);
      out.set_remaining_ms(1'000);
      out.add_targets()->set_uid(uid);
      stream_.queued(body.size() + 32);
    });
  }
  std::atomic<int> hellos = 0;
  std::atomic<bool> ready = false;
  std::atomic<std::uint32_t> goodbye = 0;
  std::atomic<std::uint64_t> last_id = 0;
  std::atomic<std::uint32_t> last_result = 0;

 private:
  rpc::Stream<v1::LogicBatch> stream_;
  rpc::Client client_;
};

class RouterApp : public ::testing::Test {
 protected:
  RouterApp() : thread([this] { loop.run(); }) {}
  ~RouterApp() override {
    loop.stop();
    thread.join();
  }
  Group group;
  rpc::Loop loop;
  std::thread thread;
};

TEST_F(RouterApp, TwoReplicasTakeAnEntrysDumpAndDeliver) {
  Router a(group, "a");
  Router b(group, "b");
  EXPECT_EQ(a.app.missing(), std::vector<std::string>{"entry a"});
  EXPECT_NE(a.get("/readyz").find("entry a"), std::string::npos);
  FakeLogic logic(loop, group.address("b"));
  ASSERT_TRUE(eventually([&] { return logic.hellos == 1; }));
  EXPECT_FALSE(logic.ready);

  FakeEntry to_a(loop, group.address("a"), 100);
  FakeEntry to_b(loop, group.address("b"), 100);
  for (const Router* router : {&a, &b}) {
    ASSERT_TRUE(eventually([&] { return router->app.missing().empty(); }));
    EXPECT_NE(router->get("/readyz").find("true"), std::string::npos);
  }
  ASSERT_TRUE(eventually([&] { return logic.ready.load(); })) << "told when it changed";
  EXPECT_TRUE(eventually([&] { return to_a.acked == 5 && to_b.acked == 5; }));

  logic.deliver(loop, 1, 1, "hello");
  ASSERT_TRUE(eventually([&] { return logic.last_id == 1; }));
  EXPECT_EQ(logic.last_result, static_cast<std::uint32_t>(v1::WRITTEN));
  EXPECT_EQ(to_b.body(), "hello");
  logic.deliver(loop, 2, 99, "nobody");
  ASSERT_TRUE(eventually([&] { return logic.last_id == 2; }));
  EXPECT_EQ(logic.last_result, static_cast<std::uint32_t>(v1::GONE));

  to_b.beat(loop);
  EXPECT_TRUE(eventually(
      [&] { return b.get("/metrics").find("hy_router_sessions 1") != std::string::npos; }));
  EXPECT_NE(b.get("/metrics").find("hy_router_digest_mismatch_total 0"), std::string::npos);
  EXPECT_NE(b.get("/metrics").find("hy_router_answers_total{answer=\"found\"} 1"),
            std::string::npos);
  EXPECT_EQ(to_b.digests_wanted, 0);
}

TEST_F(RouterApp, RefusesAnotherTopologyAndAnOlderIncarnation) {
  Router a(group, "a");
  FakeEntry wrong(loop, group.address("a"), 100, 8);
  EXPECT_TRUE(eventually(
      [&] { return wrong.goodbye == static_cast<std::uint32_t>(Errc::kTopologyMismatch); }));
  FakeEntry good(loop, group.address("a"), 100);
  ASSERT_TRUE(eventually([&] { return a.app.missing().empty(); }));
  FakeEntry older(loop, group.address("a"), 99);
  EXPECT_TRUE(eventually([&] { return older.bad_incarnation == 100; }));
}

TEST_F(RouterApp, DrainSaysGoodbyeAndComesBackQuickly) {
  auto a = std::make_unique<Router>(group, "a");
  FakeEntry entry(loop, group.address("a"), 100);
  FakeLogic logic(loop, group.address("a"));
  ASSERT_TRUE(eventually([&] { return a->app.missing().empty() && logic.hellos == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  a->app.drain();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  const auto draining = static_cast<std::uint32_t>(Errc::kDraining);
  EXPECT_TRUE(eventually([&] { return entry.goodbye == draining && logic.goodbye == draining; }));
  EXPECT_EQ(a->app.missing(), std::vector<std::string>{"draining"});
  a.reset();
  // A new life on the same path: everybody is back, and the entry dumps again.
  Router again(group, "a");
  EXPECT_TRUE(eventually([&] { return again.app.missing().empty(); }));
}

}  // namespace
}  // namespace hy::router::testing
