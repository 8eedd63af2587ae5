#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/cluster_layout.h"
#include "client/cli/private_folder.h"
#include "client/cli/supervisor.h"
#include "client/sdk/hongyan.hpp"
#include "common/base/result.h"

namespace hy::cli {

struct ClusterOptions {
  std::filesystem::path folder;  ///< private, exists; removed by whoever made it
  std::string cluster = "demo";
  StoreKind store = StoreKind::kEmbedded;
  ClusterSize size;
  Millis restart_after{300};
  Millis ready_within{30'000};
  std::vector<std::string> more_settings;  ///< "table.key=value" for every daemon
  std::filesystem::path programs;          ///< folder of hy-entry …; empty: beside this program
  /// Called once per program before its first start, stores included: what a test puts around it
  /// (an environment, a wrapper, a file that it reads). Errors end start().
  std::function<Status(ServiceSpec&)> before_start;
};

/// A user that was made for this cluster.
struct Account {
  Uid uid;
  std::string name;
  std::string password;
};

/// A whole cluster on this host: stores, das, routers, logics and entries as real processes,
/// started by one call and stopped by the destructor. Used by `hy demo`, `hy up` and the end-to-end
/// tests.
class Cluster {
 public:
  /// Returns when every daemon says that it is ready. `progress` gets a line per phase.
  /// Errors: kMissingPackage, kChildFailed, kTimedOut …, with the end of the daemon's log.
  static Result<std::unique_ptr<Cluster>> start(
      const ClusterOptions& options, const std::function<void(const std::string&)>& progress = {});
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  [[nodiscard]] const ClusterLayout& layout() const { return layout_; }
  Supervisor& supervisor() { return supervisor_; }
  /// Waits until the named daemons (all when empty) are ready again.
  Status wait_ready(const std::vector<std::string>& names, Millis within) {
    return supervisor_.wait_ready(names, within);
  }
  /// Takes the store away (embedded: every das; mysql: MariaDB, and Redis only on request).
  Status stop_store();
  Status start_store();
  Status stop_redis();
  Status start_redis();

  /// Makes users through the operator's door. Errors: those of the server (kNameTaken …).
  Result<std::vector<Account>> add_users(const std::vector<std::string>& names);
  /// Where clients dial from now on, in the order of the entries; before: where these listen.
  void set_dialled_entries(std::vector<std::string> addresses) {
    dialled_entries_ = std::move(addresses);
  }
  /// SDK options to reach this cluster, entry `first` first. `store`: "" = in memory.
  [[nodiscard]] hy::ClientOptions client_options(std::size_t first, std::string store) const;
  [[nodiscard]] std::size_t resident_bytes() const;
  /// From start() to ready.
  [[nodiscard]] Millis start_took() const { return start_took_; }
  /// Stops everything now. `hard`: without giving the daemons time.
  void stop(bool hard);

 private:
  explicit Cluster(const ClusterOptions& options);
  Status start_stores();
  Status start_daemons();
  Status apply_schema();
  [[nodiscard]] std::string program(std::string_view tier) const;

  ClusterOptions options_;
  FreePorts ports_;
  ClusterLayout layout_;
  std::vector<std::string> dialled_entries_;
  Millis start_took_{0};
  Supervisor supervisor_;
};

/// The folder of this very program: the daemons lie beside it.
std::filesystem::path own_folder();

}  // namespace hy::cli
