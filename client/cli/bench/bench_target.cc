#include "client/cli/bench/bench_target.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "client/cli/profile.h"
#include "common/base/bytes.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
constexpr Millis kDoorWithin{5'000};
constexpr Millis kPeopleWithin{600'000};
constexpr std::size_t kNamesPerQuestion = 500;
constexpr const char* kThrowaway = "throwaway";
constexpr auto kTokenLife = std::chrono::hours(24);

/// Load comes faster than people type, and from one address: what a throwaway cluster lifts.
const std::vector<std::string>& lifted_settings() {
  static const std::vector<std::string> kSettings = {"logic.send_rate=100000/s burst 100000",
                                                     "logic.sync_rate=1000/s burst 1000",
                                                     "logic.send_per_group=100000/s burst 100000",
                                                     "logic.group_creates=100000/s burst 100000",
                                                     "logic.pull_rate=100000/s burst 100000",
                                                     "entry.frame_rate=100000/s burst 100000",
                                                     "entry.connect_rate=100000/s burst 100000",
                                                     "entry.unauthenticated_per_ip=20000",
                                                     "entry.logged_in_per_ip=1M"};
  return kSettings;
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Arguments of a process, as it was started.
std::vector<std::string> arguments_of(pid_t pid) {
  std::istringstream in(read_text("/proc/" + std::to_string(pid) + "/cmdline"));
  std::vector<std::string> out;
  for (std::string one; std::getline(in, one, '\0');) out.push_back(one);
  return out;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> out;
  const fs::path tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator(tasks, ignored)) {
    std::istringstream in(read_text(task.path() / "children"));
    for (pid_t child = 0; in >> child;) out.push_back(child);
  }
  return out;
}

std::string tier_of(const std::string& name) {
  const std::string tier = name.substr(0, name.find('-'));
  return tier == "entry" || tier == "logic" || tier == "router" || tier == "das" ? tier : "store";
}

/// The programs that a supervisor keeps running, by their arguments: `hy-entry … --name a`. One
/// that supervises several clusters is asked for those of this one.
std::vector<bench::ServerProcess> processes_under(const RunningCluster& cluster) {
  const std::vector<DaemonPlace>& daemons = cluster.daemons;
  std::vector<bench::ServerProcess> out;
  for (const pid_t pid : children_of(cluster.pid)) {
    const auto arguments = arguments_of(pid);
    if (arguments.empty()) continue;
    const std::string program = fs::path(arguments[0]).filename();
    bench::ServerProcess p{.name = program, .tier = "store", .pid = pid, .admin = {}};
    if (program.starts_with("hy-")) {
      const auto config = std::ranges::find(arguments, "--config");
      const auto name = std::ranges::find(arguments, "--name");
      if (config == arguments.end() || name == arguments.end()) continue;
      if (std::next(config) == arguments.end() || std::next(name) == arguments.end()) continue;
      if (fs::path(*std::next(config)).parent_path() != cluster.folder) continue;
      p.tier = program.substr(3);
      p.name = p.tier + "-" + *std::next(name);
    } else if (program.starts_with("mariadb")) {
      p.name = "mariadb";
    } else if (program.starts_with("redis")) {
      p.name = "redis";
    }
    const auto place = std::ranges::find(daemons, p.name, &DaemonPlace::name);
    if (place != daemons.end()) p.admin = place->admin;
    out.push_back(std::move(p));
  }
  return out;
}

}  // namespace

BenchTarget::~BenchTarget() {
  cluster_.reset();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

Result<std::unique_ptr<BenchTarget>> BenchTarget::open(const bench::Options& options,
                                                       const std::string& profile, const Say& say) {
  std::unique_ptr<BenchTarget> out(new BenchTarget());
  if (!options.people.empty()) {
    HY_TRY_VOID(out->read_people(options));
  } else if (options.cluster == kThrowaway) {
    HY_TRY_VOID(out->start_throwaway(options, say));
  } else {
    HY_TRY_VOID(out->find_running(options, options.cluster.empty() ? profile : options.cluster));
  }
  return out;
}

Status BenchTarget::start_throwaway(const bench::Options& options, const Say& say) {
  std::string pattern = (fs::temp_directory_path() / "hy-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return fail(Errc::kConfigUnreadable, "no folder under " + fs::temp_directory_path().string());
  folder_ = pattern;
  ClusterOptions cluster;
  cluster.folder = folder_;
  cluster.cluster = "bench";
  cluster.store = options.store == "mysql" ? StoreKind::kMysql : StoreKind::kEmbedded;
  cluster.size = {static_cast<int>(options.entries), static_cast<int>(options.logics),
                  static_cast<int>(options.routers), static_cast<int>(options.das)};
  cluster.more_settings = lifted_settings();
  cluster.more_settings.insert(cluster.more_settings.end(), options.settings.begin(),
                               options.settings.end());
  HY_TRY(cluster_, Cluster::start(cluster, say));
  const ClusterLayout& layout = cluster_->layout();
  for (const ServiceState& service : cluster_->supervisor().list()) {
    const DaemonPlace* const place = layout.find(service.name);
    target.processes.push_back({.name = service.name,
                                .tier = tier_of(service.name),
                                .pid = service.pid,
                                .admin = place == nullptr ? std::string() : place->admin});
  }
  target.name = "throwaway";
  target.store = options.store;
  target.entries = layout.entry_addresses();
  target.server_key_hex = layout.server_key_hex;
  return make_people(operator_access(layout), options.conns, "bench");
}

Status BenchTarget::find_running(const bench::Options& options, const std::string& profile) {
  HY_TRY(const Target found, find_target(profile));
  target.name = found.name;
  target.entries = found.entries;
  target.server_key_hex = to_hex(as_bytes(found.server_key));
  if (found.running) {
    target.processes = processes_under(*found.running);
    const bool has_mariadb =
        std::ranges::find(target.processes, "mariadb", &bench::ServerProcess::name) !=
        target.processes.end();
    target.store = has_mariadb ? "mysql" : "embedded";
  }
  HY_TRY(const OperatorAccess access, operator_access(found));
  return make_people(access, options.conns, "bench");
}

Status BenchTarget::make_people(const OperatorAccess& access, std::uint32_t count,
                                const std::string& prefix) {
  HY_TRY(auto door, OperatorClient::open(access, kDoorWithin));
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count + count % 2; ++i) names.push_back(prefix + std::to_string(i));
  // Those of an earlier run are used again: a cluster that stays does not fill with them.
  std::map<std::string, Uid> known;
  for (std::size_t i = 0; i < names.size(); i += kNamesPerQuestion) {
    const auto begin = names.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end =
        names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), i + kNamesPerQuestion));
    HY_TRY(const auto found, door->find_users({begin, end}, {}, kPeopleWithin));
    for (const Account& account : found) known[account.name] = account.uid;
    if (found.empty() && i == 0) break;  // nobody yet
  }
  std::vector<Account> fresh;
  for (const std::string& name : names) {
    if (!known.contains(name)) fresh.push_back({.uid = {}, .name = name, .password = {}});
  }
  HY_TRY_VOID(door->add_users(fresh, kPeopleWithin));
  for (const Account& account : fresh) known[account.name] = account.uid;
  std::vector<Uid> uids;
  for (const std::string& name : names) uids.push_back(known[name]);
  HY_TRY(auto tokens, door->make_tokens(uids, Slot::kDesktop, target.device_prefix + "%u",
                                        kTokenLife, kPeopleWithin));
  for (std::size_t i = 0; i < uids.size(); ++i)
    target.people.emplace_back(uids[i], std::move(tokens[i]));
  return {};
}

Status BenchTarget::read_people(const bench::Options& options) {
  target.name = options.people;
  target.entries = options.entry;
  target.server_key_hex = options.server_key;
  // What `hy user import` binds its tokens to unless it is told otherwise.
  target.device_prefix = "load-";
  target.slot = Slot::kPhone;
  std::ifstream in(options.people);
  if (!in) return fail(Errc::kConfigUnreadable, options.people + " cannot be read");
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.starts_with('#') || line.starts_with("uid")) continue;
    std::istringstream fields(line);
    std::uint64_t uid = 0;
    std::string token;
    fields >> uid;
    for (std::string field; fields >> field;) token = field;
    const auto bytes = from_hex(token);
    if (uid == 0 || !bytes || bytes->empty())
      return fail(Errc::kUsage, options.people + ":" + std::to_string(number) +
                                    ": a line begins with a uid and ends with a token in hex");
    target.people.emplace_back(Uid{uid}, *bytes);
    if (target.people.size() == options.conns) break;
  }
  if (target.people.size() < options.conns)
    return fail(Errc::kUsage, options.people + " has " + std::to_string(target.people.size()) +
                                  " people; --conns wants more");
  return {};
}

}  // namespace hy::cli
