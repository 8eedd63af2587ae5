#include "common/sqlite/gather_vfs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/sqlite/database.h"

namespace hy::sqlite {
namespace {

namespace fs = std::filesystem;

class GatherVfs : public testing::Test {
 protected:
  GatherVfs() {
    std::string name = (fs::temp_directory_path() / "hy-gather-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~GatherVfs() override {
    std::error_code ec;
    fs::remove_all(folder_, ec);
  }

  [[nodiscard]] Database writer(bool gathers = true) const {
    OpenOptions options;
    options.manual_checkpoint = true;
    options.gather_writes = gathers;
    auto db = Database::open(folder_ / "a.db", options);
    EXPECT_TRUE(db.has_value());
    EXPECT_TRUE(db->exec("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB)"));
    return std::move(*db);
  }
  /// Rows from..to-1 of about a page each, in one transaction.
  static void add(Database& db, int from, int to) {
    auto transaction = Transaction::begin(db);
    ASSERT_TRUE(transaction.has_value());
    insert(db, from, to);
    ASSERT_TRUE(transaction->commit().has_value());
  }
  static void insert(Database& db, int from, int to) {
    auto statement = db.prepare("INSERT INTO t VALUES (?1, ?2)");
    ASSERT_TRUE(statement.has_value());
    for (int n = from; n < to; ++n) {
      const std::string body(4'000, static_cast<char>('a' + n % 26));
      statement->bind(1, n).bind_blob_in_place(2, body);
      ASSERT_TRUE(statement->run().has_value());
    }
  }
  /// Rows that another connection, of the default layer, finds whole in `file`.
  static std::int64_t rows_in(const fs::path& file) {
    auto db = Database::open(file);
    EXPECT_TRUE(db.has_value());
    EXPECT_EQ(db->query_text("PRAGMA integrity_check")->value_or("?"), "ok");
    EXPECT_EQ(db->query_integer("SELECT count(*) FROM t WHERE length(b) <> 4000 OR "
                                "substr(b, 1, 1) <> CAST(char(97 + n % 26) AS BLOB) OR "
                                "substr(b, 4000) <> CAST(char(97 + n % 26) AS BLOB)")
                  ->value_or(-1),
              0);
    return db->query_integer("SELECT count(*) FROM t")->value_or(-1);
  }
  /// What a machine that stopped now would leave.
  [[nodiscard]] fs::path copy(const std::string& name) const {
    for (const char* suffix : {"", "-wal"}) {
      const fs::path from = folder_ / ("a.db" + std::string(suffix));
      if (fs::exists(from))
        fs::copy_file(from, folder_ / (name + suffix), fs::copy_options::overwrite_existing);
    }
    return folder_ / name;
  }
  static std::uint64_t write_calls() {
    std::ifstream in("/proc/self/io");
    std::string name;
    std::uint64_t value = 0;
    while (in >> name >> value)
      if (name == "syscw:") return value;
    return 0;
  }

  fs::path folder_;
};

TEST_F(GatherVfs, EachCommitIsWholeOnDiskAndSeenByOthersAtOnce) {
  Database db = writer();
  for (int round = 1; round <= 20; ++round) {
    add(db, (round - 1) * 7, round * 7);
    EXPECT_EQ(rows_in(copy("b.db")), round * 7) << "nothing may be held after COMMIT";
    auto other = Database::open(folder_ / "a.db", {.read_only = true});
    ASSERT_TRUE(other.has_value());
    EXPECT_EQ(other->query_integer("SELECT count(*) FROM t")->value_or(-1), round * 7);
    if (round % 5 == 0) {
      ASSERT_TRUE(db.checkpoint(round % 10 == 0).has_value());
      EXPECT_EQ(rows_in(copy("b.db")), round * 7) << "nor after a checkpoint";
    }
  }
}

TEST_F(GatherVfs, ATransactionThatSpilledAndWasRolledBackLeavesNothing) {
  Database db = writer();
  ASSERT_TRUE(db.exec("PRAGMA cache_size = 10").has_value());
  add(db, 0, 5);
  {
    auto transaction = Transaction::begin(db);
    ASSERT_TRUE(transaction.has_value());
    insert(db, 100, 400);
    // Pages that were written out are read back while they may still be held.
    EXPECT_EQ(db.query_integer("SELECT count(*) FROM t WHERE length(b) = 4000")->value_or(0), 305);
    EXPECT_EQ(rows_in(copy("b.db")), 5);
    transaction->rollback();
  }
  EXPECT_EQ(rows_in(copy("b.db")), 5);
  add(db, 5, 50);
  EXPECT_EQ(rows_in(copy("b.db")), 50);
  EXPECT_EQ(rows_in(folder_ / "a.db"), 50);
}

TEST_F(GatherVfs, ATransactionOfManyPagesIsAHandfulOfSystemCalls) {
  {
    Database plain = writer(false);
    const std::uint64_t before = write_calls();
    add(plain, 0, 200);
    EXPECT_GT(write_calls() - before, 400U);
  }
  Database db = writer();
  const std::uint64_t before = write_calls();
  add(db, 200, 400);
  EXPECT_LT(write_calls() - before, 30U);
}

}  // namespace
}  // namespace hy::sqlite
