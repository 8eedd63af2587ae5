#include "tests/sim/cluster/daemons.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/check.h"
#include "common/config/value_text.h"
#include "common/crypto/x25519.h"
#include "entry/config.h"
#include "logic/config.h"
#include "logic/ports/password_port.h"
#include "router/config.h"
#include "tests/sim/cluster/operator.h"

namespace hy::sim {
namespace {

using config::Role;

constexpr std::array<std::uint8_t, 32> kNoiseKey = {0x48, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

std::span<const config::Property> properties_of(Role role) {
  switch (role) {
    case Role::kEntry: return entry::properties();
    case Role::kLogic: return logic::properties();
    case Role::kRouter: return router::properties();
    case Role::kDas: return {};  // nothing that a simulated store would read
  }
  return {};
}

/// Defaults, the seed's own settings, and keys that only have to be there.
config::Values values_of(Role role, const std::map<std::string, std::string>& settings) {
  config::Values out;
  const auto set = [&out](const std::string& key, auto data) {
    config::Value value;
    value.data = std::move(data);
    out.set(key, std::move(value));
  };
  for (const config::Property& property : config::with_common(properties_of(role))) {
    const std::string key(property.key);
    if (property.kind == config::Kind::kSecret) {
      Secret secret;
      if (key == "entry.noise_key") secret = Secret(std::string(as_text(kNoiseKey)));
      if (key == "logic.token_key") secret = Secret(std::string(32, 'k'));
      if (key == "logic.operator_token") secret = Secret(operator_token());
      set(key, std::move(secret));
      continue;
    }
    const auto own = settings.find(key);
    const std::string text = own == settings.end() ? std::string(property.fallback) : own->second;
    if (text.empty() && property.kind == config::Kind::kAddressList) {
      set(key, std::vector<std::string>{});
      continue;
    }
    if (text.empty()) {
      set(key, std::string{});
      continue;
    }
    auto value = config::parse_value(property, text);
    if (!value) {
      fmt::print(stderr, "{} = {}: {}\n", key, text, value.error().detail);
      HY_CHECK(value.has_value());
    }
    out.set(key, *std::move(value));
  }
  return out;
}

/// Passwords in no time: every account has the same one.
class SimPasswords final : public logic::PasswordPort {
 public:
  SimPasswords(World& world, Node& node, logic::Node::Post post)
      : world_(world), node_(node), post_(std::move(post)) {}
  void verify(Secret password, Secret phc, logic::Done<Verdict> done) override {
    const bool right = password.reveal() == phc.reveal();
    later([done = std::move(done), right]() mutable { done(Verdict{right, {}}); });
  }
  void hash(Secret password, logic::Done<Secret> done) override {
    later([done = std::move(done), p = std::move(password)]() mutable { done(std::move(p)); });
  }

 private:
  void later(std::move_only_function<void()> task) {
    const Nanos spent(static_cast<std::int64_t>(1'000'000 + world_.below(60'000'000)));
    world_.after(spent, &node_,
                 [this, task = std::move(task)]() mutable { post_(std::move(task)); });
  }
  World& world_;
  Node& node_;
  logic::Node::Post post_;
};

}  // namespace

// ---- Site

Site::Site(World& w, Network& n, const Plan& p)
    : world(w),
      network(n),
      plan(p),
      store_clock(w),
      store({.flavour = p.flavour, .seed = mix64(p.seed ^ 0x5702E)}, store_clock) {
  topology_.version = 1;
  topology_.cluster = "sim";
  topology_.hash = "sim";
  config::Idc& idc = topology_.idcs["sim"];
  const auto fill = [this](Role role, std::uint32_t count, std::vector<std::string>& into) {
    for (std::uint32_t i = 0; i < count; ++i) into.push_back(address(role, i));
  };
  fill(Role::kEntry, plan.entries, idc.entry);
  fill(Role::kLogic, plan.logics, idc.logic);
  fill(Role::kRouter, plan.routers, idc.router);
  fill(Role::kDas, plan.das, idc.das);
  for (const Role role : config::kRoles) values_[role] = values_of(role, plan.settings);
  const auto pair = crypto::X25519KeyPair::from_private(kNoiseKey);
  server_key_ = Bytes(as_text(pair.public_key()));
}

void Site::create_accounts(std::uint32_t count) {
  ModelEngine engine(store, nullptr, store_clock, 1);
  HY_CHECK(engine.start().has_value());
  auto session = engine.open_writer();
  HY_CHECK(session.has_value());
  std::vector<das::NewAccount> accounts;
  for (std::uint32_t i = 0; i < count; ++i) {
    accounts.push_back({uid_of(i), name_of(i), std::string(kPassword)});
  }
  const auto made = (*session)->accounts().create(accounts);
  HY_CHECK(made.has_value());
  for (const auto& one : *made) HY_CHECK(one.has_value());
}

std::string Site::address(Role role, std::uint32_t index) const {
  return fmt::format("{}-{}:1", config::role_name(role), config::instance_name(index));
}

config::Start Site::start_of(Role role, std::uint32_t index) const {
  config::Start out;
  out.role = role;
  out.values = values_.at(role);
  out.topology = topology_;
  out.name = config::instance_name(index);
  out.index = index;
  out.idc = "sim";
  out.address = address(role, index);
  out.version = "sim";
  return out;
}

// ---- daemons

Daemon::Daemon(Site& site, Role role, std::uint32_t index)
    : site_(site),
      role_(role),
      index_(index),
      start_(site.start_of(role, index)),
      node_(site.world.add_node(start_.instance())) {}

double Daemon::metric(std::string_view name) const {
  double sum = 0;
  for (const obs::Family& family : registry_->collect()) {
    if (family.name != name) continue;
    for (const obs::Sample& sample : family.samples) sum += sample.value;
  }
  return sum;
}

EntryDaemon::EntryDaemon(Site& site, std::uint32_t index) : Daemon(site, Role::kEntry, index) {
  node_.boot = [this] {
    registry_.emplace();
    auto config = entry::read_config(start_, 10'000);
    if (!config) fmt::print(stderr, "{}\n", config.error().detail);
    HY_CHECK(config.has_value());
    const auto now = static_cast<std::uint64_t>(node_.clock.wall_ms());
    config->hub.incarnation = Incarnation{now};
    config->shard.incarnation = now;
    config->shard.connections_max = 200;
    threads_.emplace(site_.world, node_, config->io_threads);
    entry_.emplace(start_, *std::move(config), node_.clock, node_.random, *registry_, *threads_);
    // A second process with this entry's name: it ends.
    entry_->open([this] { site_.world.kill(node_); });
    threads_->start(*entry_, start_.address);
  };
  node_.destroy = [this] {
    entry_.reset();
    threads_.reset();
  };
}

void EntryDaemon::drain() {
  threads_->stop_listening();
  entry_->goodbye(Errc::kDraining, "this entry is going away");
  entry_->close();
}

LogicDaemon::LogicDaemon(Site& site, std::uint32_t index) : Daemon(site, Role::kLogic, index) {
  node_.boot = [this] {
    registry_.emplace();
    logic_.emplace(start_, node_.clock, node_.random, *registry_, [this](logic::Node::Post post) {
      return std::make_unique<SimPasswords>(site_.world, node_, std::move(post));
    });
    HY_CHECK(logic_->open().has_value());
  };
  node_.destroy = [this] {
    logic_->close();
    logic_.reset();
  };
}

void LogicDaemon::drain() {
  logic_->goodbye();
  logic_->shut();
}

RouterDaemon::RouterDaemon(Site& site, std::uint32_t index) : Daemon(site, Role::kRouter, index) {
  node_.boot = [this] {
    registry_.emplace();
    auto config = router::read_config(start_);
    HY_CHECK(config.has_value());
    router_.emplace(start_, *std::move(config), *registry_, node_.random.next(), site_.world.now());
    HY_CHECK(router_->open().has_value());
  };
  node_.destroy = [this] { router_.reset(); };
}

void RouterDaemon::drain() {
  router_->goodbye();
  router_->shut();
}

DasDaemon::DasDaemon(Site& site, std::uint32_t index) : Daemon(site, Role::kDas, index) {
  node_.boot = [this] {
    registry_.emplace();
    metrics_.emplace(*registry_, "model");
    engine_ = std::make_unique<ModelEngine>(
        site_.store, site_.plan.has_redis ? &site_.redis : nullptr, node_.clock,
        node_.random.next(), [this] { return !node_.is_zombie(); });
    das::WorkerOptions workers;
    workers.lanes = std::min<std::size_t>(4, engine_->writers_max());
    das::NodeOptions options;
    options.name = start_.instance();
    options.lanes = workers.lanes;
    options.server.listen = {start_.address};
    das_.emplace(
        std::move(options), *engine_, node_.clock, *metrics_,
        [this, workers](das::LaneObserver& observer, das::CompletionSink sink) {
          return std::make_unique<SimWorkers>(
              workers, StoreLatency{}, *engine_, *engine_, node_.clock, node_.random.next(),
              observer, std::move(sink), [this](std::chrono::nanoseconds delay, Task task) {
                site_.world.after(delay, &node_, std::move(task));
              });
        },
        // Told something that a person must mend: the process ends, and its supervisor tries again.
        [this](const Error&) { site_.world.kill(node_); });
    HY_CHECK(das_->prepare().has_value());
    HY_CHECK(das_->open().has_value());
  };
  node_.destroy = [this] {
    das_.reset();
    engine_.reset();
    metrics_.reset();
  };
}

std::vector<std::string> DasDaemon::missing() const {
  const auto down = das_->store_down();
  if (!down) return {};
  return {error_text(down->code, down->detail)};
}

void DasDaemon::drain() {
  das_->drain();
}

}  // namespace hy::sim
