#include "logic/app.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <google/protobuf/stubs/logging.h>

#include "common/admin/admin_server.h"
#include "common/crypto/system_random.h"
#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "logic/config.h"
#include "logic/node.h"
#include "logic/password_pool.h"

namespace hy::logic {
namespace {

constexpr Millis kDrainLook{50};

}  // namespace

struct App::Impl {
  explicit Impl(config::Start from)
      : start(std::move(from)), node(start, clock, random, registry, [this](Node::Post post) {
          return std::make_unique<PasswordPool>(
              password_options(start.values, std::thread::hardware_concurrency()), random,
              std::move(post));
        }) {}

  Status open();
  Status open_admin();
  void close();
  void wait_until_answered();
  [[nodiscard]] std::vector<std::string> missing() const;

  config::Start start;
  SystemClock clock;
  crypto::SystemRandom random;
  obs::Registry registry;
  Node node;
  std::unique_ptr<admin::AdminServer> admin;
  std::atomic<bool> is_draining = false;
  std::thread loop_thread;
};

std::vector<std::string> App::Impl::missing() const {
  if (is_draining) return {"draining"};
  return node.missing();
}

Status App::Impl::open_admin() {
  if (start.admin_address.empty()) return {};
  admin::AdminOptions options;
  options.address = start.admin_address;
  options.instance = start.instance();
  options.version = start.version;
  options.config_hash = start.values.hash();
  options.topology_hash = start.topology.hash;
  options.metrics = &registry;
  options.missing = [this] { return missing(); };
  options.config_json = [this] { return start.values.to_json(); };
  HY_TRY(admin, admin::AdminServer::start(std::move(options)));
  return {};
}

Status App::Impl::open() {
  HY_TRY_VOID(open_admin());
  HY_TRY_VOID(node.open());
  loop_thread = std::thread([this] { node.loop().run(); });
  log::info("logic_started", {{"address", start.address},
                              {"port", node.port()},
                              {"admin_port", admin ? static_cast<int>(admin->port()) : 0}});
  return {};
}

/// Entries stop sending at the goodbye; what they sent before it is still answered, within a bound.
void App::Impl::wait_until_answered() {
  const MonoTime until = clock.now() + start.values.duration("logic.drain_within");
  std::mutex mutex;
  std::condition_variable done;
  bool is_done = false;
  node.loop().post([&] {
    node.goodbye();
    node.loop().every(kDrainLook,
                      [this, until, &mutex, &done, &is_done, is_over = false]() mutable {
                        if (is_over || (node.in_flight() > 0 && clock.now() < until)) return;
                        is_over = true;
                        const std::lock_guard lock(mutex);
                        is_done = true;
                        done.notify_one();
                      });
  });
  std::unique_lock lock(mutex);
  done.wait(lock, [&is_done] { return is_done; });
}

void App::Impl::close() {
  is_draining = true;
  if (loop_thread.joinable()) {
    wait_until_answered();
    node.shut();
    node.loop().stop();
    loop_thread.join();
    node.close();
  }
  admin.reset();
  log::info("logic_stopped");
}

App::App(config::Start start) {
  // A text field that is not UTF-8 would write a line for each hit; its refusal is enough.
  google::protobuf::SetLogHandler(nullptr);
  impl_ = std::make_unique<Impl>(std::move(start));
}

App::~App() = default;

Status App::start() {
  return impl_->open();
}

void App::stop() {
  impl_->close();
}

}  // namespace hy::logic
