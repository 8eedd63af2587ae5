#include "tests/cluster/chaos/points_tour.h"

#include <signal.h>

#include <array>
#include <chrono>
#include <thread>

#include "tests/cluster/chaos/fleet.h"

namespace hy::chaos {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::seconds kReachedWithin{12};
constexpr std::chrono::seconds kLeadEvery{2};
constexpr std::chrono::seconds kStoppedFor{5};
constexpr Millis kDelay{200};
constexpr Millis kReadyWithin{60'000};
constexpr std::size_t kComeBack = 4;  // devices at once
constexpr std::array kDeeds{hooks::Deed::kDelay, hooks::Deed::kStop, hooks::Deed::kKill};

}  // namespace

std::vector<std::string> PointsTour::daemons_of(std::string_view tier) const {
  std::vector<std::string> out;
  for (const std::string& name : rig_.daemons()) {
    if (hooks::tier_of(name.substr(0, name.find('-'))) == tier) out.push_back(name);
  }
  return out;
}

bool PointsTour::is_of_this_engine(const hooks::SyncPoint& point) const {
  switch (point.reached) {
    case hooks::Reached::kByMysql:
    case hooks::Reached::kByMysqlFault: return rig_.has_mysql();
    case hooks::Reached::kByEmbedded: return !rig_.has_mysql();
    case hooks::Reached::kByStart: return false;  // once in the life of an account
    default: return true;
  }
}

void PointsTour::visit_some(Result& out) {
  std::vector<const hooks::SyncPoint*> left;
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    const bool comes_by_itself =
        point.reached == hooks::Reached::kByTraffic || point.reached == hooks::Reached::kByLogin ||
        point.reached == hooks::Reached::kByMysql || point.reached == hooks::Reached::kByEmbedded;
    if (comes_by_itself && is_of_this_engine(point)) left.push_back(&point);
  }
  for (std::size_t i = 0; i < visits_max_ && !left.empty(); ++i) {
    const auto at = left.begin() + static_cast<std::ptrdiff_t>(random_.below(left.size()));
    visit(**at, kDeeds[random_.below(kDeeds.size())], out);
    left.erase(at);
  }
}

PointsTour::Result PointsTour::run() {
  Result out;
  if (visits_max_ > 0) {
    visit_some(out);
    return out;
  }
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    if (!is_of_this_engine(point)) continue;
    for (const hooks::Deed deed : kDeeds) visit(point, deed, out);
  }
  return out;
}

void PointsTour::visit(const hooks::SyncPoint& point, hooks::Deed deed, Result& out) {
  if (hooks::tier_of(point.name) == "sdk") {
    (void)rig_.cluster().wait_ready({}, kReadyWithin);
    if (try_once(point, deed, "device")) {
      ++out.counts["points/" + std::string(point.name) + "/" + std::string(deed_name(deed))];
      say_(std::string(point.name) + " " + std::string(deed_name(deed)) + " in a device");
    } else {
      out.missed.push_back(std::string(point.name) + " " + std::string(deed_name(deed)));
    }
    return;
  }
  const std::vector<std::string> daemons = daemons_of(hooks::tier_of(point.name));
  const std::size_t first = random_.below(daemons.size());
  for (std::size_t i = 0; i < daemons.size(); ++i) {
    const std::string& daemon = daemons[(first + i) % daemons.size()];
    (void)rig_.cluster().wait_ready({}, kReadyWithin);
    if (!try_once(point, deed, daemon)) continue;
    ++out.counts["points/" + std::string(point.name) + "/" + std::string(deed_name(deed))];
    say_(std::string(point.name) + " " + std::string(deed_name(deed)) + " in " + daemon);
    return;
  }
  out.missed.push_back(std::string(point.name) + " " + std::string(deed_name(deed)));
}

bool PointsTour::try_once(const hooks::SyncPoint& point, hooks::Deed deed,
                          const std::string& daemon) {
  constexpr std::uint64_t kNthMax = 3;
  const bool is_rare = point.reached != hooks::Reached::kByTraffic;
  const auto nth = static_cast<std::int64_t>(is_rare ? 1 : 1 + random_.below(kNthMax));
  const Millis stopped = std::chrono::duration_cast<Millis>(kStoppedFor);
  auto live = daemon == "device"
                  ? begin_at_device_point(rig_, -1, point.name, deed, nth,
                                          deed == hooks::Deed::kStop ? stopped : kDelay)
                  : begin_at_point(rig_, daemon, point.name, deed, nth, kDelay);
  if (!live) return false;
  const auto until = Clock::now() + kReachedWithin;
  auto lead_at = Clock::now();
  int times = 0;
  while (!live->felt() && Clock::now() < until) {
    if (Clock::now() >= lead_at) {
      lead_to(point, daemon, times++);
      lead_at = Clock::now() + kLeadEvery;
    }
    std::this_thread::sleep_for(kLook);
  }
  const bool was_reached = live->felt();
  if (was_reached && deed == hooks::Deed::kStop) std::this_thread::sleep_for(kStoppedFor);
  (void)live->end();
  rig_.heal();
  return was_reached;
}

void PointsTour::lead_to(const hooks::SyncPoint& point, const std::string& daemon, int times) {
  cli::Supervisor& processes = rig_.cluster().supervisor();
  const auto people = [&](const auto& f) {
    for (const auto& link : rig_.links()) {
      if (link->from == "people") f(*link->gate);
    }
  };
  const std::string_view name = point.name;
  if (name == "entry.logic_lost_before_resend") {
    processes.signal(times % 2 == 0 ? "logic-a" : "logic-b", SIGKILL);
  } else if (name == "entry.before_dump_end" || name == "entry.registered_partly" ||
             name == "logic.before_deliver_elsewhere") {
    processes.signal(times % 2 == 0 ? "router-a" : "router-b", SIGKILL);
    people([](faults::Gate& gate) { gate.reset_all(); });
  } else if (name == "router.mid_snapshot" || name == "router.before_dump_end" ||
             name == "router.entry_lost") {
    processes.signal(times % 2 == 0 ? "entry-a" : "entry-b", SIGKILL);
  } else if (name == "entry.before_push_resend") {
    // Acks of this entry's people vanish; who talks to them sits at the other one.
    faults::LinkFault deaf;
    deaf.vanish = true;
    for (const auto& link : rig_.links()) {
      if (link->from == "people" && link->to == daemon)
        link->gate->set(faults::Direction::kToServer, deaf);
    }
  } else if (name == "entry.drain_mid") {
    processes.signal(daemon, SIGTERM);
  } else if (name == "entry.displaced_before_close" || name == "entry.before_kick" ||
             name == "entry.kicked_before_close" || name == "router.before_kick") {
    // The end of the old connection vanishes: its entry believes in it while the device comes back.
    people([](faults::Gate& gate) { gate.pull(true); });
    for (std::size_t i = 0; i < kComeBack; ++i)
      (void)rig_.fleet()->restart(static_cast<std::size_t>(times) * kComeBack + i);
    people([](faults::Gate& gate) { gate.heal(); });
  } else if (name == "logic.before_relay" || name == "logic.after_relay_before_acked") {
    if (rig_.has_mysql() && times % 2 == 0)
      (void)rig_.pauses().pause(rig_.pid("mariadb"), Millis{3'500});
    if (!rig_.has_mysql() && times % 2 == 0)
      (void)rig_.pauses().pause(rig_.pid("das-a"), Millis{3'500});
  } else if (name == "das.unknown_before_resolve" || name == "das.slow_after_lock" ||
             name == "das.fast_rolled_back_before_slow") {
    if (Link* const way = rig_.link(daemon + ">mariadb")) {
      faults::CommitFault lost;
      lost.swallow_next = 3;
      way->gate->set_commits(lost);
    } else {
      processes.signal("logic-a", SIGKILL);  // its open appends are sent again
    }
  } else if (name == "das.cache_fill_before_check") {
    if (rig_.redis() != nullptr) (void)rig_.redis()->flush_all();
    people([](faults::Gate& gate) { gate.reset_all(); });
  } else if (point.reached == hooks::Reached::kByLogin ||
             point.reached == hooks::Reached::kByFault) {
    people([](faults::Gate& gate) { gate.reset_all(); });
  }
}

}  // namespace hy::chaos
