// Faults of one daemon: killed, kept away, restarted, paused, struck at a named place.
#include <signal.h>

#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {
namespace {

std::function<bool()> was_started_again(Rig& rig, const std::string& name) {
  const int before = rig.cluster().supervisor().starts(name);
  return [&rig, name, before] { return rig.cluster().supervisor().starts(name) > before; };
}

Status nothing() {
  return {};
}

Result<LiveFault> kill_now(Rig& rig, const std::string& name, int number) {
  LiveFault out{nothing, was_started_again(rig, name), {}};
  if (!rig.cluster().supervisor().signal(name, number)) return fail(Errc::kUnavailable, name);
  return out;
}

Result<LiveFault> keep_away(Rig& rig, const std::string& name) {
  if (rig.pid(name) <= 0) return fail(Errc::kUnavailable, name);
  HY_TRY_VOID(rig.cluster().supervisor().hold(name, SIGKILL));
  return LiveFault{[&rig, name] { return rig.cluster().supervisor().release(name); },
                   [] { return true; },  // hold() returns when it is gone
                   {}};
}

Result<LiveFault> pause(Rig& rig, const Planned& planned) {
  const pid_t pid = rig.pid(planned.target);
  if (pid <= 0) return fail(Errc::kUnavailable, planned.target);
  const Millis lasts{static_cast<std::int64_t>(planned.lasts * 1'000)};
  HY_TRY_VOID(rig.pauses().pause(pid, lasts));
  return LiveFault{[&rig, pid] {
                     rig.pauses().resume(pid);
                     return Status{};
                   },
                   [] { return true; },  // pause() returns when the kernel says so
                   {}};
}

bool fits(const hooks::SyncPoint& point, bool mysql) {
  if (point.reached == hooks::Reached::kByTraffic) return true;
  return point.reached == (mysql ? hooks::Reached::kByMysql : hooks::Reached::kByEmbedded);
}

Result<LiveFault> at_some_point(Rig& rig, const Planned& planned) {
  SeededRandom random(planned.seed);
  const std::string tier = planned.target.substr(0, planned.target.find('-'));
  std::vector<std::string_view> names;
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    if (hooks::tier_of(point.name) == tier && fits(point, rig.has_mysql()))
      names.push_back(point.name);
  }
  const std::string_view name = names[random.below(names.size())];
  constexpr std::array kDeeds{hooks::Deed::kKill, hooks::Deed::kStop, hooks::Deed::kDelay};
  const hooks::Deed deed = kDeeds[random.below(kDeeds.size())];
  constexpr std::uint64_t kNthMax = 8;
  constexpr Millis kDelay{200};
  // Conversations may all live on one das: a place that this daemon never reached is struck in its
  // neighbour that does.
  std::string daemon = planned.target;
  if (rig.control(daemon).hits(name) == 0) {
    for (const std::string& peer : rig.cluster().layout().names_of(tier)) {
      if (rig.control(peer).hits(name) > 0 && rig.pid(peer) > 0) daemon = peer;
    }
  }
  return begin_at_point(rig, daemon, name, deed,
                        static_cast<std::int64_t>(1 + random.below(kNthMax)), kDelay);
}

}  // namespace

std::string_view deed_name(hooks::Deed deed) {
  switch (deed) {
    case hooks::Deed::kKill: return "kill";
    case hooks::Deed::kStop: return "stop";
    case hooks::Deed::kDelay: return "delay";
    case hooks::Deed::kNone: break;
  }
  return "none";
}

Result<LiveFault> begin_at_point(Rig& rig, const std::string& daemon, std::string_view point,
                                 hooks::Deed deed, std::int64_t nth, Millis delay) {
  if (rig.pid(daemon) <= 0) return fail(Errc::kUnavailable, daemon);
  hooks::ControlFile& control = rig.control(daemon);
  const std::uint64_t before = control.fired(point);
  control.arm(point, deed, nth, static_cast<std::uint32_t>(delay.count()));
  const auto has_fired = [&control, point, before] { return control.fired(point) > before; };
  return LiveFault{
      [&rig, &control, daemon, point] {
        control.disarm(point);
        rig.cluster().supervisor().signal(daemon, SIGCONT);
        return Status{};
      },
      has_fired,
      std::string(point) + ", " + std::string(deed_name(deed)) + " at hit " + std::to_string(nth)};
}

Result<LiveFault> begin_on_process(Rig& rig, const Planned& planned) {
  const std::string_view kind = planned.kind->name;
  if (kind == "kill") return kill_now(rig, planned.target, SIGKILL);
  if (kind == "restart") return kill_now(rig, planned.target, SIGTERM);
  if (kind == "kill-away") return keep_away(rig, planned.target);
  if (kind == "sync-point") return at_some_point(rig, planned);
  return pause(rig, planned);
}

}  // namespace hy::chaos
