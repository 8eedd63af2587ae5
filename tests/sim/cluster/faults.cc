#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/sim/cluster/cluster.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Draws faults one after another, several at once now and then.
class Nemesis {
 public:
  explicit Nemesis(Cluster& cluster)
      : cluster_(cluster), world_(cluster.world()), random_(world_.random().next()) {
    const Plan& plan = cluster.plan();
    for (std::size_t i = 0; i < kFaults; ++i) {
      if (!plan.faults[i]) continue;
      for (std::uint32_t k = 0; k < plan.weights[i]; ++k) kinds_.push_back(static_cast<Fault>(i));
    }
  }

  void schedule() {
    if (kinds_.empty()) return;
    const auto mean = static_cast<std::uint64_t>(cluster_.plan().fault_gap.count() / 1'000);
    const std::uint64_t gap = random_.below(mean) + random_.below(mean);
    world_.after(std::chrono::microseconds(gap), nullptr, [this] {
      if (cluster_.is_healing()) return;
      strike(kinds_[random_.below(kinds_.size())]);
      schedule();
    });
  }

 private:
  Nanos span(std::uint64_t low_ms, std::uint64_t high_ms) {
    return milliseconds(low_ms + random_.below(high_ms - low_ms + 1));
  }
  Daemon* some(config::Role role) {
    std::vector<Daemon*> all;
    for (const auto& d : cluster_.daemons()) {
      if (d->role() == role && d->node().is_running()) all.push_back(d.get());
    }
    return all.empty() ? nullptr : all[random_.below(all.size())];
  }
  Daemon* any_daemon() { return some(config::kRoles[random_.below(std::size(config::kRoles))]); }
  DeviceHost& any_device() { return *cluster_.devices()[random_.below(cluster_.devices().size())]; }
  /// Two nodes that talk to each other.
  std::pair<Node*, Node*> a_link(bool device_too) {
    using config::Role;
    struct Way {
      Role from;
      Role to;
    };
    static constexpr Way kWays[] = {{Role::kEntry, Role::kLogic},
                                    {Role::kEntry, Role::kRouter},
                                    {Role::kLogic, Role::kRouter},
                                    {Role::kLogic, Role::kDas}};
    const std::uint64_t which = random_.below(std::size(kWays) + (device_too ? 2 : 0));
    if (which >= std::size(kWays)) {
      Daemon* const entry = some(Role::kEntry);
      return {&any_device().node(), entry == nullptr ? nullptr : &entry->node()};
    }
    Daemon* const a = some(kWays[which].from);
    Daemon* const b = some(kWays[which].to);
    return {a == nullptr ? nullptr : &a->node(), b == nullptr ? nullptr : &b->node()};
  }
  void later(Nanos delay, Task task) { world_.after(delay, nullptr, std::move(task)); }
  void began(Fault fault, const std::string& what) {
    cluster_.count(fault);
    cluster_.say(fmt::format("fault {}: {}", fault_name(fault), what));
  }

  void kill(Fault fault, config::Role role) {
    Daemon* const daemon = some(role);
    if (daemon == nullptr) return;
    began(fault, daemon->node().name());
    world_.kill(daemon->node());
  }

  void kill_tier() {
    const config::Role role = config::kRoles[random_.below(std::size(config::kRoles))];
    began(Fault::kKillTier, std::string(config::role_name(role)));
    for (const auto& daemon : cluster_.daemons()) {
      if (daemon->role() == role && daemon->node().is_running()) world_.kill(daemon->node());
    }
  }

  void restart() {
    Daemon* const daemon = any_daemon();
    if (daemon == nullptr || daemon->node().is_paused()) return;
    began(Fault::kRestart, daemon->node().name());
    world_.at(world_.now(), &daemon->node(), [daemon] { daemon->drain(); });
    later(span(1, 500), [this, daemon, life = daemon->node().life()] {
      if (daemon->node().is_running() && daemon->node().life() == life) {
        world_.kill(daemon->node());
      }
    });
  }

  void pause(Fault fault, Node& node, Nanos how_long) {
    if (!node.is_running() || node.is_paused()) return;
    began(fault, fmt::format("{} for {} ms", node.name(),
                             std::chrono::duration_cast<milliseconds>(how_long).count()));
    world_.pause(node);
    later(how_long, [this, &node, life = node.life()] {
      if (node.life() == life) world_.resume(node);
    });
  }

  void partition(bool one_way) {
    Network& net = cluster_.network();
    const auto [a, b] = a_link(true);
    if (a == nullptr || b == nullptr) return;
    const bool forth = !one_way || random_.below(2) == 0;
    const bool back = !one_way || !forth;
    const Nanos how_long = span(200, 20'000);
    began(one_way ? Fault::kOneWay : Fault::kPartition,
          fmt::format("{} {}{} {} for {} ms", a->name(), back ? "<" : "", forth ? ">" : "",
                      b->name(), std::chrono::duration_cast<milliseconds>(how_long).count()));
    if (forth) net.block(a->id(), b->id());
    if (back) net.block(b->id(), a->id());
    later(how_long, [&net, from = a->id(), to = b->id(), forth, back] {
      if (forth) net.unblock(from, to);
      if (back) net.unblock(to, from);
    });
  }

  /// Everybody against one node.
  void isolate() {
    Daemon* const daemon = any_daemon();
    if (daemon == nullptr) return;
    const Nanos how_long = span(200, 15'000);
    began(Fault::kPartition, fmt::format("{} from all", daemon->node().name()));
    const NodeId one = daemon->node().id();
    Network& net = cluster_.network();
    for (const auto& other : world_.nodes()) {
      if (other->id() == one) continue;
      net.block(one, other->id());
      net.block(other->id(), one);
    }
    later(how_long, [this, &net, one] {
      for (const auto& other : world_.nodes()) {
        if (other->id() == one) continue;
        net.unblock(one, other->id());
        net.unblock(other->id(), one);
      }
    });
  }

  void some_connection(Fault fault) {
    const auto all = cluster_.network().connections();
    if (all.empty()) return;
    const auto& connection = all[random_.below(all.size())];
    began(fault, fmt::format("{} - {}", connection->node(Connection::kDialler).name(),
                             connection->node(Connection::kAcceptor).name()));
    if (fault == Fault::kReset) {
      connection->cut();
    } else {
      connection->darken();
    }
  }

  void slow_link(Fault fault) {
    const auto [a, b] = a_link(true);
    if (a == nullptr || b == nullptr) return;
    Network& net = cluster_.network();
    LinkQuality quality = net.quality(*a, *b);
    if (fault == Fault::kSlowLink) {
      quality.latency = span(50, 1'500);
      quality.jitter = span(10, 500);
      if (random_.below(2) == 0) quality.bytes_per_second = 500 + random_.below(20'000);
    } else {
      quality.loss_per_mille = static_cast<std::uint32_t>(10 + random_.below(300));
    }
    began(fault, fmt::format("{} - {}", a->name(), b->name()));
    net.set_quality(a->id(), b->id(), quality);
    later(span(500, 20'000), [&net, from = a->id(), to = b->id()] { net.clear_quality(from, to); });
  }

  void clock_jump() {
    const bool is_back = random_.below(2) == 0;
    const auto ms =
        static_cast<std::int64_t>(random_.below(random_.below(4) == 0 ? 600'000 : 5'000));
    if (random_.below(4) == 0) {
      // The store's own clock: within what the overlap of SYNC covers.
      const auto small = static_cast<std::int64_t>(random_.below(25'000));
      began(Fault::kClockJump, fmt::format("store {} ms", is_back ? -small : small));
      cluster_.site().store.set_clock_skew(is_back ? -small : small);
      return;
    }
    Node& node = *world_.nodes()[random_.below(world_.nodes().size())];
    began(Fault::kClockJump, fmt::format("{} {} ms", node.name(), is_back ? -ms : ms));
    node.clock.jump(is_back ? -ms : ms);
  }

  void store(Fault fault) {
    ModelStore& store = cluster_.site().store;
    switch (fault) {
      case Fault::kStoreDown:
        began(fault, "");
        store.set_down(true);
        later(span(200, 15'000), [&store] { store.set_down(false); });
        return;
      case Fault::kStoreFull:
        began(fault, "");
        store.set_full(true);
        later(span(200, 8'000), [&store] { store.set_full(false); });
        return;
      case Fault::kFailOver:
        began(fault, "");
        if (random_.below(3) == 0) {
          store.crash();
        } else {
          store.fail_over();
        }
        return;
      case Fault::kHoldRow: {
        const auto& all = store.tables().conversations;
        if (all.empty()) return;
        auto at = all.begin();
        std::advance(at, random_.below(all.size()));
        began(fault, "");
        store.hold_row(at->first, Millis(static_cast<std::int64_t>(100 + random_.below(5'000))));
        return;
      }
      default: return;
    }
  }

  void cache(Fault fault) {
    ModelRedis& redis = cluster_.site().redis;
    began(fault, "");
    if (fault == Fault::kCacheLost) {
      switch (random_.below(3)) {
        case 0: redis.flush(); return;
        case 1: redis.mark_replica(); return;
        default: redis.fail_over(); return;
      }
    }
    const std::uint64_t how = random_.below(3);
    if (how == 0) redis.set_down(true);
    if (how == 1) redis.set_refuses_writes(true);
    if (how == 2) redis.set_latency(Millis{20 + static_cast<std::int64_t>(random_.below(60))});
    later(span(500, 15'000), [&redis] {
      redis.set_down(false);
      redis.set_refuses_writes(false);
      redis.set_latency(Millis{0});
    });
  }

  void strike(Fault fault) {
    switch (fault) {
      case Fault::kKillEntry: return kill(fault, config::Role::kEntry);
      case Fault::kKillLogic: return kill(fault, config::Role::kLogic);
      case Fault::kKillRouter: return kill(fault, config::Role::kRouter);
      case Fault::kKillDas: return kill(fault, config::Role::kDas);
      case Fault::kKillTier: return kill_tier();
      case Fault::kLoseHost: {
        Daemon* const daemon = any_daemon();
        if (daemon == nullptr) return;
        began(fault, daemon->node().name());
        return world_.kill(daemon->node(), Death::kHost);
      }
      case Fault::kPause: {
        Daemon* const daemon = any_daemon();
        if (daemon != nullptr) pause(fault, daemon->node(), span(100, 20'000));
        return;
      }
      case Fault::kPauseDevice: return pause(fault, any_device().node(), span(100, 20'000));
      case Fault::kPartition:
        if (random_.below(3) == 0) return isolate();
        return partition(false);
      case Fault::kOneWay: return partition(true);
      case Fault::kReset:
      case Fault::kHalfOpen: return some_connection(fault);
      case Fault::kSlowLink:
      case Fault::kLoss: return slow_link(fault);
      case Fault::kClockJump: return clock_jump();
      case Fault::kStoreDown:
      case Fault::kStoreFull:
      case Fault::kFailOver:
      case Fault::kHoldRow: return store(fault);
      case Fault::kCacheLost:
      case Fault::kCacheDown: return cache(fault);
      case Fault::kRestart: return restart();
      // These go by rates.
      case Fault::kSyncPoint:
      case Fault::kKillDevice:
      case Fault::kDeviceDisk:
      case Fault::kCorrupt:
      case Fault::kStoreErrors:
      case Fault::kCommitLost: return;
    }
  }

  Cluster& cluster_;
  World& world_;
  SeededRandom random_;
  std::vector<Fault> kinds_;
};

}  // namespace

void start_faults(Cluster& cluster) {
  auto nemesis = std::make_shared<Nemesis>(cluster);
  nemesis->schedule();
  cluster.world().at(MonoTime::max(), nullptr, [nemesis] {});
}

void end_faults(Cluster& cluster) {
  Network& net = cluster.network();
  net.unblock_all();
  net.inner = cluster.plan().inner;
  net.outer = cluster.plan().outer;
  net.outer.corrupt_per_million = 0;
  net.clear_qualities();
  ModelStore& store = cluster.site().store;
  store.set_faults({});
  store.set_down(false);
  store.set_full(false);
  store.set_read_only(false);
  ModelRedis& redis = cluster.site().redis;
  redis.set_down(false);
  redis.set_refuses_writes(false);
  redis.set_latency(Millis{0});
  for (const auto& node : cluster.world().nodes()) cluster.world().resume(*node);
}

}  // namespace hy::sim
