// A cluster of real processes under load and a seeded, overlapping schedule of faults; what was
// promised is held against what the clients saw, the rows of the database and every router replica.
//   hy_chaos --rounds 6 --seconds 15 --engine both --seed 7
//   hy_chaos --points --engine mysql          every named place: killed, stopped, delayed there
// Exit codes: 0 clean, 4 a promise was broken, 8 no verdict (a fault did nothing, evidence is
// missing), 1 the run itself failed, 2 usage.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "common/base/test_hooks.h"
#include "tests/cluster/chaos/round.h"

namespace {

using namespace hy;
using namespace hy::chaos;

struct Options {
  int rounds = 1;
  std::string engine = "both";
  std::string bin = std::string(HY_BUILD_DIR) + "/bin";
  std::string json;
  bool append = false;
  bool sets = false;
  bool list = false;
  bool plan_only = false;
  bool keep = false;
  RoundOptions round;
};

std::string command_of(const RoundOptions& r) {
  std::string out = "hy_chaos --rounds 1 --engine " + std::string(cli::store_kind_name(r.store)) +
                    " --seed " + std::to_string(r.seed);
  if (r.points && r.pairs != RoundOptions{}.pairs) out += " --people " + std::to_string(r.pairs);
  if (r.points_max > 0) return out + " --points-max " + std::to_string(r.points_max);
  for (std::size_t i = 0; i < r.points_at.size(); ++i)
    out += (i == 0 ? " --at " : ",") + r.points_at[i];
  if (r.points) return r.points_at.empty() ? out + " --points" : out;
  char more[160];
  std::snprintf(more, sizeof more,
                " --seconds %g --rate %g --people %d --gap %g %g --alive %d --lasts %g",
                r.plan.seconds, r.rate, r.pairs, r.plan.gap_min, r.plan.gap_max, r.plan.alive_max,
                r.plan.lasts_max);
  out += more;
  if (r.plan.pairs) out += " --pairs";
  if (r.mutant != 0) out += " --mutant " + std::to_string(r.mutant);
  for (std::size_t i = 0; i < r.plan.kinds.size(); ++i)
    out += (i == 0 ? " --faults " : ",") + r.plan.kinds[i];
  return out;
}

int say_kinds() {
  for (const FaultKind& kind : fault_kinds()) {
    std::printf("%-24s %s  %s\n", std::string(kind.name).c_str(), std::string(kind.code).c_str(),
                kind.engines == Engines::kMysql      ? "mysql"
                : kind.engines == Engines::kEmbedded ? "embedded"
                                                     : "both");
  }
  return 0;
}

/// The worse of two endings: the run failed, violated, no verdict, clean.
Verdict worse(Verdict a, Verdict b) {
  const auto rank = [](Verdict v) {
    switch (v) {
      case Verdict::kClean: return 0;
      case Verdict::kNoVerdict: return 1;
      case Verdict::kRunFailed: return 2;
      case Verdict::kViolated: return 3;
    }
    return 2;
  };
  return rank(a) >= rank(b) ? a : b;
}

const char* verdict_name(Verdict v) {
  switch (v) {
    case Verdict::kClean: return "clean";
    case Verdict::kViolated: return "NOT CLEAN";
    case Verdict::kNoVerdict: return "no verdict";
    case Verdict::kRunFailed: return "the run failed";
  }
  return "?";
}

int run(const Options& options) {
  Report all;
  Verdict verdict = Verdict::kClean;
  for (int i = 0; i < options.rounds; ++i) {
    RoundOptions round = options.round;
    const bool mysql = options.engine == "mysql" || (options.engine == "both" && i % 2 == 1);
    round.store = mysql ? cli::StoreKind::kMysql : cli::StoreKind::kEmbedded;
    round.seed = options.round.seed + static_cast<std::uint64_t>(i);
    round.programs = options.bin;
    round.keep = options.keep;
    if (options.sets) {
      // Rounds of one engine share out its kinds.
      const bool both = options.engine == "both";
      round.plan.kinds = part_of_kinds(round.store, both ? i / 2 : i,
                                       both ? (options.rounds + 1) / 2 : options.rounds);
    }
    std::printf("== round %d of %d: %s, seed %llu\n", i + 1, options.rounds,
                mysql ? "mysql" : "embedded", static_cast<unsigned long long>(round.seed));
    RoundResult result = run_round(round);
    for (const std::string& line : result.lines) std::printf("%s\n", line.c_str());
    std::printf("-- %s\n", verdict_name(result.verdict));
    if (!result.folder.empty()) std::printf("   kept in %s\n", result.folder.c_str());
    if (result.verdict != Verdict::kClean) {
      const std::string again = command_of(round);
      std::printf("   repeat: %s\n", again.c_str());
      if (!result.folder.empty()) std::ofstream(result.folder / "repeat.txt") << again << "\n";
    }
    verdict = worse(verdict, result.verdict);
    all.merge(result.report);
    if (!options.json.empty()) {
      // After each round: a run that is broken off keeps what it found.
      const bool append = options.append || i > 0;
      if (const Status saved = result.report.save(options.json, append); !saved)
        std::printf("%s\n", saved.error().detail.c_str());
    }
  }
  std::printf("== summary\n");
  for (const std::string& line : all.summary()) std::printf("%s\n", line.c_str());
  for (const auto& [name, count] : all.counts()) {
    if (name.starts_with("faults/") || name.starts_with("not_felt/"))
      std::printf("   %-34s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
  }
  std::printf("%s\n", verdict_name(verdict));
  return static_cast<int>(verdict);
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  PlanOptions& plan = options.round.plan;
  std::vector<double> gap;
  CLI::App app("a cluster under load, with a schedule of faults");
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 1'000'000));
  app.add_option("--seconds", plan.seconds, "of load in each round")
      ->check(CLI::Range(5.0, 86'400.0));
  app.add_option("--seed", options.round.seed, "of the first round; the next ones count up");
  app.add_option("--engine", options.engine)->check(CLI::IsMember({"embedded", "mysql", "both"}));
  app.add_option("--faults", plan.kinds, "only these kinds, see --list")->delimiter(',');
  app.add_flag("--sets", options.sets, "the rounds of an engine share out its kinds");
  app.add_flag("--pairs", plan.pairs, "faults in overlapping pairs");
  app.add_flag("--points", options.round.points, "visit every named place instead");
  app.add_option("--at", options.round.points_at, "visit only these named places")->delimiter(',');
  app.add_option("--points-max", options.round.points_max,
                 "visit so many named places instead, drawn from the seed");
  app.add_option("--gap", gap, "seconds between two starts: least and most")->expected(2);
  app.add_option("--alive", plan.alive_max, "faults at once")->check(CLI::Range(1, 20));
  app.add_option("--lasts", plan.lasts_max, "seconds that one fault may last")
      ->check(CLI::Range(0.5, 600.0));
  app.add_option("--rate", options.round.rate, "messages a second of all together")
      ->check(CLI::Range(1.0, 100'000.0));
  app.add_option("--people", options.round.pairs, "pairs of them")->check(CLI::Range(2, 500));
  app.add_option("--mutant", options.round.mutant, "a bug to switch on in every daemon")
      ->check(CLI::Range(0, kMutantsEnd - 1));
  app.add_option("--bin", options.bin, "folder of the daemons");
  app.add_option("--json", options.json, "write the counts to this file after each round");
  app.add_flag("--append", options.append, "add to what the file holds");
  app.add_flag("--keep", options.keep, "keep logs and stores also when clean");
  app.add_flag("--list", options.list, "the kinds of faults");
  app.add_flag("--plan", options.plan_only, "print the schedule of the seed and end");
  CLI11_PARSE(app, argc, argv);
  if (options.round.points_max > 0 || !options.round.points_at.empty()) options.round.points = true;
  for (const std::string& name : options.round.points_at) {
    if (std::ranges::count(hooks::kSyncPoints, name, &hooks::SyncPoint::name) > 0) continue;
    std::printf("no place is called %s; common/hooks/sync_points.h names them\n", name.c_str());
    return 2;
  }
  if (gap.size() == 2) {
    plan.gap_min = gap[0];
    plan.gap_max = std::max(gap[0], gap[1]);
  }
  if (options.list) return say_kinds();
  for (const std::string& kind : plan.kinds) {
    if (find_kind(kind) != nullptr) continue;
    std::printf("no fault is called %s; --list names them\n", kind.c_str());
    return 2;
  }
  if (options.plan_only) return say_plan(options.round, options.engine == "mysql");
  return run(options);
}
