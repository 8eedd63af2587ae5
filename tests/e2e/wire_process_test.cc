// Daemons that find something wrong when they start: the exit code, the code of the error table and
// the place, as an operator sees them. Exit code 2: a person mends it; 1: it failed; still running:
// it waits for what is missing, and /readyz names it.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <fstream>

#include "client/cli/cluster_layout.h"
#include "client/cli/private_folder.h"
#include "client/cli/private_store.h"
#include "client/cli/process.h"
#include "client/cli/supervisor.h"
#include "common/crypto/system_random.h"
#include "common/http/http_get.h"
#include "common/sqlite/database.h"
#include "gtest/gtest.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
constexpr Millis kEndsWithin{15'000};

}  // namespace

class WireProcess : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/hyproc-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override {
    supervisor_.stop(true);
    fs::remove_all(folder_);
  }

  ClusterLayout lay_out(StoreKind store, const MysqlAccess& mysql = {}) {
    LayoutOptions options{.folder = folder_,
                          .cluster = "wire",
                          .idc = "sh",
                          .store = store,
                          .size = {1, 1, 1, 1},
                          .mysql = mysql,
                          .more_settings = {}};
    auto layout = write_layout(options, ports_, random_);
    EXPECT_TRUE(layout);
    return layout ? *layout : ClusterLayout{};
  }
  static Command command(const ClusterLayout& layout, const std::string& name,
                         const std::vector<std::string>& more = {}) {
    const DaemonPlace& place = *layout.find(name);
    Command out;
    out.argv = {(fs::path(HY_BUILD_DIR) / "bin" / ("hy-" + place.tier)).string()};
    for (const std::string& argument : layout.arguments(place)) out.argv.push_back(argument);
    out.argv.insert(out.argv.end(), more.begin(), more.end());
    return out;
  }
  static Finished ends(const Command& command) {
    auto done = run(command, kEndsWithin);
    EXPECT_TRUE(done) << "it went on running";
    return done ? *done : Finished{};
  }
  Status keep_running(const ClusterLayout& layout, const std::string& name, int wanted_status) {
    ServiceSpec spec;
    spec.name = name;
    spec.command = command(layout, name);
    spec.command.log = folder_ / (name + ".log");
    spec.is_ready = [admin = layout.find(name)->admin, wanted_status, this](std::string& why) {
      const auto answer = http::get(admin, "/readyz", Millis(300));
      why = answer ? answer->body : "no answer";
      last_readyz_ = why;
      return answer && answer->status == wanted_status;
    };
    HY_TRY_VOID(supervisor_.start(std::move(spec)));
    return supervisor_.wait_ready({name}, kEndsWithin);
  }
  void set_version(const fs::path& file, const std::string& sql) {
    auto db = sqlite::Database::open(file, {.create = false});
    ASSERT_TRUE(db);
    const Status done = db->exec(sql);
    ASSERT_TRUE(done) << error_text(done.error().code, done.error().detail);
  }

  fs::path folder_;
  FreePorts ports_;
  crypto::SystemRandom random_;
  std::string last_readyz_;
  Supervisor supervisor_;
};

TEST_F(WireProcess, DuplicateKeyInTheConfiguration) {
  const ClusterLayout layout = lay_out(StoreKind::kEmbedded);
  std::ofstream(layout.config, std::ios::app) << "\n[das]\nengine = \"embedded\"\n";
  for (const char* name : {"das-a", "entry-a", "logic-a", "router-a"}) {
    const Finished done = ends(command(layout, name, {"--check-config"}));
    EXPECT_EQ(done.code, 2) << done.output;
    EXPECT_NE(done.output.find("HY-8003"), std::string::npos) << done.output;
    EXPECT_NE(done.output.find(layout.config.filename().string() + ":"), std::string::npos)
        << "file and line: " << done.output;
  }
}

TEST_F(WireProcess, UnknownKeyNamesItsNeighbour) {
  const ClusterLayout layout = lay_out(StoreKind::kEmbedded);
  const Finished done = ends(command(layout, "entry-a", {"--set", "entry.max_conections=5"}));
  EXPECT_EQ(done.code, 2) << done.output;
  EXPECT_NE(done.output.find("HY-8012"), std::string::npos) << done.output;
  EXPECT_NE(done.output.find("max_connections"), std::string::npos) << done.output;
}

TEST_F(WireProcess, PortInUse) {
  const ClusterLayout layout = lay_out(StoreKind::kEmbedded);
  // 200 or 503: it serves its port either way.
  const Status first = keep_running(layout, "entry-a", 503);
  ASSERT_TRUE(first) << last_readyz_;
  const Finished second = ends(command(layout, "entry-a", {"--set", "entry.admin=off"}));
  EXPECT_EQ(second.code, 2) << second.output;
  EXPECT_NE(second.output.find("HY-8041"), std::string::npos) << second.output;
}

TEST_F(WireProcess, SecondDasOnTheSameFile) {
  const ClusterLayout layout = lay_out(StoreKind::kEmbedded);
  const Status first = keep_running(layout, "das-a", 200);
  ASSERT_TRUE(first) << last_readyz_;
  const Finished second = ends(command(layout, "das-a", {"--set", "das.admin=off"}));
  EXPECT_EQ(second.code, 2) << second.output;
  EXPECT_NE(second.output.find("HY-5203"), std::string::npos) << second.output;
}

TEST_F(WireProcess, SchemaTooNew) {
  const ClusterLayout layout = lay_out(StoreKind::kEmbedded);
  ASSERT_EQ(ends(command(layout, "das-a", {"--schema", "apply"})).code, 0);
  set_version(folder_ / "data" / "hongyan.db",
              "INSERT INTO schema_version SELECT max(version) + 1, 'from the future', 1 FROM "
              "schema_version");
  const Finished done = ends(command(layout, "das-a"));
  EXPECT_EQ(done.code, 2) << done.output;
  EXPECT_NE(done.output.find("HY-5202"), std::string::npos) << done.output;
}

TEST_F(WireProcess, SchemaChangedByAnotherHand) {
  const ClusterLayout layout = lay_out(StoreKind::kEmbedded);
  ASSERT_EQ(ends(command(layout, "das-a", {"--schema", "apply"})).code, 0);
  set_version(folder_ / "data" / "hongyan.db", "UPDATE schema_version SET sha256 = 'other'");
  const Finished done = ends(command(layout, "das-a"));
  EXPECT_EQ(done.code, 2) << done.output;
  EXPECT_NE(done.output.find("HY-5204"), std::string::npos) << done.output;
}

TEST_F(WireProcess, AnotherProgramsFileIsLeftAlone) {
  const ClusterLayout layout = lay_out(StoreKind::kEmbedded);
  const fs::path file = folder_ / "data" / "hongyan.db";
  const std::string notes = "somebody's notes, not a database at all\n";
  std::ofstream(file) << notes;
  // A damaged file is a store that is down: the daemon says so and serves nobody.
  const Status waiting = keep_running(layout, "das-a", 503);
  ASSERT_TRUE(waiting) << last_readyz_;
  EXPECT_NE(last_readyz_.find("store"), std::string::npos) << last_readyz_;
  EXPECT_EQ(*read_file(file), notes);
}

TEST_F(WireProcess, MysqlSchemaTooOldAndStoreThatComesLate) {
  if (const std::string apt = missing_store_packages(); !apt.empty()) GTEST_SKIP() << apt;
  auto store = prepare_private_store(folder_ / "store", random_);
  ASSERT_TRUE(store);
  const ClusterLayout layout =
      lay_out(StoreKind::kMysql, {store->mysql_socket, store->redis_socket, store->mysql_user,
                                  store->mysql_database, store->mysql_password_file});
  // Nobody listens on the socket: it waits, says what is missing, and serves nobody.
  const Status waiting = keep_running(layout, "das-a", 503);
  ASSERT_TRUE(waiting) << last_readyz_;
  EXPECT_NE(last_readyz_.find("store"), std::string::npos) << last_readyz_;
  ASSERT_TRUE(supervisor_.hold("das-a"));

  for (ServiceSpec& spec : store->services) ASSERT_TRUE(supervisor_.start(spec));
  ASSERT_TRUE(supervisor_.wait_ready({"mariadb", "redis"}, Millis(30'000)));
  const Finished old = ends(command(layout, "das-a", {"--set", "das.admin=off"}));
  EXPECT_EQ(old.code, 2) << old.output;
  EXPECT_NE(old.output.find("HY-5201"), std::string::npos) << old.output;
  ASSERT_EQ(ends(command(layout, "das-a", {"--schema", "apply"})).code, 0);

  // Again without the server, which comes while das is running: no restart is needed.
  ASSERT_TRUE(supervisor_.hold("mariadb"));
  ASSERT_TRUE(supervisor_.release("das-a"));
  ASSERT_TRUE(supervisor_.wait_ready({"das-a"}, kEndsWithin)) << last_readyz_;
  ASSERT_TRUE(supervisor_.release("mariadb"));
  int status = 0;
  for (int i = 0; i < 200 && status != 200; ++i) {
    ASSERT_TRUE(supervisor_.wait_ready({"mariadb"}, kEndsWithin));
    const auto answer = http::get(layout.find("das-a")->admin, "/readyz", Millis(300));
    status = answer ? answer->status : 0;
    if (status != 200) ::usleep(50'000);  // between two questions
  }
  EXPECT_EQ(status, 200);
  EXPECT_EQ(supervisor_.starts("das-a"), 2) << "it was not restarted in between";
}

}  // namespace hy::cli
