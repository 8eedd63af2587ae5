#include "router/app.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "common/crypto/system_random.h"
#include "common/obs/log.h"

namespace hy::router {

App::App(const config::Start& start, Config config)
    : start_(start),
      listen_(config.listen),
      node_(start, std::move(config), registry_, crypto::SystemRandom().next(),
            SystemClock{}.now()) {}

App::~App() {
  drain();
}

Status App::start() {
  HY_TRY_VOID(start_admin());
  HY_TRY_VOID(node_.open());
  thread_ = std::thread([this] { node_.loop().run(); });
  return {};
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
                      .inflight_json = [] { return std::string("{}"); },
                      .placements_json = [this] { return placements_json(); }}));
  return {};
}

std::string App::placements_json() {
  constexpr std::chrono::seconds kAnswerWithin{2};
  auto promise = std::make_shared<std::promise<std::string>>();
  auto answer = promise->get_future();
  node_.loop().post([this, promise] { promise->set_value(node_.placements_json()); });
  if (answer.wait_for(kAnswerWithin) != std::future_status::ready) return R"({"error":"busy"})";
  return answer.get();
}

std::vector<std::string> App::missing() const {
  if (draining_) return {"draining"};
  return node_.missing();
}

std::vector<std::string> App::listeners() const {
  std::vector<std::string> out = {listen_};
  if (admin_) out.push_back("admin 127.0.0.1:" + std::to_string(admin_->port()));
  return out;
}

void App::drain() {
  if (draining_.exchange(true)) return;
  if (thread_.joinable()) node_.loop().post([this] { node_.goodbye(); });
  node_.shut();
  node_.loop().stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace hy::router
