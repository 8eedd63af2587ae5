#include "client/cli/cluster.h"

#include <algorithm>
#include <chrono>

#include "client/cli/operator_client.h"
#include "client/cli/private_store.h"
#include "client/cli/profile.h"
#include "common/base/bytes.h"
#include "common/crypto/system_random.h"
#include "common/http/http_get.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr Millis kReadyzWithin{300};
constexpr Millis kStopWithin{15'000};  // an entry drains first
constexpr Millis kSchemaWithin{60'000};
constexpr Millis kOperatorWithin{20'000};
constexpr Millis kPasswordWithin{2'000};  // each is hashed once, slowly by design
constexpr std::size_t kPasswordBytes = 12;

/// One question to /readyz. 503 names the missing peers in its body.
bool daemon_is_ready(const std::string& admin, std::string& why) {
  const auto answer = http::get(admin, "/readyz", kReadyzWithin);
  if (!answer) {
    why = "no answer from http://" + admin + "/readyz";
    return false;
  }
  if (answer->status == 200) return true;
  why = "/readyz says " + answer->body;
  return false;
}

}  // namespace

fs::path own_folder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path(".") : self.parent_path();
}

Cluster::Cluster(const ClusterOptions& options)
    : options_(options),
      supervisor_({.restart_after = options.restart_after, .stop_within = kStopWithin}) {
  if (options_.programs.empty()) options_.programs = own_folder();
}

Cluster::~Cluster() {
  supervisor_.stop();
}

std::string Cluster::program(std::string_view tier) const {
  return (options_.programs / ("hy-" + std::string(tier))).string();
}

Result<std::unique_ptr<Cluster>> Cluster::start(
    const ClusterOptions& options, const std::function<void(const std::string&)>& progress) {
  const MonoTime begin = Clock::now();
  const auto say = [&](const std::string& what) {
    if (progress) progress(what);
  };
  std::unique_ptr<Cluster> cluster(new Cluster(options));
  for (const char* tier : {"das", "router", "logic", "entry"}) {
    if (!fs::exists(cluster->program(tier))) {
      return fail(Errc::kChildFailed, "there is no " + cluster->program(tier) +
                                          "; build it: cmake --build --preset release");
    }
  }
  if (options.store == StoreKind::kMysql) say("starting a private MariaDB and Redis");
  HY_TRY_VOID(cluster->start_stores());
  say("starting " + std::to_string(options.size.total()) + " daemons");
  HY_TRY_VOID(cluster->start_daemons());
  cluster->start_took_ = std::chrono::duration_cast<Millis>(Clock::now() - begin);
  return cluster;
}

Status Cluster::start_stores() {
  crypto::SystemRandom random;
  LayoutOptions layout{.folder = options_.folder,
                       .cluster = options_.cluster,
                       .idc = "sh",
                       .store = options_.store,
                       .size = options_.size,
                       .mysql = {},
                       .more_settings = options_.more_settings};
  if (options_.store == StoreKind::kMysql) {
    HY_TRY(PrivateStore store, prepare_private_store(options_.folder / "store", random));
    layout.mysql = {store.mysql_socket, store.redis_socket, store.mysql_user, store.mysql_database,
                    store.mysql_password_file};
    std::vector<std::string> names;
    for (ServiceSpec& spec : store.services) {
      names.push_back(spec.name);
      if (options_.before_start) HY_TRY_VOID(options_.before_start(spec));
      HY_TRY_VOID(supervisor_.start(std::move(spec)));
    }
    HY_TRY_VOID(supervisor_.wait_ready(names, options_.ready_within));
  }
  HY_TRY(layout_, write_layout(layout, ports_, random));
  return apply_schema();
}

Status Cluster::apply_schema() {
  Command command;
  command.argv = {program("das")};
  const std::vector<std::string> names = layout_.names_of("das");
  std::ranges::copy(layout_.arguments(*layout_.find(names.front())),
                    std::back_inserter(command.argv));
  command.argv.insert(command.argv.end(), {"--schema", "apply"});
  HY_TRY(const Finished done, run(command, kSchemaWithin));
  if (done.code != 0) return fail(Errc::kChildFailed, "hy-das --schema apply:\n" + done.output);
  return {};
}

Status Cluster::start_daemons() {
  for (const char* tier : {"das", "router", "logic", "entry"}) {
    for (const std::string& name : layout_.names_of(tier)) {
      const DaemonPlace& place = *layout_.find(name);
      ServiceSpec spec;
      spec.name = name;
      spec.command.argv = {program(tier)};
      std::ranges::copy(layout_.arguments(place), std::back_inserter(spec.command.argv));
      spec.command.log = layout_.logs / (name + ".log");
      spec.is_ready = [admin = place.admin](std::string& why) {
        return daemon_is_ready(admin, why);
      };
      if (options_.before_start) HY_TRY_VOID(options_.before_start(spec));
      HY_TRY_VOID(supervisor_.start(std::move(spec)));
    }
  }
  return supervisor_.wait_ready({}, options_.ready_within);
}

Status Cluster::stop_store() {
  if (options_.store == StoreKind::kMysql) return supervisor_.hold("mariadb");
  for (const std::string& name : layout_.names_of("das")) {
    HY_TRY_VOID(supervisor_.hold(name, 9));
  }
  return {};
}

Status Cluster::start_store() {
  if (options_.store == StoreKind::kMysql) return supervisor_.release("mariadb");
  for (const std::string& name : layout_.names_of("das")) HY_TRY_VOID(supervisor_.release(name));
  return {};
}

Status Cluster::stop_redis() {
  return supervisor_.hold("redis");
}
Status Cluster::start_redis() {
  return supervisor_.release("redis");
}

Result<std::vector<Account>> Cluster::add_users(const std::vector<std::string>& names) {
  const Target target{options_.cluster, {}, {}, options_.folder / "people", std::nullopt};
  std::vector<Account> accounts;
  std::vector<Account> fresh;
  crypto::SystemRandom random;
  for (const std::string& name : names) {
    // In a folder that was kept, the people of the last time are still there.
    if (const auto known = find_person(target, name, Slot::kPhone);
        known && !known->password.empty()) {
      accounts.push_back({known->uid, name, known->password});
    } else {
      fresh.push_back({Uid{}, name, random_hex(random, kPasswordBytes)});
    }
  }
  if (!fresh.empty()) {
    HY_TRY(auto door, OperatorClient::open(operator_access(layout_), kOperatorWithin));
    const auto people = static_cast<std::int64_t>(fresh.size());
    HY_TRY_VOID(door->add_users(fresh, kOperatorWithin + people * kPasswordWithin));
  }
  for (Account& account : fresh) {
    Person person;
    person.name = account.name;
    person.uid = account.uid;
    person.password = account.password;
    HY_TRY_VOID(keep_person(target, person));
    accounts.push_back(std::move(account));
  }
  std::ranges::sort(accounts, {}, [&names](const Account& a) {
    return std::ranges::find(names, a.name) - names.begin();
  });
  return accounts;
}

hy::ClientOptions Cluster::client_options(std::size_t first, std::string store) const {
  hy::ClientOptions out;
  out.store = std::move(store);
  out.entries = dialled_entries_.empty() ? layout_.entry_addresses() : dialled_entries_;
  std::ranges::rotate(
      out.entries, out.entries.begin() + static_cast<std::ptrdiff_t>(first % out.entries.size()));
  out.server_key = from_hex(layout_.server_key_hex).value_or(Bytes());
  return out;
}

std::size_t Cluster::resident_bytes() const {
  std::size_t sum = 0;
  for (const ServiceState& s : supervisor_.list()) sum += s.resident;
  return sum;
}

void Cluster::stop(bool hard) {
  supervisor_.stop(hard);
}

}  // namespace hy::cli
