#include "das/node.h"

#include "common/obs/log.h"

namespace hy::das {
namespace {

constexpr Millis kJudgePeriod{250};

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

}  // namespace

Node::Node(NodeOptions options, Engine& engine, const Clock& clock, Metrics& metrics,
           const PortMaker& make_port, FatalSink on_fatal)
    : options_(std::move(options)),
      engine_(engine),
      clock_(clock),
      metrics_(metrics),
      on_fatal_(std::move(on_fatal)),
      watch_({}, state_),
      health_(options_.lanes, options_.down_after),
      server_(loop_, options_.server) {
  port_ = make_port(static_cast<LaneObserver&>(*this), [this](Completion completion) {
    loop_.post(
        [this, done = std::move(completion)]() mutable { service_->complete(std::move(done)); });
  });
  LogicService::Options service;
  service.name = options_.name;
  service.incarnation = static_cast<std::uint64_t>(clock_.wall_ms());
  service_ = std::make_unique<LogicService>(service, loop_, *port_,
                                            CallContext{engine_.cache(), state_}, metrics_);
  server_.serve_with<LogicService::StreamHandler, LogicService::Out>(
      kMethod, {"logic"},
      [this](rpc::Stream<LogicService::Out> stream) { return service_->make(stream); });
  loop_.every(kJudgePeriod, [this] { judge(); });
}

Node::~Node() = default;

Status Node::prepare() {
  const Status started = engine_.start();
  if (started) return {};
  if (is_fatal(started.error().code)) return started;
  log::warn("store_unreachable",
            {{"code", started.error().code}, {"detail", started.error().detail}});
  return {};
}

Status Node::open() {
  port_->start();
  // The door opens last: nothing arrives before its handler exists.
  return server_.start();
}

void Node::drain() {
  loop_.post([this] { service_->drain(); });
  // What was taken is committed and its answer posted before the streams end.
  port_->stop();
  server_.shutdown();
}

void Node::lane_works(std::size_t lane) {
  loop_.post([this, lane] {
    const bool is_back = health_.lane_works(lane);
    const bool was_up = health_.is_up();
    judge();
    // Too short to be announced as down, and yet some were told that nothing is stored.
    if (is_back && was_up && health_.is_up()) service_->announce();
  });
}

void Node::lane_failed(std::size_t lane, const Error& why) {
  metrics_.lane_failed();
  if (is_fatal(why.code) && !was_up_) end_with(why);
  loop_.post([this, lane, why] { health_.lane_failed(lane, loop_.now(), why); });
}

void Node::batch_done(std::size_t rows, bool fast, std::size_t repeats, std::size_t conflicts,
                      std::chrono::nanoseconds spent) {
  metrics_.batch_done(rows, fast, spent);
  metrics_.repeats(repeats);
  metrics_.conflicts(conflicts);
}

void Node::resolved(std::size_t unknown) {
  metrics_.commits_resolved(unknown);
  log::info("unknown_commits_resolved", {{"appends", unknown}});
}

Status Node::look(std::size_t lane, StoreSession& session) {
  if (lane > 0) {
    HY_TRY_VOID(session.facts());
    return {};
  }
  HY_TRY(const StoreWatch::Seen seen, watch_.look(clock_.now(), session));
  metrics_.durable(seen.facts.durable);
  if (!schema_read_) {
    if (const auto schema = engine_.schema_status()) {
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

void Node::judge() {
  metrics_.queued(port_->queued());
  if (!health_.judge(clock_.now())) return;
  const bool up = health_.is_up();
  metrics_.store_up(up);
  if (up) {
    was_up_ = true;
    log::info("store_up", {{"engine", engine_.name()}});
  } else {
    log::warn("store_down", {{"code", health_.why().code}, {"detail", health_.why().detail}});
  }
  {
    const std::scoped_lock guard(told_mutex_);
    told_ = health_.why();
  }
  service_->set_store_up(up);
}

void Node::end_with(const Error& why) {
  {
    const std::scoped_lock guard(told_mutex_);
    if (fatal_) return;
    fatal_ = why;
  }
  on_fatal_(why);
}

std::optional<Error> Node::fatal() const {
  const std::scoped_lock guard(told_mutex_);
  return fatal_;
}

std::optional<Error> Node::store_down() const {
  const std::scoped_lock guard(told_mutex_);
  if (told_.code == Errc::kOk) return std::nullopt;
  return told_;
}

}  // namespace hy::das
