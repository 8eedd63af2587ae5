#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster/scene_list.h"
#include "tests/sim/cluster/stage.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kHerdMin =
    5;  ///< that so many draw the same point of a window by chance: 1e-6

/// When a device lost its connection, and when it tried again first.
struct FirstTry {
  std::optional<MonoTime> lost;
  std::optional<MonoTime> tried;
};

Epoch newest_epoch(const DeviceHost& host) {
  Epoch out;
  for (const judge::Event& e : const_cast<DeviceHost&>(host).recorder().history().events()) {
    if (e.ev == judge::Ev::kLoginOk) out = std::max(out, e.epoch());
  }
  return out;
}

}  // namespace

/// Every entry dies: all that it held try again, each at a random point of the storm window
/// (experience.md §8), not all at its end.
bool play_storm(Stage& stage) {
  const auto hosts = stage.online();
  if (hosts.size() < kHerdMin) return false;
  std::vector<FirstTry> tries(hosts.size());
  std::vector<std::unique_ptr<LinkWatch>> watches;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto told = [&t = tries[i], &stage](LinkState state, const std::string&) {
      if (state == LinkState::kBackingOff && !t.lost) t.lost = stage.world().now();
      if (state == LinkState::kFinding && t.lost && !t.tried) t.tried = stage.world().now();
    };
    watches.push_back(std::make_unique<LinkWatch>(*hosts[i], told));
  }
  for (EntryDaemon* const entry : stage.entries()) stage.world().kill(entry->node());
  stage.run(milliseconds(2'500));
  std::vector<Nanos> waits;
  for (const FirstTry& t : tries) {
    if (t.lost && t.tried) waits.push_back(*t.tried - *t.lost);
  }
  if (waits.size() < kHerdMin) return true;
  const auto [least, most] = std::ranges::minmax(waits);
  if (most - least >= milliseconds(1)) return true;
  stage.cluster().violation(
      fmt::format("C-STORM {} devices that one moment dropped try again all after {} ms",
                  waits.size(), std::chrono::duration_cast<milliseconds>(most).count()));
  return true;
}

/// Apps that come back from a backup: their connection counter is old. They are told, count on from
/// the newest (router.md §2), and a late word of a slow router about their first try hits nobody.
bool play_backups(Stage& stage) {
  auto people = stage.online(true);
  if (people.size() > 8) people.resize(8);
  std::vector<Epoch> newest;
  for (DeviceHost* const host : people) {
    newest.push_back(newest_epoch(*host));
    stage.does(*host, [](DeviceHost& h) { h.go_offline(); });
  }
  // Most of them long enough for a router to look over a good part of what it holds.
  const bool long_away = stage.below(4) != 0;
  stage.run(long_away ? stage.ms(18'000, 28'000) : stage.ms(1'000, 3'000));
  const auto routers = stage.routers();
  RouterDaemon& late = *routers[stage.below(routers.size())];
  for (EntryDaemon* const entry : stage.entries()) {
    stage.slow(entry->node(), late.node(), stage.ms(220, 300));
  }
  std::vector<bool> kicked(people.size(), false);
  std::vector<std::unique_ptr<LinkWatch>> watches;
  for (std::size_t i = 0; i < people.size(); ++i) {
    const auto told = [&kicked, i](LinkState state, const std::string& why) {
      const bool by_kick = why.contains("HY-2043") || why.contains("HY-2044");
      if (state == LinkState::kStopped && by_kick) kicked[i] = true;
    };
    watches.push_back(std::make_unique<LinkWatch>(*people[i], told));
  }
  for (DeviceHost* const host : people) {
    stage.does(*host, [by = static_cast<std::uint32_t>(1 + stage.below(5))](DeviceHost& h) {
      h.restore_counter(by);
      h.log_in();
    });
  }
  const auto all_in = [&people] {
    return std::ranges::all_of(people,
                               [](DeviceHost* h) { return h->link() == LinkState::kOnline; });
  };
  stage.run_until(all_in, seconds(4));
  stage.run(milliseconds(1'500));
  for (std::size_t i = 0; i < people.size(); ++i) {
    DeviceHost& host = *people[i];
    const std::string name = judge::device_text(host.recorder().history().device());
    if (kicked[i]) {
      stage.cluster().violation("C-KICK " + name + " was signed out, and nobody else signed in");
    } else if (host.link() == LinkState::kOnline && newest_epoch(host) <= newest[i]) {
      stage.cluster().violation("C-KICK " + name + " has a session below its own newest one");
    }
  }
  return true;
}

/// A pulled cable, and a push that nobody confirms: the entry sends it again and then says
/// "unreachable" (router.md §10), well before the silence of two heartbeats and a half.
bool play_dark_device(Stage& stage) {
  const auto people = stage.online(true);
  if (people.size() < 2) return false;
  const Millis first{std::max(stage.setting("entry.push_window.resend_first"),
                              stage.setting("entry.push_window.resend_min"))};
  const auto tries = stage.setting("entry.push_window.tries");
  const Nanos given_up = first * ((1U << (tries + 1)) - 1) + milliseconds(1'500);
  const Nanos silence = milliseconds(stage.setting("logic.heartbeat") * 2'500);
  if (given_up + seconds(2) > silence || given_up > seconds(9)) return false;
  DeviceHost& host = *people[0];
  // A young connection: its round trip is that of the links now.
  stage.does(host, [](DeviceHost& h) { h.go_offline(); });
  stage.run(milliseconds(300));
  stage.does(host, [](DeviceHost& h) { h.log_in(); });
  if (!stage.run_until([&] { return host.link() == LinkState::kOnline; }, seconds(4))) return true;
  stage.run(milliseconds(500));
  const auto connection = stage.connection_of(host);
  if (connection == nullptr) return true;
  connection->darken();
  const std::uint64_t stored = people[1]->recorder().stored();
  stage.says(*people[1], host.spec().uid);
  const bool is_sent = stage.all_sent(seconds(2)) && people[1]->recorder().stored() > stored;
  if (!is_sent) {  // refused, or others' messages wait; the next scene wants nobody in the dark
    stage.does(host, [](DeviceHost& h) { h.drop_connection(); });
    return true;
  }
  const Epoch epoch = newest_epoch(host);
  stage.run(given_up);
  for (RouterDaemon* const router : stage.routers()) {
    const auto row = stage.placed(*router, host);
    if (!row || row->epoch != epoch) continue;
    stage.cluster().violation(
        fmt::format("C-PRES {} has {} whose device confirmed no push for {} ms",
                    router->node().name(), judge::device_text(host.recorder().history().device()),
                    std::chrono::duration_cast<milliseconds>(given_up).count()));
    break;
  }
  stage.does(host, [](DeviceHost& h) { h.drop_connection(); });
  return true;
}

}  // namespace hy::sim
