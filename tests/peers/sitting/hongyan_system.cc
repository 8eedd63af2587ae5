#include <nlohmann/json.hpp>

#include "client/cli/cluster.h"
#include "client/cli/operator_client.h"
#include "common/crypto/system_random.h"
#include "das/engines/mysql/connection.h"
#include "das/engines/mysql/statements.h"
#include "tests/peers/sitting/systems.h"
#include "tests/peers/sitting/tools.h"

namespace hy::peers {
namespace {

namespace fs = std::filesystem;

/// Limits per client and per address, which a load test from one address would meet.
const std::vector<std::string> kNoLimits = {"logic.send_rate=100000/s burst 100000",
                                            "logic.send_per_group=100000/s burst 100000",
                                            "logic.sync_rate=1000/s burst 1000",
                                            "entry.frame_rate=100000/s burst 100000",
                                            "entry.connect_rate=100000/s burst 100000",
                                            "entry.unauthenticated_per_ip=20000",
                                            "entry.logged_in_per_ip=100000"};

void write_access(const cli::Cluster& cluster, std::size_t users, const fs::path& file) {
  auto door =
      must(cli::OperatorClient::open(cli::operator_access(cluster.layout()), Millis(5'000)));
  std::vector<cli::Account> accounts(users);
  for (std::size_t i = 0; i < users; ++i) accounts[i].name = "u" + std::to_string(i);
  must(door->add_users(accounts, Millis(120'000)));
  std::vector<Uid> uids;
  for (const cli::Account& account : accounts) uids.push_back(account.uid);
  const auto tokens = must(
      door->make_tokens(uids, Slot::kDesktop, "load-%u", std::chrono::hours(24), Millis(120'000)));
  nlohmann::json access;
  access["address"] = cluster.layout().entry_addresses().at(0);
  access["server_key"] = cluster.layout().server_key_hex;
  for (std::size_t i = 0; i < users; ++i) {
    access["users"].push_back({uids[i].value(), to_hex(as_bytes(tokens[i]))});
  }
  write_file(file, access.dump());
}

}  // namespace

System start_hongyan(const Place& place, bool mysql) {
  const fs::path folder = place.folder / (mysql ? "hym" : "hye");
  fs::create_directories(folder);
  fs::permissions(folder, fs::perms::owner_all);
  cli::ClusterOptions options;
  options.folder = folder;
  options.store = mysql ? cli::StoreKind::kMysql : cli::StoreKind::kEmbedded;
  options.size = {1, 1, 1, 1};
  options.programs = place.build / "bin";
  options.more_settings = kNoLimits;
  options.more_settings.insert(options.more_settings.end(), place.hongyan_settings.begin(),
                               place.hongyan_settings.end());
  std::shared_ptr<cli::Cluster> cluster = must(cli::Cluster::start(options));
  const fs::path access = folder / "access.json";
  write_access(*cluster, place.connections, access);
  System out;
  out.name = mysql ? "hongyan/mysql" : "hongyan/embedded";
  for (const cli::ServiceState& service : cluster->supervisor().list()) {
    const bool is_store = service.name == "mariadb" || service.name == "redis";
    (is_store ? out.stores : out.daemons).push_back({service.name, service.pid});
    if (service.name == "mariadb") {
      out.mysql_socket = (service.log.parent_path() / "s.sock").string();
      out.mysql_password_file = (service.log.parent_path() / "mysql.password").string();
    }
  }
  out.load = {"hongyan", "--access", access.string(), "--from", mysql ? "127.0.0.3" : "127.0.0.2"};
  out.keep = cluster;
  return out;
}

double raw_insert_rows_per_second(const System& on_mysql) {
  namespace mysql = das::mysql;
  constexpr std::size_t kRows = 200;
  constexpr std::uint64_t kConversations = 500;
  auto connection = must(
      mysql::Connection::open({.address = "unix:" + on_mysql.mysql_socket,
                               .user = "hongyan",
                               .password = Secret(read_password(on_mysql.mysql_password_file))},
                              mysql::Use::kWrite));
  connection->exec("CREATE TABLE raw_message LIKE message");
  std::string text = mysql::sql_text::insert_messages(kRows);
  const std::string target = "INSERT INTO message";
  text.replace(text.find(target), target.size(), "INSERT INTO raw_message");
  auto& statement = connection->prepared(text);
  const std::string body(100, 'x');
  const std::string hash(16, 'h');
  crypto::SystemRandom random;
  SystemClock clock;
  const MonoTime began = clock.now();
  const MonoTime end = began + std::chrono::seconds(2);
  std::uint64_t rows = 0;
  while (clock.now() < end) {
    unsigned index = 0;
    for (std::size_t i = 0; i < kRows; ++i, ++rows) {
      const std::uint64_t low = rows % kConversations + 1;
      Bytes conv(16, '\0');
      put_be(reinterpret_cast<std::uint8_t*>(conv.data()), low);
      put_be(reinterpret_cast<std::uint8_t*>(conv.data()) + 8, low + kConversations);
      Bytes id(16, '\0');
      random.fill(std::span(reinterpret_cast<std::uint8_t*>(id.data()), id.size()));
      const std::uint64_t seq = rows / kConversations + 1;
      mysql::put(statement, ++index, conv);
      for (const std::uint64_t value : {seq, low}) mysql::put(statement, ++index, value);
      mysql::put(statement, ++index, id);
      mysql::put(statement, ++index, hash);
      for (const std::uint64_t value : {std::uint64_t{1}, std::uint64_t{1}, seq}) {
        mysql::put(statement, ++index, value);
      }
      mysql::put(statement, ++index, std::int64_t{1'700'000'000'000});
      mysql::put(statement, ++index, body);
    }
    statement.executeUpdate();
  }
  const double seconds = std::chrono::duration<double>(clock.now() - began).count();
  connection->exec("DROP TABLE raw_message");
  return static_cast<double>(rows) / seconds;
}

}  // namespace hy::peers
