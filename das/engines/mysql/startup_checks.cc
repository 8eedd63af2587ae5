#include "das/engines/mysql/startup_checks.h"

#include <charconv>
#include <map>

#include "common/base/limits.h"
#include "das/engines/mysql/row.h"

namespace hy::das::mysql {
namespace {

constexpr std::uint64_t kPacketBytesMin = 16ULL * 1'024 * 1'024;
constexpr std::uint64_t kSemiSyncTimeoutMsMin = 3'600'000;  // block, do not fall back in silence

using Variables = std::map<std::string, std::string>;

Variables read_variables(Connection& connection) {
  Variables out;
  const auto rows = connection.query(connection.prepared(
      "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit',"
      "'innodb_doublewrite','log_bin','sync_binlog','binlog_format','read_only','max_allowed_"
      "packet',"
      "'rpl_semi_sync_master_enabled','rpl_semi_sync_source_enabled','rpl_semi_sync_master_wait_"
      "point',"
      "'rpl_semi_sync_source_wait_point','rpl_semi_sync_master_timeout','rpl_semi_sync_source_"
      "timeout')"));
  while (rows->next()) out[bytes_of(rows->getString(1))] = bytes_of(rows->getString(2));
  return out;
}

std::string value(const Variables& variables, const std::string& name) {
  const auto it = variables.find(name);
  return it == variables.end() ? "" : it->second;
}

/// MariaDB says master, newer MySQL source.
std::string semi_sync(const Variables& variables, const std::string& what) {
  const std::string newer = value(variables, "rpl_semi_sync_source_" + what);
  return newer.empty() ? value(variables, "rpl_semi_sync_master_" + what) : newer;
}

std::uint64_t number(const std::string& digits) {
  std::uint64_t out = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return out;
}

Durability not_durable(const std::string& name, const std::string& is) {
  return {false, name + " = " + is + ": STORED would not mean \"on disk\""};
}

Durability check_replicated(const Variables& v) {
  if (value(v, "log_bin") != "ON") return not_durable("log_bin", value(v, "log_bin"));
  if (semi_sync(v, "enabled") != "ON") return not_durable("rpl_semi_sync_master_enabled", "OFF");
  if (semi_sync(v, "wait_point") != "AFTER_SYNC")
    return not_durable("rpl_semi_sync_master_wait_point", semi_sync(v, "wait_point"));
  if (number(semi_sync(v, "timeout")) < kSemiSyncTimeoutMsMin)
    return not_durable("rpl_semi_sync_master_timeout", semi_sync(v, "timeout"));
  return {true, ""};
}

}  // namespace

Durability read_durability(Connection& connection, bool replicated) {
  const Variables v = read_variables(connection);
  if (value(v, "innodb_flush_log_at_trx_commit") != "1")
    return not_durable("innodb_flush_log_at_trx_commit",
                       value(v, "innodb_flush_log_at_trx_commit"));
  if (value(v, "innodb_doublewrite") == "OFF") return not_durable("innodb_doublewrite", "OFF");
  if (value(v, "log_bin") == "ON" && value(v, "sync_binlog") != "1")
    return not_durable("sync_binlog", value(v, "sync_binlog"));
  if (value(v, "log_bin") == "ON" && value(v, "binlog_format") == "STATEMENT")
    return not_durable("binlog_format", "STATEMENT");
  return replicated ? check_replicated(v) : Durability{true, ""};
}

bool is_read_only(Connection& connection) {
  const std::string read_only = value(read_variables(connection), "read_only");
  return !read_only.empty() && read_only != "OFF";
}

Status check_settings(Connection& connection) {
  const auto row = connection.query(
      connection.prepared("SELECT default_character_set_name FROM information_schema.schemata "
                          "WHERE schema_name = DATABASE()"));
  const std::string charset = row->next() ? bytes_of(row->getString(1)) : "";
  if (charset != "utf8mb4")
    return fail(Errc::kStoreSettings,
                "character set of the database is " + charset + ", wanted utf8mb4");
  const std::string packet = value(read_variables(connection), "max_allowed_packet");
  if (number(packet) < kPacketBytesMin)
    return fail(Errc::kStoreSettings,
                "max_allowed_packet = " + packet + ", wanted at least 16777216");
  return {};
}

}  // namespace hy::das::mysql
