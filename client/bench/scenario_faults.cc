#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "client/bench/scenario.h"
#include "client/bench/scrape.h"

// Scenarios that plant a fault or a load that nobody can carry, and watch the way back.
namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr Millis kBackWithin{120'000};
constexpr auto kNoticedWithin = 5s;
constexpr double kBack = 99.9;  // % of those who were lost

constexpr double kUsefulUs = 2'000'000;  // an answer that comes later is of no use
constexpr double kFactor = 2;
constexpr double kRising[] = {0.6, 0.75, 0.9, 1.05, 1.2};  // of what a closed loop reaches
constexpr std::int64_t kRisingSeconds = 3;
constexpr double kCalmShare = 0.3;
constexpr std::int64_t kCalmSeconds = 5;
constexpr std::int64_t kNormalWithin = 60;
constexpr double kNormalTimes = 3;   // p99 of a second to that before the overload
constexpr double kNormalFloor = 50;  // ms: nobody feels less
constexpr std::int64_t kSkipLateMs = 50;

double p99_of(const Window& w, const char* curve) {
  const auto at = w.curves.find(curve);
  return at == w.curves.end() ? 0 : at->second.p99;
}

Status until_back(Run& run) {
  const MonoTime began = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::steady_clock::now() - began; };
  while (run.crew().open() >= run.options().conns && passed() < kNoticedWithin)
    HY_TRY_VOID(run.crew().wait_second(second_now() + 1));
  while (run.crew().open() < run.options().conns && passed() < kBackWithin)
    HY_TRY_VOID(run.crew().wait_second(second_now() + 1));
  return {};
}

/// Open loop at `rate` from the next second but one; what cannot be sent in time is left out.
std::int64_t open_at(Run& run, double rate) {
  const std::int64_t at = second_now() + 1;
  run.meter().set_scheme(false, rate);
  run.crew().command({{"do", "open"},
                      {"rate", rate},
                      {"mix", ""},
                      {"skip_late_ms", kSkipLateMs},
                      {"at", at * 1'000'000'000}},
                     {"rate"});
  return at;
}

/// Growth of the process that grew most, in bytes, over the points from `first` on.
double growth(const Outcome& out, std::size_t first) {
  double most = 0;
  if (first == 0 || first >= out.points.size()) return most;
  for (const auto& [name, before] : out.points[first - 1].resident) {
    if (name.starts_with("mariadb") || name.starts_with("redis")) continue;
    for (std::size_t i = first; i < out.points.size(); ++i) {
      const auto at = out.points[i].resident.find(name);
      if (at != out.points[i].resident.end())
        most = std::max(most, static_cast<double>(at->second) - static_cast<double>(before));
    }
  }
  return most;
}

/// Messages of the last window that were STORED while that was of use, a second.
double stored_in_time(Run& run, const Window& w) {
  const Histogram stored = run.meter().last_curves().stored;
  const auto late = stored.count_above(static_cast<std::int64_t>(kUsefulUs));
  return static_cast<double>(stored.count() - late) / std::max(1.0, w.seconds);
}

/// The most that an open loop of a rising rate has stored in time, a second. A closed loop, whose
/// messages come in handfuls, reaches more: an even load beyond its own saturation is to be
/// compared with the same load at it (docs/decisions/0016-saturation-of-the-same-load.md).
Result<double> saturation(Run& run, double closed, std::int64_t seconds) {
  double most = 0;
  for (const double share : kRising) {
    Window w;
    HY_TRY_VOID(run.window(open_at(run, share * closed) + 1, seconds, w));
    const double in_time = stored_in_time(run, w);
    run.say(fmt::format(" rising     {:.0f}/s offered, {:.0f}/s stored in time",
                        static_cast<double>(w.counts.due) / std::max(1.0, w.seconds), in_time));
    most = std::max(most, in_time);
  }
  return most;
}

/// Seconds until a second is as before; kNormalWithin: none was.
Result<double> seconds_to_normal(Run& run, double rate, double calm_p99) {
  const std::int64_t from = open_at(run, rate);
  const double bound = std::max(kNormalFloor, kNormalTimes * calm_p99);
  for (std::int64_t i = 0; i < kNormalWithin; ++i) {
    Window w;
    HY_TRY_VOID(run.window(from + i, 1, w));
    if (w.counts.refused == 0 && p99_of(w, "delivered") < bound) return static_cast<double>(i + 1);
  }
  return static_cast<double>(kNormalWithin);
}

}  // namespace

Status run_entry_loss(Run& run) {
  Outcome& out = run.out();
  const auto entries = std::ranges::count(out.target.processes, "entry", &ServerProcess::tier);
  if (entries < 2)
    return fail(Errc::kUsage,
                "entry-loss kills one of several entries of this host: --cluster throwaway "
                "--entries 2");
  ServerProcess victim;
  for (const ServerProcess& p : out.target.processes) {
    if (p.tier == "entry") victim = p;
  }
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  const std::int64_t from = run.begin_load(run.wanted_rate(), "");
  HY_TRY_VOID(run.windows(from, whole_seconds(run.options().run_for), 1));
  const double calm = p99_of(out.windows.front(), "delivered");
  Crew& crew = run.crew();
  crew.command({{"do", "mark"}});
  const auto queries = scrape_operations(out.target);
  const Counts before = crew.total();
  const std::int64_t at = second_now() + 1;
  HY_TRY_VOID(crew.wait_second(at));
  Window w;
  run.meter().begin(w, at, true);
  run.say(fmt::format(" fault      {} (process {}) is killed", victim.name, victim.pid));
  if (::kill(victim.pid, SIGKILL) != 0)
    return fail(Errc::kChildFailed, victim.name + " could not be killed: " + std::strerror(errno));
  HY_TRY_VOID(until_back(run));
  run.meter().end();
  const Histogram& back = run.meter().last_curves().login;
  const Counts& after = crew.total();
  if (after.lost == before.lost)
    return fail(Errc::kUnreachableServer, victim.name + " was killed and nobody lost a connection");
  out.extra["lost"] = static_cast<double>(after.lost - before.lost);
  out.extra["back_ms"] = static_cast<double>(back.at(kBack)) / 1'000;
  out.extra["back_p50_ms"] = static_cast<double>(back.at(50)) / 1'000;
  out.extra["missing"] =
      static_cast<double>(run.options().conns) - static_cast<double>(crew.open());
  out.extra["turned_away"] = static_cast<double>(after.failed - before.failed);
  out.extra["bystander_p99_ms"] = p99_of(w, "bystander");
  out.extra["calm_p99_ms"] = calm;
  for (const auto& [operation, n] : scrape_operations(out.target)) {
    const auto was = queries.find(operation);
    const double more = n - (was == queries.end() ? 0 : was->second);
    if (more > 0) out.extra["das(" + operation + ")"] = more;
  }
  out.windows.push_back(std::move(w));
  HY_TRY_VOID(run.settle());
  HY_TRY_VOID(run.finish());
  // The crowd that comes back costs the generator as much as the server: its times are upper
  // bounds.
  out.no_verdict = no_verdict(out.windows.front().self);
  return {};
}

Status run_overload(Run& run) {
  Outcome& out = run.out();
  const std::int64_t length = whole_seconds(run.options().run_for);
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  run.meter().set_scheme(true, 0);
  run.crew().command({{"do", "closed"}, {"outstanding", run.options().outstanding}});
  Window full;
  HY_TRY_VOID(run.window(second_now() + 1 + whole_seconds(run.options().warmup), length, full));
  const double closed = static_cast<double>(full.counts.stored) / std::max(1.0, full.seconds);
  run.say(fmt::format(" closed     {:.0f} stored/s in a closed loop", closed));
  Window calm;
  HY_TRY_VOID(run.window(open_at(run, kCalmShare * closed) + 2, kCalmSeconds, calm));
  const double calm_p99 = p99_of(calm, "delivered");
  const std::size_t first = out.points.size();
  HY_TRY(const double most, saturation(run, closed, std::min(length, kRisingSeconds)));
  run.say(fmt::format(" saturation {:.0f} stored/s of an even load", most));
  Window w;
  HY_TRY_VOID(run.window(open_at(run, kFactor * most), length, w));
  out.curves = run.meter().last_curves();
  const double in_time = stored_in_time(run, w);
  HY_TRY(out.extra["normal_after_s"], seconds_to_normal(run, kCalmShare * closed, calm_p99));
  out.extra["saturation_per_s"] = most;
  out.extra["closed_loop_per_s"] = closed;
  out.extra["offered_per_s"] = static_cast<double>(w.counts.sent) / std::max(1.0, w.seconds);
  out.extra["goodput_per_s"] = in_time;
  out.extra["goodput"] = most > 0 ? in_time / most : 0;
  out.extra["goodput_to_closed_loop"] = closed > 0 ? in_time / closed : 0;
  out.extra["growth_mib"] = growth(out, first) / 1048576;
  out.extra["calm_p99_ms"] = calm_p99;
  out.windows.push_back(std::move(w));
  HY_TRY_VOID(run.settle());
  HY_TRY_VOID(run.finish());
  // An overload has no schedule to be kept; what it is measured against has.
  out.no_verdict = no_verdict(full.self);
  for (std::string& reason : no_verdict(calm.self)) out.no_verdict.push_back(std::move(reason));
  return {};
}

}  // namespace hy::bench
