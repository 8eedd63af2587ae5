#include "das/app.h"

#include <csignal>
#include <iostream>

#include <unistd.h>

#include "common/crypto/system_random.h"
#include "das/config.h"
#include "das/lane/workers.h"

namespace hy::das {
namespace {

rpc::ServerOptions server_options(const config::Start& start) {
  rpc::ServerOptions options;
  options.listen = {start.address};
  options.tls = {start.values.text("tls.ca"), start.values.text("tls.certificate"),
                 start.values.text("tls.key")};
  return options;
}

/// Jitter only; never a secret.
std::unique_ptr<Random> jitter() {
  return std::make_unique<SeededRandom>(crypto::SystemRandom().next());
}

}  // namespace

App::App(const config::Start& start)
    : start_(start), metrics_(registry_, start.values.text("das.engine")) {}

App::~App() {
  drain();
}

Status App::start() {
  HY_TRY_VOID(make_engine_of_config());
  const WorkerOptions workers = worker_options(start_, engine_->writers_max());
  NodeOptions options;
  options.name = start_.instance();
  options.lanes = workers.lanes;
  options.server = server_options(start_);
  node_ = std::make_unique<Node>(
      std::move(options), *engine_, clock_, metrics_,
      [&](LaneObserver& observer, const CompletionSink& sink) {
        return std::make_unique<Workers>(workers, *engine_, clock_, jitter, observer, sink);
      },
      // main waits for a signal; it then asks fatal().
      [](const Error&) { ::kill(::getpid(), SIGTERM); });
  HY_TRY_VOID(node_->prepare());
  HY_TRY_VOID(start_admin());
  node_->loop().show_traffic(Node::kMethod, registry_);
  thread_ = std::thread([this] { node_->loop().run(); });
  return node_->open();
}

Status App::make_engine_of_config() {
  const StoreOptions options = store_options(start_);
  if (options.engine == "embedded") {
    std::error_code ec;
    std::filesystem::create_directories(options.file.parent_path(), ec);
  }
  HY_TRY(auto engine, make_engine(options, clock_));
  engine_ = std::make_unique<MeasuredEngine>(std::move(engine), clock_, metrics_);
  return {};
}

Status App::start_admin() {
  if (start_.admin_address.empty()) return {};
  HY_TRY(admin_,
         admin::AdminServer::start(
             {.address = start_.admin_address,
              .instance = start_.instance(),
              .version = start_.version,
              .config_hash = start_.values.hash(),
              .topology_hash = start_.topology.hash,
              .metrics = &registry_,
              .missing = [this] { return missing(); },
              .config_json = [values = start_.values] { return values.to_json(); },
              .inflight_json =
                  [this] { return "{\"queued\":" + std::to_string(node_->queued()) + "}"; }}));
  return {};
}

std::vector<std::string> App::missing() const {
  if (draining_) return {"draining"};
  const auto down = node_->store_down();
  if (!down) return {};
  return {"store: " + error_text(down->code, down->detail)};
}

std::vector<std::string> App::listeners() const {
  std::vector<std::string> out = {start_.address};
  if (admin_) out.push_back("admin 127.0.0.1:" + std::to_string(admin_->port()));
  return out;
}

void App::drain() {
  if (draining_.exchange(true)) return;
  if (thread_.joinable()) {
    node_->drain();
    node_->loop().stop();
    thread_.join();
  }
}

int run_schema(const config::Start& start, const std::string& verb) {
  SystemClock clock;
  const StoreOptions options = store_options(start);
  const auto failed = [](const Error& error) {
    std::cerr << error_text(error.code, error.detail) << '\n';
    return config::kExitFailed;
  };
  if (options.engine == "embedded" && verb == "apply") {
    std::error_code ec;
    std::filesystem::create_directories(options.file.parent_path(), ec);
  }
  auto engine = make_engine(options, clock);
  if (!engine) return failed(engine.error());
  if (verb == "apply") {
    // A step may copy every message: minutes for tens of millions. Whoever waits is told for what.
    if (const auto before = (*engine)->schema_status())
      for (const std::string& step : before->pending) std::cout << "applying " << step << std::endl;
    if (const Status applied = (*engine)->schema_apply(); !applied) return failed(applied.error());
  }
  const auto status = (*engine)->schema_status();
  if (!status) return failed(status.error());
  std::cout << "engine " << (*engine)->name() << ": schema " << status->current << " of "
            << status->expected << '\n';
  for (const std::string& step : status->pending) std::cout << "pending " << step << '\n';
  return config::kExitOk;
}

}  // namespace hy::das
