#include "common/sqlite/database.h"

#include <sqlite3.h>

#include <cstring>
#include <list>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"
#include "common/sqlite/gather_vfs.h"

namespace hy::sqlite {

struct Connection {
  sqlite3* handle = nullptr;
  std::filesystem::path file;
  std::uint32_t cached_max = 128;
  std::uint64_t wal_pages = 0;  // manual_checkpoint alone
  // Idle statements by text. A text that is in use twice is prepared twice.
  StatementCache idle;

  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    for (auto& [sql, statement] : idle) sqlite3_finalize(statement);
    sqlite3_close_v2(handle);
  }
};

namespace {

/// The one translation of SQLite's result codes (https://sqlite.org/rescode.html).
Errc errc_of(int rc) {
  switch (rc & 0xff) {
    case SQLITE_FULL: return Errc::kStoreFull;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Errc::kUnavailable;
    case SQLITE_CONSTRAINT: return Errc::kConflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Errc::kSchemaBroken;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_NOMEM: return Errc::kStoreDown;
    default: return Errc::kInternal;
  }
}

Error error_of(const Connection& connection, int rc) {
  return {errc_of(rc), "sqlite " + std::to_string(rc) + ": " + sqlite3_errmsg(connection.handle)};
}

/// After each commit: how many pages the WAL holds now. Takes the place of SQLite's own hook, which
/// would checkpoint.
int note_wal_pages(void* connection, sqlite3*, const char*, int pages) {
  static_cast<Connection*>(connection)->wal_pages = static_cast<std::uint64_t>(pages);
  return SQLITE_OK;
}

}  // namespace

Database::Database(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Database::Database(Database&& other) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const std::filesystem::path& file, const OpenOptions& options) {
  auto connection = std::make_unique<Connection>();
  connection->file = file;
  connection->cached_max = options.cached_statements_max;
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (!options.read_only && options.create) flags |= SQLITE_OPEN_CREATE;
  if (options.gather_writes) {
    // No statistics about memory: a lock around every allocation, and nobody asks. Refused, and of
    // no matter, once SQLite was used in this process. Not for a client: the app may want them.
    static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(once);
  }
  HY_CHECK(!options.gather_writes || options.synchronous_full);
  const int rc = sqlite3_open_v2(file.c_str(), &connection->handle, flags,
                                 options.gather_writes ? gather_vfs() : nullptr);
  if (rc != SQLITE_OK)
    return fail(errc_of(rc), "cannot open " + file.string() + ": " + sqlite3_errstr(rc));
  sqlite3_busy_timeout(connection->handle, static_cast<int>(options.busy_timeout.count()));
  Database db(std::move(connection));
  if (options.manual_checkpoint)
    sqlite3_db_config(db.connection_->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  std::string setup =
      "PRAGMA foreign_keys=ON; PRAGMA cache_size=-" + std::to_string(options.page_cache_kib) + ";";
  if (options.read_only) {
    setup += "PRAGMA query_only=ON;";
  } else {
    if (options.wal) setup += "PRAGMA journal_mode=WAL;";
    setup += options.synchronous_full ? "PRAGMA synchronous=FULL;" : "PRAGMA synchronous=NORMAL;";
    if (options.manual_checkpoint) setup += "PRAGMA wal_autocheckpoint=0;";
  }
  HY_TRY_VOID(db.exec(setup));
  if (options.manual_checkpoint && !options.read_only)
    sqlite3_wal_hook(db.connection_->handle, note_wal_pages, db.connection_.get());
  if (!options.read_only && options.wal) {
    // The PRAGMA answers with the mode that it got and is no error when that is another one.
    HY_TRY(const auto mode, db.query_text("PRAGMA journal_mode"));
    if (mode != "wal" && file != ":memory:")
      return fail(Errc::kNotDurable, file.string() + ": journal_mode is " + mode.value_or("?"));
  }
  return db;
}

Result<Database> Database::in_memory() {
  return open(":memory:");
}

Status Database::exec(std::string_view sql) {
  const std::string text(sql);
  const int rc = sqlite3_exec(connection_->handle, text.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return std::unexpected(error_of(*connection_, rc));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  StatementCache& idle = connection_->idle;
  if (const auto it = idle.find(sql); it != idle.end())
    return Statement(connection_.get(), idle.extract(it));
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v3(connection_->handle, sql.data(), static_cast<int>(sql.size()),
                                    SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (rc != SQLITE_OK) return std::unexpected(error_of(*connection_, rc));
  HY_CHECK(statement != nullptr);  // an empty text is a bug of ours
  StatementCache fresh;
  fresh.emplace(sql, statement);
  return Statement(connection_.get(), fresh.extract(fresh.begin()));
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(connection_->handle);
}
std::int64_t Database::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(connection_->handle);
}
bool Database::in_transaction() const {
  return sqlite3_get_autocommit(connection_->handle) == 0;
}

Result<std::optional<std::int64_t>> Database::query_integer(std::string_view sql) {
  HY_TRY(auto statement, prepare(sql));
  HY_TRY(const bool row, statement.step());
  if (!row) return std::nullopt;
  return statement.integer(0);
}

Result<std::optional<std::string>> Database::query_text(std::string_view sql) {
  HY_TRY(auto statement, prepare(sql));
  HY_TRY(const bool row, statement.step());
  if (!row) return std::nullopt;
  return std::string(statement.text(0));
}

Status Database::checkpoint(bool truncate) {
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  int in_log = 0;
  int moved = 0;
  const int rc = sqlite3_wal_checkpoint_v2(connection_->handle, nullptr, mode, &in_log, &moved);
  // BUSY: a reader or writer holds pages. What could be moved was moved; the rest comes next time.
  if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
    return std::unexpected(error_of(*connection_, rc));
  // Everything is moved: the next commit begins the WAL again from its start, in the same file.
  if (rc == SQLITE_OK && in_log == moved) connection_->wal_pages = 0;
  return {};
}

std::uint64_t Database::wal_pages() const {
  return connection_->wal_pages;
}

std::uint64_t Database::wal_bytes() const {
  std::error_code ec;
  const auto size = std::filesystem::file_size(connection_->file.string() + "-wal", ec);
  return ec ? 0 : size;
}

Status Database::limit_pages(std::uint32_t pages) {
  return exec("PRAGMA max_page_count=" + std::to_string(pages));
}

Statement::Statement(Connection* connection, StatementCache::node_type place)
    : connection_(connection), statement_(place.mapped()), place_(std::move(place)) {}
Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      place_(std::move(other.place_)),
      bind_error_(other.bind_error_) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  reset();
  auto& state = *connection_;
  // Full, or another one with this text is idle already.
  if (state.idle.size() >= state.cached_max || !state.idle.insert(std::move(place_)).inserted)
    sqlite3_finalize(statement_);
}

Statement& Statement::bind(int index, std::int64_t value) {
  if (const int rc = sqlite3_bind_int64(statement_, index, value); rc != SQLITE_OK)
    bind_error_ = rc;
  return *this;
}
Statement& Statement::bind(int index, std::uint64_t value) {
  HY_CHECK(value <= static_cast<std::uint64_t>(INT64_MAX));
  return bind(index, static_cast<std::int64_t>(value));
}
Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL: an empty view may have one.
  const char* data = text.data() == nullptr ? "" : text.data();
  if (const int rc =
          sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      rc != SQLITE_OK)
    bind_error_ = rc;
  return *this;
}
Statement& Statement::bind_blob(int index, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (const int rc = sqlite3_bind_blob64(statement_, index, data, bytes.size(), SQLITE_TRANSIENT);
      rc != SQLITE_OK)
    bind_error_ = rc;
  return *this;
}
Statement& Statement::bind_blob_in_place(int index, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (const int rc = sqlite3_bind_blob64(statement_, index, data, bytes.size(), SQLITE_STATIC);
      rc != SQLITE_OK)
    bind_error_ = rc;
  return *this;
}
Statement& Statement::bind_null(int index) {
  if (const int rc = sqlite3_bind_null(statement_, index); rc != SQLITE_OK) bind_error_ = rc;
  return *this;
}

Result<bool> Statement::step() {
  if (bind_error_ != 0)
    return fail(Errc::kInternal,
                "sqlite bind " + std::to_string(bind_error_) + ": " + place_.key());
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  auto error = error_of(*connection_, rc);
  sqlite3_reset(statement_);
  return std::unexpected(std::move(error));
}

Status Statement::run() {
  for (;;) {
    HY_TRY(const bool row, step());
    if (row) continue;
    sqlite3_reset(statement_);
    return {};
  }
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bind_error_ = 0;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {data == nullptr ? "" : data,
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {data == nullptr ? "" : data,
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<Transaction> Transaction::begin(Database& database) {
  HY_CHECK(!database.in_transaction());
  // IMMEDIATE: a deferred one that reads first and writes later meets SQLITE_BUSY_SNAPSHOT, for
  // which the busy time-out is not consulted.
  HY_TRY_VOID(database.exec("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  rollback();
}

Status Transaction::commit() {
  HY_CHECK(database_ != nullptr);
  auto done = database_->exec("COMMIT");
  if (done) {
    database_ = nullptr;
    return {};
  }
  auto error = std::move(done).error();
  // BUSY leaves the transaction open: nothing was written, the caller may try again.
  if (error.code == Errc::kUnavailable && database_->in_transaction())
    return std::unexpected(std::move(error));
  // FULL before the commit record: the log says that nothing was done. Everything else (an I/O
  // error while syncing above all) may have reached the disk: rule 7, only a read can tell.
  if (error.code != Errc::kStoreFull) error.code = Errc::kOutcomeUnknown;
  rollback();
  return std::unexpected(std::move(error));
}

void Transaction::rollback() {
  if (database_ == nullptr) return;
  // SQLite may have rolled back by itself (FULL, IOERR); a second ROLLBACK would be an error.
  if (database_->in_transaction()) (void)database_->exec("ROLLBACK");
  database_ = nullptr;
}

}  // namespace hy::sqlite
