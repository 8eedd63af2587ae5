#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "tests/sim/cluster/scene_list.h"
#include "tests/sim/cluster/stage.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kWatch = milliseconds(2'200);

/// Everybody in `from` says something to everybody in `to`.
void talk(Stage& stage, const std::vector<DeviceHost*>& from, const std::vector<DeviceHost*>& to) {
  for (DeviceHost* const a : from) {
    for (DeviceHost* const b : to) {
      if (a->spec().uid != b->spec().uid) stage.says(*a, b->spec().uid);
    }
  }
}

}  // namespace

/// All routers start anew, and each of them is cut from another entry: none is READY, and for
/// everybody there is one that knows him. What a WARMING router does not know another one is asked.
bool play_warming(Stage& stage) {
  const auto routers = stage.routers();
  auto entries = stage.entries();
  auto people = stage.online(true);
  if (entries.size() < routers.size() || people.size() < 2) return false;
  // The entries that hold people first.
  std::map<EntryDaemon*, int> held;
  for (DeviceHost* const host : people) ++held[stage.entry_of(*host)];
  std::ranges::sort(entries, {},
                    [&](EntryDaemon* entry) { return std::pair(-held[entry], entry->index()); });
  for (std::size_t i = 0; i < routers.size(); ++i) {
    stage.block(routers[i]->node(), entries[i]->node());
  }
  for (RouterDaemon* const router : routers) stage.world().kill(router->node());
  stage.run(milliseconds(2'000));
  if (people.size() > 5) people.resize(5);
  const MonoTime from = stage.world().now();
  talk(stage, people, people);
  stage.all_sent(seconds(1));
  stage.run(kWatch);
  stage.cluster().calm(from);
  return true;
}

/// A router stands still while somebody logs in, and wakes up before it hears of him: it knows that
/// it slept, and sends those who ask to another router (router.md §7).
bool play_sleeper(Stage& stage) {
  auto people = stage.online(true);
  const auto routers = stage.routers();
  if (people.size() < 2 || routers.size() < 2) return false;
  DeviceHost& host = *people[0];
  EntryDaemon* const entry = stage.entry_of(host);
  if (entry == nullptr) return false;
  RouterDaemon& sleeper = *routers[stage.below(routers.size())];
  stage.does(host, [](DeviceHost& h) { h.go_offline(); });
  stage.run(milliseconds(1'200));
  stage.world().pause(sleeper.node());
  stage.block(sleeper.node(), entry->node());
  const MonoTime asleep = stage.world().now();
  stage.does(host, [](DeviceHost& h) { h.log_in(); });
  stage.run_until([&] { return host.link() == LinkState::kOnline; }, milliseconds(1'500));
  stage.world().run_until(asleep + stage.ms(1'700, 2'300));
  stage.world().resume(sleeper.node());
  stage.run(stage.ms(100, 300));
  const MonoTime from = stage.world().now();
  if (people.size() > 6) people.resize(6);
  talk(stage, people, {&host});
  stage.all_sent(milliseconds(500));
  stage.unblock(sleeper.node(), entry->node());
  stage.run(kWatch);
  stage.cluster().calm(from);
  return true;
}

/// Somebody leaves while his entry and a router do not hear each other, and the way between them is
/// long when they do again: what the router gets is a dump without him.
bool play_late_dump(Stage& stage) {
  const auto people = stage.online(true);
  if (people.empty()) return false;
  DeviceHost& host = *people[0];
  EntryDaemon* const entry = stage.entry_of(host);
  if (entry == nullptr) return false;
  const auto routers = stage.routers();
  RouterDaemon& router = *routers[stage.below(routers.size())];
  stage.block(entry->node(), router.node());
  stage.run(stage.ms(3'300, 4'300));
  stage.does(host, [](DeviceHost& h) { h.go_offline(); });
  stage.run(milliseconds(300));
  stage.slow(entry->node(), router.node(), stage.ms(1'050, 1'300));
  stage.unblock(entry->node(), router.node());
  stage.run(milliseconds(12'000));
  stage.does(host, [](DeviceHost& h) { h.log_in(); });
  return true;
}

}  // namespace hy::sim
