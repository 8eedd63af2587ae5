#include "client/cli/cluster_layout.h"

#include <algorithm>

#include "client/cli/keys.h"
#include "client/cli/private_folder.h"
#include "common/base/bytes.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kSocketPathMax = 107;
constexpr std::size_t kKeyBytes = 32;
constexpr int kEntryPort = 14'000;
constexpr int kLogicPort = 14'100;
constexpr int kRouterPort = 14'200;
constexpr int kDasPort = 14'300;

std::string loopback(int port) {
  return "127.0.0.1:" + std::to_string(port);
}

/// A TOML basic string: paths may hold quotes and backslashes.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string secret_file(const fs::path& path) {
  return "{ file = " + toml_text(path.string()) + " }";
}

/// A key of 32 random bytes as hex in a file of its own, made once.
Result<std::string> key_file(const fs::path& path, Random& random) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    HY_TRY(std::string hex, read_file(path));
    while (hex.ends_with('\n')) hex.pop_back();
    return hex;
  }
  std::string hex = random_hex(random, kKeyBytes);
  HY_TRY_VOID(write_private(path, hex + "\n"));
  return hex;
}

Status place_tier(ClusterLayout& layout, FreePorts& ports, std::string tier, int count, int base) {
  for (int i = 0; i < count; ++i) {
    HY_TRY(const int port, ports.pair(base + 10 * i));
    DaemonPlace place;
    place.tier = tier;
    place.letter = std::string(1, static_cast<char>('a' + i));
    place.admin = loopback(port + 1);
    if (tier == "entry") {
      place.address = loopback(port);
    } else {
      const fs::path socket = layout.folder / "run" / (tier + "-" + place.letter + ".sock");
      if (socket.string().size() > kSocketPathMax) {
        return fail(Errc::kUsage, "the path is too long for a Unix socket: " + socket.string());
      }
      place.address = "unix:" + socket.string();
    }
    layout.daemons.push_back(std::move(place));
  }
  return {};
}

}  // namespace

std::string_view store_kind_name(StoreKind kind) {
  return kind == StoreKind::kMysql ? "mysql" : "embedded";
}

std::vector<std::string> ClusterLayout::entry_addresses() const {
  std::vector<std::string> out;
  for (const DaemonPlace& d : daemons) {
    if (d.tier == "entry") out.push_back(d.address);
  }
  return out;
}

std::vector<std::string> ClusterLayout::names_of(std::string_view tier) const {
  std::vector<std::string> out;
  for (const DaemonPlace& d : daemons) {
    if (d.tier == tier) out.push_back(d.name());
  }
  return out;
}

const DaemonPlace* ClusterLayout::find(std::string_view name) const {
  const auto at = std::ranges::find_if(daemons, [&](const auto& d) { return d.name() == name; });
  return at == daemons.end() ? nullptr : &*at;
}

std::vector<std::string> ClusterLayout::arguments(const DaemonPlace& daemon) const {
  std::vector<std::string> out{"--config", config.string(),
                               "--name",   daemon.letter,
                               "--set",    daemon.tier + ".admin=" + daemon.admin};
  for (const std::string& setting : more_settings) {
    const std::string table = setting.substr(0, setting.find('.'));
    // A daemon judges its own table and the common ones alone.
    if (table != daemon.tier && table != "host" && table != "log" && table != "tls") continue;
    out.emplace_back("--set");
    out.push_back(setting);
  }
  return out;
}

std::string topology_toml(const ClusterLayout& layout) {
  std::string out =
      "# Where the daemons of this cluster are. The same file on every host.\n"
      "version = 1\n"
      "cluster = " +
      toml_text(layout.cluster) + "\n\n[idc." + layout.idc + "]\n";
  for (const std::string_view tier : {"entry", "logic", "router", "das"}) {
    std::string list;
    for (const DaemonPlace& d : layout.daemons) {
      if (d.tier != tier) continue;
      if (!list.empty()) list += ", ";
      list += toml_text(d.address);
    }
    out += std::string(tier) + std::string(7 - tier.size(), ' ') + "= [" + list + "]\n";
  }
  return out;
}

std::string hongyan_toml(const ClusterLayout& layout, const LayoutOptions& options) {
  const fs::path secrets = layout.folder / "secrets";
  std::string out =
      "# Written by hy for one cluster on this host. Every key is explained in "
      "deploy/hongyan.toml.\n"
      "[host]\n"
      "idc      = " +
      toml_text(layout.idc) +
      "\n"
      "topology = " +
      toml_text((layout.folder / "topology.toml").string()) +
      "\n"
      "data     = " +
      toml_text((layout.folder / "data").string()) +
      "\n\n"
      "[entry]\n"
      "noise_key = " +
      secret_file(secrets / "noise.key") +
      "\n"
      "# Everybody comes from one address here, and load comes faster than people type.\n"
      "connect_rate         = \"2000/s burst 20000\"\n"
      "frame_rate           = \"20000/s burst 20000\"\n"
      "in_flight            = 1000\n"
      "unauthenticated_per_ip = 20000\n"
      "logged_in_per_ip     = \"1M\"\n"
      "drain.spread         = \"1s\"\n\n"
      "[logic]\n"
      "token_key      = " +
      secret_file(secrets / "token.key") +
      "\n"
      "operator_token = " +
      secret_file(secrets / "operator.token") +
      "\n"
      "# Scripts and load send faster than people do.\n"
      "send_rate  = \"20000/s burst 20000\"\n"
      "relay_rate = \"1000/s burst 1000\"\n"
      "read_rate  = \"1000/s burst 1000\"\n"
      "sync_rate  = \"100/s burst 100\"\n"
      "pull_rate  = \"1000/s burst 1000\"\n"
      "query_rate = \"1000/s burst 1000\"\n"
      "recheck_after = \"1s\"\n\n"
      "[das]\n"
      "engine = " +
      toml_text(store_kind_name(layout.store)) + "\n";
  if (layout.store == StoreKind::kMysql) {
    out += "mysql.server   = " + toml_text("unix:" + options.mysql.socket.string()) +
           "\n"
           "mysql.user     = " +
           toml_text(options.mysql.user) +
           "\n"
           "mysql.database = " +
           toml_text(options.mysql.database) +
           "\n"
           "mysql.password = " +
           secret_file(options.mysql.password_file) +
           "\n"
           "redis.server   = " +
           toml_text("unix:" + options.mysql.redis_socket.string()) + "\n";
  }
  return out;
}

Result<ClusterLayout> write_layout(const LayoutOptions& options, FreePorts& ports, Random& random) {
  ClusterLayout layout;
  layout.folder = options.folder;
  layout.cluster = options.cluster;
  layout.idc = options.idc;
  layout.store = options.store;
  layout.config = options.folder / "hongyan.toml";
  layout.logs = options.folder / "log";
  layout.operator_token_file = options.folder / "secrets" / "operator.token";
  layout.more_settings = options.more_settings;
  for (const char* name : {"secrets", "data", "log", "run"}) {
    HY_TRY_VOID(make_private(options.folder / name));
  }
  HY_TRY_VOID(place_tier(layout, ports, "entry", options.size.entries, kEntryPort));
  HY_TRY_VOID(place_tier(layout, ports, "logic", options.size.logics, kLogicPort));
  HY_TRY_VOID(place_tier(layout, ports, "router", options.size.routers, kRouterPort));
  HY_TRY_VOID(place_tier(layout, ports, "das", options.size.das, kDasPort));

  HY_TRY(const std::string noise, key_file(options.folder / "secrets" / "noise.key", random));
  HY_TRY(const std::string token, key_file(options.folder / "secrets" / "token.key", random));
  HY_TRY(const std::string operators, key_file(layout.operator_token_file, random));
  HY_TRY(layout.server_key_hex, public_key_hex(noise));
  HY_TRY_VOID(write_private(layout.config, hongyan_toml(layout, options)));
  HY_TRY_VOID(write_private(options.folder / "topology.toml", topology_toml(layout)));
  return layout;
}

}  // namespace hy::cli
