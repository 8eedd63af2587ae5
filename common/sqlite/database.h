#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hy::sqlite {

/// How to open. Defaults are those of a durable writer.
struct OpenOptions {
  bool read_only = false;        ///< a reader: query_only as well; the file must exist
  bool create = true;            ///< writer: make the file when it is missing
  bool wal = true;               ///< writer: journal_mode = WAL
  bool synchronous_full = true;  ///< NORMAL may lose the last commits at a power cut
  Millis busy_timeout{5'000};
  /// Checkpoints run only where the owner asks for them: no automatic one, none on close. For a
  /// writer that other connections of this process read beside.
  bool manual_checkpoint = false;
  /// Writes that follow each other go to the system together (gather_vfs.h). Only with
  /// synchronous_full.
  bool gather_writes = false;
  std::uint32_t cached_statements_max = 128;
  /// Pages of the file that this connection keeps in memory, at most; SQLite's own default is 2
  /// MiB.
  std::uint32_t page_cache_kib = 2'048;
};

/// Errors of every call here: kStoreFull (SQLITE_FULL; nothing was done), kUnavailable (BUSY,
/// LOCKED: retry), kConflict (a unique key or another constraint; detail names it), kSchemaBroken
/// (CORRUPT, NOTADB), kStoreDown (cannot open, I/O error), kInternal (anything else: a bug of
/// ours). COMMIT alone also gives kOutcomeUnknown.
struct Connection;

/// Statements by their text, found by a view of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using StatementCache = std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>>;

/// A prepared statement, borrowed from its database's cache: it must not outlive the database. Text
/// and blobs are copied at bind; columns are views that live until the next step(), reset() or the
/// statement's end. Indexes: bind from 1, columns from 0, as in SQLite.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  /// Values of 2^63 and more would sort negative: ends the process (ids end at 2^63-1).
  Statement& bind(int index, std::uint64_t value);
  Statement& bind(int index, int value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind(int index, std::uint32_t value) {
    return bind(index, static_cast<std::int64_t>(value));
  }
  Statement& bind(int index, std::string_view text);
  Statement& bind_blob(int index, std::string_view bytes);
  /// Not copied: the bytes must live and stay as they are until the next bind of this index,
  /// reset() or the statement's end.
  Statement& bind_blob_in_place(int index, std::string_view bytes);
  Statement& bind_null(int index);

  /// true: a row is ready. false: done.
  Result<bool> step();
  /// Steps to the end, ignores rows, resets.
  Status run();
  /// Clears rows and bindings for the next round.
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::uint64_t unsigned_integer(int column) const {
    return static_cast<std::uint64_t>(integer(column));
  }
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Database;
  Statement(Connection* connection, StatementCache::node_type place);
  Connection* connection_;
  sqlite3_stmt* statement_;
  /// Its entry in the cache, taken out while it is in use: borrowing allocates nothing.
  StatementCache::node_type place_;
  int bind_error_ = 0;
};

/// One connection. One thread at a time. May be moved while statements of it live.
class Database {
 public:
  static Result<Database> open(const std::filesystem::path& file, const OpenOptions& options = {});
  /// A private database in memory, for tests.
  static Result<Database> in_memory();
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  Database(const Database&) = delete;
  ~Database();

  /// Several statements in one text, without results: schema, PRAGMA.
  Status exec(std::string_view sql);
  /// From the cache when the same text was prepared before.
  Result<Statement> prepare(std::string_view sql);
  /// Rows changed by the last INSERT, UPDATE or DELETE.
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] std::int64_t last_insert_rowid() const;
  [[nodiscard]] bool in_transaction() const;
  /// First column of the first row; nullopt when there is no row.
  Result<std::optional<std::int64_t>> query_integer(std::string_view sql);
  Result<std::optional<std::string>> query_text(std::string_view sql);
  /// Moves the WAL into the file; TRUNCATE also empties it. Pages left over are no error.
  Status checkpoint(bool truncate);
  /// Pages in the WAL that wait for a checkpoint, as of this connection's last commit. Only with
  /// manual_checkpoint.
  [[nodiscard]] std::uint64_t wal_pages() const;
  /// Bytes of the WAL file; 0 when there is none. It stays as long as it ever was: a checkpoint
  /// that is not TRUNCATE makes SQLite write from its start again.
  [[nodiscard]] std::uint64_t wal_bytes() const;
  /// Limits the file to `pages`; appends then fail with kStoreFull. For tests of a full disk.
  Status limit_pages(std::uint32_t pages);

 private:
  explicit Database(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

/// BEGIN IMMEDIATE … COMMIT. Rolls back when it ends without commit(). The database must outlive it
/// and have no open transaction.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  ~Transaction();
  /// Success: on disk (with synchronous_full). kUnavailable: BUSY, the transaction is still open
  /// and commit may be called again. kStoreFull: not done, rolled back. Any other error is
  /// kOutcomeUnknown: it may or may not be on disk; open the database again and read.
  Status commit();
  void rollback();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace hy::sqlite
