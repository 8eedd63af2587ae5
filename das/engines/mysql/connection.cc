#include "das/engines/mysql/connection.h"

#include <cppconn/driver.h>
#include <cppconn/statement.h>

#include <array>

#include "common/base/test_hooks.h"

namespace hy::das::mysql {
namespace {

// Whole seconds. Above the lock wait of 2 s and the statement limit of 1 s, so that the server
// speaks first.
constexpr int kConnectSeconds = 2;
constexpr int kReadSeconds = 5;

/// The client library keeps state per thread: made at the first connection of a thread, ended with
/// the thread.
struct ThreadState {
  ThreadState() { get_driver_instance()->threadInit(); }
  ~ThreadState() { get_driver_instance()->threadEnd(); }
};

sql::ConnectOptionsMap to_map(const ConnectOptions& options) {
  sql::ConnectOptionsMap map;
  const bool is_unix = options.address.starts_with("unix:");
  map["hostName"] = is_unix ? "unix://" + options.address.substr(5) : "tcp://" + options.address;
  map["userName"] = options.user;
  map["password"] = options.password.reveal();
  map["schema"] = options.database;
  map["OPT_CONNECT_TIMEOUT"] = kConnectSeconds;
  map["OPT_READ_TIMEOUT"] = kReadSeconds;
  map["OPT_WRITE_TIMEOUT"] = kReadSeconds;
  map["OPT_CHARSET_NAME"] = std::string("utf8mb4");
  return map;
}

Error connect_error(const sql::SQLException& e) {
  const std::string number = "server error " + std::to_string(e.getErrorCode());
  switch (e.getErrorCode()) {
    case 1044:
    case 1045:
    case 1698: return {Errc::kStoreSettings, "user or password refused: " + number, {}};
    case 1049: return {Errc::kStoreSettings, "the database does not exist: " + number, {}};
    default: return {Errc::kStoreDown, number, std::chrono::milliseconds(1'000)};
  }
}

}  // namespace

Connection::Connection(std::unique_ptr<sql::Connection> connection, Use use)
    : connection_(std::move(connection)), use_(use) {}

Connection::~Connection() {
  statements_.clear();  // a statement must not outlive its connection
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectOptions& options, Use use) {
  try {
    static thread_local ThreadState thread_state;
    auto map = to_map(options);
    std::unique_ptr<sql::Connection> raw(get_driver_instance()->connect(map));
    std::unique_ptr<Connection> connection(new Connection(std::move(raw), use));
    connection->common_sql_only_ = options.common_sql_only;
    connection->apply_settings();
    return connection;
  } catch (const sql::SQLException& e) {
    return std::unexpected(connect_error(e));
  }
}

void Connection::apply_settings() {
  {
    const std::unique_ptr<sql::Statement> s(connection_->createStatement());
    const std::unique_ptr<sql::ResultSet> rows(s->executeQuery("SELECT VERSION()"));
    rows->next();
    mariadb_ = std::string(rows->getString(1)).find("MariaDB") != std::string::npos;
  }
  // All that is sent or read as text is bytes (names and devices too): as utf8mb4 the server would
  // walk through every parameter, a sixth of an insert's cost.
  exec("SET NAMES binary");
  // Writers: the row lock is the first statement, so nothing is judged on an old snapshot. Readers:
  // each question is one statement, which is one read view.
  exec("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  exec("SET SESSION innodb_lock_wait_timeout = 2");
  exec(
      "SET SESSION sql_mode = "
      "'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'");
  exec("SET SESSION time_zone = '+00:00'");
  if (use_ == Use::kWrite) {
    // A das that was stopped inside a transaction loses it, instead of committing an old head_ms
    // minutes later.
    exec("SET SESSION wait_timeout = 10");
    if (mariadb_) exec("SET SESSION idle_write_transaction_timeout = 2");
  } else {
    exec("SET SESSION TRANSACTION READ ONLY");
    exec("SET SESSION wait_timeout = 600");
    exec(mariadb_ ? "SET SESSION max_statement_time = 2" : "SET SESSION max_execution_time = 2000");
  }
}

void Connection::exec(const char* sql) {
  const std::unique_ptr<sql::Statement> s(connection_->createStatement());
  s->execute(sql);
}

sql::PreparedStatement& Connection::prepared(const std::string& sql) {
  auto& slot = statements_[sql];
  if (!slot) slot.reset(connection_->prepareStatement(sql));
  return *slot;
}

std::unique_ptr<sql::ResultSet> Connection::query(sql::PreparedStatement& statement) {
  return std::unique_ptr<sql::ResultSet>(statement.executeQuery());
}

Transaction::Transaction(Connection& connection) : connection_(connection) {
  connection_.exec("START TRANSACTION");
}

Transaction::~Transaction() {
  if (!open_ || connection_.is_broken()) return;
  try {
    connection_.exec(mutant(Mutant::kHalfBatchAfterLockTimeout) ? "COMMIT" : "ROLLBACK");
  } catch (const sql::SQLException&) {
    connection_.mark_broken();
  }
}

void Transaction::commit() {
  open_ = false;
  try {
    connection_.exec("COMMIT");
  } catch (const sql::SQLException& e) {
    connection_.mark_broken();
    if (mutant(Mutant::kAckBeforeCommitOk)) return;
    throw CommitUnknown{"COMMIT did not return: server error " + std::to_string(e.getErrorCode())};
  }
}

void put(sql::PreparedStatement& s, unsigned index, std::uint64_t value) {
  s.setUInt64(index, value);
}
void put(sql::PreparedStatement& s, unsigned index, std::int64_t value) {
  s.setInt64(index, value);
}
void put(sql::PreparedStatement& s, unsigned index, std::string_view bytes) {
  s.setString(index, sql::SQLString(bytes.data(), bytes.size()));
}
void put(sql::PreparedStatement& s, unsigned index, const ConversationId& conv) {
  std::array<std::uint8_t, 16> bytes;
  put_be(bytes.data(), conv.hi);
  put_be(bytes.data() + 8, conv.lo);
  put(s, index, as_text(bytes));
}

}  // namespace hy::das::mysql
