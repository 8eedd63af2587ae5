#include "tests/sim/cluster/stage.h"

#include <algorithm>
#include <utility>

namespace hy::sim {
namespace {

using std::chrono::milliseconds;

constexpr Nanos kLook = milliseconds(2);

}  // namespace

Stage::Stage(Cluster& cluster) : cluster_(cluster) {
  LinkQuality good;
  good.latency = milliseconds(2 + below(8));
  good.jitter = milliseconds(1);
  good.window = 64 * 1'024;
  network().outer = good;
}

Stage::~Stage() {
  network().outer = cluster_.plan().outer;
  network().unblock_all();
  network().clear_qualities();
}

Nanos Stage::ms(std::uint64_t low, std::uint64_t high) {
  return milliseconds(low + below(high - low + 1));
}

std::vector<DeviceHost*> Stage::online(bool one_each) {
  std::vector<DeviceHost*> out;
  for (const auto& device : cluster_.devices()) {
    if (device->wants_online() && device->link() == LinkState::kOnline) out.push_back(device.get());
  }
  for (std::size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[below(i)]);
  if (!one_each) return out;
  std::vector<Uid> seen;
  std::erase_if(out, [&](DeviceHost* host) {
    const bool known = std::ranges::find(seen, host->spec().uid) != seen.end();
    if (!known) seen.push_back(host->spec().uid);
    return known;
  });
  return out;
}

std::shared_ptr<Connection> Stage::connection_of(DeviceHost& host) {
  std::shared_ptr<Connection> out;
  for (const auto& connection : network().connections()) {
    if (connection->is_over() || connection->is_dark()) continue;
    if (&connection->node(Connection::kDialler) == &host.node()) out = connection;
  }
  return out;
}

EntryDaemon* Stage::entry_of(DeviceHost& host) {
  const auto connection = connection_of(host);
  if (connection == nullptr) return nullptr;
  for (EntryDaemon* const entry : entries()) {
    if (&connection->node(Connection::kAcceptor) == &entry->node()) return entry;
  }
  return nullptr;
}

std::vector<EntryDaemon*> Stage::entries() {
  std::vector<EntryDaemon*> out;
  for (const auto& daemon : cluster_.daemons()) {
    auto* const entry = dynamic_cast<EntryDaemon*>(daemon.get());
    if (entry != nullptr && entry->node().is_running()) out.push_back(entry);
  }
  return out;
}

std::vector<RouterDaemon*> Stage::routers() {
  std::vector<RouterDaemon*> out;
  for (const auto& daemon : cluster_.daemons()) {
    auto* const router = dynamic_cast<RouterDaemon*>(daemon.get());
    if (router != nullptr && router->node().is_running()) out.push_back(router);
  }
  return out;
}

Uid Stage::somebody_else(Uid than) {
  const std::uint32_t users = cluster_.plan().users;
  const auto number = static_cast<std::uint32_t>(below(users));
  const Uid one = Site::uid_of(number);
  return one == than ? Site::uid_of((number + 1) % users) : one;
}

void Stage::does(DeviceHost& host, std::function<void(DeviceHost&)> what) {
  world().at(world().now(), &host.node(), [&host, what = std::move(what)] { what(host); });
}

void Stage::says(DeviceHost& host, Uid to) {
  does(host, [to, words = text()](DeviceHost& h) { (void)h.send(to, words); });
}

bool Stage::run_until(const std::function<bool()>& what, Nanos span) {
  const MonoTime end = world().now() + span;
  while (!what()) {
    if (world().is_stopped() || world().now() >= end) return false;
    run(kLook);
  }
  return true;
}

bool Stage::all_sent(Nanos span) {
  run(kLook);
  return run_until(
      [this] {
        return std::ranges::all_of(cluster_.devices(), [](const auto& device) {
          return !device->wants_online() || device->open_sends() == 0;
        });
      },
      span);
}

void Stage::slow(Node& a, Node& b, Nanos latency) {
  LinkQuality quality = network().quality(a, b);
  quality.latency = latency;
  quality.jitter = milliseconds(1);
  network().set_quality(a.id(), b.id(), quality);
}

void Stage::block(Node& a, Node& b) {
  network().block(a.id(), b.id());
  network().block(b.id(), a.id());
}

void Stage::unblock(Node& a, Node& b) {
  network().unblock(a.id(), b.id());
  network().unblock(b.id(), a.id());
}

std::optional<router::Row> Stage::placed(RouterDaemon& router, const DeviceHost& host) {
  if (router.router() == nullptr) return std::nullopt;
  const router::PlacementTable& table = router.router()->table();
  const auto row = table.find(host.spec().uid, host.spec().slot);
  if (!row || !table.is_live(*row)) return std::nullopt;
  return row;
}

}  // namespace hy::sim
