// Faults of people's devices: restarted, killed or frozen at a named place of the SDK.
#include <array>
#include <thread>

#include "tests/cluster/chaos/device_points.h"
#include "tests/cluster/chaos/fleet.h"
#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {
namespace {

// Busy threads of a dead device let go within the bounds of the SDK's own calls.
constexpr std::chrono::milliseconds kReviveAgain{50};
constexpr std::chrono::seconds kReviveWithin{40};

Status revive(Fleet& fleet) {
  device_points::disarm();
  const auto until = std::chrono::steady_clock::now() + kReviveWithin;
  while (fleet.revive() > 0) {
    if (std::chrono::steady_clock::now() > until)
      return fail(Errc::kTimedOut, "a dead device is still in use");
    std::this_thread::sleep_for(kReviveAgain);
  }
  return {};
}

}  // namespace

Result<LiveFault> begin_at_device_point(Rig& rig, int device, std::string_view point,
                                        hooks::Deed deed, std::int64_t nth, Millis delay) {
  Fleet& fleet = *rig.fleet();
  const auto meant = [&fleet, device]() -> std::optional<std::size_t> {
    const auto here = fleet.here();
    const bool is_meant = here && (device < 0 || *here == static_cast<std::size_t>(device));
    return is_meant ? here : std::nullopt;
  };
  device_points::arm(point, nth, [&fleet, meant, deed, delay](std::string_view at) {
    const auto here = meant();
    if (!here || at.empty()) return here.has_value();
    if (deed == hooks::Deed::kKill) {
      fleet.die_here(*here, device_points::turn_at(at));
    } else {
      std::this_thread::sleep_for(delay);  // the deed itself
    }
    return true;
  });
  return LiveFault{
      [&fleet] { return revive(fleet); }, [] { return device_points::has_struck(); },
      std::string(point) + ", " + std::string(deed_name(deed)) + " at hit " + std::to_string(nth)};
}

Result<LiveFault> begin_on_device(Rig& rig, const Planned& planned) {
  const int device = std::stoi(planned.target.substr(planned.target.find('-') + 1));
  const std::string_view kind = planned.kind->name;
  if (kind == "device-restart") {
    HY_TRY_VOID(rig.fleet()->restart(static_cast<std::size_t>(device)));
    return LiveFault{[] { return Status{}; }, [] { return true; }, {}};
  }
  SeededRandom random(planned.seed);
  std::vector<std::string_view> names;
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    if (hooks::tier_of(point.name) == "sdk" && point.reached == hooks::Reached::kByTraffic)
      names.push_back(point.name);
  }
  const std::string_view name = names[random.below(names.size())];
  const hooks::Deed deed = kind == "device-kill" ? hooks::Deed::kKill : hooks::Deed::kStop;
  constexpr std::uint64_t kNthMax = 5;
  return begin_at_device_point(rig, device, name, deed,
                               static_cast<std::int64_t>(1 + random.below(kNthMax)),
                               Millis{static_cast<std::int64_t>(planned.lasts * 1'000)});
}

}  // namespace hy::chaos
