#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>

#include "client/cli/private_folder.h"
#include "common/base/error.h"
#include "common/sqlite/database.h"
#include "das/engines/mysql/connection.h"
#include "tests/cluster/chaos/fleet.h"
#include "tests/cluster/chaos/rig.h"

/// The rows that a chaos round reads out of a real store are really compared: what is planted in
/// the store itself, behind the daemons' back, is found under the right name. The checkers' own
/// plants (tests/judge) are made in memory and say nothing of the reading.
namespace hy::chaos {
namespace {

constexpr double kRate = 60;
constexpr std::chrono::milliseconds kTalk{2'500};
constexpr std::chrono::seconds kSettledWithin{30};

struct Plant {
  std::string_view name;
  std::string_view checker;
  const char* sql;   ///< both engines take it
  const char* undo;  ///< "": the last one
};
constexpr Plant kPlants[] = {
    {"members who left before it was written", "C-ACL", "UPDATE user_conv SET leave_seq = 1",
     "UPDATE user_conv SET leave_seq = 0"},
    {"members who joined after it was written", "C-ACL", "UPDATE user_conv SET join_seq = 1000000",
     "UPDATE user_conv SET join_seq = 0"},
    {"a head ahead of the rows", "C-AGREE", "UPDATE conversation SET head_seq = head_seq + 1",
     "UPDATE conversation SET head_seq = head_seq - 1"},
    {"a row that is gone", "C-LOSS", "DELETE FROM message WHERE seq = 2", ""},
};

class PlantedRows : public testing::TestWithParam<cli::StoreKind> {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    char pattern[] = "/tmp/hy-planted-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    RigOptions options;
    options.folder = folder_;
    options.programs = std::string(HY_BUILD_DIR) + "/bin";
    options.store = GetParam();
    options.size = {1, 1, 2, 1};
    auto rig = Rig::start(options);
    ASSERT_TRUE(rig.has_value()) << error_text(rig.error().code, rig.error().detail);
    rig_ = std::move(*rig);
    std::filesystem::create_directory(folder_ / "people");
  }
  void TearDown() override {
    rig_.reset();
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] bool is_mysql() const { return GetParam() == cli::StoreKind::kMysql; }

  void talk() {
    Fleet fleet(journal_, folder_ / "people");
    const Status in = fleet.sign_in(rig_->cluster(), 2);
    ASSERT_TRUE(in.has_value()) << in.error().detail;
    fleet.start_talking(kRate, 1);
    std::this_thread::sleep_for(kTalk);  // the load itself
    fleet.stop_talking();
    const auto until = Clock::now() + kSettledWithin;
    while (!journal_.is_settled() && Clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_TRUE(journal_.is_settled());
    ASSERT_TRUE(fleet.sync_all().has_value());
    fleet.leave();
    for (const std::string& name : rig_->daemons())
      ASSERT_TRUE(rig_->cluster().supervisor().hold(name, SIGKILL).has_value());
  }

  Status run_sql(const char* text) {
    if (!is_mysql()) {
      HY_TRY(sqlite::Database db,
             sqlite::Database::open(folder_ / "data" / "hongyan.db", {.create = false}));
      return db.exec(text);
    }
    HY_TRY(std::string password, cli::read_file(folder_ / "store" / "mysql.password"));
    while (password.ends_with('\n')) password.pop_back();
    const das::mysql::ConnectOptions options{
        .address = "unix:" + (folder_ / "store" / "s.sock").string(),
        .user = "hongyan",
        .password = Secret(password),
        .database = "hongyan"};
    HY_TRY(auto connection, das::mysql::Connection::open(options, das::mysql::Use::kWrite));
    return das::mysql::guarded(*connection, [&]() -> Status {
      connection->exec(text);
      return {};
    });
  }

  judge::Verdict verdict() {
    const auto rows =
        is_mysql() ? read_mysql(folder_ / "store") : read_embedded(folder_ / "data" / "hongyan.db");
    EXPECT_TRUE(rows.has_value());
    return rows ? verdict_of(journal_, *rows) : judge::Verdict{};
  }

  void expect_found(const Plant& plant) {
    const Status planted = run_sql(plant.sql);
    ASSERT_TRUE(planted.has_value()) << plant.name << ": " << planted.error().detail;
    const judge::Verdict found = verdict();
    EXPECT_TRUE(found.missing.empty()) << plant.name << "\n" << found.text(3);
    EXPECT_TRUE(std::ranges::any_of(
        found.violations(), [&](const judge::Violation& v) { return v.checker == plant.checker; }))
        << plant.name << " is not found by " << plant.checker << "\n"
        << found.text(3);
    if (plant.undo[0] == '\0') return;
    ASSERT_TRUE(run_sql(plant.undo).has_value());
    EXPECT_EQ(verdict().outcome(), judge::Outcome::kClean) << plant.name << ", undone\n"
                                                           << verdict().text(3);
  }

  std::filesystem::path folder_;
  std::unique_ptr<Rig> rig_;
  Journal journal_;
};

TEST_P(PlantedRows, AreFoundInARealStore) {
  talk();
  if (HasFatalFailure()) return;
  const judge::Verdict clean = verdict();
  ASSERT_EQ(clean.outcome(), judge::Outcome::kClean) << clean.text(3);
  for (const judge::Report& report : clean.reports) {
    if (report.checker == "C-ACL") EXPECT_GE(report.looked_at, 100U) << "C-ACL has no evidence";
  }
  for (const Plant& plant : kPlants) expect_found(plant);
}

INSTANTIATE_TEST_SUITE_P(Engines, PlantedRows,
                         testing::Values(cli::StoreKind::kEmbedded, cli::StoreKind::kMysql),
                         [](const auto& p) { return std::string(cli::store_kind_name(p.param)); });

}  // namespace
}  // namespace hy::chaos
