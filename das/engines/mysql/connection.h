#pragma once

#include <cppconn/connection.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "das/engines/mysql/mysql_error.h"

namespace hy::das::mysql {

/// Where the server is. `address`: "127.0.0.1:3306" or "unix:/path".
struct ConnectOptions {
  std::string address;
  std::string user;
  Secret password;
  std::string database = "hongyan";
  /// Only what MySQL 8 has as well, also where the server is a MariaDB.
  bool common_sql_only = false;
};

enum class Use : std::uint8_t { kWrite, kRead };

/// One connection with our session settings applied, and its prepared statements. One thread.
/// Throws sql::SQLException from exec() and from statements: the aggregates catch at their edge
/// (`guarded`).
class Connection {
 public:
  /// Errors: kStoreDown (not reachable, read-only server for kWrite), kStoreSettings (login
  /// refused, no database).
  static Result<std::unique_ptr<Connection>> open(const ConnectOptions& options, Use use);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void exec(const char* sql);
  /// Prepared once per text and connection.
  sql::PreparedStatement& prepared(const std::string& sql);
  std::unique_ptr<sql::ResultSet> query(sql::PreparedStatement& statement);

  /// An upsert may end with RETURNING.
  [[nodiscard]] bool returns_rows() const { return mariadb_ && !common_sql_only_; }
  [[nodiscard]] bool is_broken() const { return broken_; }
  /// Never to be used again: a late reply would be read as the answer to the next question.
  void mark_broken() { broken_ = true; }
  [[nodiscard]] Use use() const { return use_; }

 private:
  Connection(std::unique_ptr<sql::Connection> connection, Use use);
  void apply_settings();

  std::unique_ptr<sql::Connection> connection_;
  std::unordered_map<std::string, std::unique_ptr<sql::PreparedStatement>> statements_;
  Use use_;
  bool mariadb_ = true;
  bool common_sql_only_ = false;
  bool broken_ = false;
};

/// COMMIT was sent and did not return success: nobody knows. Thrown by Transaction::commit().
struct CommitUnknown {
  std::string detail;
};

/// START TRANSACTION … COMMIT as statements: the connector's own calls return normally on a dead
/// connection.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  /// ROLLBACK unless committed or broken. After every error: 1205 undoes one statement alone.
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

/// Runs `work` and turns what it throws into errors, in one place. A lost connection is marked
/// broken, and so is one to a server that became read-only: the next one may lead to the primary.
template <class Work>
auto guarded(Connection& connection, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const CommitUnknown& e) {
    return fail(Errc::kOutcomeUnknown, e.detail);
  } catch (const sql::SQLException& e) {
    if (ends_session(classify(e))) connection.mark_broken();
    return std::unexpected(to_error(e));
  }
}

// Binding helpers: parameters count from 1, as in the connector.
void put(sql::PreparedStatement& s, unsigned index, std::uint64_t value);
void put(sql::PreparedStatement& s, unsigned index, std::int64_t value);
void put(sql::PreparedStatement& s, unsigned index, std::string_view bytes);
inline void put(sql::PreparedStatement& s, unsigned index, const std::string& bytes) {
  put(s, index, std::string_view(bytes));
}
void put(sql::PreparedStatement& s, unsigned index, const ConversationId& conv);
template <class Tag>
void put(sql::PreparedStatement& s, unsigned index, StrongId<Tag, std::uint64_t> id) {
  put(s, index, id.value());
}
/// Binds all, from index 1 on.
template <class... Values>
void put_all(sql::PreparedStatement& s, const Values&... values) {
  unsigned index = 0;
  (put(s, ++index, values), ...);
}

}  // namespace hy::das::mysql
