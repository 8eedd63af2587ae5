#include "client/bench/run.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/bench/plan.h"
#include "client/bench/scenario.h"
#include "client/bench/scrape.h"

namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr double kUsualRate = 500;
constexpr Millis kDialWithin{600'000};
constexpr Millis kOpenWithin{600'000};
constexpr std::uint32_t kOpeningOutstanding =
    2;  // of each person; a first message costs a round more
constexpr Millis kJudgeWithin{600'000};
constexpr Millis kSettleWithin{30'000};
constexpr Millis kCatchUpAfter{5'000};  // what has not come by then is asked for

}  // namespace

std::int64_t whole_seconds(Millis d) {
  return std::chrono::ceil<std::chrono::seconds>(d).count();
}

std::int64_t second_now() {
  return std::chrono::floor<std::chrono::seconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Run::Run(const Options& options, Target target, Progress& progress, const std::atomic<bool>& stop)
    : progress_(progress), crew_(out_.target, options.seed), meter_(out_, progress) {
  out_.options = options;
  out_.target = std::move(target);
  out_.run = options.seed;
  crew_.set_stop(&stop);
  crew_.on_second([this](const Second& s) { meter_.second(s); });
}

Outcome Run::take(bool is_stopped) {
  out_.is_stopped = is_stopped;
  out_.total = crew_.total();
  out_.errors = crew_.errors();
  return std::move(out_);
}

double Run::wanted_rate() const {
  return out_.options.rate > 0 ? out_.options.rate : kUsualRate;
}

Status Run::prepare() {
  const MachineLimits limits = machine_limits();
  HY_TRY(const Plan plan, make_plan(out_.options.conns, out_.options.workers,
                                    out_.options.source_ip, out_.target.entries.size(), limits));
  say(" generator  " + plan.text(out_.options.conns, limits.cores));
  say(" server     " + server_text());
  out_.workers = plan.workers;
  out_.descriptors = plan.descriptors;
  out_.sources = plan.sources;
  for (const ServerProcess& p : out_.target.processes)
    out_.private_before[p.name] = private_bytes(p.pid);
  return crew_.start(plan.workers, out_.options, plan.sources);
}

std::string Run::server_text() const {
  std::string out = out_.target.name;
  for (const std::string& entry : out_.target.entries) out += " " + entry;
  if (!out_.target.processes.empty())
    out += fmt::format(" · {} processes on this host", out_.target.processes.size());
  if (!out_.target.store.empty()) out += " · store " + out_.target.store;
  return out;
}

Status Run::dial(double rate, bool is_stubborn) {
  const std::int64_t at = second_now() + 1;
  meter_.begin(out_.login, at, false);
  crew_.forget_event("dialled");
  crew_.command({{"do", "dial"},
                 {"rate", rate},
                 {"at_once", std::max(1U, out_.options.at_once / out_.workers)},
                 {"stubborn", is_stubborn},
                 {"at", at * 1'000'000'000}},
                {"rate"});
  HY_TRY_VOID(crew_.wait_event("dialled", kDialWithin));
  HY_TRY_VOID(crew_.wait_second(second_now() + 1));
  meter_.end();
  if (crew_.open() < out_.options.conns) return fail(Errc::kUnreachableServer, refusal_text());
  return {};
}

std::string Run::refusal_text() {
  std::string out = fmt::format("{} of {} connections logged in", crew_.open(), out_.options.conns);
  for (const auto& [what, times] : crew_.errors()) out += fmt::format("; {} × {}", times, what);
  for (const auto& [what, times] : crew_.errors()) {
    if (const std::string_view setting = setting_for(what); !setting.empty())
      out += fmt::format("; {} is lifted by {}", what, setting);
  }
  return out;
}

Status Run::open_conversations() {
  if (out_.options.peers == 1) return {};
  const std::uint64_t conversations = std::uint64_t{out_.options.conns} * out_.options.peers / 2;
  out_.extra["conversations"] = static_cast<double>(conversations);
  say(fmt::format(" pairs      {} conversations, {} to each person: one message in each first",
                  conversations, out_.options.peers));
  meter_.set_scheme(true, 0);
  crew_.forget_event("flooded");
  crew_.command({{"do", "flood"}, {"each", 1}, {"outstanding", kOpeningOutstanding}});
  const auto began = std::chrono::steady_clock::now();
  HY_TRY_VOID(crew_.wait_event("flooded", kOpenWithin));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  say(fmt::format(" pairs      all open after {:.0f} s", took.count()));
  return {};
}

std::int64_t Run::begin_load(double rate, const std::string& mix) {
  const std::int64_t at = second_now() + 2;
  meter_.set_scheme(out_.options.closed, rate);
  if (out_.options.closed) {
    crew_.command({{"do", "closed"}, {"outstanding", out_.options.outstanding}});
  } else {
    crew_.command({{"do", "open"}, {"rate", rate}, {"mix", mix}, {"at", at * 1'000'000'000}},
                  {"rate"});
  }
  return at + whole_seconds(out_.options.warmup);
}

Status Run::window(std::int64_t from, std::int64_t length, Window& w) {
  HY_TRY_VOID(crew_.wait_second(from));
  meter_.begin(w, from, false);
  HY_TRY_VOID(crew_.wait_second(from + length));
  meter_.end();
  return {};
}

Status Run::windows(std::int64_t from, std::int64_t length, std::uint32_t count) {
  HY_TRY_VOID(crew_.wait_second(from));
  const BatchCount before = scrape_batches(out_.target);
  const auto links = scrape_links(out_.target);
  HY_TRY_VOID(begin_counting());
  for (std::uint32_t i = 0; i < count; ++i, from += length) {
    Window w;
    meter_.set_left(static_cast<double>(length * (count - i)));
    meter_.begin(w, from, true);
    HY_TRY_VOID(crew_.wait_second(from + length));
    meter_.end();
    out_.windows.push_back(std::move(w));
  }
  end_counting();
  out_.mean_batch = mean_batch(before, scrape_batches(out_.target));
  for (const auto& [link, after] : scrape_links(out_.target)) {
    const auto was = links.find(link);
    const double mean = mean_batch(was == links.end() ? BatchCount{} : was->second, after);
    if (mean > 0) out_.link_batch[link] = mean;
  }
  return {};
}

Status Run::begin_counting() {
  if (!out_.options.count_calls) return {};
  for (const ServerProcess& p : out_.target.processes) {
    if (p.tier == "store") continue;
    HY_TRY(counters_[p.name], CallCounter::open(p.pid));
  }
  return {};
}

void Run::end_counting() {
  double stored = 0;
  for (const Window& w : out_.windows) stored += static_cast<double>(w.counts.stored);
  for (const auto& [name, counter] : counters_) {
    const CallCounter::Calls calls = counter->read();
    const auto count = [&](const std::string& what, std::uint64_t n) {
      const double each = stored > 0 ? static_cast<double>(n) / stored : 0;
      out_.extra[what + "(" + name + ")"] = each;
      out_.extra[what + "(daemons)"] += each;
    };
    count("system_calls", calls.system_calls);
    if (calls.allocations) count("allocations", *calls.allocations);
  }
  counters_.clear();
}

Status Run::pass(std::int64_t length) {
  return crew_.wait_second(second_now() + length);
}

Status Run::settle() {
  crew_.forget_event("settled");
  crew_.command({{"do", "stop"},
                 {"within_ms", kSettleWithin.count()},
                 {"catch_up_ms", kCatchUpAfter.count()}});
  HY_TRY_VOID(crew_.wait_event("settled", kSettleWithin + 30s));
  for (const Json& m : crew_.events("settled")) out_.is_settled = out_.is_settled && m.at("all");
  crew_.forget_event("ledger");
  crew_.command({{"do", "judge"}});
  HY_TRY_VOID(crew_.wait_event("ledger", kJudgeWithin));
  out_.ledger.merge(crew_.ledger());
  return {};
}

Status Run::finish() {
  out_.open_at_end = crew_.open();
  for (const ServerProcess& p : out_.target.processes)
    out_.private_after[p.name] = private_bytes(p.pid);
  out_.whole = whole_of(out_.windows, out_.curves);
  out_.whole.self.records_dropped = out_.ledger.records_dropped;
  return {};
}

std::string_view setting_for(const std::string& error) {
  static constexpr std::pair<std::string_view, std::string_view> kSettings[] = {
      {"HY-7001", "logic.send_rate and logic.sync_rate"},
      {"HY-7002", "entry.max_connections, entry.unauthenticated_per_ip, entry.logged_in_per_ip"},
      {"HY-7005", "entry.connect_rate"},
      {"HY-7007", "entry.in_flight and logic.session_queue"},
  };
  for (const auto& [code, setting] : kSettings) {
    if (error.find(code) != std::string::npos) return setting;
  }
  return {};
}

Result<Outcome> run_scenario(const Options& options, Target target, Progress& progress,
                             const std::atomic<bool>& stop) {
  const Script script = script_of(options.scenario);
  if (script == nullptr) return fail(Errc::kUsage, "no scenario \"" + options.scenario + "\"");
  Run run(options, std::move(target), progress, stop);
  const auto go = [&]() -> Status {
    HY_TRY_VOID(run.prepare());
    return script(run);
  };
  if (const Status done = go(); !done && !stop.load()) return std::unexpected(done.error());
  return run.take(stop.load());
}

}  // namespace hy::bench
