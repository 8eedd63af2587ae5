#include "tests/sim/cluster/runner.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/base/test_hooks.h"
#include "common/obs/log.h"

namespace hy::sim {
namespace {

using WallClock = std::chrono::steady_clock;

int exit_code(Outcome outcome) {
  switch (outcome) {
    case Outcome::kClean: return kExitClean;
    case Outcome::kSafety: return kExitSafety;
    case Outcome::kLiveness: return kExitLiveness;
  }
  return kExitClean;
}

std::optional<Fault> fault_of(std::string_view name) {
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (fault_name(static_cast<Fault>(i)) == name) return static_cast<Fault>(i);
  }
  return std::nullopt;
}

constexpr std::string_view kUsage =
    "hy_sim: the whole cluster on virtual time.\n"
    "  --seeds N          seeds to run (100)\n"
    "  --from S           first seed (1)\n"
    "  --seed S           this one alone\n"
    "  --seconds T        stop after T seconds of wall clock\n"
    "  --jobs J           processes (1)\n"
    "  --mutant K         switch on bug K of common/base/test_hooks.h\n"
    "  --keep-faults A,B  leave out every other kind of fault (none: no fault at all)\n"
    "  --devices N --entries N --logics N --routers N --das N   at most so many\n"
    "  --fault-ms N       faults for so long\n"
    "  --part N           per cent of the workload\n"
    "  --groups N         0: people write to each other alone\n"
    "  --scene NAME       what is played after the healing, instead of what the seed draws\n"
    "  --store-scene NAME likewise, about logic, das and the store\n"
    "  --shrink           make a failing seed smaller\n"
    "  --keep-going       do not stop at the first failing seed\n"
    "  --twice N          run one in N seeds twice and compare (25; 0: never)\n"
    "  --verbose          say what happens   --log  and what the daemons log\n"
    "  --json FILE        figures for machines   --trace FILE  every event, one a line\n"
    "  --evidence FOLDER  keep the histories and dumps of the seed, for hy_judge and for eyes\n"
    "Exit code: 0 clean, 4 a promise was broken, 5 did not come to rest, 6 not repeatable,\n"
    "70 crash, 2 usage.\n";

bool read_faults(const std::string& list, Options& options) {
  std::vector<Fault> kept;
  std::stringstream in(list);
  std::string name;
  while (std::getline(in, name, ',')) {
    if (name == "none" || name.empty()) continue;
    const auto fault = fault_of(name);
    if (!fault) {
      fmt::print(stderr, "hy_sim: no such fault: {}\n", name);
      return false;
    }
    kept.push_back(*fault);
  }
  options.keep_faults = std::move(kept);
  return true;
}

void apply_kept(Options& options) {
  if (!options.keep_faults) return;
  options.limits.left_out.clear();
  for (std::size_t i = 0; i < kFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (std::ranges::find(*options.keep_faults, fault) == options.keep_faults->end()) {
      options.limits.left_out.push_back(fault);
    }
  }
}

bool read_flag(const std::string& flag, const std::string& value, Options& o) {
  const auto number = [&value] { return std::strtoull(value.c_str(), nullptr, 10); };
  const auto small = [&number] { return static_cast<std::uint32_t>(number()); };
  if (flag == "--seeds") {
    o.seeds = number();
  } else if (flag == "--from") {
    o.from = number();
  } else if (flag == "--seed") {
    o.seed = number();
  } else if (flag == "--seconds") {
    o.seconds = small();
  } else if (flag == "--jobs") {
    o.jobs = std::max(1U, small());
  } else if (flag == "--mutant") {
    o.mutant = static_cast<int>(small());
  } else if (flag == "--devices") {
    o.limits.devices_max = small();
  } else if (flag == "--entries") {
    o.limits.entries_max = small();
  } else if (flag == "--logics") {
    o.limits.logics_max = small();
  } else if (flag == "--routers") {
    o.limits.routers_max = small();
  } else if (flag == "--das") {
    o.limits.das_max = small();
  } else if (flag == "--fault-ms") {
    o.limits.faults_for = Millis(static_cast<std::int64_t>(number()));
  } else if (flag == "--part") {
    o.limits.part = small();
  } else if (flag == "--groups") {
    o.limits.has_groups = small() != 0;
  } else if (flag == "--scene") {
    o.limits.scene = scene_of(value);
    if (!o.limits.scene) return false;
  } else if (flag == "--store-scene") {
    o.limits.store_scene = store_scene_of(value);
    if (!o.limits.store_scene) return false;
  } else if (flag == "--twice") {
    o.twice_one_in = small();
  } else if (flag == "--json") {
    o.json = value;
  } else if (flag == "--evidence") {
    o.evidence = value;
  } else if (flag == "--trace") {
    o.trace = value;
  } else if (flag == "--keep-faults") {
    return read_faults(value, o);
  } else {
    return false;
  }
  return true;
}

std::optional<Options> read_options(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--verbose") {
      o.verbose = true;
    } else if (flag == "--log") {
      o.log = true;
    } else if (flag == "--shrink") {
      o.shrink = true;
    } else if (flag == "--keep-going") {
      o.keep_going = true;
    } else if (i + 1 >= argc || !read_flag(flag, argv[i + 1], o)) {
      fmt::print(stderr, "{}", kUsage);
      return std::nullopt;
    } else {
      ++i;
    }
  }
  apply_kept(o);
  return o;
}

std::string figures_json(const Totals& t, double wall, int code,
                         const std::vector<std::string>& failures) {
  std::string faults;
  for (std::size_t i = 0; i < kFaults; ++i) {
    faults += fmt::format(R"({}"{}":{})", i == 0 ? "" : ",", fault_name(static_cast<Fault>(i)),
                          t.faults[i]);
  }
  const auto counts = [](const auto& map) {
    std::string out;
    for (const auto& [name, count] : map) {
      out += fmt::format(R"({}"{}":{})", out.empty() ? "" : ",", name, count);
    }
    return out;
  };
  std::string failed;
  for (const std::string& seed : failures) failed += (failed.empty() ? "" : ",") + seed;
  return fmt::format(
      R"({{"seeds":{},"exit":{},"failed_seeds":[{}],"wall_seconds":{:.1f},"seeds_per_second":{:.2f},)"
      R"("virtual_seconds":{:.0f},"events":{},"packets":{},"submitted":{},"stored":{},"relayed":{},)"
      R"("shown":{},"in_groups":{},"group_changes":{},"settled_worst_s":{:.1f},"faults":{{{}}},"sync_points":{{{}}},"died_at":{{{}}}}})",
      t.seeds, code, failed, wall, static_cast<double>(t.seeds) / std::max(wall, 0.001),
      t.virtual_seconds, t.events, t.packets, t.submitted, t.stored, t.relayed, t.shown,
      t.in_groups, t.group_changes, t.settled_worst, faults, counts(t.sync_points),
      counts(t.died_at));
}

void print_totals(const Totals& t, double wall) {
  std::uint64_t all = 0;
  std::string kinds;
  for (std::size_t i = 0; i < kFaults; ++i) {
    all += t.faults[i];
    if (t.faults[i] > 0) {
      kinds += fmt::format(" {}={}", fault_name(static_cast<Fault>(i)), t.faults[i]);
    }
  }
  fmt::print(
      "{} seeds, {:.0f} virtual seconds, {} events in {:.1f} s: {:.2f} seeds/s, {:.0f} "
      "virtual seconds a second\n",
      t.seeds, t.virtual_seconds, t.events, wall,
      static_cast<double>(t.seeds) / std::max(wall, 0.001),
      t.virtual_seconds / std::max(wall, 0.001));
  fmt::print(
      "messages: {} written, {} stored, {} relayed, {} shown; rest at the latest {:.1f} s "
      "after healing\n"
      "groups: {} of the stored, {} changes of members\n",
      t.submitted, t.stored, t.relayed, t.shown, t.settled_worst, t.in_groups, t.group_changes);
  fmt::print("faults: {} ({} )\n", all, kinds);
}

/// What a worker process tells the one that started it: one line per seed.
std::string line_of(const Report& r, std::uint64_t seed, int code) {
  std::string out = fmt::format("done {} {} {} {} {} {} {} {} {} {} {:.3f} {:.3f}", seed, code,
                                r.events, r.packets, r.submitted, r.stored, r.relayed, r.shown,
                                r.in_groups, r.group_changes, r.virtual_seconds, r.settled_after);
  for (const std::uint64_t count : r.faults) out += fmt::format(" {}", count);
  for (const auto& [name, count] : r.sync_points) out += fmt::format(" p:{}={}", name, count);
  for (const auto& [name, count] : r.died_at) out += fmt::format(" d:{}={}", name, count);
  return out + "\n";
}

bool read_line(const std::string& line, std::uint64_t& seed, int& code, Report& r) {
  std::istringstream in(line);
  std::string word;
  in >> word >> seed >> code >> r.events >> r.packets >> r.submitted >> r.stored >> r.relayed >>
      r.shown >> r.in_groups >> r.group_changes >> r.virtual_seconds >> r.settled_after;
  for (std::uint64_t& count : r.faults) in >> count;
  if (!in) return false;
  while (in >> word) {
    const auto equals = word.rfind('=');
    auto& map = word[0] == 'p' ? r.sync_points : r.died_at;
    map[word.substr(2, equals - 2)] += std::strtoull(word.c_str() + equals + 1, nullptr, 10);
  }
  return true;
}

/// A seed, twice now and then. The worst exit code.
int run_checked(std::uint64_t seed, const Options& options, Report& report) {
  report = run_seed(seed, options);
  int code = exit_code(report.outcome);
  if (options.twice_one_in > 0 && seed % options.twice_one_in == 0) {
    const Report again = run_seed(seed, options);
    if (again.hash != report.hash) {
      report.violations.insert(report.violations.begin(), "not repeatable: two runs differ");
      code = kExitNondeterminism;
    }
  }
  return code;
}

void tell_failure(std::uint64_t seed, int code, const Report& report, const Options& options) {
  constexpr std::size_t kShown = 12;
  fmt::print("FAILED seed {} (exit {})\n", seed, code);
  for (std::size_t i = 0; i < std::min(kShown, report.violations.size()); ++i) {
    fmt::print("  {}\n", report.violations[i]);
  }
  if (report.violations.size() > kShown) {
    fmt::print("  and {} more\n", report.violations.size() - kShown);
  }
  fmt::print("  again: {}\n", replay_command(seed, options));
  std::fflush(stdout);
}

/// One worker: seeds first, first + step, … ; tells through `out`.
void work(std::uint64_t first, std::uint64_t end, std::uint64_t step, int out,
          const Options& options, WallClock::time_point until) {
  const auto say = [out](const std::string& line) {
    (void)!::write(out, line.data(), line.size());
  };
  for (std::uint64_t seed = first; seed < end; seed += step) {
    if (options.seconds > 0 && WallClock::now() >= until) break;
    say(fmt::format("start {}\n", seed));
    Report report;
    const int code = run_checked(seed, options, report);
    if (code != 0) tell_failure(seed, code, report, options);
    say(line_of(report, seed, code));
    if (code != 0 && !options.keep_going) break;
  }
}

struct Worker {
  pid_t pid = -1;
  int in = -1;
  std::uint64_t next = 0;
  std::uint64_t current = 0;
  bool is_running_seed = false;
  std::string buffer;
};

/// Processes that share the seeds; a crash of one costs its seed alone.
class Crew {
 public:
  explicit Crew(const Options& options)
      : options_(options),
        begun_(WallClock::now()),
        until_(begun_ + std::chrono::seconds(options.seconds)),
        end_(options.seconds > 0 ? UINT64_MAX / 2 : options.from + options.seeds) {}

  int run() {
    workers_.resize(options_.jobs);
    for (std::uint32_t i = 0; i < options_.jobs; ++i) {
      workers_[i].next = options_.from + i;
      start(workers_[i]);
    }
    while (std::ranges::any_of(workers_, [](const Worker& w) { return w.pid > 0; })) {
      for (Worker& worker : workers_) {
        if (worker.pid > 0) listen(worker);
      }
      progress();
    }
    const double wall = std::chrono::duration<double>(WallClock::now() - begun_).count();
    fmt::print("\n");
    print_totals(totals_, wall);
    if (!failures_.empty()) fmt::print("FAILED: {} seeds\n", failures_.size());
    if (!options_.json.empty()) {
      std::ofstream(options_.json) << figures_json(totals_, wall, worst_, failures_) << '\n';
    }
    return worst_;
  }

 private:
  void start(Worker& worker) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    std::fflush(stdout);
    worker.pid = ::fork();
    if (worker.pid == 0) {
      ::close(ends[0]);
      work(worker.next, end_, options_.jobs, ends[1], options_, until_);
      std::fflush(stdout);
      ::_exit(0);
    }
    ::close(ends[1]);
    worker.in = ends[0];
  }

  void listen(Worker& worker) {
    char bytes[8'192];
    const ssize_t got = ::read(worker.in, bytes, sizeof bytes);
    if (got > 0) {
      worker.buffer.append(bytes, static_cast<std::size_t>(got));
      for (;;) {
        const auto end = worker.buffer.find('\n');
        if (end == std::string::npos) return;
        take(worker, worker.buffer.substr(0, end));
        worker.buffer.erase(0, end + 1);
      }
    }
    ::close(worker.in);
    int status = 0;
    ::waitpid(worker.pid, &status, 0);
    worker.pid = -1;
    if (!worker.is_running_seed) return;
    crashed(worker, status);
  }

  void crashed(Worker& worker, int status) {
    worker.is_running_seed = false;
    fmt::print("FAILED seed {} (exit {}): the program ended with {} {}\n  again: {}\n",
               worker.current, kExitCrash, WIFSIGNALED(status) ? "signal" : "code",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
               replay_command(worker.current, options_));
    failed(worker.current, kExitCrash);
    if (!options_.keep_going) return;
    worker.next = worker.current + options_.jobs;
    start(worker);
  }

  void failed(std::uint64_t seed, int code) {
    failures_.push_back(std::to_string(seed));
    worst_ = std::max(worst_, code);
  }

  void take(Worker& worker, const std::string& line) {
    if (line.starts_with("start ")) {
      worker.current = std::strtoull(line.c_str() + 6, nullptr, 10);
      worker.is_running_seed = true;
      return;
    }
    worker.is_running_seed = false;
    Report report;
    int code = 0;
    std::uint64_t seed = 0;
    if (!read_line(line, seed, code, report)) return;
    totals_.add(report);
    if (code != 0) failed(seed, code);
  }

  void progress() {
    const auto now = WallClock::now();
    if (now < next_line_) return;
    next_line_ = now + std::chrono::seconds(::isatty(1) != 0 ? 1 : 15);
    const double wall = std::chrono::duration<double>(now - begun_).count();
    fmt::print("{}{} seeds, {:.1f}/s, {} messages stored, {} failed{}",
               ::isatty(1) != 0 ? "\r" : "", totals_.seeds,
               static_cast<double>(totals_.seeds) / std::max(wall, 0.001), totals_.stored,
               failures_.size(), ::isatty(1) != 0 ? "   " : "\n");
    std::fflush(stdout);
  }

  const Options& options_;
  WallClock::time_point begun_;
  WallClock::time_point until_;
  std::uint64_t end_;
  WallClock::time_point next_line_{};
  std::vector<Worker> workers_;
  Totals totals_;
  std::vector<std::string> failures_;
  int worst_ = 0;
};

int run_one(const Options& options) {
  const auto begun = WallClock::now();
  fmt::print("seed {}: {}\n", *options.seed, draw_plan(*options.seed, options.limits).text());
  Options twice = options;
  if (twice.twice_one_in > 0) twice.twice_one_in = 1;
  if (options.verbose) twice.twice_one_in = 0;
  Report report;
  const int code = run_checked(*options.seed, twice, report);
  Totals totals;
  totals.add(report);
  print_totals(totals, std::chrono::duration<double>(WallClock::now() - begun).count());
  fmt::print("hash {:016x}\n", report.hash);
  if (code != 0) tell_failure(*options.seed, code, report, options);
  if (code != 0 && options.shrink) shrink(*options.seed, options, report.outcome);
  return code;
}

}  // namespace

void Totals::add(const Report& r) {
  ++seeds;
  events += r.events;
  packets += r.packets;
  submitted += r.submitted;
  stored += r.stored;
  relayed += r.relayed;
  shown += r.shown;
  in_groups += r.in_groups;
  group_changes += r.group_changes;
  virtual_seconds += r.virtual_seconds;
  settled_worst = std::max(settled_worst, r.settled_after);
  for (std::size_t i = 0; i < kFaults; ++i) faults[i] += r.faults[i];
  for (const auto& [name, count] : r.sync_points) sync_points[name] += count;
  for (const auto& [name, count] : r.died_at) died_at[name] += count;
}

Report run_seed(std::uint64_t seed, const Options& options) {
  Cluster cluster(draw_plan(seed, options.limits), options.verbose);
  std::ofstream trace;
  if (!options.trace.empty()) {
    trace.open(options.trace);
    cluster.world().on_note = [&trace](MonoTime at, std::uint32_t kind, std::uint64_t size) {
      trace << at.time_since_epoch().count() << ' ' << kind << ' ' << size << '\n';
    };
  }
  cluster.keep_evidence = options.evidence;
  return cluster.run();
}

std::string replay_command(std::uint64_t seed, const Options& o) {
  std::string out = fmt::format("hy_sim --seed {}", seed);
  if (o.mutant > 0) out += fmt::format(" --mutant {}", o.mutant);
  const Limits plain;
  const auto limit = [&out](const char* flag, std::uint64_t value, std::uint64_t usual) {
    if (value != usual) out += fmt::format(" {} {}", flag, value);
  };
  limit("--devices", o.limits.devices_max, plain.devices_max);
  limit("--entries", o.limits.entries_max, plain.entries_max);
  limit("--logics", o.limits.logics_max, plain.logics_max);
  limit("--routers", o.limits.routers_max, plain.routers_max);
  limit("--das", o.limits.das_max, plain.das_max);
  limit("--fault-ms", static_cast<std::uint64_t>(o.limits.faults_for.count()), 0);
  limit("--part", o.limits.part, plain.part);
  limit("--groups", o.limits.has_groups ? 1 : 0, 1);
  if (o.limits.scene) out += fmt::format(" --scene {}", scene_name(*o.limits.scene));
  if (o.limits.store_scene)
    out += fmt::format(" --store-scene {}", store_scene_name(*o.limits.store_scene));
  if (o.keep_faults) {
    std::string list;
    for (const Fault fault : *o.keep_faults) {
      list += (list.empty() ? "" : ",") + std::string(fault_name(fault));
    }
    out += " --keep-faults " + (list.empty() ? "none" : list);
  }
  return out;
}

int run_program(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  if (!options) return kExitUsage;
  log::Options quiet;
  quiet.async = false;
  quiet.level = options->log ? log::Level::kInfo : log::Level::kError;
  log::init(quiet);
  if (!options->log) log::set_level(log::Level::kError);
  if (options->mutant > 0) {
#if defined(HY_TEST_HOOKS)
    set_mutant(static_cast<Mutant>(options->mutant));
#else
    fmt::print(stderr, "hy_sim: this build has no mutants (HY_TEST_HOOKS)\n");
    return kExitUsage;
#endif
  }
  if (options->seed) return run_one(*options);
  return Crew(*options).run();
}

}  // namespace hy::sim
