#include "tests/faults/store_faults.h"

#include <cppconn/connection.h>
#include <cppconn/driver.h>
#include <cppconn/exception.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include "client/cli/unique_fd.h"

namespace hy::faults {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kAnswerWithinMs = 5'000;
constexpr Millis kOccupyWithin{5'000};
constexpr const char* kAdmin = "hy_faults";
// The server listens on a Unix socket in a private folder alone.
constexpr const char* kAdminPassword = "faults";
constexpr int kFewestConnections = 10;  // MariaDB's own lower bound of max_connections
constexpr int kTooManyConnections = 1'040;
constexpr int kHostBlocked = 1'203;

using Connection = std::unique_ptr<sql::Connection>;

Result<Connection> connect(const std::filesystem::path& socket, const std::string& database) {
  try {
    sql::ConnectOptionsMap options;
    options["hostName"] = "unix://" + socket.string();
    options["userName"] = kAdmin;
    options["password"] = kAdminPassword;
    Connection connection(get_driver_instance()->connect(options));
    if (!database.empty()) connection->setSchema(database);
    return connection;
  } catch (const sql::SQLException& e) {
    const bool is_full =
        e.getErrorCode() == kTooManyConnections || e.getErrorCode() == kHostBlocked;
    return fail(is_full ? Errc::kTooManyConnections : Errc::kUnreachableServer, e.what());
  }
}

Status exec(sql::Connection& connection, const std::string& sql) {
  try {
    const std::unique_ptr<sql::Statement> statement(connection.createStatement());
    statement->execute(sql);
    return {};
  } catch (const sql::SQLException& e) {
    return fail(Errc::kChildFailed, sql + ": " + e.what());
  }
}

Result<std::vector<std::string>> column(sql::Connection& connection, const std::string& sql) {
  try {
    const std::unique_ptr<sql::Statement> statement(connection.createStatement());
    const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery(sql));
    std::vector<std::string> out;
    while (rows->next()) out.emplace_back(rows->getString(1));
    return out;
  } catch (const sql::SQLException& e) {
    return fail(Errc::kChildFailed, sql + ": " + e.what());
  }
}

}  // namespace

Result<std::string> RedisFaults::command(const std::vector<std::string>& words) const {
  const cli::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  const std::string path = socket_.string();
  std::memcpy(at.sun_path, path.data(), std::min(path.size(), sizeof at.sun_path - 1));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
    return fail(Errc::kUnreachableServer, "no Redis on " + path);
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& w : words) out += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  if (::send(fd.get(), out.data(), out.size(), MSG_NOSIGNAL) < 0)
    return fail(Errc::kUnreachableServer, "Redis hangs up");
  std::string in;
  std::size_t need = 0;
  while (need == 0 || in.size() < need) {
    pollfd p{fd.get(), POLLIN, 0};
    char buffer[4'096];
    if (::poll(&p, 1, kAnswerWithinMs) <= 0) return fail(Errc::kTimedOut, "Redis is silent");
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return fail(Errc::kUnreachableServer, "Redis hangs up");
    in.append(buffer, static_cast<std::size_t>(n));
    const std::size_t line = in.find("\r\n");
    if (need > 0 || line == std::string::npos) continue;
    need = line + 2;
    if (in.front() == '$' && in[1] != '-')
      need += static_cast<std::size_t>(std::atol(in.c_str() + 1)) + 2;
  }
  const std::size_t line = in.find("\r\n");
  if (in.front() == '$' && in[1] != '-') return in.substr(line + 2, need - line - 4);
  if (in.front() == '-') return fail(Errc::kChildFailed, words.front() + ": " + in.substr(0, line));
  return in.substr(0, line);
}

namespace {
Status status_of(const Result<std::string>& answer) {
  if (!answer) return std::unexpected(answer.error());
  return {};
}
}  // namespace

Status RedisFaults::flush_all() const {
  return status_of(command({"FLUSHALL", "SYNC"}));
}
Status RedisFaults::pause_clients(Millis duration) const {
  return status_of(command({"CLIENT", "PAUSE", std::to_string(duration.count()), "ALL"}));
}
Status RedisFaults::end_pause() const {
  return status_of(command({"CLIENT", "UNPAUSE"}));
}
Status RedisFaults::out_of_memory(bool on) const {
  HY_TRY_VOID(status_of(command({"CONFIG", "SET", "maxmemory-policy", "noeviction"})));
  return status_of(command({"CONFIG", "SET", "maxmemory", on ? "1" : "0"}));
}
Status RedisFaults::read_only(bool on) const {
  return status_of(on ? command({"REPLICAOF", "127.0.0.1", "1"})
                      : command({"REPLICAOF", "NO", "ONE"}));
}
Status RedisFaults::heal() const {
  HY_TRY_VOID(end_pause());
  HY_TRY_VOID(read_only(false));
  return out_of_memory(false);
}

struct MariadbFaults::Impl {
  std::filesystem::path socket;
  std::string database;
  Connection control;
  Connection rows;
  Connection tables;
  std::vector<Connection> occupiers;
  std::string usual_connections;

  /// The control connection, opened anew when the server was restarted meanwhile.
  Result<sql::Connection*> admin() {
    if (control == nullptr || !control->isValid()) {
      HY_TRY(control, connect(socket, database));
      HY_TRY_VOID(exec(*control, "SET SESSION wait_timeout = 28800"));
    }
    return control.get();
  }

  Status kill_others(sql::Connection& own, bool& any) {
    HY_TRY(const auto ids, column(own, std::string("SELECT id FROM information_schema.processlist "
                                                   "WHERE user NOT IN ('system user', '") +
                                           kAdmin + "')"));
    any = !ids.empty();
    // One may have ended by itself: KILL of it fails, and that is as good.
    for (const std::string& id : ids) static_cast<void>(exec(own, "KILL " + id));
    return {};
  }

  Status occupy() {
    HY_TRY(sql::Connection * own, admin());
    if (usual_connections.empty()) {
      HY_TRY(const auto was, column(*own, "SELECT @@GLOBAL.max_connections"));
      usual_connections = was.front();
    }
    HY_TRY_VOID(exec(*own, "SET GLOBAL max_connections = " + std::to_string(kFewestConnections)));
    const auto until = Clock::now() + kOccupyWithin;
    while (Clock::now() < until) {
      bool others = false;
      HY_TRY_VOID(kill_others(*own, others));
      for (;;) {
        auto one = connect(socket, {});
        if (!one && one.error().code == Errc::kTooManyConnections) break;
        if (!one) return std::unexpected(one.error());
        HY_TRY_VOID(exec(**one, "SET SESSION wait_timeout = 28800"));
        occupiers.push_back(std::move(*one));
      }
      if (!others) return {};
    }
    return fail(Errc::kTimedOut, "the product keeps a connection");
  }
};

Status MariadbFaults::admit(cli::ServiceSpec& mariadb) {
  constexpr std::string_view kInit = "--init-file=";
  for (const std::string& arg : mariadb.command.argv) {
    if (!arg.starts_with(kInit)) continue;
    std::ofstream init(arg.substr(kInit.size()), std::ios::app);
    init << "CREATE USER IF NOT EXISTS '" << kAdmin << "'@'localhost' IDENTIFIED BY '"
         << kAdminPassword << "';\nGRANT ALL PRIVILEGES ON *.* TO '" << kAdmin
         << "'@'localhost';\n";
    if (!init.flush()) return fail(Errc::kChildFailed, "cannot write the init file");
    return {};
  }
  return fail(Errc::kUsage, mariadb.name + " has no init file");
}

MariadbFaults::MariadbFaults(std::filesystem::path socket, std::string database)
    : impl_(std::make_unique<Impl>()) {
  impl_->socket = std::move(socket);
  impl_->database = std::move(database);
}
MariadbFaults::~MariadbFaults() = default;

Status MariadbFaults::run(const std::string& sql) {
  HY_TRY(sql::Connection * own, impl_->admin());
  return exec(*own, sql);
}

Result<std::string> MariadbFaults::ask(const std::string& sql) {
  HY_TRY(sql::Connection * own, impl_->admin());
  HY_TRY(const auto rows, column(*own, sql));
  return rows.empty() ? std::string() : rows.front();
}

Status MariadbFaults::read_only(bool on) {
  return run(std::string("SET GLOBAL read_only = ") + (on ? "1" : "0"));
}

Status MariadbFaults::kill_connections() {
  HY_TRY(sql::Connection * own, impl_->admin());
  bool any = false;
  return impl_->kill_others(*own, any);
}

Status MariadbFaults::too_many_connections(bool on) {
  if (on) return impl_->occupy();
  impl_->occupiers.clear();
  if (impl_->usual_connections.empty()) return {};
  return run("SET GLOBAL max_connections = " + impl_->usual_connections);
}

Result<std::uint64_t> MariadbFaults::hold_rows(const std::string& select, Millis at_most) {
  impl_->rows.reset();
  HY_TRY(Connection held, connect(impl_->socket, impl_->database));
  // The server itself ends the transaction when nobody does.
  const auto seconds = std::max<Millis::rep>(1, (at_most.count() + 999) / 1'000);
  HY_TRY_VOID(exec(*held, "SET SESSION idle_transaction_timeout = " + std::to_string(seconds)));
  HY_TRY_VOID(exec(*held, "SET SESSION innodb_lock_wait_timeout = 10"));
  HY_TRY_VOID(exec(*held, "START TRANSACTION"));
  HY_TRY(const auto rows, column(*held, select + " FOR UPDATE"));
  impl_->rows = std::move(held);
  return rows.size();
}

Status MariadbFaults::release_rows() {
  impl_->rows.reset();
  return {};
}

Status MariadbFaults::lock_tables(const std::vector<std::string>& tables) {
  impl_->tables.reset();
  HY_TRY(Connection held, connect(impl_->socket, impl_->database));
  std::string sql;
  for (const std::string& table : tables)
    sql += (sql.empty() ? "LOCK TABLES " : ", ") + table + " WRITE";
  HY_TRY_VOID(exec(*held, "SET SESSION lock_wait_timeout = 10"));
  HY_TRY_VOID(exec(*held, sql));
  impl_->tables = std::move(held);
  return {};
}

Status MariadbFaults::unlock_tables() {
  impl_->tables.reset();
  return {};
}

Status MariadbFaults::heal() {
  impl_->rows.reset();
  impl_->tables.reset();
  HY_TRY_VOID(too_many_connections(false));
  return read_only(false);
}

}  // namespace hy::faults
