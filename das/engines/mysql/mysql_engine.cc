#include "das/engines/mysql/mysql_engine.h"

#include <cppconn/driver.h>

#include "common/base/test_hooks.h"
#include "das/engines/mysql/migrations.h"
#include "das/engines/mysql/row.h"
#include "das/engines/mysql/session.h"
#include "das/engines/mysql/startup_checks.h"
#include "das/engines/mysql/statements.h"

namespace hy::das::mysql {
namespace {

/// A name that may stand unquoted in DDL: prepared statements cannot carry one.
bool is_plain_name(const std::string& name) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  return !name.empty() && name.size() <= 64 && name.find_first_not_of(kPlain) == std::string::npos;
}

std::uint64_t seed_of_this_start(const Clock& clock) {
  const auto ns = static_cast<std::uint64_t>(clock.now().time_since_epoch().count());
  return mix64(static_cast<std::uint64_t>(clock.wall_ms())) ^ mix64(ns);
}

}  // namespace

MysqlEngine::MysqlEngine(MysqlOptions options, const Clock& clock)
    : options_(std::move(options)), cache_(options_.redis, clock, seed_of_this_start(clock)) {
  get_driver_instance();
}

Result<std::vector<AppliedMigration>> MysqlEngine::applied(Connection& connection) {
  return guarded(connection, [&]() -> Result<std::vector<AppliedMigration>> {
    std::vector<AppliedMigration> out;
    const auto has = connection.query(connection.prepared(text(sql_text::kHasSchema)));
    has->next();
    if (has->getInt(1) == 0) return out;
    const auto rows = connection.query(connection.prepared(text(sql_text::kApplied)));
    while (rows->next())
      out.push_back({rows->getUInt(1), bytes_of(rows->getString(2)), rows->getInt64(3)});
    return out;
  });
}

Status MysqlEngine::make_database() {
  if (!is_plain_name(options_.connect.database))
    return fail(Errc::kStoreSettings, "das.mysql.database has letters, digits and _ only");
  ConnectOptions bare = options_.connect;
  bare.database = "information_schema";
  HY_TRY(auto connection, Connection::open(bare, Use::kWrite));
  return guarded(*connection, [&]() -> Status {
    connection->exec(("CREATE DATABASE IF NOT EXISTS " + options_.connect.database +
                      " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
                         .c_str());
    return {};
  });
}

Status MysqlEngine::apply_pending(Connection& connection) {
  HY_TRY(const auto done, applied(connection));
  const Status judged = judge_schema(kMigrations, done);
  if (judged || judged.error().code != Errc::kSchemaTooOld) return judged;
  return guarded(connection, [&]() -> Status {
    for (const Migration& step : kMigrations) {
      if (step.version <= done.size()) continue;
      for (const std::string& statement : split_statements(step.sql))
        connection.exec(statement.c_str());
      sql::PreparedStatement& record = connection.prepared(text(sql_text::kRecordStep));
      put_all(record, std::uint64_t{step.version}, text(step.sha256));
      record.executeUpdate();
    }
    return {};
  });
}

Status MysqlEngine::schema_apply() {
  HY_TRY_VOID(make_database());
  HY_TRY(auto connection, Connection::open(options_.connect, Use::kWrite));
  // A second process that applies at the same time waits here, and then finds nothing to do.
  const auto locked = guarded(*connection, [&]() -> Result<bool> {
    const auto row =
        connection->query(connection->prepared("SELECT GET_LOCK('hongyan_schema', 5)"));
    return row->next() && row->getInt(1) == 1;
  });
  if (!locked) return std::unexpected(locked.error());
  if (!*locked) return fail(Errc::kStoreDown, "another process is applying the schema");
  return apply_pending(*connection);  // the lock goes with the connection
}

Result<SchemaStatus> MysqlEngine::schema_status() {
  HY_TRY(auto connection, Connection::open(options_.connect, Use::kRead));
  HY_TRY(const auto done, applied(*connection));
  return das::schema_status(kMigrations, done);
}

Status MysqlEngine::check(Connection& connection) {
  HY_TRY(const auto done, applied(connection));
  HY_TRY_VOID(judge_schema(kMigrations, done));
  return guarded(connection, [&]() -> Status {
    HY_TRY_VOID(check_settings(connection));
    const Durability durability = read_durability(connection, options_.replicated);
    if (!durability.durable && options_.refuse_if_not_durable)
      return fail(Errc::kNotDurable, durability.why_not);
    return {};
  });
}

Status MysqlEngine::start() {
  if (options_.auto_schema) HY_TRY_VOID(schema_apply());
  HY_TRY(auto connection, Connection::open(options_.connect, Use::kRead));
  // Mutants: a store without the unique key.
  if (mutant(Mutant::kNoDeduplication) || mutant(Mutant::kDeduplicationInCacheOnly)) {
    HY_TRY_VOID(guarded(*connection, [&]() -> Status {
      connection->exec("SET SESSION TRANSACTION READ WRITE");
      connection->exec("ALTER TABLE message DROP INDEX IF EXISTS identity");
      return {};
    }));
  }
  return check(*connection);
}

Result<std::unique_ptr<StoreSession>> MysqlEngine::open_writer() {
  HY_TRY(auto connection, Connection::open(options_.connect, Use::kWrite));
  HY_TRY_VOID(check(*connection));
  const auto read_only =
      guarded(*connection, [&]() -> Result<bool> { return is_read_only(*connection); });
  if (!read_only) return std::unexpected(read_only.error());
  if (*read_only) return fail(Errc::kStoreDown, "the server is read-only", Millis{1'000});
  return std::make_unique<MysqlSession>(std::move(connection), options_.replicated);
}

Result<std::unique_ptr<StoreSession>> MysqlEngine::open_reader() {
  HY_TRY(auto connection, Connection::open(options_.connect, Use::kRead));
  return std::make_unique<MysqlSession>(std::move(connection), options_.replicated);
}

}  // namespace hy::das::mysql
