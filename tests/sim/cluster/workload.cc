#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/groups.h"

namespace hy::sim {
namespace {

/// One installation and the person behind it.
class Person {
 public:
  Person(Cluster& cluster, DeviceHost& device, SeededRandom random, std::uint64_t number)
      : cluster_(cluster), device_(device), random_(random), groups_(cluster, device, number) {
    const Uid own = device.spec().uid;
    // A few friends each, so that conversations have length.
    const std::uint64_t friends = 1 + random_.below(3);
    for (std::uint64_t i = 0; i < friends; ++i) {
      const Uid other =
          Site::uid_of(static_cast<std::uint32_t>(random_.below(cluster.plan().users)));
      if (other != own) peers_.push_back(other);
    }
    if (peers_.empty()) {
      peers_.push_back(own == Site::uid_of(0) ? Site::uid_of(1) : Site::uid_of(0));
    }
  }

  void schedule() {
    // Exponential gaps, in whole microseconds.
    const auto mean = static_cast<std::uint64_t>(cluster_.plan().talk_gap.count() / 1'000);
    const std::uint64_t gap = random_.below(mean) + random_.below(mean);
    cluster_.world().after(std::chrono::microseconds(gap), nullptr, [this] { wake(); });
  }

 private:
  void wake() {
    if (cluster_.is_healing()) return;
    if (device_.node().is_running() && !device_.node().is_paused()) {
      cluster_.world().at(cluster_.world().now(), &device_.node(), [this] { act(); });
    }
    schedule();
  }

  bool chance(std::uint32_t per_mille) { return random_.below(1'000) < per_mille; }
  Uid peer() { return peers_[random_.below(peers_.size())]; }
  ConversationId conversation() {
    const Uid other = peer();
    const auto group = groups_.somewhere();
    return group ? ConversationId::group(*group) : ConversationId::pair(device_.spec().uid, other);
  }
  void send(std::optional<Gid> group, Uid to, const Bytes& body) {
    (void)(group ? device_.send(*group, body) : device_.send(to, body));
  }

  void act() {
    const Plan& plan = cluster_.plan();
    if (!device_.wants_online()) {
      // Offline people write too; the outbox keeps it.
      if (random_.below(3) == 0) return device_.log_in();
      return say();
    }
    if (device_.link() == LinkState::kStopped) {
      // Kicked by the other installation: the person comes back, or not yet.
      if (chance(200)) device_.log_in();
      return;
    }
    if (chance(plan.offline_per_mille)) return device_.go_offline();
    if (chance(plan.rivals_per_mille / 4)) return device_.log_out();
    if (chance(plan.blocks_per_mille)) return device_.block(peer(), random_.below(2) == 0);
    if (groups_.act()) return;
    const std::uint64_t kind = random_.below(100);
    if (kind < 62) return say();
    if (kind < 66) return burst();
    if (kind < 84) return device_.mark_read(conversation());
    if (kind < 88) return device_.sync();
    if (kind < 91) return device_.ask_recents();
    if (kind < 94) return device_.ask_history(conversation());
    if (kind < 96) return device_.drop_connection();
    device_.retry_refused();
  }

  void say() {
    const std::uint64_t again = random_.below(25) == 0 ? 3 : 1;
    Bytes body = fmt::format("{}.{}:{}", device_.spec().name, device_.spec().installation, ++said_);
    body.resize(std::max(body.size(), random_.below(cluster_.plan().body_max + 1)), '.');
    const Uid to = peer();
    const auto group = groups_.somewhere();
    for (std::uint64_t i = 0; i < again; ++i) send(group, to, body);
  }

  void burst() {
    const std::uint64_t count = 2 + random_.below(30);
    const Uid to = peer();
    const auto group = groups_.somewhere();
    for (std::uint64_t i = 0; i < count; ++i) {
      send(group, to, fmt::format("{}/{}", device_.spec().name, ++said_));
    }
  }

  Cluster& cluster_;
  DeviceHost& device_;
  SeededRandom random_;
  GroupLife groups_;
  std::vector<Uid> peers_;
  std::uint64_t said_ = 0;
};

}  // namespace

void start_workload(Cluster& cluster) {
  auto people = std::make_shared<std::vector<std::unique_ptr<Person>>>();
  for (const auto& device : cluster.devices()) {
    people->push_back(std::make_unique<Person>(
        cluster, *device, SeededRandom(cluster.world().random().next()), people->size()));
    people->back()->schedule();
  }
  // They live as long as the world's last event.
  cluster.world().at(MonoTime::max(), nullptr, [people] {});
}

}  // namespace hy::sim
