#include "tests/cluster/chaos/points_tour.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "tests/cluster/chaos/fleet.h"

namespace hy::chaos {
namespace {

constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::seconds kReachedWithin{20};  // a resend waits for several round trips
constexpr std::chrono::seconds kLeadEvery{2};
constexpr std::chrono::seconds kStoppedFor{5};
constexpr std::chrono::seconds kStoppedForBriefly{2};  // of a tour of a few
constexpr Millis kDelay{200};
constexpr Millis kReadyWithin{60'000};
constexpr std::array kDeeds{hooks::Deed::kDelay, hooks::Deed::kStop, hooks::Deed::kKill};

judge::Nanos nanos_now() {
  return Clock::now().time_since_epoch().count();
}

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
    case hooks::Reached::kByMysqlFault:
    case hooks::Reached::kByMysqlStart: return rig_.has_mysql();
    case hooks::Reached::kByEmbedded: return !rig_.has_mysql();
    default: return true;
  }
}

void PointsTour::visit_some(Result& out) {
  std::vector<const hooks::SyncPoint*> left;
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    if (is_of_this_engine(point)) left.push_back(&point);
  }
  for (std::size_t i = 0; i < which_.max && !left.empty(); ++i) {
    const auto at = left.begin() + static_cast<std::ptrdiff_t>(random_.below(left.size()));
    visit(**at, kDeeds[random_.below(kDeeds.size())], out);
    left.erase(at);
  }
}

PointsTour::Result PointsTour::run() {
  Result out;
  if (which_.max > 0) {
    visit_some(out);
    return out;
  }
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    const bool is_asked_for = std::ranges::count(which_.only, point.name) > 0;
    if (!which_.only.empty() && !is_asked_for) continue;
    if (!is_of_this_engine(point)) {
      // Of a whole tour it is left out; asked for by name and not struck, it is no clean run.
      if (is_asked_for) out.missed.push_back(std::string(point.name) + ", which this engine lacks");
      continue;
    }
    for (const hooks::Deed deed : kDeeds) visit(point, deed, out);
  }
  return out;
}

void PointsTour::visit(const hooks::SyncPoint& point, hooks::Deed deed, Result& out) {
  if (hooks::tier_of(point.name) == "sdk") {
    (void)rig_.cluster().wait_ready({}, kReadyWithin);
    if (try_once(point, deed, "device", out)) {
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
    if (!try_once(point, deed, daemon, out)) continue;
    ++out.counts["points/" + std::string(point.name) + "/" + std::string(deed_name(deed))];
    say_(std::string(point.name) + " " + std::string(deed_name(deed)) + " in " + daemon);
    return;
  }
  out.missed.push_back(std::string(point.name) + " " + std::string(deed_name(deed)));
}

bool PointsTour::try_once(const hooks::SyncPoint& point, hooks::Deed deed,
                          const std::string& daemon, Result& out) {
  judge::FaultWindow window;
  window.kind = std::string(point.name) + " " + std::string(deed_name(deed));
  window.hits = judge::Hits::kReach;
  window.from = nanos_now();
  constexpr std::uint64_t kNthMax = 3;
  const bool is_rare = point.reached != hooks::Reached::kByTraffic;
  const auto nth = static_cast<std::int64_t>(is_rare ? 1 : 1 + random_.below(kNthMax));
  const Millis stopped = which_.max > 0 ? kStoppedForBriefly : kStoppedFor;
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
  if (was_reached && deed == hooks::Deed::kStop) std::this_thread::sleep_for(stopped);
  (void)live->end();
  rig_.heal();
  leave_alone();
  if (deed != hooks::Deed::kDelay) (void)rig_.cluster().wait_ready({}, kReadyWithin);
  window.to = nanos_now();
  if (was_reached) out.windows.push_back(std::move(window));
  return was_reached;
}

}  // namespace hy::chaos
