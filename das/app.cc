#include "das/app.h"

#include <csignal>
#include <iostream>

#include <unistd.h>

#include "common/crypto/system_random.h"
#include "common/obs/log.h"
#include "das/config.h"

namespace hy::das {
namespace {

constexpr Millis kJudgePeriod{250};
/// guarantees.md §7: the store counts as down after 2 s of failures of one lane.
constexpr Millis kDownAfter{2'000};
constexpr char kMethod[] = "/hy.das.v1.LogicStream/Data";

/// A store that a person must mend: das does not serve on it (experience.md §7).
bool is_fatal(Errc code) {
  switch (code) {
    case Errc::kSchemaTooOld:
    case Errc::kSchemaTooNew:
    case Errc::kSchemaBroken:
    case Errc::kNotDurable:
    case Errc::kStoreSettings:
    case Errc::kStoreLocked: return true;
    default: return static_cast<std::uint16_t>(code) / 1'000 == 8;
  }
}

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
    : start_(start),
      metrics_(registry_, start.values.text("das.engine")),
      watch_({}, state_),
      server_(loop_, server_options(start)) {}

App::~App() {
  drain();
}

Status App::start() {
  HY_TRY_VOID(start_engine());
  const WorkerOptions workers = worker_options(start_, engine_->writers_max());
  health_ = std::make_unique<StoreHealth>(workers.lanes, kDownAfter);
  workers_ =
      std::make_unique<Workers>(workers, *engine_, clock_, jitter,
                                static_cast<LaneObserver&>(*this), [this](Completion completion) {
                                  loop_.post([this, done = std::move(completion)]() mutable {
                                    service_->complete(std::move(done));
                                  });
                                });
  LogicService::Options options;
  options.name = start_.instance();
  options.incarnation = static_cast<std::uint64_t>(clock_.wall_ms());
  service_ = std::make_unique<LogicService>(options, loop_, *workers_,
                                            CallContext{engine_->cache(), state_}, metrics_);
  HY_TRY_VOID(start_admin());
  server_.serve_with<LogicService::StreamHandler, LogicService::Out>(
      kMethod, {"logic"},
      [this](rpc::Stream<LogicService::Out> stream) { return service_->make(stream); });
  loop_.every(kJudgePeriod, [this] { judge(); });
  thread_ = std::thread([this] { loop_.run(); });
  workers_->start();
  // The door opens last: nothing arrives before its handler exists.
  return server_.start();
}

Status App::start_engine() {
  const StoreOptions options = store_options(start_);
  if (options.engine == "embedded") {
    std::error_code ec;
    std::filesystem::create_directories(options.file.parent_path(), ec);
  }
  HY_TRY(auto engine, make_engine(options, clock_));
  engine_ = std::make_unique<MeasuredEngine>(std::move(engine), clock_, metrics_);
  const Status started = engine_->start();
  if (started) return {};
  if (is_fatal(started.error().code)) return started;
  log::warn("store_unreachable",
            {{"code", started.error().code}, {"detail", started.error().detail}});
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
                  [this] { return "{\"queued\":" + std::to_string(workers_->queued()) + "}"; }}));
  return {};
}

void App::lane_works(std::size_t lane) {
  loop_.post([this, lane] {
    health_->lane_works(lane);
    judge();
  });
}

void App::lane_failed(std::size_t lane, const Error& why) {
  metrics_.lane_failed();
  if (is_fatal(why.code) && !was_up_) end_with(why);
  loop_.post([this, lane, why] { health_->lane_failed(lane, loop_.now(), why); });
}

void App::batch_done(std::size_t rows, bool fast, std::size_t repeats, std::size_t conflicts,
                     std::chrono::nanoseconds spent) {
  metrics_.batch_done(rows, fast, spent);
  metrics_.repeats(repeats);
  metrics_.conflicts(conflicts);
}

void App::resolved(std::size_t unknown) {
  metrics_.commits_resolved(unknown);
  log::info("unknown_commits_resolved", {{"appends", unknown}});
}

Status App::look(std::size_t lane, StoreSession& session) {
  if (lane > 0) {
    HY_TRY_VOID(session.facts());
    return {};
  }
  HY_TRY(const StoreWatch::Seen seen, watch_.look(clock_.now(), session));
  metrics_.durable(seen.facts.durable);
  if (!schema_read_) {
    if (const auto schema = engine_->schema_status()) {
      metrics_.schema(schema->current, schema->expected);
      schema_read_ = true;
    }
  }
  if (seen.stepped) {
    metrics_.clock_stepped();
    log::warn("store_clock_stepped_back", {{"clock_steps", seen.facts.clock_steps}});
  }
  if (!seen.changed) return {};
  if (!seen.facts.durable)
    log::error("store_not_durable",
               {{"code", Errc::kNotDurable}, {"detail", seen.facts.why_not_durable}});
  loop_.post([this] { service_->announce(); });
  return {};
}

void App::judge() {
  metrics_.queued(workers_->queued());
  if (!health_->judge(clock_.now())) return;
  const bool up = health_->is_up();
  metrics_.store_up(up);
  if (up) {
    was_up_ = true;
    log::info("store_up", {{"engine", engine_->name()}});
  } else {
    log::warn("store_down", {{"code", health_->why().code}, {"detail", health_->why().detail}});
  }
  {
    const std::scoped_lock guard(told_mutex_);
    told_ = health_->why();
  }
  service_->set_store_up(up);
}

void App::end_with(const Error& why) {
  {
    const std::scoped_lock guard(told_mutex_);
    if (fatal_) return;
    fatal_ = why;
  }
  // main waits for a signal; it then asks fatal().
  ::kill(::getpid(), SIGTERM);
}

std::optional<Error> App::fatal() const {
  const std::scoped_lock guard(told_mutex_);
  return fatal_;
}

std::vector<std::string> App::missing() const {
  if (draining_) return {"draining"};
  const std::scoped_lock guard(told_mutex_);
  if (told_.code == Errc::kOk) return {};
  return {"store: " + error_text(told_.code, told_.detail)};
}

std::vector<std::string> App::listeners() const {
  std::vector<std::string> out = {start_.address};
  if (admin_) out.push_back("admin 127.0.0.1:" + std::to_string(admin_->port()));
  return out;
}

void App::drain() {
  if (draining_.exchange(true)) return;
  if (thread_.joinable()) {
    loop_.post([this] { service_->drain(); });
    // What was taken is committed and its answer posted before the streams end.
    workers_->stop();
    server_.shutdown();
    loop_.stop();
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
  if (verb == "apply")
    if (const Status applied = (*engine)->schema_apply(); !applied) return failed(applied.error());
  const auto status = (*engine)->schema_status();
  if (!status) return failed(status.error());
  std::cout << "engine " << (*engine)->name() << ": schema " << status->current << " of "
            << status->expected << '\n';
  for (const std::string& step : status->pending) std::cout << "pending " << step << '\n';
  return config::kExitOk;
}

}  // namespace hy::das
