#include "entry/app.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <utility>

#include "common/obs/log.h"
#include "entry/session/drain.h"

namespace hy::entry {
namespace {

constexpr Millis kStep{50};
constexpr Millis kPublishEvery{1'000};
constexpr std::chrono::seconds kBarrierMax{2};
constexpr std::size_t kInflightShown = 100;

EntryName name_of(const config::Start& start) {
  return {.name = start.instance(),
          .id = EntryId{static_cast<std::uint16_t>(start.index + 1)},
          .topology_version = start.topology.version};
}

/// "logic-a": as in the peers' certificates and in /readyz.
std::vector<std::string> peer_names(const config::Start& start, config::Role role) {
  std::vector<std::string> out;
  const auto count = static_cast<std::uint32_t>(start.peers(role).size());
  for (std::uint32_t i = 0; i < count; ++i) {
    out.push_back(std::string(config::role_name(role)) + "-" + config::instance_name(i));
  }
  return out;
}

IpAddress address_of(const net::Tcp::endpoint& peer) {
  if (peer.address().is_v4()) return IpAddress::v4(peer.address().to_v4().to_uint());
  IpAddress out;
  out.bytes = peer.address().to_v6().to_bytes();
  return out;
}

Config with_incarnation(Config config, const Clock& clock) {
  const auto now = static_cast<std::uint64_t>(clock.wall_ms());
  config.hub.incarnation = Incarnation{now};
  config.shard.incarnation = now;
  return config;
}

}  // namespace

App::App(const config::Start& start, Config config)
    : start_(start),
      config_(with_incarnation(std::move(config), SystemClock{})),
      metrics_(registry_),
      gatekeeper_(config_.gate),
      io_(config_.io_threads),
      logics_(loop_, name_of(start), config_.hub.incarnation.value(),
              start.peers(config::Role::kLogic), peer_names(start, config::Role::kLogic),
              config_.tls),
      routers_(loop_, name_of(start), start.peers(config::Role::kRouter),
               peer_names(start, config::Role::kRouter), config_.tls),
      hub_(logics_, routers_, random_, config_.hub),
      lists_(
          config_.allow_list, config_.deny_list,
          [this](std::shared_ptr<const AccessList> list) {
            log::info("access_lists_loaded", {{"items", list->items()}});
            metrics_.access_reloaded(true);
            gatekeeper_.set_list(std::move(list));
            on_all_shards([](Shard& shard) { shard.enforce_lists(); });
          },
          [this](const Error& error) {
            log::error("access_lists_load_failed",
                       {{"code", error.code}, {"detail", error.detail}});
            metrics_.access_reloaded(false);
          }) {
  for (std::uint32_t i = 0; i < config_.io_threads; ++i) {
    ShardOptions options = config_.shard;
    options.shard = i;
    shards_.push_back(std::make_unique<Shard>(
        io_.context(i), clock_, random_, gatekeeper_, metrics_, std::move(options),
        [this, i] { loop_.post([this, i] { take_up(i); }); }));
  }
}

App::~App() {
  stop();
}

Status App::start() {
  if (config_.gate.connections_max < config_.max_connections_asked) {
    log::warn("connections_limited", {{"asked", config_.max_connections_asked},
                                      {"granted", config_.gate.connections_max}});
  }
  metrics_.connections_limit(config_.gate.connections_max);
  HY_TRY_VOID(start_admin());
  for (const auto& shard : shards_) HY_TRY_VOID(shard->start());
  HY_TRY_VOID(lists_.start());
  start_loop();
  io_.start();
  return start_listeners();
}

Status App::start_admin() {
  if (start_.admin_address.empty()) return {};
  HY_TRY(admin_, admin::AdminServer::start(
                     {.address = start_.admin_address,
                      .instance = start_.instance(),
                      .version = start_.version,
                      .config_hash = start_.values.hash(),
                      .topology_hash = start_.topology.hash,
                      .metrics = &registry_,
                      .missing = [this] { return missing(); },
                      .config_json = [values = start_.values] { return values.to_json(); },
                      .inflight_json = [this] { return inflight_json(); }}));
  return {};
}

void App::start_loop() {
  loop_.at_turn_end([this] { end_turn(); });
  loop_.every(kStep, [this] { hub_.step(loop_.now()); });
  loop_.every(kPublishEvery, [this] { publish(); });
  loop_thread_ = std::thread([this] { loop_.run(); });
  logics_.start(hub_);
  routers_.start(hub_, [this] { on_name_taken(); });
}

Status App::start_listeners() {
  for (const std::string& address : config_.listen) {
    HY_TRY(auto listener, net::Listener::open(
                              io_.context(0), address, {},
                              [this]() -> asio::io_context& { return io_.context(0); },
                              [this](net::Tcp::socket socket) { on_accept(std::move(socket)); }));
    listeners_.push_back(std::move(listener));
  }
  // All ports are ours: now the first client may come. Their thread runs already.
  for (net::Listener& listener : listeners_) {
    asio::post(io_.context(0), [&listener] { listener.start(); });
  }
  return {};
}

void App::on_accept(net::Tcp::socket socket) {
  net::ErrorCode failed;
  const net::Tcp::endpoint peer = socket.remote_endpoint(failed);
  if (failed) return;  // gone already
  const IpAddress address = address_of(peer);
  const auto now_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<Millis>(clock_.now().time_since_epoch()).count());
  if (const Errc code = gatekeeper_.accept(address, now_ms); code != Errc::kOk) {
    metrics_.refused_connect(code);
    return;
  }
  const int fd = socket.release(failed);
  if (failed) {
    gatekeeper_.leave(address, false);
    return;
  }
  const std::size_t to = next_shard_++ % shards_.size();
  if (to == 0) {
    shards_.front()->adopt(fd, address);
  } else {
    asio::post(io_.context(to), [this, to, fd, address] { shards_[to]->adopt(fd, address); });
  }
}

void App::take_up(std::size_t shard) {
  shards_[shard]->up().take(up_);
  hub_.on_connections(up_, loop_.now());
}

void App::end_turn() {
  hub_.end_turn(loop_.now());
  std::vector<DownBatch>& down = hub_.down();
  for (std::size_t i = 0; i < down.size(); ++i) {
    if (!down[i].empty()) shards_[i]->give(down[i]);
  }
}

void App::publish() {
  const HubCounts& counts = hub_.counts();
  metrics_.hub({.placements = hub_.routers().placements().live_rows(),
                .in_flight = hub_.logics().open(),
                .live_replicas = hub_.routers().live(),
                .live_logics = hub_.logics().up_count(),
                .unplaced = hub_.routers().is_unplaced(loop_.now()) ? 1U : 0U,
                .dumps = hub_.routers().dumps(),
                .displaced = counts.displaced,
                .partial = counts.logins_partial,
                .late_replies = counts.late_replies});
}

void App::on_name_taken() {
  if (name_taken_.exchange(true)) return;
  log::error("name_taken_failed", {{"code", Errc::kBadIncarnation}, {"name", start_.instance()}});
  kill(getpid(), SIGTERM);
}

std::vector<std::string> App::missing() const {
  if (draining_) return {"draining"};
  std::vector<std::string> out = logics_.missing();
  for (std::string& name : routers_.missing()) out.push_back(std::move(name));
  return out;
}

std::vector<std::string> App::listeners() const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const std::string& asked = config_.listen[i];
    out.push_back(asked.substr(0, asked.rfind(':') + 1) + std::to_string(listeners_[i].port()));
  }
  if (admin_) out.push_back("admin 127.0.0.1:" + std::to_string(admin_->port()));
  return out;
}

std::vector<std::string> App::peers() const {
  std::vector<std::string> out;
  for (const config::Role role : {config::Role::kLogic, config::Role::kRouter}) {
    const auto names = peer_names(start_, role);
    for (std::size_t i = 0; i < names.size(); ++i) {
      out.push_back(names[i] + " " + start_.peers(role)[i]);
    }
  }
  return out;
}

std::string App::inflight_json() {
  auto promise = std::make_shared<std::promise<std::string>>();
  auto answer = promise->get_future();
  loop_.post([this, promise] {
    std::string out = fmt::format(R"({{"open":{},"registering":{},"connections":{},"oldest":[)",
                                  hub_.logics().open(), hub_.registering(), metrics_.connections());
    bool first = true;
    for (const auto& command : hub_.logics().list(loop_.now(), kInflightShown)) {
      out += fmt::format(R"({}{{"type":"0x{:04x}","logic":{},"tries":{},"remaining_ms":{}}})",
                         first ? "" : ",", command.type, command.logic, command.tries,
                         command.remaining.count());
      first = false;
    }
    promise->set_value(out + "]}");
  });
  if (answer.wait_for(kBarrierMax) != std::future_status::ready) return R"({"error":"busy"})";
  return answer.get();
}

void App::on_all_shards(const std::function<void(Shard&)>& run) {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    asio::post(io_.context(i), [this, i, run] { run(*shards_[i]); });
  }
}

/// Everything that connections said before has reached the hub.
void App::barrier() {
  const auto wait = [](const auto& post) {
    auto promise = std::make_shared<std::promise<void>>();
    auto done = promise->get_future();
    post([promise] { promise->set_value(); });
    (void)done.wait_for(kBarrierMax);
  };
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    wait([this, i](auto task) { asio::post(io_.context(i), std::move(task)); });
  }
  wait([this](auto task) { loop_.post(std::move(task)); });
}

void App::wait_for_leavers(const std::stop_token& hurry) {
  DrainPlan plan(config_.drain);
  plan.start(clock_.now(), gatekeeper_.connections());
  std::mutex mutex;
  std::condition_variable_any hurried;
  std::unique_lock lock(mutex);
  for (;;) {
    const DrainPlan::Step step = plan.step(clock_.now(), gatekeeper_.connections());
    if (step.tell > 0) {
      const auto share = static_cast<std::uint32_t>(step.tell / shards_.size() + 1);
      on_all_shards([share, wait = step.wait_max](Shard& shard) {
        shard.tell_to_go(share, wait, Errc::kDraining);
      });
    }
    if (step.close_rest) {
      on_all_shards([](Shard& shard) { shard.close_all(Errc::kDraining); });
    }
    if (step.done || hurry.stop_requested()) return;
    (void)hurried.wait_for(lock, hurry, kStep, [&hurry] { return hurry.stop_requested(); });
  }
}

void App::reload(const config::Values& values) {
  read_live(values, config_);
  gatekeeper_.set_limits(config_.gate);
  metrics_.connections_limit(config_.gate.connections_max);
  on_all_shards([limits = config_.shard](Shard& shard) { shard.set_limits(limits); });
}

void App::drain(const std::stop_token& hurry) {
  if (draining_.exchange(true)) return;
  metrics_.drain_active(true);
  gatekeeper_.refuse_all();
  for (net::Listener& listener : listeners_) listener.close();
  loop_.post([this] { hub_.set_draining(true); });
  log::info("drain_started", {{"connections", gatekeeper_.connections()},
                              {"spread_ms", config_.drain.spread},
                              {"flush_ms", config_.drain.flush}});
  wait_for_leavers(hurry);
  log::info("drain_finished", {{"connections_left", gatekeeper_.connections()}});
  barrier();
  loop_.post([this] {
    routers_.goodbye(Errc::kDraining, "this entry is going away");
    logics_.goodbye(Errc::kDraining, "this entry is going away");
  });
  stop();
}

void App::stop() {
  if (std::exchange(stopped_, true)) return;
  lists_.stop();
  for (net::Listener& listener : listeners_) listener.close();
  if (loop_thread_.joinable()) {
    routers_.stop();
    logics_.stop();
  }
  admin_.reset();
  loop_.stop();
  if (loop_thread_.joinable()) loop_thread_.join();
  io_.stop();
}

}  // namespace hy::entry
