#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "client/cli/free_ports.h"
#include "common/base/random.h"
#include "common/base/result.h"

namespace hy::cli {

enum class StoreKind : std::uint8_t { kEmbedded, kMysql };
std::string_view store_kind_name(StoreKind kind);

/// How many daemons of each tier.
struct ClusterSize {
  int entries = 2;
  int logics = 2;
  int routers = 2;
  int das = 1;
  /// What `hy demo` starts: the embedded engine has exactly one das.
  static ClusterSize usual(StoreKind store) {
    return {2, 2, 2, store == StoreKind::kMysql ? 2 : 1};
  }
  [[nodiscard]] int total() const { return entries + logics + routers + das; }
};

/// One daemon of the cluster.
struct DaemonPlace {
  std::string tier;     ///< "entry", "logic", "router", "das"
  std::string letter;   ///< "a", "b" …: its position in topology.toml
  std::string address;  ///< as in topology.toml
  std::string admin;    ///< "127.0.0.1:PORT"
  [[nodiscard]] std::string name() const { return tier + "-" + letter; }
};

struct MysqlAccess {
  std::filesystem::path socket;
  std::filesystem::path redis_socket;
  std::string user;
  std::string database;
  std::filesystem::path password_file;
};

struct LayoutOptions {
  std::filesystem::path folder;  ///< private, exists
  std::string cluster = "demo";
  std::string idc = "sh";
  StoreKind store = StoreKind::kEmbedded;
  ClusterSize size;
  MysqlAccess mysql;  ///< StoreKind::kMysql alone
  std::vector<std::string>
      more_settings;  ///< further lines of "table.key=value", as --set takes them
};

/// The configuration of one cluster on this host, as files in one folder.
struct ClusterLayout {
  std::filesystem::path folder;
  std::string cluster;
  std::string idc;
  StoreKind store = StoreKind::kEmbedded;
  std::filesystem::path config;
  std::filesystem::path logs;
  std::filesystem::path operator_token_file;
  std::string server_key_hex;  ///< the entries' public key: clients pin it
  std::vector<DaemonPlace> daemons;
  std::vector<std::string> more_settings;

  [[nodiscard]] std::vector<std::string> entry_addresses() const;
  [[nodiscard]] std::vector<std::string> names_of(std::string_view tier) const;
  [[nodiscard]] const DaemonPlace* find(std::string_view name) const;
  /// Arguments of a daemon after the program's path.
  [[nodiscard]] std::vector<std::string> arguments(const DaemonPlace& daemon) const;
};

/// Finds ports, makes keys (kept when the folder has them), and writes hongyan.toml, topology.toml
/// and secrets/ into the folder. Peers inside the cluster meet on Unix sockets in the same folder.
/// Errors: kPortInUse, kConfigUnreadable, kUsage when the folder's path is too long for a socket.
Result<ClusterLayout> write_layout(const LayoutOptions& options, FreePorts& ports, Random& random);

/// The text of both files, for a given layout (pure).
std::string hongyan_toml(const ClusterLayout& layout, const LayoutOptions& options);
std::string topology_toml(const ClusterLayout& layout);

}  // namespace hy::cli
