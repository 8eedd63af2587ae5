#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/free_ports.h"
#include "tests/peers/sitting/processes.h"

namespace hy::peers {

struct Process {
  std::string name;
  pid_t pid = -1;
};

/// One server under test, with its own processes and folder, and the arguments of its load. Stops
/// what it started when it goes.
struct System {
  std::string name;
  std::vector<Process> daemons;
  std::vector<Process> stores;
  std::vector<std::string> load;  ///< arguments of peer_load
  /// Rows that the archive holds; empty function: nothing is stored.
  std::function<std::uint64_t()> archived_rows;
  std::string mysql_socket;  ///< of Hongyan's MariaDB
  std::string mysql_password_file;
  std::shared_ptr<void> keep;
};

struct Place {
  std::filesystem::path folder;  ///< exists; one subfolder a system
  std::filesystem::path build;   ///< with bin/ and tests/
  std::size_t connections = 1'000;
  bool is_group = false;  ///< all of them are one chat group
  cli::FreePorts* ports = nullptr;
  std::vector<std::string> hongyan_settings;  ///< further "table.key=value"
};

// Each throws std::runtime_error with the reason.
System start_mosquitto(const Place& place);
/// `archive`: mod_mam in a MariaDB of its own, always on. `flags`: further arguments of the
/// Erlang machine.
System start_ejabberd(const Place& place, bool archive, const std::vector<std::string>& flags);
System start_hongyan(const Place& place, bool mysql);

/// Rows a second of multi-row prepared INSERTs (200 rows a statement, one writer, autocommit) into
/// a table like `message`, beside it in the same MariaDB, for about two seconds.
double raw_insert_rows_per_second(const System& hongyan_on_mysql);

}  // namespace hy::peers
