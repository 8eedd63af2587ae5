#include "tests/sim/cluster/scenes.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/cluster/scene_list.h"
#include "tests/sim/cluster/stage.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<std::string_view, kScenes> kNames = {"storm",       "slow-receiver", "logins",
                                                          "backups",     "warming",       "sleeper",
                                                          "dark-device", "late-dump"};
/// After a message that was stored last: longer than it may take (judge::Rules::shown_within).
constexpr Nanos kWatch = milliseconds(2'200);

}  // namespace

std::string_view scene_name(Scene scene) {
  return kNames.at(static_cast<std::size_t>(scene));
}

std::optional<Scene> scene_of(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Scene>(at - kNames.begin());
}

/// Everybody writes to one person at once, whose link is slow: more than the window of his
/// connection takes. What is not pushed is told by one SYNC_HINT, not found by a heartbeat.
bool play_slow_receiver(Stage& stage) {
  const auto people = stage.online(true);
  if (people.size() < 2) return false;
  DeviceHost& receiver = *people.front();
  EntryDaemon* const entry = stage.entry_of(receiver);
  if (entry == nullptr) return false;
  stage.slow(receiver.node(), entry->node(), stage.ms(40, 100));
  // What the receiver's devices ask for stays below the rates of one person.
  const auto devices = std::ranges::count_if(
      stage.online(), [&](DeviceHost* host) { return host->spec().uid == receiver.spec().uid; });
  const std::size_t senders = devices == 1 ? 2 : 1;
  const MonoTime from = stage.world().now();
  for (std::size_t i = 1; i < people.size() && i <= senders; ++i) {
    const std::uint64_t count = 5 + stage.below(20);
    for (std::uint64_t k = 0; k < count; ++k) stage.says(*people[i], receiver.spec().uid);
  }
  stage.all_sent(seconds(8));
  stage.run(kWatch);
  stage.cluster().calm(from);
  return true;
}

/// Messages to somebody who is just logging in, while his entry is far from the routers: found by
/// the push or by the SYNC after the login, whichever way they fall.
bool play_logins(Stage& stage) {
  constexpr int kRounds = 5;
  const auto people = stage.online(true);
  if (people.size() < 2) return false;
  DeviceHost& receiver = *people[0];
  DeviceHost& sender = *people[1];
  EntryDaemon* const entry = stage.entry_of(receiver);
  if (entry == nullptr) return false;
  // Placed within the time that a login waits for it.
  const std::uint64_t wait = stage.setting("entry.register_within");
  const std::uint64_t way = wait / 4 + stage.below(wait / 8);
  const MonoTime from = stage.world().now();
  for (RouterDaemon* const router : stage.routers()) {
    stage.slow(entry->node(), router->node(), milliseconds(way));
  }
  for (int i = 0; i < kRounds; ++i) {
    stage.does(receiver, [](DeviceHost& host) { host.go_offline(); });
    stage.run(stage.ms(200, 500));
    stage.does(receiver, [](DeviceHost& host) { host.log_in(); });
    const bool is_in = stage.run_until(
        [&] {
          return receiver.link() == LinkState::kSyncing || receiver.link() == LinkState::kOnline;
        },
        seconds(5));
    if (!is_in) break;
    stage.run(stage.ms(0, way / 2));
    stage.says(sender, receiver.spec().uid);
    stage.all_sent(seconds(2));
    stage.run(kWatch);
  }
  stage.cluster().calm(from);
  return true;
}

namespace {

bool play_one(Stage& stage, Scene scene) {
  switch (scene) {
    case Scene::kStorm: return play_storm(stage);
    case Scene::kSlowReceiver: return play_slow_receiver(stage);
    case Scene::kLogins: return play_logins(stage);
    case Scene::kBackups: return play_backups(stage);
    case Scene::kWarming: return play_warming(stage);
    case Scene::kSleeper: return play_sleeper(stage);
    case Scene::kDarkDevice: return play_dark_device(stage);
    case Scene::kLateDump: return play_late_dump(stage);
  }
  return false;
}

}  // namespace

void play(Cluster& cluster, Scene scene) {
  for (std::size_t i = 0; i < kScenes; ++i) {
    const auto next = static_cast<Scene>((static_cast<std::size_t>(scene) + i) % kScenes);
    cluster.say(fmt::format("scene {}", scene_name(next)));
    Stage stage(cluster);
    if (play_one(stage, next)) return;
  }
}

}  // namespace hy::sim
