#include "tests/degraded/town.h"

#include <stdlib.h>

#include <algorithm>

#include "common/base/check.h"

namespace hy::degraded {
namespace {

namespace fs = std::filesystem;
constexpr Millis kSignInWithin{15'000};
constexpr Millis kReadyWithin{30'000};
constexpr int kKill = 9;

}  // namespace

Resident::Resident(cli::Account account, hy::ClientOptions options)
    : account_(std::move(account)), client_(std::make_unique<hy::Client>(std::move(options))) {
  client_->on_message([this](const Message& message) { note(message); });
  client_->on_state([this](LinkState state, const std::string& why) {
    const std::lock_guard lock(mutex_);
    state_ = state;
    changed_.notify_all();
    // Logged in; the SYNC behind it may have to wait for the store.
    if (state != LinkState::kSyncing && state != LinkState::kOnline) {
      if (std::exchange(is_in_, false)) reasons_.push_back(why);
      return;
    }
    if (std::exchange(is_in_, true)) return;
    ++logins_;
    changed_.notify_all();
  });
  client_->on_ladder([this](const LadderEvent& event) {
    if (event.kind != LadderEvent::Kind::kRefused) return;
    const std::lock_guard lock(mutex_);
    refusals_.push_back(event.code);
    changed_.notify_all();
  });
}

Status Resident::sign_in(Millis within, Bytes token) {
  Credentials credentials;
  credentials.name = account_.name;
  credentials.uid = account_.uid;
  if (token.empty())
    credentials.password = account_.password;
  else
    credentials.token = std::move(token);
  return client_->login(std::move(credentials), within);
}

hy::Sent Resident::write(const Resident& to, const std::string& text) {
  auto sent = client_->send(to.uid(), text);
  HY_CHECK(sent.has_value());
  return *sent;
}

void Resident::note(const Message& message) {
  const std::lock_guard lock(mutex_);
  auto at = std::ranges::find(shown_, message.body, &Shown::text);
  if (at == shown_.end()) at = shown_.insert(shown_.end(), Shown{message.body, message.sender});
  at->sender = message.sender;
  at->seq = message.seq;
  at->was_provisional = at->was_provisional || message.provisional;
  at->has_moved = at->has_moved || message.moved;
  at->times += message.moved ? 0 : 1;
  changed_.notify_all();
}

template <class Test>
bool Resident::wait_for(Millis within, Test test) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, within, test);
}

bool Resident::wait_shown(const std::string& text, Millis within) {
  return wait_for(within,
                  [&] { return std::ranges::find(shown_, text, &Shown::text) != shown_.end(); });
}

bool Resident::wait_in_log(const std::string& text, Millis within) {
  return wait_for(within, [&] {
    return std::ranges::any_of(shown_,
                               [&](const Shown& s) { return s.text == text && s.seq.value() > 0; });
  });
}

bool Resident::wait_logged_in_again(Millis within) {
  return wait_for(within, [&] {
    if (logins_ <= std::max(1, logins_seen_)) return false;
    logins_seen_ = logins_;
    return true;
  });
}

bool Resident::wait_refusal(Errc code, Millis within) {
  return wait_for(within, [&] { return std::ranges::count(refusals_, code) > 0; });
}

std::optional<Resident::Shown> Resident::shown(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  const auto at = std::ranges::find(shown_, text, &Shown::text);
  return at == shown_.end() ? std::nullopt : std::optional(*at);
}

std::vector<std::string> Resident::log_of(Uid sender) const {
  const std::lock_guard lock(mutex_);
  std::vector<Shown> rows;
  std::ranges::copy_if(shown_, std::back_inserter(rows),
                       [&](const Shown& s) { return s.sender == sender && s.seq.value() > 0; });
  std::ranges::sort(rows, {}, &Shown::seq);
  std::vector<std::string> out;
  for (const Shown& row : rows) out.push_back(row.text);
  return out;
}

std::vector<std::string> Resident::reasons() const {
  const std::lock_guard lock(mutex_);
  return reasons_;
}

bool Resident::wait_state(LinkState state, Millis within) {
  return wait_for(within, [&] { return state_ == state; });
}

std::vector<Errc> Resident::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}

/// What stands between a program and the machine, before it starts.
Status Town::surround(cli::ServiceSpec& spec) {
  std::vector<std::string>& argv = spec.command.argv;
  if (spec.name == "mariadb") {
    HY_TRY_VOID(faults::MariadbFaults::admit(spec));
    if (!disk_) return {};
    // Otherwise its pages go past the calls that the shim sees.
    argv.insert(argv.end(), {"--innodb-use-native-aio=0", "--innodb-flush-method=fsync"});
    argv = faults::with_environment(argv, {disk_->environment()});
  }
  if (spec.name.starts_with("das") && store_ == cli::StoreKind::kEmbedded)
    argv = faults::with_environment(argv, {disk_->environment()});
  return {};
}

Result<std::unique_ptr<Town>> Town::start(cli::StoreKind store,
                                          std::vector<std::string> more_settings,
                                          bool mariadb_disk) {
  std::unique_ptr<Town> town(new Town);
  town->store_ = store;
  std::string pattern = "/tmp/hy-deg-XXXXXX";
  town->folder_ = ::mkdtemp(pattern.data());
  const fs::path cluster = town->folder_ / "c";
  HY_TRY_VOID(cli::make_private(cluster));
  HY_TRY_VOID(cli::make_private(cluster / "people"));
  const fs::path tests = fs::path(HY_BUILD_DIR) / "tests";
  const bool is_embedded = store == cli::StoreKind::kEmbedded;
  if (is_embedded || mariadb_disk) {
    HY_TRY(town->disk_, faults::DiskFault::make(town->folder_ / "disk.control",
                                                cluster / (is_embedded ? "data" : "store"),
                                                tests / "libhy_disk_fault.so", is_embedded));
  }
  cli::ClusterOptions options;
  options.folder = cluster;
  options.cluster = "degraded";
  options.store = store;
  options.size = cli::ClusterSize::usual(store);
  options.programs = fs::path(HY_BUILD_DIR) / "bin";
  options.more_settings = std::move(more_settings);
  options.before_start = [raw = town.get()](cli::ServiceSpec& spec) { return raw->surround(spec); };
  HY_TRY(town->cluster_, cli::Cluster::start(options));
  if (store == cli::StoreKind::kMysql) {
    town->mariadb_ =
        std::make_unique<faults::MariadbFaults>(cluster / "store" / "s.sock", "hongyan");
    town->redis_ = std::make_unique<faults::RedisFaults>(cluster / "store" / "r.sock");
  }
  return town;
}

Town::~Town() {
  cluster_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Result<std::unique_ptr<Resident>> Town::settle(const std::string& name, std::size_t first) {
  HY_TRY(const auto accounts, cluster_->add_users({name + std::to_string(++people_)}));
  hy::ClientOptions options = cluster_->client_options(first, {});
  options.device_name = "degraded";
  auto resident = std::make_unique<Resident>(accounts.front(), std::move(options));
  HY_TRY_VOID(resident->sign_in(kSignInWithin));
  return resident;
}

std::unique_ptr<Resident> Town::device_of(const Resident& resident, Slot slot) {
  hy::ClientOptions options = cluster_->client_options(0, {});
  options.slot = slot;
  options.device_name = "second";
  return std::make_unique<Resident>(resident.account(), std::move(options));
}

Status Town::hold(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    HY_TRY_VOID(cluster_->supervisor().hold(name, kKill));
  }
  return {};
}

Status Town::release(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    HY_TRY_VOID(cluster_->supervisor().release(name));
  }
  return {};
}

std::vector<std::string> Town::names_of(std::string_view tier) const {
  return cluster_->layout().names_of(tier);
}

pid_t Town::pid_of(const std::string& name) {
  for (const cli::ServiceState& s : cluster_->supervisor().list()) {
    if (s.name == name) return s.pid;
  }
  return -1;
}

Status Town::heal() {
  if (disk_) disk_->heal();
  for (const cli::ServiceState& s : cluster_->supervisor().list()) {
    if (s.is_held) HY_TRY_VOID(cluster_->supervisor().release(s.name));
  }
  HY_TRY_VOID(cluster_->wait_ready({}, kReadyWithin));
  if (mariadb_) HY_TRY_VOID(mariadb_->heal());
  if (redis_) HY_TRY_VOID(redis_->heal());
  return cluster_->wait_ready({}, kReadyWithin);
}

}  // namespace hy::degraded
