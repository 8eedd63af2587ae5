#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/cluster.h"
#include "common/hooks/control_file.h"
#include "tests/faults/disk_fault.h"
#include "tests/faults/process_faults.h"
#include "tests/faults/store_faults.h"
#include "tests/faults/tcp_gate.h"

namespace hy::chaos {

class Fleet;

/// What a round needs around its processes; each costs something, so only what its faults use.
struct RigNeeds {
  bool disk = false;   ///< the disk shim under das, MariaDB and everybody's log
  bool clock = false;  ///< libfaketime under every daemon
};

struct RigOptions {
  std::filesystem::path folder;  ///< private, exists
  std::filesystem::path programs;
  cli::StoreKind store = cli::StoreKind::kEmbedded;
  cli::ClusterSize size;
  Millis restart_after{700};
  RigNeeds needs;
  std::uint64_t seed = 1;
  int mutant = 0;  ///< switched on in every daemon
};

/// One way between two parties, and the gate on it.
struct Link {
  std::string from;  ///< who dials: "entry-a", "people", "roaming" (people, by a second way)
  std::string to;    ///< "logic-b", "mariadb", "redis"
  std::unique_ptr<faults::Gate> gate;
  [[nodiscard]] std::string name() const { return from + ">" + to; }
};

/// A cluster of real processes with a gate on every way between two of them and from the people to
/// the entries: each daemon has a topology file of its own, in which its own address is real and
/// every peer's is a gate. One thread, but for what its members allow.
class Rig {
 public:
  /// Stores, daemons, gates; all ready. Errors: those of Cluster::start and of the fault tools.
  static Result<std::unique_ptr<Rig>> start(const RigOptions& options);
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  [[nodiscard]] cli::Cluster& cluster() { return *cluster_; }
  [[nodiscard]] const RigOptions& options() const { return options_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Link>>& links() const { return links_; }
  [[nodiscard]] Link* link(const std::string& name) const;
  /// Daemons, without the stores: "das-a" …
  [[nodiscard]] std::vector<std::string> daemons() const;
  [[nodiscard]] bool has_mysql() const { return options_.store == cli::StoreKind::kMysql; }
  /// −1 when it is not running. Stores too: "mariadb", "redis".
  [[nodiscard]] pid_t pid(const std::string& name) const;
  /// The named places of a daemon; lives over its restarts.
  [[nodiscard]] hooks::ControlFile& control(const std::string& daemon);
  [[nodiscard]] std::string admin(const std::string& daemon) const;
  /// Where an entry itself listens, behind the gates.
  [[nodiscard]] std::string entry_address(const std::string& entry) const {
    return entry_addresses_.at(entry);
  }

  faults::Pauses& pauses() { return pauses_; }
  faults::DiskFault* store_disk() { return store_disk_ ? &*store_disk_ : nullptr; }
  faults::DiskFault* log_disk() { return log_disk_ ? &*log_disk_ : nullptr; }
  faults::WallClock* clock() { return clock_ ? &*clock_ : nullptr; }
  faults::RedisFaults* redis() { return redis_ ? &*redis_ : nullptr; }
  faults::MariadbFaults* mariadb() { return mariadb_.get(); }
  /// The people's devices, once they are there.
  [[nodiscard]] Fleet* fleet() const { return fleet_; }
  void set_fleet(Fleet* fleet) { fleet_ = fleet; }

  /// Continues what stands at a sync point, ends every gate's and disk's fault. Those of the stores
  /// end with their own faults.
  void heal();

 private:
  explicit Rig(RigOptions options) : options_(std::move(options)) {}
  Status prepare();
  Status before_start(cli::ServiceSpec& spec);
  Status surround_store(cli::ServiceSpec& spec);
  Status surround_daemon(cli::ServiceSpec& spec);
  Status open_link(const std::string& from, const std::string& to, const std::string& target,
                   faults::GateProtocol protocol);
  Status open_people_links(const std::string& from);
  Status write_topology(const std::string& daemon, const std::filesystem::path& file);
  [[nodiscard]] std::vector<std::string> names_of(std::string_view tier) const;
  [[nodiscard]] std::string socket_of(const std::string& daemon) const;
  Status read_entry_addresses();

  RigOptions options_;
  faults::Gates gates_;
  std::vector<std::unique_ptr<Link>> links_;
  std::map<std::string, std::string> entry_addresses_;  // daemon → "127.0.0.1:PORT"
  std::map<std::string, hooks::ControlFile> controls_;
  std::optional<faults::DiskFault> store_disk_;
  std::optional<faults::DiskFault> log_disk_;
  std::optional<faults::WallClock> clock_;
  std::optional<faults::RedisFaults> redis_;
  std::unique_ptr<faults::MariadbFaults> mariadb_;
  faults::Pauses pauses_;
  std::unique_ptr<cli::Cluster> cluster_;
  Fleet* fleet_ = nullptr;
};

}  // namespace hy::chaos
