#include "das/app.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

#include "common/base/ids.h"
#include "common/http/http_get.h"
#include "das/config.h"
#include "das/engines/embedded/migrations.h"

/// hy-das as a whole, in this process, over the embedded engine and a Unix socket.
namespace hy::das {
namespace {

namespace pb = hy::das::v1;

class Logic final : public rpc::ClientEvents<pb::DataBatch, pb::DataAnswerBatch> {
 public:
  void on_up(rpc::Stream<pb::DataBatch> up) override {
    stream = up;
    up.next().mutable_hello()->set_role("logic");
    up.next().mutable_hello()->set_version_low(1);
    up.next().mutable_hello()->set_version_high(1);
    up.queued(16);
  }
  void on_batch(pb::DataAnswerBatch& batch) override {
    {
      const std::scoped_lock guard(mutex);
      if (batch.has_hello() || batch.store_changed()) store_up = batch.store_up();
      for (const auto& answer : batch.appends()) appends[answer.id()] = answer;
      for (const auto& answer : batch.calls()) calls[answer.id()] = answer;
    }
    changed.notify_all();
  }
  void on_down(const std::string&) override {}
  template <class What>
  bool wait(What&& what) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), what);
  }

  rpc::Stream<pb::DataBatch> stream;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, pb::AppendAnswer> appends;
  std::map<std::uint64_t, pb::CallAnswer> calls;
  std::optional<bool> store_up;
};

class AppTest : public testing::Test {
 protected:
  AppTest() {
    std::string folder = (std::filesystem::temp_directory_path() / "hy-das-app-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    std::ofstream(folder_ + "/hongyan.toml") << "[host]\nidc = \"sh\"\ndata = \"data\"\n"
                                             << "[das]\nadmin = \"127.0.0.1:0\"\n";
    std::ofstream(folder_ + "/topology.toml")
        << "version = 1\ncluster = \"test\"\n[idc.sh]\nentry = [\"unix:/e\"]\nlogic = "
           "[\"unix:/l\"]\n"
        << "router = [\"unix:/r\"]\ndas = [\"unix:" << folder_ << "/das.sock\"]\n";
  }
  ~AppTest() override {
    std::error_code ec;
    std::filesystem::remove_all(folder_, ec);
  }

  config::Start parse() {
    const std::string file = folder_ + "/hongyan.toml";
    const char* argv[] = {"hy-das", "--config", file.c_str(), "--name", "a"};
    std::ostringstream out;
    std::ostringstream err;
    auto start = config::start_from_command_line(daemon_spec(), 5, argv, {}, out, err);
    EXPECT_TRUE(start.has_value()) << err.str();
    return start.value_or(config::Start{});
  }
  void dial() {
    rpc::ClientOptions options;
    options.target = "unix:" + folder_ + "/das.sock";
    options.method = "/hy.das.v1.LogicStream/Data";
    client_ = std::make_unique<rpc::Client>(loop_, options, logic_);
    thread_ = std::thread([this] { loop_.run(); });
    client_->start();
  }
  void hang_up() {
    client_->stop();
    loop_.stop();
    thread_.join();
  }
  void send(std::function<void(pb::DataBatch&)> fill) {
    loop_.post([this, fill = std::move(fill)] {
      fill(logic_.stream.next());
      logic_.stream.queued(100);
    });
  }
  /// The answer to append `id` of message `number`.
  pb::AppendAnswer append(std::uint64_t id, std::uint64_t number) {
    send([id, number](pb::DataBatch& batch) {
      pb::Append& out = *batch.add_appends();
      out.set_id(id);
      out.set_conversation(ConversationId::pair(Uid{1}, Uid{2}).to_bytes());
      out.set_sender(1);
      std::string key(16, '\0');
      put_be(reinterpret_cast<std::uint8_t*>(key.data()), number);
      out.set_client_msg_id(key);
      out.set_payload_hash(key);
      out.set_member_version(1);
      out.set_remaining_ms(1'000);
    });
    EXPECT_TRUE(logic_.wait([&] { return logic_.appends.contains(id); }));
    const std::scoped_lock guard(logic_.mutex);
    return logic_.appends[id];
  }
  void make_pair() {
    send([](pb::DataBatch& batch) {
      pb::Call& create = *batch.add_calls();
      create.set_id(1);
      create.mutable_create_accounts()->add_accounts()->set_uid(1);
      create.mutable_create_accounts()->add_accounts()->set_uid(2);
    });
    ASSERT_TRUE(logic_.wait([&] { return logic_.calls.contains(1); }));
    send([](pb::DataBatch& batch) {
      pb::Call& open = *batch.add_calls();
      open.set_id(2);
      open.mutable_open_pair()->set_a(1);
      open.mutable_open_pair()->set_b(2);
    });
    ASSERT_TRUE(logic_.wait([&] { return logic_.calls.contains(2); }));
    ASSERT_EQ(logic_.calls[2].pair_facts().member_version(), 1U);
  }

  std::string folder_;
  rpc::Loop loop_;
  Logic logic_;
  std::unique_ptr<rpc::Client> client_;
  std::thread thread_;
};

TEST_F(AppTest, ServesFromAnEmptyFolderAndKeepsEverythingOverARestart) {
  const config::Start start = parse();
  for (std::uint64_t life = 0; life < 2; ++life) {
    App app(start);
    const Status up = app.start();
    ASSERT_TRUE(up.has_value()) << error_text(up.error().code, up.error().detail);
    if (life == 0) dial();
    ASSERT_TRUE(logic_.wait([&] { return logic_.store_up == true; }));
    EXPECT_TRUE(app.missing().empty());
    if (life == 0) make_pair();
    const auto answer = append(100 + life, 100 + life);
    EXPECT_EQ(answer.seq(), life + 1) << answer.failure().detail();
    EXPECT_TRUE(append(200 + life, 100).repeat() || life == 0);
    const auto page =
        http::get("127.0.0.1:" + std::to_string(app.admin_port()), "/metrics", Millis{5'000});
    ASSERT_TRUE(page.has_value());
    EXPECT_NE(page->body.find("hy_das_store_up{store=\"embedded\"} 1"), std::string::npos);
    EXPECT_NE(page->body.find("hy_das_durability_ok 1"), std::string::npos);
    const std::string schema =
        "hy_das_schema_version " + std::to_string(embedded::kMigrations.size());
    EXPECT_NE(page->body.find(schema), std::string::npos);
    {
      const std::scoped_lock guard(logic_.mutex);
      logic_.store_up.reset();
    }
    app.drain();
    EXPECT_EQ(app.missing(), std::vector<std::string>{"draining"});
  }
  hang_up();
}

/// F09, F10: the disk fails under the running das and comes back.
TEST_F(AppTest, ABadDiskIsStoreDownAndItsReturnIsAnnounced) {
  const config::Start start = parse();
  App app(start);
  ASSERT_TRUE(app.start().has_value());
  dial();
  ASSERT_TRUE(logic_.wait([&] { return logic_.store_up == true; }));
  make_pair();
  ASSERT_EQ(append(10, 10).seq(), 1U);

  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit bad{8'192, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &bad);
  const auto lost = append(11, 11);
  EXPECT_EQ(lost.seq(), 0U);
  EXPECT_EQ(lost.failure().code(), static_cast<std::uint32_t>(Errc::kOutcomeUnknown))
      << "a COMMIT that failed is unknown, never refused";
  EXPECT_TRUE(logic_.wait([&] { return logic_.store_up == false; }));
  EXPECT_FALSE(app.missing().empty());
  // At once: one that had waited for the disk would say that its deadline is over.
  EXPECT_EQ(append(12, 12).failure().code(), static_cast<std::uint32_t>(Errc::kStoreDown));
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_TRUE(logic_.wait([&] { return logic_.store_up == true; })) << "back by itself";
  const auto again = append(13, 11);
  const auto other = append(14, 12);
  EXPECT_EQ(again.seq() + other.seq(), 5U) << "2 and 3, no hole, nothing twice";
  hang_up();
  app.drain();
}

TEST_F(AppTest, AStoreThatCannotKeepThePromiseStopsTheStart) {
  const config::Start start = parse();
  App first(start);
  ASSERT_TRUE(first.start().has_value());
  App second(start);
  const Status refused = second.start();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kStoreLocked);
  first.drain();
  std::ostringstream discard;
  auto* const old = std::cout.rdbuf(discard.rdbuf());
  EXPECT_EQ(run_schema(start, "status"), 0);
  EXPECT_EQ(run_schema(start, "apply"), config::kExitFailed)
      << "locked by the first one, which still has the file";
  std::cout.rdbuf(old);
}

}  // namespace
}  // namespace hy::das
