#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/judge/evidence.h"
#include "tests/sim/cluster/daemons.h"
#include "tests/sim/cluster/device_host.h"
#include "tests/sim/cluster/plan.h"

namespace hy::sim {

/// How a seed ended.
enum class Outcome : std::uint8_t { kClean, kSafety, kLiveness };

struct Report {
  Outcome outcome = Outcome::kClean;
  std::vector<std::string> violations;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t packets = 0;
  std::uint64_t submitted = 0;
  std::uint64_t stored = 0;
  std::uint64_t relayed = 0;
  std::uint64_t shown = 0;
  std::uint64_t logins = 0;
  std::uint64_t in_groups = 0;      ///< of the messages in the log
  std::uint64_t group_changes = 0;  ///< groups made, people in and out
  double virtual_seconds = 0;
  double settled_after = 0;  ///< seconds after healing
  std::array<std::uint64_t, kFaults> faults{};
  std::map<std::string, std::uint64_t, std::less<>> sync_points;  ///< hits, by name
  std::map<std::string, std::uint64_t, std::less<>> died_at;
};

/// One world of a plan: daemons, devices, what people do, what goes wrong.
class Cluster {
 public:
  explicit Cluster(const Plan& plan, bool verbose = false);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  Report run();

  [[nodiscard]] World& world() { return world_; }
  /// Before run(): a folder for the histories and dumps that the verdict stands on; empty: none.
  std::filesystem::path keep_evidence;
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] Site& site() { return site_; }
  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Daemon>>& daemons() const { return daemons_; }
  [[nodiscard]] const std::vector<std::unique_ptr<DeviceHost>>& devices() const { return devices_; }
  [[nodiscard]] bool is_healing() const { return healing_; }
  void count(Fault fault) { ++report_.faults[static_cast<std::size_t>(fault)]; }
  void say(const std::string& text) const;
  /// A broken promise that was seen while the world ran; ends the run.
  void violation(std::string text);
  /// From `from` to now nothing was broken and every way was quick (C-PROMPT).
  void calm(MonoTime from);
  /// The operator was told that somebody's sign-ins are ended (C-REVOKE).
  void revoked(const judge::Revocation& revocation) { revocations_.push_back(revocation); }
  /// Starts the node after a while, unless it runs by then.
  void restart_later(Node& node, Nanos delay);

 private:
  void make_daemons();
  void make_devices();
  void watch_deaths(Node& node);
  void count_what_went_by_rates();
  void count_passage(std::string_view name);
  bool at_sync_point(Node& node, std::string_view name);
  void heal();
  /// Rest, after `first` at the earliest.
  bool settle(Nanos first);
  [[nodiscard]] std::string unsettled();
  [[nodiscard]] Nanos longest_backlog() const;
  [[nodiscard]] Nanos longest_download() const;
  void log_in_again();
  void last_questions();
  void check_step();
  void judge_all();
  [[nodiscard]] std::map<std::string, double> mismatches() const;
  void compare_digests(const std::map<std::string, double>& before);
  void dump_placement(judge::Evidence& evidence);

  const Plan plan_;
  const bool verbose_;
  World world_;
  Network network_;
  Site site_;
  std::vector<std::unique_ptr<Daemon>> daemons_;
  std::vector<std::unique_ptr<DeviceHost>> devices_;
  DeviceFaults device_faults_;
  /// Of places that were passed, by the address of their names: a seed passes tens of thousands.
  struct Passed {
    const char* where = nullptr;
    std::string_view name;  // the map's own
    std::uint64_t* count = nullptr;
  };
  std::array<Passed, 256> passed_{};
  bool faults_on_ = false;
  bool healing_ = false;
  MonoTime faults_from_{};
  MonoTime healed_at_{};
  MonoTime rest_until_{};
  std::vector<judge::CalmWindow> calm_;
  std::vector<judge::Revocation> revocations_;
  Report report_;
};

/// Draws what people do until the world heals.
void start_workload(Cluster& cluster);
/// Draws what goes wrong until the world heals.
void start_faults(Cluster& cluster);
/// Ends every fault that is under way.
void end_faults(Cluster& cluster);

}  // namespace hy::sim
