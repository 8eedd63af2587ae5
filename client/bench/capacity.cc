#include <fmt/format.h>

#include <algorithm>

#include "client/bench/knee.h"
#include "client/bench/scenario.h"

namespace hy::bench {
namespace {

constexpr double kUsualStart = 1'000;
constexpr int kHalvings = 4;
constexpr std::int64_t kStepSeconds = 5;
constexpr double kAchieved = 0.98;     // of what was offered, stored in the window
constexpr double kLagOfBound = 0.05;   // latency counts from the intended time and contains the lag
constexpr double kConfirmedAt = 0.95;  // a rate that is not confirmed is tried so much lower
constexpr int kConfirmations = 4;

/// Why a rate does not hold; empty: it does.
std::string what_breaks(const Window& w, double rate, double bound_ms) {
  const auto delivered = w.curves.find("delivered");
  if (delivered == w.curves.end()) return "nothing was delivered";
  if (delivered->second.p99 > bound_ms)
    return fmt::format("p99(delivered) {:.0f} ms", delivered->second.p99);
  const double stored = static_cast<double>(w.counts.stored) / w.seconds;
  if (stored < kAchieved * rate) return fmt::format("stored {:.0f}/s", stored);
  if (w.counts.refused > 0) return fmt::format("{} refused", w.counts.refused);
  return {};
}

/// One rate for `seconds`; then the load ends and everything is judged.
Status step(Run& run, const std::string& name, double rate, std::int64_t seconds) {
  const double bound_ms = static_cast<double>(run.options().p99.count());
  Step s{.name = name, .rate = rate, .window = {}, .no_verdict = {}, .is_good = false};
  const std::int64_t from = run.begin_load(rate, "");
  HY_TRY_VOID(run.window(from, seconds, s.window));
  run.out().curves = run.meter().last_curves();
  HY_TRY_VOID(run.settle());
  SelfBounds bounds;
  bounds.lag_p99_ms = std::max(bounds.lag_p99_ms, kLagOfBound * bound_ms);
  s.no_verdict = no_verdict(s.window.self, bounds);
  std::string broken = what_breaks(s.window, rate, bound_ms);
  s.is_good = broken.empty() && s.no_verdict.empty();
  if (!s.no_verdict.empty()) broken = "generator: " + s.no_verdict.front();
  run.say(fmt::format(" step       {} {:.0f}/s: {}", name, rate, s.is_good ? "holds" : broken));
  run.out().steps.push_back(std::move(s));
  return {};
}

}  // namespace

Status run_capacity(Run& run) {
  HY_TRY_VOID(run.dial(run.options().ramp, false));
  const double start = run.options().start_rate > 0 ? run.options().start_rate : kUsualStart;
  KneeSearch search(start, kHalvings);
  while (const auto rate = search.next()) {
    HY_TRY_VOID(step(run, "search", *rate, kStepSeconds));
    search.tried(*rate, run.out().steps.back().is_good);
  }
  double knee = search.best();
  const std::int64_t length = whole_seconds(run.options().run_for);
  bool is_confirmed = false;
  for (int i = 0; knee > 0 && i < kConfirmations && !is_confirmed; ++i) {
    HY_TRY_VOID(step(run, "confirm", knee, length));
    is_confirmed = run.out().steps.back().is_good;
    if (!is_confirmed) knee *= kConfirmedAt;
  }
  Outcome& out = run.out();
  HY_TRY_VOID(run.finish());
  if (!out.steps.empty()) {
    // The last step, which confirmed, is the result; so are its curves.
    out.windows = {out.steps.back().window};
    out.whole = out.windows.front();
  }
  out.extra["knee_per_s"] = is_confirmed ? knee : 0;
  if (!is_confirmed) out.no_verdict.emplace_back("no rate was found that holds twice");
  // What broke at the next higher rate: the server, or the generator itself.
  const Step* above = nullptr;
  for (const Step& s : out.steps) {
    if (s.rate > knee && !s.is_good && (above == nullptr || s.rate < above->rate)) above = &s;
  }
  if (above != nullptr && !above->no_verdict.empty())
    out.no_verdict.push_back("above the knee the generator was the limit: " +
                             above->no_verdict.front());
  return {};
}

}  // namespace hy::bench
