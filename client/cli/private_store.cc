#include "client/cli/private_store.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "client/cli/private_folder.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kSocketPathMax = 107;  // sockaddr_un, with its final zero
constexpr Millis kInstallWithin{180'000};
constexpr int kAnswerWithinMs = 300;

/// /usr/sbin is not in everyone's $PATH.
fs::path find_program(const std::string& name) {
  std::string path = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin";
  if (const char* const given = std::getenv("PATH")) path = std::string(given) + ":" + path;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const fs::path candidate = fs::path(path.substr(at, end - at)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    at = end + 1;
  }
  return {};
}

/// Debian's redis-tools holds the server under the name of its checker; the name that it is started
/// by decides what it does.
fs::path find_redis(const fs::path& folder) {
  if (fs::path server = find_program("redis-server"); !server.empty()) return server;
  const fs::path checker = find_program("redis-check-rdb");
  if (checker.empty()) return {};
  const fs::path link = folder / "redis-server";
  std::error_code ignored;
  fs::remove(link, ignored);
  fs::create_symlink(checker, link, ignored);
  return link;
}

/// Connects, sends `question`, and returns the first bytes of the answer.
std::string ask(const fs::path& socket_path, std::string_view question) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.string().size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  if (!question.empty() && ::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) {
    return {};
  }
  pollfd p{fd.get(), POLLIN, 0};
  if (::poll(&p, 1, kAnswerWithinMs) <= 0) return {};
  char buffer[128];
  const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

/// The server greets only when it serves: after recovery and after the init file.
bool mariadb_is_ready(const fs::path& socket_path, std::string& why) {
  const std::string greeting = ask(socket_path, {});
  constexpr char kProtocol = 10;
  if (greeting.size() > 5 && greeting[4] == kProtocol) return true;
  why = "no greeting on " + socket_path.string();
  return false;
}

bool redis_is_ready(const fs::path& socket_path, std::string& why) {
  if (ask(socket_path, "PING\r\n").starts_with("+PONG")) return true;
  why = "no PONG on " + socket_path.string();
  return false;
}

std::vector<std::string> as_root_too(std::vector<std::string> argv) {
  if (::geteuid() == 0) argv.emplace_back("--user=root");
  return argv;
}

/// A server that starts removes what it takes for left-over temporary tables from its folder for
/// them: in a shared one, those of every other server that is at work just then.
std::string tmpdir_of(const fs::path& folder) {
  return "--tmpdir=" + (folder / "tmp").string();
}

Status install_data(const fs::path& installer, const fs::path& data, const fs::path& folder) {
  const fs::path unfinished = folder / "data.new";
  std::error_code ignored;
  fs::remove_all(unfinished, ignored);
  HY_TRY(const Finished done,
         run({as_root_too({installer.string(), "--no-defaults", "--datadir=" + unfinished.string(),
                           "--auth-root-authentication-method=normal", "--skip-test-db",
                           "--skip-name-resolve", "--innodb-log-file-size=16M", tmpdir_of(folder)}),
              {}},
             kInstallWithin));
  if (done.code != 0) return fail(Errc::kChildFailed, "mariadb-install-db:\n" + done.output);
  fs::rename(unfinished, data, ignored);
  return {};
}

std::uint64_t memory_of_the_machine() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0
             ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page)
             : 0;
}

/// Runs at every start of the server, one statement a line: our account with its password, and no
/// password-less root.
std::string init_sql(const PrivateStore& store, const std::string& password,
                     const std::string& root_password) {
  const std::string user = "'" + store.mysql_user + "'@'localhost'";
  return "CREATE DATABASE IF NOT EXISTS " + store.mysql_database +
         " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n"
         "CREATE USER IF NOT EXISTS " +
         user + " IDENTIFIED BY '" + password +
         "';\n"
         "GRANT ALL PRIVILEGES ON " +
         store.mysql_database + ".* TO " + user +
         ";\n"
         "ALTER USER 'root'@'localhost' IDENTIFIED BY '" +
         root_password + "';\n";
}

}  // namespace

PrivatePool private_pool(std::uint64_t memory_bytes) {
  const std::uint64_t pool = std::clamp<std::uint64_t>(memory_bytes / 8 >> 20U, 64, 1'024);
  return {pool, std::clamp<std::uint64_t>(pool / 8, 16, 128)};
}

std::string missing_store_packages() {
  std::string missing;
  if (find_program("mariadbd").empty()) missing += " mariadb-server-core";
  if (find_program("mariadb-install-db").empty())
    missing += " mariadb-server-core mariadb-client-core";
  if (find_program("redis-server").empty() && find_program("redis-check-rdb").empty()) {
    missing += " redis-tools";
  }
  if (missing.empty()) return {};
  return "sudo apt-get install --no-install-recommends mariadb-server-core mariadb-client-core "
         "redis-tools";
}

Result<PrivateStore> prepare_private_store(const fs::path& folder, Random& random) {
  if (const std::string apt = missing_store_packages(); !apt.empty()) {
    return fail(Errc::kMissingPackage, "--store mysql needs MariaDB and Redis: " + apt);
  }
  HY_TRY_VOID(make_private(folder));
  HY_TRY_VOID(make_private(folder / "tmp"));
  PrivateStore store;
  store.folder = folder;
  store.mysql_socket = folder / "s.sock";
  store.redis_socket = folder / "r.sock";
  store.mysql_password_file = folder / "mysql.password";
  if (store.mysql_socket.string().size() > kSocketPathMax) {
    return fail(Errc::kUsage, "the path is too long for a Unix socket: " + folder.string());
  }
  const fs::path data = folder / "data";
  std::error_code ignored;
  if (!fs::exists(data, ignored)) {
    HY_TRY_VOID(install_data(find_program("mariadb-install-db"), data, folder));
  }
  std::string password;
  if (fs::exists(store.mysql_password_file, ignored)) {
    HY_TRY(password, read_file(store.mysql_password_file));
    while (password.ends_with('\n')) password.pop_back();
  } else {
    password = random_hex(random, 16);
    HY_TRY_VOID(write_private(store.mysql_password_file, password + "\n"));
  }
  const fs::path init = folder / "init.sql";
  HY_TRY_VOID(write_private(init, init_sql(store, password, random_hex(random, 16))));

  const PrivatePool size = private_pool(memory_of_the_machine());
  const auto at = [&folder](const char* name) { return (folder / name).string(); };
  ServiceSpec mariadb;
  mariadb.name = "mariadb";
  mariadb.command.argv =
      as_root_too({find_program("mariadbd").string(), "--no-defaults", "--datadir=" + data.string(),
                   "--socket=" + at("s.sock"), "--pid-file=" + at("p.pid"),
                   "--init-file=" + init.string(), "--skip-networking", "--skip-name-resolve",
                   "--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin",
                   "--innodb-buffer-pool-size=" + std::to_string(size.pool_mib) + "M",
                   "--innodb-log-file-size=" + std::to_string(size.log_mib) + "M",
                   "--performance-schema=OFF", "--max-connections=64", tmpdir_of(folder)});
  mariadb.command.log = folder / "mariadb.log";
  mariadb.is_ready = [path = store.mysql_socket](std::string& why) {
    return mariadb_is_ready(path, why);
  };
  ServiceSpec redis;
  redis.name = "redis";
  redis.command.argv = {find_redis(folder).string(),
                        "--port",
                        "0",
                        "--unixsocket",
                        at("r.sock"),
                        "--save",
                        "",
                        "--appendonly",
                        "no",
                        "--dir",
                        folder.string(),
                        "--daemonize",
                        "no"};
  redis.command.log = folder / "redis.log";
  redis.is_ready = [path = store.redis_socket](std::string& why) {
    return redis_is_ready(path, why);
  };
  store.services = {std::move(mariadb), std::move(redis)};
  return store;
}

}  // namespace hy::cli
