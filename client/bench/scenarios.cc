#include <algorithm>

#include "client/bench/scenario.h"

// What each scenario does, in the steps of Run.
namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr Millis kFloodWithin{600'000};
constexpr Millis kBackWithin{300'000};
constexpr std::uint32_t kFloodOutstanding = 8;
constexpr double kSlopeSecondsMin = 60;
constexpr double kBack = 99.9;  // % of the people that "everybody is back" means

/// A verdict that stands on the generator's own measures.
Status judged(Run& run) {
  HY_TRY_VOID(run.finish());
  run.out().no_verdict = no_verdict(run.out().whole.self);
  return {};
}

/// The dialling is what was measured: its window is the run's.
void take_login_window(Run& run) {
  Outcome& out = run.out();
  out.login.self.is_closed = true;  // judged by what else ran: there is no schedule of sends
  out.windows = {out.login};
  out.curves.merge(run.meter().last_curves());
}

Status connect(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  take_login_window(run);
  return judged(run);
}

Status idle(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  const std::int64_t from = second_now() + 1 + whole_seconds(run.options().warmup);
  HY_TRY_VOID(run.windows(from, whole_seconds(run.options().run_for), run.options().windows));
  return run.finish();  // nothing is sent on a schedule: there is nothing to be late for
}

Status login_storm(Run& run) {
  const double seconds = static_cast<double>(run.options().within.count()) / 1'000;
  HY_TRY_VOID(run.dial(run.options().conns / seconds, true));
  take_login_window(run);
  const Percentiles all = percentiles_of(run.out().curves.login);
  run.out().extra["login_p99_ms"] = all.p99;
  run.out().extra["turned_away"] = static_cast<double>(run.crew().total().failed);
  return judged(run);
}

Status reconnect_storm(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  HY_TRY_VOID(run.pass(whole_seconds(run.options().warmup)));
  Crew& crew = run.crew();
  Window w;
  const std::int64_t from = second_now() + 1;
  HY_TRY_VOID(crew.wait_second(from));
  run.meter().set_scheme(false, 0);
  run.meter().begin(w, from, true);
  crew.forget_event("dropped");
  crew.command({{"do", "drop"}, {"share", run.options().drop}, {"seed", run.out().run}});
  HY_TRY_VOID(crew.wait_event("dropped", 10s));
  double dropped = 0;
  for (const Json& m : crew.events("dropped")) dropped += m.at("n").get<double>();
  const Counts before = crew.total();
  crew.forget_event("dialled");
  crew.command({{"do", "come_back"},
                {"window_ms", 0},
                {"at_once", 100'000},
                {"at", std::chrono::steady_clock::now().time_since_epoch().count()}});
  HY_TRY_VOID(crew.wait_event("dialled", kBackWithin));
  HY_TRY_VOID(crew.wait_second(second_now() + 1));
  run.meter().end();
  run.out().windows.push_back(std::move(w));
  run.out().extra["dropped"] = dropped;
  run.out().extra["attempts"] = static_cast<double>(crew.total().dialled - before.dialled);
  run.out().extra["turned_away"] = static_cast<double>(crew.total().failed - before.failed);
  run.out().extra["back_ms"] = static_cast<double>(run.out().curves.login.at(kBack)) / 1'000;
  run.out().extra["missing"] =
      static_cast<double>(run.options().conns) - static_cast<double>(crew.open());
  return judged(run);
}

Status p2p(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  HY_TRY_VOID(run.open_conversations());
  const std::int64_t from = run.begin_load(run.wanted_rate(), "");
  HY_TRY_VOID(run.windows(from, whole_seconds(run.options().run_for), run.options().windows));
  HY_TRY_VOID(run.settle());
  return judged(run);
}

Status mixed(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  const std::int64_t from = run.begin_load(run.wanted_rate(), run.options().mix);
  HY_TRY_VOID(run.windows(from, whole_seconds(run.options().run_for), run.options().windows));
  HY_TRY_VOID(run.settle());
  return judged(run);
}

/// Growth of each process's resident memory over the second half of the run, in MiB an hour: the
/// first half fills caches.
void memory_slopes(Outcome& out) {
  const std::size_t half = out.points.size() / 2;
  // Over seconds a page more or less would be hundreds of MiB an hour.
  if (out.points.empty() || out.points.back().t - out.points[half].t < kSlopeSecondsMin) return;
  for (const ServerProcess& p : out.target.processes) {
    double n = 0;
    double st = 0;
    double sm = 0;
    double stt = 0;
    double stm = 0;
    for (std::size_t i = half; i < out.points.size(); ++i) {
      const auto at = out.points[i].resident.find(p.name);
      if (at == out.points[i].resident.end()) continue;
      const double t = out.points[i].t / 3'600;
      const double m = static_cast<double>(at->second) / 1048576;
      n += 1;
      st += t;
      sm += m;
      stt += t * t;
      stm += t * m;
    }
    const double spread = n * stt - st * st;
    if (spread > 0) out.extra["mib_per_h(" + p.name + ")"] = (n * stm - st * sm) / spread;
  }
}

Status soak(Run& run) {
  HY_TRY_VOID(p2p(run));
  memory_slopes(run.out());
  return {};
}

Status offline_flood(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  Crew& crew = run.crew();
  const double receivers = run.options().conns / 2.0;
  const double messages = receivers * run.options().backlog;
  crew.command({{"do", "leave_odd"}});
  HY_TRY_VOID(run.pass(2));
  // What waits for them, closed loop: the time that it takes is the first window.
  Window fill;
  std::int64_t from = second_now() + 1;
  HY_TRY_VOID(crew.wait_second(from));
  run.meter().set_scheme(true, 0);
  run.meter().begin(fill, from, true);
  crew.command(
      {{"do", "flood"}, {"each", run.options().backlog}, {"outstanding", kFloodOutstanding}});
  HY_TRY_VOID(crew.wait_event("flooded", kFloodWithin));
  HY_TRY_VOID(crew.wait_second(second_now() + 1));
  run.meter().end();
  run.out().windows.push_back(std::move(fill));
  // All of them come at once and fetch it.
  Window back;
  from = second_now() + 1;
  HY_TRY_VOID(crew.wait_second(from));
  run.meter().begin(back, from, true);
  const auto began = std::chrono::steady_clock::now();
  crew.command({{"do", "dial"},
                {"rate", 0.0},
                {"at_once", run.options().at_once},
                {"stubborn", true},
                {"at", began.time_since_epoch().count()}});
  while (crew.total().pulled + crew.total().refused < static_cast<std::uint64_t>(messages)) {
    if (std::chrono::steady_clock::now() - began > kFloodWithin) break;
    HY_TRY_VOID(crew.wait_second(second_now() + 1));
  }
  run.meter().end();
  run.out().extra["fetch_s"] = back.seconds;
  run.out().extra["fetched_per_s"] =
      back.seconds > 0 ? static_cast<double>(back.counts.pulled) / back.seconds : 0;
  run.out().windows.push_back(std::move(back));
  HY_TRY_VOID(run.settle());
  return judged(run);
}

}  // namespace

Script script_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Script> kScripts[] = {
      {"connect", connect},
      {"idle", idle},
      {"login-storm", login_storm},
      {"reconnect-storm", reconnect_storm},
      {"p2p", p2p},
      {"group", run_group},
      {"offline-flood", offline_flood},
      {"mixed", mixed},
      {"soak", soak},
      {"capacity", run_capacity},
      {"entry-loss", run_entry_loss},
      {"overload", run_overload},
  };
  for (const auto& [known, script] : kScripts) {
    if (known == name) return script;
  }
  return nullptr;
}

}  // namespace hy::bench
