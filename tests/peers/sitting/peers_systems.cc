#include <fstream>
#include <stdexcept>

#include "client/cli/private_store.h"
#include "common/crypto/system_random.h"
#include "tests/peers/sitting/systems.h"
#include "tests/peers/sitting/tools.h"

namespace hy::peers {
namespace {

namespace fs = std::filesystem;

int free_port(const Place& place, int preferred) {
  return must(place.ports->pair(preferred));
}

std::string user_name() {
  const auto who = must(cli::run({{"/usr/bin/id", "-un"}, {}}, Millis(5'000)));
  return who.output.substr(0, who.output.find('\n'));
}

/// A MariaDB with exactly the settings of Hongyan's private one, reached over TCP.
struct ArchiveStore {
  std::string socket;
  std::string password;
  int port = 0;
};

std::string sql_answer(const ArchiveStore& store, const std::string& sql) {
  const auto done = must(cli::run({{"/usr/bin/mariadb", "--no-defaults", "--socket=" + store.socket,
                                    "--user=hongyan", "--password=" + store.password, "--batch",
                                    "--skip-column-names", "--execute=" + sql, "hongyan"},
                                   {}},
                                  Millis(60'000)));
  if (done.code != 0) throw std::runtime_error("mariadb: " + done.output);
  return done.output;
}

ArchiveStore start_archive(const Place& place, const fs::path& folder, cli::Supervisor& to) {
  crypto::SystemRandom random;
  cli::PrivateStore store = must(cli::prepare_private_store(folder / "store", random));
  ArchiveStore out;
  out.socket = store.mysql_socket.string();
  out.port = free_port(place, 13060);
  out.password = read_password(store.mysql_password_file);
  std::ofstream(folder / "store" / "init.sql", std::ios::app)
      << "CREATE USER IF NOT EXISTS 'hongyan'@'127.0.0.1' IDENTIFIED BY '" << out.password
      << "';\nGRANT ALL PRIVILEGES ON hongyan.* TO 'hongyan'@'127.0.0.1';\n";
  cli::ServiceSpec mariadb = store.services.at(0);
  for (std::string& argument : mariadb.command.argv) {
    if (argument == "--skip-networking") argument = "--bind-address=127.0.0.1";
  }
  mariadb.command.argv.push_back("--port=" + std::to_string(out.port));
  must(to.start(mariadb));
  must(to.wait_ready({"mariadb"}, kReadyWithin));
  sql_answer(out, "SOURCE /usr/share/ejabberd/sql/mysql.sql");
  return out;
}

std::string ejabberd_config(int port, const ArchiveStore* archive) {
  std::string text =
      "hosts: [localhost]\n"
      "loglevel: error\n"
      "auth_method: internal\n"
      "auth_password_format: plain\n"
      "listen:\n"
      "  - port: " +
      std::to_string(port) +
      "\n    ip: \"127.0.0.1\"\n"
      "    module: ejabberd_c2s\n"
      "    backlog: 1024\n"
      "    max_stanza_size: 262144\n"
      "    access: all\n"
      "modules:\n"
      "  mod_disco: {}\n"
      "  mod_roster: {}\n"
      "  mod_offline: {}\n"
      "  mod_stream_mgmt: {}\n";
  if (archive == nullptr) return text;
  text +=
      "  mod_mam:\n"
      "    db_type: sql\n"
      "    default: always\n"
      "    assume_mam_usage: true\n"
      "sql_type: mysql\n"
      "sql_server: \"127.0.0.1\"\n"
      "sql_port: " +
      std::to_string(archive->port) +
      "\nsql_database: hongyan\n"
      "sql_username: hongyan\n"
      "sql_password: \"" +
      archive->password + "\"\n";
  return text;
}

/// Runs once ejabberd has started: accounts, then every connection of its SQL pool (started on
/// first use, and a message that comes before is not archived), then a file that says so.
std::string after_start(std::size_t accounts, bool archive, const fs::path& done) {
  std::string text =
      "lists:foreach(fun(I) -> ok = ejabberd_auth:try_register(<<\"u\", "
      "(integer_to_binary(I))/binary>>, <<\"localhost\">>, <<\"pw\">>) end, lists:seq(0, " +
      std::to_string(accounts - 1) + ")), ";
  if (archive) {
    text +=
        "[catch ejabberd_sql:sql_query(<<\"localhost\">>, [<<\"SELECT 1\">>]) "
        "|| _ <- lists:seq(1, 1000)], ";
  }
  return text + "file:write_file(\"" + done.string() + "\", \"ready\").";
}

}  // namespace

System start_mosquitto(const Place& place) {
  const fs::path folder = place.folder / "mosquitto";
  fs::create_directories(folder);
  const int port = free_port(place, 18830);
  write_file(folder / "mosquitto.conf", "listener " + std::to_string(port) +
                                            " 127.0.0.1\n"
                                            "allow_anonymous true\n"
                                            "persistence false\n"
                                            "log_type error\n"
                                            "user " +
                                            user_name() + "\n");
  auto supervisor = std::make_shared<cli::Supervisor>();
  cli::ServiceSpec spec;
  spec.name = "mosquitto";
  spec.command.argv = {"/usr/sbin/mosquitto", "-c", (folder / "mosquitto.conf").string()};
  spec.command.log = folder / "log";
  spec.is_ready = [port](std::string& why) {
    why = "nobody listens on port " + std::to_string(port);
    return accepts(port);
  };
  must(supervisor->start(spec));
  must(supervisor->wait_ready({}, kReadyWithin));
  System out;
  out.name = "mosquitto";
  out.daemons = {{"mosquitto", pid_of(*supervisor, "mosquitto")}};
  out.load = {"mqtt", "--port", std::to_string(port)};
  out.keep = supervisor;
  return out;
}

System start_ejabberd(const Place& place, bool archive, const std::vector<std::string>& flags) {
  std::string name = archive ? "ejabberd+archive" : "ejabberd";
  for (const std::string& flag : flags) name += flag.starts_with('+') ? " " + flag : flag;
  const fs::path folder = place.folder / (archive ? "eja" : flags.empty() ? "ej" : "ejf");
  fs::create_directories(folder / "spool");
  auto supervisor = std::make_shared<cli::Supervisor>();
  ArchiveStore store;
  if (archive) store = start_archive(place, folder, *supervisor);
  const int port = free_port(place, 15220);
  const fs::path config = folder / "ejabberd.yml";
  const fs::path ready = folder / "ready";
  write_file(config, ejabberd_config(port, archive ? &store : nullptr));
  cli::ServiceSpec spec;
  spec.name = "ejabberd";
  // As ejabberdctl starts it, but without distribution (no node name, no epmd) and as this user.
  spec.command.argv = {"/usr/bin/erl", "+K", "true", "+P", "250000"};
  for (const std::string& flag : flags) spec.command.argv.push_back(flag);
  for (const std::string& argument :
       {std::string("-noinput"), std::string("-mnesia"), std::string("dir"),
        "\"" + (folder / "spool").string() + "\"", std::string("-s"), std::string("ejabberd"),
        std::string("-eval"), after_start(place.connections, archive, ready)}) {
    spec.command.argv.push_back(argument);
  }
  spec.command.env = {"EJABBERD_CONFIG_PATH=" + config.string(),
                      "EJABBERD_LOG_PATH=" + (folder / "ejabberd.log").string(),
                      "ERL_LIBS=/usr/lib/x86_64-linux-gnu",
                      "ERL_MAX_PORTS=32000",
                      "ERL_MAX_ETS_TABLES=1400",
                      "HOME=" + folder.string(),
                      "ERL_CRASH_DUMP=" + (folder / "crash").string()};
  spec.command.log = folder / "log";
  spec.is_ready = [ready](std::string& why) {
    why = "accounts are not registered yet";
    return fs::exists(ready);
  };
  must(supervisor->start(spec));
  must(supervisor->wait_ready({"ejabberd"}, kReadyWithin));
  System out;
  out.name = name;
  out.daemons = {{"ejabberd", pid_of(*supervisor, "ejabberd")}};
  out.load = {"xmpp", "--port", std::to_string(port)};
  if (archive) {
    out.stores = {{"mariadb", pid_of(*supervisor, "mariadb")}};
    out.archived_rows = [store] {
      return std::stoull(sql_answer(store, "SELECT COUNT(*) FROM archive"));
    };
  }
  out.keep = supervisor;
  return out;
}

}  // namespace hy::peers
