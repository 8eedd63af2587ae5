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

constexpr Millis kDrainLook{50};
constexpr std::chrono::seconds kBarrierMax{2};

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

std::vector<std::unique_ptr<ShardThread>> make_threads(net::IoThreads& io) {
  std::vector<std::unique_ptr<ShardThread>> out;
  for (std::size_t i = 0; i < io.size(); ++i) {
    out.push_back(std::make_unique<ShardThread>(io.context(i)));
  }
  return out;
}

}  // namespace

App::App(const config::Start& start, Config config)
    : start_(start),
      config_(with_incarnation(std::move(config), SystemClock{})),
      io_(config_.io_threads),
      shard_threads_(make_threads(io_)),
      node_(start_, config_, clock_, random_, registry_, *this),
      lists_(
          config_.allow_list, config_.deny_list,
          [this](std::shared_ptr<const AccessList> list) {
            log::info("access_lists_loaded", {{"items", list->items()}});
            node_.metrics().access_reloaded(true);
            node_.gatekeeper().set_list(std::move(list));
            node_.on_all_shards([](Shard& shard) { shard.enforce_lists(); });
          },
          [this](const Error& error) {
            log::error("access_lists_load_failed",
                       {{"code", error.code}, {"detail", error.detail}});
            node_.metrics().access_reloaded(false);
          }) {}

App::~App() {
  stop();
}

Status App::start() {
  if (config_.gate.connections_max < config_.max_connections_asked) {
    log::warn("connections_limited", {{"asked", config_.max_connections_asked},
                                      {"granted", config_.gate.connections_max}});
  }
  node_.metrics().connections_limit(config_.gate.connections_max);
  HY_TRY_VOID(start_admin());
  for (std::uint32_t i = 0; i < node_.shards(); ++i) {
    HY_TRY_VOID(shard_threads_[i]->start(node_.shard(i)));
  }
  HY_TRY_VOID(lists_.start());
  node_.open([this] { on_name_taken(); });
  loop_thread_ = std::thread([this] { node_.loop().run(); });
  if (io_.size() == 1) guest_.emplace(io_, *shard_threads_[0], node_.loop(), node_.metrics());
  io_.start([this](std::size_t i) { guest_ ? guest_->after_turn() : shard_threads_[i]->pace(); });
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
                      .inflight_json = [this] { return inflight_json(); },
                      .placements_json = [this] { return placements_json(); }}));
  return {};
}

Status App::start_listeners() {
  for (const std::string& address : config_.listen) {
    HY_TRY(auto listener,
           net::Listener::open(io_.context(0), address, {},
                               [this](net::Accepted accepted) { on_accept(std::move(accepted)); }));
    listeners_.push_back(std::move(listener));
  }
  // All ports are ours: now the first client may come. Their thread runs already.
  for (net::Listener& listener : listeners_) {
    asio::post(io_.context(0), [&listener] { listener.start(); });
  }
  return {};
}

void App::on_accept(net::Accepted accepted) {
  const int fd = accepted.release();
  if (node_.adopt(fd, address_of(accepted.peer())) != Errc::kOk) ::close(fd);
}

void App::on_name_taken() {
  if (name_taken_.exchange(true)) return;
  log::error("name_taken_failed", {{"code", Errc::kBadIncarnation}, {"name", start_.instance()}});
  kill(getpid(), SIGTERM);
}

std::vector<std::string> App::missing() const {
  if (draining_) return {"draining"};
  return node_.missing();
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
  return node_.peers();
}

std::string App::inflight_json() {
  return on_loop([this] { return node_.inflight_json(); });
}

std::string App::placements_json() {
  return on_loop([this] { return node_.placements_json(); });
}

/// The loop's answer, for the admin thread.
std::string App::on_loop(std::function<std::string()> ask) {
  auto promise = std::make_shared<std::promise<std::string>>();
  auto answer = promise->get_future();
  node_.loop().post([promise, ask = std::move(ask)] { promise->set_value(ask()); });
  if (answer.wait_for(kBarrierMax) != std::future_status::ready) return R"({"error":"busy"})";
  return answer.get();
}

/// Everything that connections said before has reached the hub.
void App::barrier() {
  const auto wait = [](const auto& post) {
    auto promise = std::make_shared<std::promise<void>>();
    auto done = promise->get_future();
    post([promise] { promise->set_value(); });
    (void)done.wait_for(kBarrierMax);
  };
  for (const auto& thread : shard_threads_) {
    wait([&thread](auto task) { thread->post(std::move(task)); });
  }
  wait([this](auto task) { node_.loop().post(std::move(task)); });
}

void App::wait_for_leavers(const std::stop_token& hurry) {
  DrainPlan plan(config_.drain);
  plan.start(clock_.now(), node_.gatekeeper().connections());
  std::mutex mutex;
  std::condition_variable_any hurried;
  std::unique_lock lock(mutex);
  for (;;) {
    const DrainPlan::Step step = plan.step(clock_.now(), node_.gatekeeper().connections());
    if (step.tell > 0) {
      const auto share = static_cast<std::uint32_t>(step.tell / node_.shards() + 1);
      node_.on_all_shards([share, wait = step.wait_max](Shard& shard) {
        shard.tell_to_go(share, wait, Errc::kDraining);
      });
    }
    if (step.close_rest) {
      node_.on_all_shards([](Shard& shard) { shard.close_all(Errc::kDraining); });
    }
    if (step.done || hurry.stop_requested()) return;
    (void)hurried.wait_for(lock, hurry, kDrainLook, [&hurry] { return hurry.stop_requested(); });
  }
}

void App::reload(const config::Values& values) {
  read_live(values, config_);
  node_.reload(config_);
}

void App::drain(const std::stop_token& hurry) {
  if (draining_.exchange(true)) return;
  node_.metrics().drain_active(true);
  node_.gatekeeper().refuse_all();
  for (net::Listener& listener : listeners_) listener.close();
  node_.loop().post([this] { node_.hub().set_draining(true); });
  log::info("drain_started", {{"connections", node_.gatekeeper().connections()},
                              {"spread_ms", config_.drain.spread},
                              {"flush_ms", config_.drain.flush}});
  wait_for_leavers(hurry);
  log::info("drain_finished", {{"connections_left", node_.gatekeeper().connections()}});
  barrier();
  node_.loop().post([this] { node_.goodbye(Errc::kDraining, "this entry is going away"); });
  stop();
}

void App::stop() {
  if (std::exchange(stopped_, true)) return;
  lists_.stop();
  for (net::Listener& listener : listeners_) listener.close();
  if (loop_thread_.joinable()) node_.close();
  admin_.reset();
  node_.loop().stop();
  if (loop_thread_.joinable()) loop_thread_.join();
  io_.stop();
}

}  // namespace hy::entry
