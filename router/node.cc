#include "router/node.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "common/obs/log.h"

namespace hy::router {
namespace {

constexpr int kTicksPerSecond = 4;
constexpr std::size_t kPlacementsShown = 10'000;

std::vector<EntryId> entries_of(const config::Start& start) {
  std::vector<EntryId> out;
  const std::size_t n = start.peers(config::Role::kEntry).size();
  for (std::size_t i = 1; i <= n; ++i) out.emplace_back(static_cast<std::uint16_t>(i));
  return out;
}

EntryId entry_of_name(std::string_view name) {
  const auto index = config::instance_index(name);
  return index ? EntryId{static_cast<std::uint16_t>(*index + 1)} : EntryId{};
}

std::string name_of(EntryId entry) {
  return "entry " + config::instance_name(entry.value() - 1U);
}

}  // namespace

Node::Node(const config::Start& start, Config config, obs::Registry& registry, std::uint64_t boot,
           MonoTime now)
    : config_(std::move(config)),
      metrics_(registry),
      leases_(config_.leases, entries_of(start), now),
      entries_(loop_, {start.instance(), boot, start.topology.version, entry_of_name}),
      logics_(loop_, {start.instance(), boot, start.topology.version}),
      link_(config_.link, table_, leases_, entries_, stats_),
      fanout_({}, table_, leases_, link_, entries_, logics_, stats_),
      server_(loop_, {.listen = {config_.listen},
                      .tls = config_.tls,
                      .insecure_peers = config_.insecure_peers,
                      .queue = config_.queue}) {
  for (const char* method : {EntryService::kMethod, LogicService::kMethod})
    loop_.show_traffic(method, registry);
  entries_.bind(link_, fanout_);
  logics_.bind(link_, fanout_);
  link_.on_ready_changed = [this](bool ready) { on_ready_changed(ready); };
  remember_missing();
}

Status Node::open() {
  server_.serve(
      EntryService::kMethod, {"entry"},
      [this](rpc::RawStream& raw) { return entries_.open(rpc::Stream<EntryService::Out>(&raw)); },
      [] { return std::make_unique<EntryService::Out>(); });
  server_.serve(
      LogicService::kMethod, {"logic"},
      [this](rpc::RawStream& raw) { return logics_.open(rpc::Stream<LogicService::Out>(&raw)); },
      [] { return std::make_unique<LogicService::Out>(); });
  HY_TRY_VOID(server_.start());
  loop_.every(config_.leases.tick, [this] { tick(); });
  return {};
}

void Node::tick() {
  const MonoTime now = loop_.now();
  for (const EntryId entry : link_.tick(now)) {
    log::warn("entry_dead", {{"entry", entry}, {"silent_ms", config_.leases.dead_after}});
    entries_.drop(entry, Errc::kEntrySuspect, "silent");
  }
  fanout_.expire(now);
  if (++ticks_ % kTicksPerSecond == 0) logics_.tell_ready(false);
  metrics_.publish({stats_, table_, leases_, link_, fanout_, logics_.streams()}, now);
  remember_missing();
}

void Node::on_ready_changed(bool ready) {
  log::info(ready ? "replica_ready" : "replica_warming");
  logics_.tell_ready(true);
  remember_missing();
}

void Node::remember_missing() {
  std::vector<std::string> names;
  for (const EntryId entry : link_.missing()) names.push_back(name_of(entry));
  const std::lock_guard lock(missing_mutex_);
  missing_ = std::move(names);
}

std::string Node::placements_json() const {
  std::size_t total = 0;
  std::string rows;
  table_.for_each([&](const Row& row) {
    if (!table_.is_live(row) || leases_.state(row.entry) == LeaseState::kDead) return;
    if (total++ >= kPlacementsShown) return;
    rows +=
        fmt::format("{}[{},{},{},{},{}]", rows.empty() ? "" : ",", row.uid.value(),
                    static_cast<int>(row.slot), row.entry.value(), row.epoch.auth, row.epoch.conn);
  });
  return fmt::format(R"({{"ready":{},"total":{},"rows":[{}]}})", link_.is_ready(), total, rows);
}

std::vector<std::string> Node::missing() const {
  const std::lock_guard lock(missing_mutex_);
  return missing_;
}

void Node::goodbye() {
  entries_.goodbye(Errc::kDraining, "this router is going away");
  logics_.goodbye(Errc::kDraining, "this router is going away");
}

}  // namespace hy::router
