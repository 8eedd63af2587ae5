#include "tests/cluster/chaos/rig.h"

#include <signal.h>

#include <algorithm>
#include <array>

#include "client/cli/private_folder.h"
#include "common/config/topology.h"

namespace hy::chaos {
namespace {

namespace fs = std::filesystem;
using faults::GateProtocol;

// Of each way of the people: enough for every kind of frame, and for connections of the faults'
// time.
constexpr std::size_t kRecordedConnections = 12;
constexpr std::size_t kRecordedBytes = 64 * 1'024;
constexpr std::array<std::string_view, 4> kTiers{"entry", "logic", "router", "das"};

std::string tier_of(const std::string& daemon) {
  return daemon.substr(0, daemon.find('-'));
}

/// Who dials whom inside the cluster.
std::vector<std::string_view> dialled_by(const std::string& tier) {
  if (tier == "entry") return {"logic", "router"};
  if (tier == "logic") return {"router", "das"};
  return {};
}

std::string toml_text(const std::string& text) {
  return "\"" + text + "\"";
}

/// Port 0 would give one of the kernel's range for outgoing connections.
Result<std::string> free_address(cli::FreePorts& ports) {
  constexpr int kPeopleGatePort = 15'000;
  HY_TRY(const int port, ports.pair(kPeopleGatePort));
  return "127.0.0.1:" + std::to_string(port);
}

}  // namespace

Result<std::unique_ptr<Rig>> Rig::start(const RigOptions& options) {
  std::unique_ptr<Rig> rig(new Rig(options));
  HY_TRY_VOID(rig->prepare());
  cli::ClusterOptions cluster;
  cluster.folder = options.folder;
  cluster.store = options.store;
  cluster.size = options.size;
  cluster.restart_after = options.restart_after;
  cluster.programs = options.programs;
  cluster.ready_within = Millis{60'000};
  cluster.before_start = [r = rig.get()](cli::ServiceSpec& spec) { return r->before_start(spec); };
  HY_TRY(rig->cluster_, cli::Cluster::start(cluster));
  std::vector<std::string> people;
  for (const std::string& entry : rig->names_of("entry"))
    people.push_back(rig->link("people>" + entry)->gate->address());
  rig->cluster_->set_dialled_entries(std::move(people));
  return rig;
}

Rig::~Rig() {
  pauses_.resume_all();
  heal();
  if (cluster_ != nullptr) cluster_->stop(true);
}

Status Rig::prepare() {
  const fs::path& folder = options_.folder;
  for (const char* name : {"gate", "control", "topology"})
    HY_TRY_VOID(cli::make_private(folder / name));
  if (options_.needs.disk) {
    const fs::path library = options_.programs / ".." / "tests" / "libhy_disk_fault.so";
    HY_TRY(store_disk_,
           faults::DiskFault::make(folder / "control" / "store-disk", folder, library));
    HY_TRY(log_disk_, faults::DiskFault::make(folder / "control" / "log-disk", folder, library));
  }
  if (options_.needs.clock) {
    HY_TRY(clock_, faults::WallClock::make(folder / "control" / "clock"));
  }
  return {};
}

std::vector<std::string> Rig::names_of(std::string_view tier) const {
  const cli::ClusterSize& size = options_.size;
  const int count = tier == "entry"    ? size.entries
                    : tier == "logic"  ? size.logics
                    : tier == "router" ? size.routers
                                       : size.das;
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i)
    out.push_back(std::string(tier) + "-" + static_cast<char>('a' + i));
  return out;
}

std::string Rig::socket_of(const std::string& daemon) const {
  return "unix:" + (options_.folder / "run" / (daemon + ".sock")).string();
}

Status Rig::open_link(const std::string& from, const std::string& to, const std::string& target,
                      GateProtocol protocol) {
  faults::GateOptions gate;
  gate.name = from + ">" + to;
  gate.listen = "unix:" + (options_.folder / "gate" / (from + "_" + to)).string();
  gate.target = target;
  gate.protocol = protocol;
  gate.seed = mix64(options_.seed + links_.size());
  auto made = std::make_unique<Link>(from, to, nullptr);
  HY_TRY(made->gate, gates_.open(gate));
  links_.push_back(std::move(made));
  return {};
}

Status Rig::open_people_links(const std::string& from) {
  static cli::FreePorts ports;  // held as long as the process: rounds follow each other closely
  for (const auto& [entry, address] : entry_addresses_) {
    HY_TRY(const std::string listen, free_address(ports));
    faults::GateOptions gate;
    gate.name = from + ">" + entry;
    gate.listen = listen;
    gate.target = address;
    gate.protocol = GateProtocol::kClient;
    gate.seed = mix64(options_.seed + links_.size());
    auto made = std::make_unique<Link>(from, entry, nullptr);
    HY_TRY(made->gate, gates_.open(gate));
    made->gate->record(kRecordedConnections, kRecordedBytes);
    links_.push_back(std::move(made));
  }
  return {};
}

Status Rig::read_entry_addresses() {
  const auto topology = config::load_topology(options_.folder / "topology.toml");
  if (!topology) return fail(Errc::kConfigUnreadable, "topology.toml");
  for (const std::string& entry : names_of("entry")) {
    const std::string letter = entry.substr(entry.find('-') + 1);
    HY_TRY(entry_addresses_[entry], topology->address("sh", config::Role::kEntry, letter));
  }
  return {};
}

Status Rig::before_start(cli::ServiceSpec& spec) {
  if (spec.name == "mariadb" || spec.name == "redis") return surround_store(spec);
  if (entry_addresses_.empty()) {
    HY_TRY_VOID(read_entry_addresses());
    HY_TRY_VOID(open_people_links("people"));
    HY_TRY_VOID(open_people_links("roaming"));
  }
  return surround_daemon(spec);
}

Status Rig::surround_store(cli::ServiceSpec& spec) {
  const fs::path store = options_.folder / "store";
  if (spec.name == "redis") {
    redis_.emplace(store / "r.sock");
    return {};
  }
  HY_TRY_VOID(faults::MariadbFaults::admit(spec));
  mariadb_ = std::make_unique<faults::MariadbFaults>(store / "s.sock", "hongyan");
  if (store_disk_) {
    spec.command.argv.insert(spec.command.argv.end(),
                             {"--innodb-use-native-aio=0", "--innodb-flush-method=fsync"});
    spec.command.argv = faults::with_environment(spec.command.argv, {store_disk_->environment()});
  }
  return {};
}

Status Rig::surround_daemon(cli::ServiceSpec& spec) {
  const std::string tier = tier_of(spec.name);
  const fs::path topology = options_.folder / "topology" / (spec.name + ".toml");
  for (const std::string_view to_tier : dialled_by(tier)) {
    for (const std::string& to : names_of(to_tier))
      HY_TRY_VOID(open_link(spec.name, to, socket_of(to), GateProtocol::kBytes));
  }
  HY_TRY_VOID(write_topology(spec.name, topology));
  std::vector<std::string>& argv = spec.command.argv;
  argv.insert(argv.end(), {"--set", "host.topology=" + topology.string()});
  if (tier == "das" && has_mysql()) {
    const std::string store = "unix:" + (options_.folder / "store").string();
    HY_TRY_VOID(open_link(spec.name, "mariadb", store + "/s.sock", GateProtocol::kMysql));
    HY_TRY_VOID(open_link(spec.name, "redis", store + "/r.sock", GateProtocol::kBytes));
    argv.insert(argv.end(),
                {"--set", "das.mysql.server=" + link(spec.name + ">mariadb")->gate->address(),
                 "--set", "das.redis.server=" + link(spec.name + ">redis")->gate->address()});
  }
  const fs::path control = options_.folder / "control" / spec.name;
  HY_TRY(controls_[spec.name], hooks::ControlFile::create(control));
  spec.command.env.push_back("HY_TEST_CONTROL=" + control.string());
  if (options_.mutant != 0)
    spec.command.env.push_back("HY_MUTANT=" + std::to_string(options_.mutant));
  std::vector<faults::Environment> environments;
  // The embedded engine's file lies under das; everybody else has only a log to fill.
  const bool holds_store = tier == "das" && !has_mysql();
  if (store_disk_)
    environments.push_back(holds_store ? store_disk_->environment() : log_disk_->environment());
  if (clock_) environments.push_back(clock_->environment());
  if (!environments.empty()) argv = faults::with_environment(argv, environments);
  return {};
}

Status Rig::write_topology(const std::string& daemon, const fs::path& file) {
  std::string text = "version = 1\ncluster = \"demo\"\n\n[idc.sh]\n";
  for (const std::string_view tier : kTiers) {
    std::string list;
    for (const std::string& peer : names_of(tier)) {
      std::string address = tier == "entry" ? entry_addresses_[peer] : socket_of(peer);
      // Logic tells people where the entries are; an entry listens where it says.
      const Link* const way =
          link((tier == "entry" && daemon != peer ? "people" : daemon) + (">" + peer));
      if (way != nullptr) address = way->gate->address();
      list += (list.empty() ? "" : ", ") + toml_text(address);
    }
    text += std::string(tier) + " = [" + list + "]\n";
  }
  return cli::write_private(file, text);
}

Link* Rig::link(const std::string& name) const {
  const auto at = std::ranges::find_if(links_, [&](const auto& l) { return l->name() == name; });
  return at == links_.end() ? nullptr : at->get();
}

std::vector<std::string> Rig::daemons() const {
  std::vector<std::string> out;
  for (const std::string_view tier : kTiers) {
    for (std::string& name : names_of(tier)) out.push_back(std::move(name));
  }
  return out;
}

pid_t Rig::pid(const std::string& name) const {
  for (const cli::ServiceState& s : cluster_->supervisor().list()) {
    if (s.name == name) return s.pid;
  }
  return -1;
}

hooks::ControlFile& Rig::control(const std::string& daemon) {
  return controls_.at(daemon);
}

std::string Rig::admin(const std::string& daemon) const {
  return cluster_->layout().find(daemon)->admin;
}

void Rig::heal() {
  for (const auto& way : links_) way->gate->heal();
  if (store_disk_) store_disk_->heal();
  if (log_disk_) log_disk_->heal();
  for (const auto& [name, control] : controls_) {
    for (const hooks::SyncPoint& point : hooks::kSyncPoints) control.disarm(point.name);
    // One that stopped itself at a place waits for this; the others do not notice.
    if (cluster_ != nullptr) cluster_->supervisor().signal(name, SIGCONT);
  }
}

}  // namespace hy::chaos
