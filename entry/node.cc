#include "entry/node.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace hy::entry {
namespace {

constexpr Millis kStep{50};
constexpr Millis kPublishEvery{1'000};
constexpr std::size_t kInflightShown = 100;
constexpr std::size_t kPlacementsShown = 10'000;

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

}  // namespace

Node::Node(const config::Start& start, Config config, const Clock& clock, Random& random,
           obs::Registry& registry, ShardThreads& threads)
    : start_(start),
      threads_(threads),
      clock_(clock),
      metrics_(registry),
      gatekeeper_(config.gate),
      logics_(loop_, name_of(start), config.hub.incarnation.value(),
              start.peers(config::Role::kLogic), peer_names(start, config::Role::kLogic),
              config.tls),
      routers_(loop_, name_of(start), start.peers(config::Role::kRouter),
               peer_names(start, config::Role::kRouter), config.tls),
      hub_(logics_, routers_, random, config.hub) {
  for (const char* method : {LogicClient::kMethod, RouterClient::kMethod})
    loop_.show_traffic(method, registry);
  for (std::uint32_t i = 0; i < config.io_threads; ++i) {
    ShardOptions options = config.shard;
    options.shard = i;
    shards_.push_back(std::make_unique<Shard>(
        threads.sockets(i), [this, i](Shard::Task task) { threads_.post(i, std::move(task)); },
        clock, random, gatekeeper_, metrics_, std::move(options),
        [this, i] { loop_.post([this, i] { take_up(i); }); },
        [this, i] { threads_.call_soon(i); }));
  }
}

void Node::open(std::function<void()> name_taken) {
  loop_.at_turn_end([this] { end_turn(); });
  loop_.every(kStep, [this] { hub_.step(loop_.now()); });
  loop_.every(kPublishEvery, [this] { publish(); });
  logics_.start(hub_);
  routers_.start(hub_, std::move(name_taken));
}

Errc Node::adopt(int socket, const IpAddress& address) {
  const auto now_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<Millis>(clock_.now().time_since_epoch()).count());
  if (const Errc code = gatekeeper_.accept(address, now_ms); code != Errc::kOk) {
    metrics_.refused_connect(code);
    return code;
  }
  const auto to = static_cast<std::uint32_t>(next_shard_++ % shards_.size());
  threads_.post(to, [this, to, socket, address] { shards_[to]->adopt(socket, address); });
  return Errc::kOk;
}

void Node::take_up(std::uint32_t shard) {
  shards_[shard]->up().take(up_);
  hub_.on_connections(up_, loop_.now());
}

void Node::end_turn() {
  hub_.end_turn(loop_.now());
  const bool is_full = hub_.logics().is_full();
  std::vector<DownBatch>& down = hub_.down();
  for (std::size_t i = 0; i < down.size(); ++i) {
    shards_[i]->logics_are_full(is_full);
    if (!down[i].empty()) shards_[i]->give(down[i]);
  }
}

void Node::publish() {
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

std::vector<std::string> Node::missing() const {
  std::vector<std::string> out = logics_.missing();
  for (std::string& name : routers_.missing()) out.push_back(std::move(name));
  return out;
}

std::vector<std::string> Node::peers() const {
  std::vector<std::string> out;
  for (const config::Role role : {config::Role::kLogic, config::Role::kRouter}) {
    const auto names = peer_names(start_, role);
    for (std::size_t i = 0; i < names.size(); ++i) {
      out.push_back(names[i] + " " + start_.peers(role)[i]);
    }
  }
  return out;
}

std::string Node::inflight_json() {
  std::string out = fmt::format(R"({{"open":{},"registering":{},"connections":{},"oldest":[)",
                                hub_.logics().open(), hub_.registering(), metrics_.connections());
  bool first = true;
  for (const auto& command : hub_.logics().list(loop_.now(), kInflightShown)) {
    out += fmt::format(R"({}{{"type":"0x{:04x}","logic":{},"tries":{},"remaining_ms":{}}})",
                       first ? "" : ",", command.type, command.logic, command.tries,
                       command.remaining.count());
    first = false;
  }
  return out + "]}";
}

std::string Node::placements_json() {
  const std::vector<PlacementRow> rows = hub_.routers().placements().all_rows();
  std::string out = fmt::format(R"({{"total":{},"rows":[)", rows.size());
  for (std::size_t i = 0; i < std::min(rows.size(), kPlacementsShown); ++i) {
    const PlacementRow& row = rows[i];
    out +=
        fmt::format("{}[{},{},{},{},{}]", i == 0 ? "" : ",", row.uid.value(),
                    static_cast<int>(row.slot), start_.index + 1, row.epoch.auth, row.epoch.conn);
  }
  return out + "]}";
}

void Node::reload(const Config& config) {
  gatekeeper_.set_limits(config.gate);
  metrics_.connections_limit(config.gate.connections_max);
  on_all_shards([limits = config.shard](Shard& shard) { shard.set_limits(limits); });
}

void Node::on_all_shards(const std::function<void(Shard&)>& run) {
  for (std::uint32_t i = 0; i < shards(); ++i) {
    threads_.post(i, [this, i, run] { run(*shards_[i]); });
  }
}

void Node::goodbye(Errc code, const std::string& detail) {
  routers_.goodbye(code, detail);
  logics_.goodbye(code, detail);
}

void Node::close() {
  routers_.stop();
  logics_.stop();
}

}  // namespace hy::entry
