#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "client/bench/scenario.h"
#include "client/bench/verdict.h"

// Chat groups: what a delivery costs the daemons.
namespace hy::bench {
namespace {

constexpr Millis kGroupsWithin{30'000};

/// CPU of the daemons for each delivery, µs: of each process and of all, with the spread over the
/// windows. A delivery is one message at one member; the sender's own does not count.
void cost_per_delivery(Outcome& out) {
  double deliveries = 0;
  std::map<std::string, double> cpu_s;
  std::vector<double> each;
  for (const Window& w : out.windows) {
    const auto delivered = static_cast<double>(w.counts.delivered);
    double daemons = 0;
    for (const ServerProcess& p : out.target.processes) {
      const auto used = w.cpu_s.find(p.name);
      if (used == w.cpu_s.end()) continue;
      cpu_s[p.name] += used->second;
      if (p.tier != "store") daemons += used->second;
    }
    deliveries += delivered;
    cpu_s["daemons"] += daemons;
    if (delivered > 0) each.push_back(daemons * 1e6 / delivered);
  }
  if (deliveries <= 0) return;
  for (const auto& [name, used] : cpu_s)
    out.extra["cpu_us_a_delivery(" + name + ")"] = used * 1e6 / deliveries;
  std::ranges::sort(each);
  out.extra["cpu_us_a_delivery(daemons, median)"] = each[each.size() / 2];
  out.extra["cpu_us_a_delivery(daemons, least)"] = each.front();
  out.extra["cpu_us_a_delivery(daemons, most)"] = each.back();
  out.extra["cpu_us_a_delivery(generator)"] = out.whole.generator_cpu_s * 1e6 / deliveries;
  out.extra["deliveries_per_s"] = deliveries / std::max(1.0, out.whole.seconds);
}

Status make_groups(Run& run) {
  Crew& crew = run.crew();
  crew.forget_event("grouped");
  crew.command({{"do", "groups"}, {"within_ms", kGroupsWithin.count()}});
  HY_TRY_VOID(crew.wait_event("grouped", kGroupsWithin * 2));
  for (const Json& m : crew.events("grouped")) {
    if (m.at("all")) continue;
    std::string why = "not every group could be made";
    for (const auto& [what, times] : crew.errors())
      why += "; " + std::to_string(times) + " × " + what;
    return fail(Errc::kUnreachableServer, why);
  }
  return {};
}

}  // namespace

Status run_group(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  HY_TRY_VOID(make_groups(run));
  const std::int64_t from = run.begin_load(run.wanted_rate(), "");
  HY_TRY_VOID(run.windows(from, whole_seconds(run.options().run_for), run.options().windows));
  HY_TRY_VOID(run.settle());
  HY_TRY_VOID(run.finish());
  cost_per_delivery(run.out());
  run.out().no_verdict = no_verdict(run.out().whole.self);
  return {};
}

}  // namespace hy::bench
