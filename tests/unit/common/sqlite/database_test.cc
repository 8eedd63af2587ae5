#include "common/sqlite/database.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

namespace hy::sqlite {
namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hy-sqlite-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

Database opened(const std::filesystem::path& file, OpenOptions options = {}) {
  options.busy_timeout = Millis(10);
  auto db = Database::open(file, options);
  EXPECT_TRUE(db.has_value()) << (db ? "" : db.error().detail);
  return *std::move(db);
}

std::int64_t count(Database& db) {
  return db.query_integer("SELECT count(*) FROM t")->value();
}

TEST(Database, IsAWriterThatKeepsItsPromise) {
  Folder folder;
  auto db = opened(folder.path / "a.db");
  EXPECT_EQ(db.query_text("PRAGMA journal_mode")->value(), "wal");
  EXPECT_EQ(db.query_integer("PRAGMA synchronous")->value(), 2) << "FULL";
}

TEST(Database, BindsAndReadsEveryKind) {
  auto db = *Database::in_memory();
  ASSERT_TRUE(db.exec("CREATE TABLE t(a INTEGER, b TEXT, c BLOB, d TEXT)"));
  const std::string bytes("\0\xff\0x", 4);
  {
    auto insert = *db.prepare("INSERT INTO t VALUES(?,?,?,?)");
    insert.bind(1, std::uint64_t{1} << 62).bind(2, "text").bind_blob(3, bytes).bind_null(4);
    ASSERT_TRUE(insert.run());
    insert.reset();
    insert.bind(1, -5).bind(2, std::string_view()).bind_blob(3, {}).bind(4, "x");
    ASSERT_TRUE(insert.run());
  }
  EXPECT_EQ(db.changes(), 1);
  EXPECT_EQ(db.last_insert_rowid(), 2);
  auto select = *db.prepare("SELECT a,b,c,d FROM t ORDER BY rowid");
  ASSERT_TRUE(*select.step());
  EXPECT_EQ(select.unsigned_integer(0), std::uint64_t{1} << 62);
  EXPECT_EQ(select.text(1), "text");
  EXPECT_EQ(select.blob(2), bytes);
  EXPECT_TRUE(select.is_null(3));
  ASSERT_TRUE(*select.step());
  EXPECT_EQ(select.integer(0), -5);
  EXPECT_FALSE(select.is_null(1)) << "an empty text is not NULL";
  EXPECT_FALSE(select.is_null(2)) << "an empty blob is not NULL";
  EXPECT_FALSE(*select.step());
}

TEST(Database, ATransactionRollsBackUnlessCommitted) {
  auto db = *Database::in_memory();
  ASSERT_TRUE(db.exec("CREATE TABLE t(a UNIQUE)"));
  {
    auto tx = *Transaction::begin(db);
    ASSERT_TRUE(db.exec("INSERT INTO t VALUES(1)"));
  }
  EXPECT_EQ(count(db), 0);
  auto tx = *Transaction::begin(db);
  ASSERT_TRUE(db.exec("INSERT INTO t VALUES(1)"));
  ASSERT_TRUE(tx.commit());
  EXPECT_EQ(count(db), 1);
  const auto twice = db.exec("INSERT INTO t VALUES(1)");
  EXPECT_EQ(twice.error().code, Errc::kConflict);
}

TEST(Database, StatementsAreReusedAndSurviveAMove) {
  auto db = *Database::in_memory();
  ASSERT_TRUE(db.exec("CREATE TABLE t(a)"));
  {
    auto once = *db.prepare("SELECT count(*) FROM t");
  }
  std::optional<Database> moved;  // declared first: statements must not outlive their database
  auto first = *db.prepare("SELECT count(*) FROM t");   // from the cache
  auto second = *db.prepare("SELECT count(*) FROM t");  // the same text, in use: another one
  moved.emplace(std::move(db));
  EXPECT_TRUE(*first.step());
  EXPECT_TRUE(*second.step());
  EXPECT_EQ(first.integer(0), 0);
}

TEST(Database, AFullStoreIsSaidAndNothingIsKept) {
  Folder folder;
  auto db = opened(folder.path / "full.db");
  ASSERT_TRUE(db.exec("CREATE TABLE t(a BLOB)"));
  ASSERT_TRUE(db.limit_pages(8));
  auto tx = *Transaction::begin(db);
  Status status;
  for (int i = 0; i < 100 && status; ++i)
    status = db.exec("INSERT INTO t VALUES(randomblob(4000))");
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Errc::kStoreFull);
  tx.rollback();
  EXPECT_EQ(count(db), 0);
}

TEST(Database, ASecondWriterIsRefusedAsBusy) {
  Folder folder;
  auto one = opened(folder.path / "b.db");
  ASSERT_TRUE(one.exec("CREATE TABLE t(a)"));
  auto two = opened(folder.path / "b.db");
  auto tx = *Transaction::begin(one);
  const auto refused = Transaction::begin(two);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
}

TEST(Database, AReaderSeesCommitsAndCannotWrite) {
  Folder folder;
  auto writer = opened(folder.path / "c.db");
  ASSERT_TRUE(writer.exec("CREATE TABLE t(a)"));
  auto reader = opened(folder.path / "c.db", {.read_only = true});
  ASSERT_TRUE(writer.exec("INSERT INTO t VALUES(1)"));
  EXPECT_EQ(count(reader), 1);
  EXPECT_FALSE(reader.exec("INSERT INTO t VALUES(2)"));
  EXPECT_EQ(count(writer), 1);
}

TEST(Database, ManualCheckpointsAreTheOnlyOnes) {
  Folder folder;
  const auto file = folder.path / "d.db";
  {
    auto db = opened(file, {.manual_checkpoint = true});
    ASSERT_TRUE(db.exec("CREATE TABLE t(a BLOB)"));
    for (int i = 0; i < 12; ++i) {
      auto tx = *Transaction::begin(db);
      for (int k = 0; k < 100; ++k) ASSERT_TRUE(db.exec("INSERT INTO t VALUES(zeroblob(3000))"));
      ASSERT_TRUE(tx.commit());
    }
    EXPECT_GT(db.wal_bytes(), 1'100u * 4'096u) << "no automatic checkpoint at 1000 pages";
  }
  EXPECT_GT(std::filesystem::file_size(file.string() + "-wal"), 0u) << "none on close either";
  auto again = opened(file, {.manual_checkpoint = true});
  EXPECT_EQ(count(again), 1'200);
  ASSERT_TRUE(again.checkpoint(true));
  EXPECT_EQ(again.wal_bytes(), 0u);
}

TEST(Database, AfterACheckpointTheCountOfPagesBeginsAgain) {
  Folder folder;
  auto db = opened(folder.path / "w.db", {.manual_checkpoint = true});
  ASSERT_TRUE(db.exec("CREATE TABLE t(a BLOB)"));
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(db.exec("INSERT INTO t VALUES(zeroblob(3000))"));
  EXPECT_GT(db.wal_pages(), 200U);
  const std::uint64_t bytes = db.wal_bytes();
  ASSERT_TRUE(db.checkpoint(false));
  EXPECT_EQ(db.wal_pages(), 0U);
  EXPECT_EQ(db.wal_bytes(), bytes) << "the file stays long: its size says nothing";
  ASSERT_TRUE(db.exec("INSERT INTO t VALUES(zeroblob(10))"));
  EXPECT_GT(db.wal_pages(), 0U);
  EXPECT_LT(db.wal_pages(), 10U);
}

TEST(Database, WhatCannotBeOpenedIsTyped) {
  Folder folder;
  EXPECT_EQ(Database::open(folder.path / "no" / "x.db").error().code, Errc::kStoreDown);
  const auto file = folder.path / "text.db";
  {
    std::FILE* f = std::fopen(file.c_str(), "w");
    for (int i = 0; i < 500; ++i) std::fputs("this is no database\n", f);
    std::fclose(f);
  }
  EXPECT_EQ(Database::open(file).error().code, Errc::kSchemaBroken);
}

TEST(Database, ABrokenStatementIsABugOfOurs) {
  auto db = *Database::in_memory();
  EXPECT_EQ(db.prepare("SELECT nothing FROM nowhere").error().code, Errc::kInternal);
  ASSERT_TRUE(db.exec("CREATE TABLE t(a)"));
  auto insert = *db.prepare("INSERT INTO t VALUES(?)");
  insert.bind(2, 1);  // there is no second one
  EXPECT_EQ(insert.run().error().code, Errc::kInternal);
}

TEST(Database, AReaderThatHoldsAPageDoesNotMakeCommitFail) {
  // Outside WAL a COMMIT can meet BUSY: the transaction stays open and may be tried again.
  Folder folder;
  const auto file = folder.path / "e.db";
  auto writer = opened(file, {.wal = false});
  ASSERT_TRUE(writer.exec("CREATE TABLE t(a); INSERT INTO t VALUES(1)"));
  auto reader = opened(file, {.wal = false});
  auto tx = *Transaction::begin(writer);
  ASSERT_TRUE(writer.exec("INSERT INTO t VALUES(2)"));
  {
    auto select = *reader.prepare("SELECT a FROM t");
    ASSERT_TRUE(*select.step());
    const auto busy = tx.commit();
    ASSERT_FALSE(busy.has_value());
    EXPECT_EQ(busy.error().code, Errc::kUnavailable);
    EXPECT_TRUE(writer.in_transaction());
  }
  EXPECT_TRUE(tx.commit());
  EXPECT_EQ(count(writer), 2);
}

}  // namespace
}  // namespace hy::sqlite
