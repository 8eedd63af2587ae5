#include "client/cli/bench/verbs_bench.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

#include "client/bench/assertion.h"
#include "client/bench/compare.h"
#include "client/bench/options.h"
#include "client/bench/plan.h"
#include "client/bench/report.h"
#include "client/bench/run.h"
#include "client/bench/worker.h"
#include "client/cli/bench/bench_target.h"
#include "client/cli/bench/live_view.h"
#include "client/cli/stop_signal.h"
#include "client/cli/terminal.h"
#include "common/config/toml_loader.h"
#include "common/crypto/system_random.h"

namespace hy::cli {
namespace {

constexpr std::size_t kEntriesMost = 1'000;  // ports are counted when the entries are known

/// Results go to stdout; how it goes goes there too for a person, and to stderr when stdout is for
/// a program. On a terminal the seconds are one block that is drawn again, elsewhere a line each.
class ShownProgress final : public bench::Progress {
 public:
  ShownProgress(Format format, bool is_live, double total_s)
      : format_(format), is_live_(is_live), view_(total_s) {}
  void line(const std::string& text) override {
    drawn_ = 0;  // what was drawn stays above
    format_ == Format::kTable ? print(text + "\n") : note(text);
  }
  void point(const bench::Point& p, double left_s) override {
    if (!is_live_) return line(bench::point_line(p, left_s));
    view_.add(p, left_s);
    const auto lines = view_.lines(terminal_size().columns - 1);
    std::string out = drawn_ > 0 ? fmt::format("\x1b[{}A", drawn_) : std::string();
    for (const std::string& one : lines) out += "\x1b[2K" + one + "\n";
    // A block that became shorter leaves no old line behind.
    for (std::size_t i = lines.size(); i < drawn_; ++i) out += "\x1b[2K\n";
    drawn_ = std::max(drawn_, lines.size());
    print(out);
  }

 private:
  Format format_;
  bool is_live_;
  LiveView view_;
  std::size_t drawn_ = 0;
};

/// What was typed, for the report.
std::string command_text(const std::string& scenario,
                         const std::vector<std::pair<std::string, std::string>>& given) {
  std::string out = "hy bench " + scenario;
  for (const auto& [key, text] : given)
    out += text == "true" ? " --" + key : " --" + key + " '" + text + "'";
  return out;
}

using Given = std::vector<std::pair<std::string, std::string>>;

Exit run_bench(const std::string& scenario, const Given& given, Root& root) {
  bench::Options options;
  options.scenario = scenario;
  for (const auto& [key, text] : given) {
    if (const Status done = set_option(options, key, text); !done) return complain(done.error());
  }
  if (const Status fits = check_options(options); !fits) return complain(fits.error());
  std::vector<bench::Assertion> asserts;
  for (const std::string& text : options.asserts) {
    auto one = bench::parse_assertion(text);
    if (!one) return complain(one.error());
    asserts.push_back(*one);
  }
  if (options.seed == 0) {
    crypto::SystemRandom random;
    std::uint8_t bytes[8];
    random.fill(bytes);
    options.seed = get_be<std::uint64_t>(bytes) >> 1 | 1;
  }
  complete_options(options);
  std::atomic<bool> is_stopped = false;
  const StopSignal stop([&](int) { is_stopped = true; });
  const bool is_live = root.output() == Format::kTable && stdout_is_terminal() && !options.no_tui;
  ShownProgress progress(root.output(), is_live,
                         static_cast<double>((options.run_for * options.windows).count()) / 1'000);
  // The ceiling that needs no server to be known, before one is started or people are made for it.
  if (const auto plan = bench::make_plan(options.conns, options.workers, options.source_ip,
                                         kEntriesMost, bench::machine_limits());
      !plan)
    return complain(plan.error());
  auto target = BenchTarget::open(options, root.profile,
                                  [&](const std::string& line) { progress.line("  " + line); });
  if (!target) return complain(target.error());
  const double start =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  auto outcome = bench::run_scenario(options, (*target)->target, progress, is_stopped);
  if (!outcome) return complain(outcome.error());
  outcome->command = command_text(scenario, given);
  outcome->start_unix_s = start;
  for (const bench::Assertion& a : asserts)
    outcome->asserts.push_back(judge_assertion(a, *outcome));
  if (root.output() == Format::kTable)
    print(report_text(*outcome));
  else
    print(report_json(*outcome).dump(root.output() == Format::kJson ? 1 : -1) + "\n");
  if (!options.report.empty()) {
    if (const Status done = write_reports(*outcome, options.report); !done)
      return complain(done.error());
    progress.line(" report    " + options.report);
  }
  return static_cast<Exit>(outcome->exit_code());
}

void add_scenario(CLI::App& bench, Root& root, const bench::ScenarioRow& row) {
  CLI::App* const verb = bench.add_subcommand(std::string(row.name), std::string(row.sentence));
  auto given = std::make_shared<Given>();
  for (const bench::OptionRow& option : bench::option_rows()) {
    const std::string key(option.key);
    const std::string flag = "--" + key;
    const std::string sentence(option.sentence);
    if (option.is_flag()) {
      verb->add_flag_callback(flag, [given, key] { given->emplace_back(key, "true"); }, sentence);
    } else {
      verb->add_option_function<std::vector<std::string>>(
              flag,
              [given, key](const std::vector<std::string>& texts) {
                for (const std::string& text : texts) given->emplace_back(key, text);
              },
              sentence)
          ->take_all()
          ->type_name(option.is_list() ? "TEXT ..." : "TEXT")
          ->expected(1)
          ->multi_option_policy(option.is_list() ? CLI::MultiOptionPolicy::TakeAll
                                                 : CLI::MultiOptionPolicy::TakeLast);
    }
  }
  const std::string scenario(row.name);
  verb->footer("Examples:\n  " + std::string(row.example) + "\n  hy bench " + scenario +
               " --cluster throwaway --store mysql");
  verb->callback([given, scenario, &root] {
    root.run = [given, scenario, &root] { return run_bench(scenario, *given, root); };
  });
}

void add_compare(CLI::App& bench, Root& root) {
  CLI::App* const verb = bench.add_subcommand(
      "compare", "Two runs, or two sets of them, figure by figure; exit 4 on a regression");
  auto a = std::make_shared<std::string>();
  auto b = std::make_shared<std::string>();
  verb->add_option("a", *a, "Folder of a run, folder of such folders, or a report.json")
      ->required();
  verb->add_option("b", *b, "The other one")->required();
  verb->footer("Examples:\n  hy bench compare runs/before runs/after");
  verb->callback([a, b, &root] {
    root.run = [a, b] {
      const auto first = bench::read_reports(*a);
      if (!first) return complain(first.error());
      const auto second = bench::read_reports(*b);
      if (!second) return complain(second.error());
      const auto all = bench::compare_reports(*first, *second);
      for (const std::string& doubt : bench::doubts(*first, *second)) note("doubt: " + doubt);
      print(bench::comparison_text(all));
      const bool is_worse = std::ranges::any_of(all, &bench::Comparison::is_regression);
      return is_worse ? Exit::kLedger : Exit::kOk;
    };
  });
}

/// [bench] of a TOML file: the keys are the flags, and `scenario`.
Exit run_file(const std::string& file, Root& root) {
  std::vector<std::string> keys{"bench.scenario"};
  for (const bench::OptionRow& row : bench::option_rows())
    keys.push_back("bench." + std::string(row.key));
  std::vector<config::Property> properties;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bench::OptionRow* const row = i == 0 ? nullptr : &bench::option_rows()[i - 1];
    properties.push_back({.key = keys[i],
                          .kind = row == nullptr     ? config::Kind::kText
                                  : row->is_flag()   ? config::Kind::kBool
                                  : row->is_list()   ? config::Kind::kTextList
                                  : row->is_number() ? config::Kind::kInteger
                                                     : config::Kind::kText,
                          .fallback = row == nullptr     ? ""
                                      : row->is_flag()   ? "false"
                                      : row->is_number() ? "0"
                                                         : "",
                          .sentence = row == nullptr ? "the scenario" : row->sentence});
  }
  const auto values =
      config::load({.properties = properties, .file = file, .environment = {}, .overrides = {}});
  if (!values) {
    note(config::render(values.error()));
    return Exit::kUsage;
  }
  Given given;
  std::string scenario;
  for (const auto& [key, value] : values->all()) {
    if (value.source == config::Source::kDefault || !key.starts_with("bench.")) continue;
    const std::string name = key.substr(6);
    if (name == "scenario") {
      scenario = values->text(key);
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&value.data)) {
      for (const std::string& one : *list) given.emplace_back(name, one);
    } else if (std::holds_alternative<std::string>(value.data)) {
      given.emplace_back(name, values->text(key));
    } else {
      given.emplace_back(name, value.shown);
    }
  }
  return run_bench(scenario, given, root);
}

void add_run_file(CLI::App& bench, Root& root) {
  CLI::App* const verb =
      bench.add_subcommand("run", "A scenario file: [bench] with scenario and the flags as keys");
  auto file = std::make_shared<std::string>();
  verb->add_option("file", *file, "FILE.toml")->required();
  verb->footer("Examples:\n  hy bench run office.toml");
  verb->callback([file, &root] { root.run = [file, &root] { return run_file(*file, root); }; });
}

}  // namespace

void add_bench_verbs(CLI::App& app, Root& root) {
  CLI::App* const bench =
      app.add_subcommand("bench", "Load on the entry port that checks every message and itself");
  bench->require_subcommand(1);
  for (const bench::ScenarioRow& row : bench::scenario_rows()) add_scenario(*bench, root, row);
  bench->footer(
      "Exit codes: 4 a message was lost, doubled, out of order, or an assertion does not hold ·\n"
      "8 no verdict: the generator, not the server, was the limit\n\n"
      "Examples:\n  hy bench p2p --rate 500 --for 30s\n"
      "  hy bench p2p --cluster throwaway --store mysql --closed --outstanding 4 --windows 5");

  add_compare(*bench, root);
  add_run_file(*bench, root);

  CLI::App* const worker = bench->add_subcommand("worker", "")->group("");
  auto fd = std::make_shared<int>(-1);
  worker->add_option("--fd", *fd)->required();
  worker->callback(
      [fd, &root] { root.run = [fd] { return static_cast<Exit>(bench::run_worker(*fd)); }; });
}

}  // namespace hy::cli
