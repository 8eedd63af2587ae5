// Hongyan and its peers in one sitting: all servers up, windows in turn (A B C A B C …), figures
// and ratios at the end.
//   peer_sitting                       everything, about 12 minutes
//   peer_sitting --quick               one short round at 1,000 connections
//   peer_sitting --scenario busy --systems mosquitto,hongyan/mysql --rounds 3
// Exit code 4: a message was lost, doubled, out of order or not archived.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "client/cli/private_folder.h"
#include "tests/peers/sitting/report.h"
#include "tests/peers/sitting/tools.h"

namespace {

using namespace hy;
using namespace hy::peers;

constexpr double kEvenRate = 2'000;  // messages a second

struct Options {
  std::vector<std::string> scenarios = {"busy", "many", "even", "group"};
  std::vector<std::string> systems = {"mosquitto", "ejabberd", "ejabberd+archive",
                                      "hongyan/embedded", "hongyan/mysql"};
  int rounds = 5;
  double seconds = 5;
  bool quick = false;
  std::string lock;
  std::string append;
  std::string markdown;
  std::vector<std::string> hongyan_settings;
};

/// Holds a lock on a file while something is measured: other users of the machine wait for it.
class Quiet {
 public:
  explicit Quiet(const std::string& file) {
    if (file.empty()) return;
    fd_ = cli::UniqueFd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ::flock(fd_.get(), LOCK_EX);
  }

 private:
  cli::UniqueFd fd_;
};

System start(const std::string& name, const Place& place) {
  if (name == "mosquitto") return start_mosquitto(place);
  if (name == "ejabberd") return start_ejabberd(place, false, {});
  if (name == "ejabberd+sbwt") return start_ejabberd(place, false, {"+sbwt", "none"});
  if (name == "ejabberd+archive") return start_ejabberd(place, true, {});
  if (name == "hongyan/embedded") return start_hongyan(place, false);
  if (name == "hongyan/mysql") return start_hongyan(place, true);
  throw std::runtime_error("unknown system: " + name);
}

class Sitting {
 public:
  Sitting(const Options& options, std::filesystem::path folder)
      : options_(options), folder_(std::move(folder)) {}

  /// False after a violation.
  bool run() {
    if (!options_.append.empty() && std::filesystem::exists(options_.append)) {
      results_ = from_json(must(cli::read_file(options_.append)));
      for (const Window& w : results_.windows) rounds_before_ = std::max(rounds_before_, w.round);
    }
    for (const std::string& scenario : options_.scenarios) run_scenario(scenario);
    const std::string text = report(results_);
    std::printf("\n%s", text.c_str());
    if (!options_.markdown.empty()) write_file(options_.markdown, text);
    return clean_;
  }

 private:
  void run_scenario(const std::string& scenario) {
    const bool many = scenario == "many";
    const bool group = scenario == "group";
    Place place;
    place.folder = folder_ / scenario;
    std::filesystem::create_directories(place.folder);
    place.build = HY_BUILD_DIR;
    place.connections = many ? 10'000 : group ? 500 : 1'000;
    place.is_group = group;
    place.ports = &ports_;
    place.hongyan_settings = options_.hongyan_settings;
    std::vector<std::unique_ptr<Contestant>> contestants;
    for (const std::string& name : options_.systems) {
      // Ten thousand people ask for their archive's settings with the first message: it takes
      // minutes until that system is at its rate, and the even rate is near its limit.
      if (scenario != "busy" && name == "ejabberd+archive") continue;
      if (group && name.starts_with("ejabberd")) continue;
      std::printf("%-6s starting %s, %zu accounts\n", scenario.c_str(), name.c_str(),
                  place.connections);
      contestants.push_back(std::make_unique<Contestant>(start(name, place), place, many ? 1 : 4));
      const Quiet quiet(options_.lock);
      const Logins logins = contestants.back()->connect();
      std::printf("%-6s %-18s %zu logins in %.1f s, %.0f µs each; %.0f bytes a connection\n",
                  scenario.c_str(), name.c_str(), logins.connections, logins.seconds, logins.cpu_us,
                  logins.memory_bytes);
      results_.logins.push_back(logins);
      contestants.back()->prime();
    }
    for (int round = 1; round <= options_.rounds; ++round) {
      const Quiet quiet(options_.lock);
      for (const auto& one : contestants) run_window(*one, scenario, rounds_before_ + round);
      if (!options_.append.empty()) write_file(options_.append, to_json(results_));
    }
    for (const auto& one : contestants) judge(*one, scenario);
  }

  void run_window(Contestant& one, const std::string& scenario, int round) {
    if (scenario == "many") {
      const Window full = measure(one, "many", round, std::min(options_.seconds, 3.0), 0);
      measure(one, "many/half", round, options_.seconds, full.per_second / 2);
      return;
    }
    if (scenario == "even") {
      measure(one, scenario, round, options_.seconds, kEvenRate);
      return;
    }
    const bool raw = scenario == "busy" && one.system().name == "hongyan/mysql";
    RawInserts inserts{.round = round};
    if (raw) inserts.before = raw_insert_rows_per_second(one.system());
    measure(one, scenario, round, options_.seconds, 0);
    if (!raw) return;
    inserts.after = raw_insert_rows_per_second(one.system());
    std::printf("       raw multi-row INSERT: %.0f rows/s before, %.0f after\n", inserts.before,
                inserts.after);
    results_.raw.push_back(inserts);
  }

  Window measure(Contestant& one, const std::string& scenario, int round, double seconds,
                 double rate) {
    Window window = one.measure(seconds, rate);
    window.scenario = scenario;
    window.round = round;
    std::printf(
        "%-9s round %d  %-18s %7.0f/s  daemons %6.1f  stores %6.1f  generator %5.1f µs   others "
        "%2.0f "
        "%%   refused %.1f %%   p50 %.2f p99 %.1f ms\n",
        scenario.c_str(), round, window.system.c_str(), window.per_second, window.daemons_us,
        window.stores_us, window.generator_us, window.others_percent, window.refused_percent,
        window.p50_ms, window.p99_ms);
    results_.windows.push_back(window);
    return window;
  }

  void judge(Contestant& one, const std::string& scenario) {
    const std::string wrong = one.verdict();
    std::printf("%-6s %-18s %s%s%s\n", scenario.c_str(), one.system().name.c_str(),
                one.ledger().c_str(), wrong.empty() ? "ok" : "VIOLATION: ", wrong.c_str());
    clean_ = clean_ && wrong.empty();
  }

  Options options_;
  std::filesystem::path folder_;
  cli::FreePorts ports_;
  Results results_;
  int rounds_before_ = 0;
  bool clean_ = true;
};

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  CLI::App app("Hongyan and its peers, measured in turn");
  app.add_flag("--quick", options.quick, "one round of two seconds at 1,000 connections");
  app.add_option("--scenario", options.scenarios, "busy, many, even, group")->delimiter(',');
  app.add_option("--systems", options.systems)->delimiter(',');
  app.add_option("--rounds", options.rounds);
  app.add_option("--seconds", options.seconds, "of one window");
  app.add_option("--lock", options.lock, "file to hold locked while measuring");
  app.add_option("--append", options.append,
                 "file of windows: the report covers what it holds, and adds to it");
  app.add_option("--markdown", options.markdown, "file for the tables");
  app.add_option("--hongyan-set", options.hongyan_settings, "table.key=value for our daemons");
  CLI11_PARSE(app, argc, argv);
  if (options.quick) {
    options.scenarios = {"busy"};
    options.rounds = 1;
    options.seconds = 2;
  }
  char pattern[] = "/tmp/hy-peers-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(pattern);
  int code = 1;
  try {
    // However this program ends, its folder goes; its children go with it.
    const auto janitor = must(cli::Janitor::start({folder}, {}));
    code = Sitting(options, folder).run() ? 0 : 4;
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
  }
  return code;
}
