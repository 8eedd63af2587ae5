#include "client/cli/demo/demo.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "client/cli/demo/screen.h"
#include "client/cli/demo/scripts.h"
#include "client/cli/output.h"
#include "client/cli/private_store.h"
#include "client/cli/profile.h"
#include "client/cli/stop_signal.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
constexpr int kDemosMax = 100;
constexpr int kScriptLoad = 200;

/// Where this demo lives, and its name among the running clusters.
struct Place {
  std::string name;
  fs::path folder;
  fs::path runtime;
};

Result<Place> make_place(const std::string& keep) {
  Place place;
  HY_TRY(place.runtime, runtime_folder());
  HY_TRY_VOID(make_private(place.runtime / "clusters"));
  for (int n = 1; n <= kDemosMax; ++n) {
    place.name = "demo-" + std::to_string(n);
    place.folder = place.runtime / place.name;
    // mkdir decides which of two demos gets the number.
    if (::mkdir(place.folder.c_str(), 0700) != 0) continue;
    if (keep.empty()) return place;
    ::rmdir(place.folder.c_str());
    place.folder = fs::absolute(keep);
    HY_TRY_VOID(make_private(place.folder));
    return place;
  }
  return fail(Errc::kUsage, "no free folder below " + place.runtime.string());
}

std::string headline(const Cluster& cluster) {
  const ClusterLayout& l = cluster.layout();
  const auto count = [&l](const char* tier) { return l.names_of(tier).size(); };
  return fmt::format(
      "hy demo   idc {} · {} daemons ({} entry, {} logic, {} router, {} das) · {} · up in {}",
      l.idc, l.daemons.size(), count("entry"), count("logic"), count("router"), count("das"),
      l.store == StoreKind::kMysql ? "store mysql (MariaDB, Redis)" : "store embedded (SQLite)",
      duration_text(cluster.start_took()));
}

Exit run_script(const DemoOptions& options, Stage& stage) {
  const int load = options.load_per_second > 0 ? options.load_per_second : kScriptLoad;
  if (options.script == "hello") return script_hello(stage);
  if (options.script == "kill") return script_kill(stage, load);
  if (options.script == "store") return script_store(stage);
  if (options.script == "unplug") return script_unplug(stage);
  if (options.script == "drain") return script_drain(stage, load);
  return script_corpus(stage, options.corpus_file);
}

Exit run_interactive(const DemoOptions& options, Stage& stage, std::atomic<RawTerminal*>& shown) {
  const auto entries = stage.cluster().layout().entry_addresses();
  std::string line = "entry " + entries.front() + " (a)";
  for (std::size_t i = 1; i < entries.size(); ++i) {
    line += fmt::format("  {} ({})", entries[i].substr(entries[i].rfind(':')),
                        static_cast<char>('a' + i));
  }
  line += "   logs in " + stage.cluster().layout().logs.string();
  Exit exit = Exit::kOk;
  {
    RawTerminal terminal(true);
    shown = &terminal;
    (void)stage.say("bob", "alice", "你好 alice");
    (void)stage.say("alice", "bob", "hello bob");
    exit = run_screen(stage, terminal, headline(stage.cluster()), line, options.load_per_second);
    shown = nullptr;
  }
  print(ledger_text(stage.counts()) + "\n");
  return exit;
}

/// Everything between the files' making and their removal.
Exit play(const DemoOptions& options, const Place& place, std::atomic<RawTerminal*>& shown) {
  ClusterOptions o;
  o.folder = place.folder;
  o.cluster = place.name;
  o.store = options.store;
  o.size = ClusterSize::usual(options.store);
  const bool is_shown = stdout_is_terminal() || ::isatty(STDERR_FILENO) == 1;
  auto cluster = Cluster::start(o, [&](const std::string& what) {
    if (is_shown) note("hy demo: " + what + " …");
  });
  if (!cluster) return complain(cluster.error());
  if (const auto file = announce((*cluster)->layout(), place.name); !file) {
    return complain(file.error());
  }
  Stage::Options people;
  people.stores = place.folder / "clients";
  if (const Status made = make_private(people.stores); !made) return complain(made.error());
  auto stage = Stage::open(**cluster, people);
  if (!stage) return complain(stage.error());
  note(headline(**cluster));
  const Exit exit = options.script.empty() ? run_interactive(options, **stage, shown)
                                           : run_script(options, **stage);
  stage->reset();
  (*cluster)->stop(options.keep.empty());
  return exit;
}

}  // namespace

Exit run_demo(const DemoOptions& given) {
  DemoOptions options = given;
  if (options.script.empty() && !is_interactive()) options.script = "hello";
  if (options.script == "corpus" && ::access(options.corpus_file.c_str(), R_OK) != 0) {
    return complain(Errc::kUsage,
                    "--script corpus FILE: cannot read \"" + options.corpus_file + "\"");
  }
  if (options.store == StoreKind::kMysql) {
    if (const std::string apt = missing_store_packages(); !apt.empty()) {
      return complain(Errc::kMissingPackage, "--store mysql needs MariaDB and Redis: " + apt);
    }
  }
  const auto place = make_place(options.keep);
  if (!place) return complain(place.error());
  std::vector<fs::path> remove{place->runtime / "clusters" / place->name};
  if (options.keep.empty()) remove.push_back(place->folder);
  auto janitor = Janitor::start(remove, {place->runtime / "clusters", place->runtime});
  if (!janitor) return complain(janitor.error());

  std::atomic<RawTerminal*> shown{nullptr};
  const StopSignal stop([&](int) {
    end_all_children();
    janitor->reset();
    if (RawTerminal* const terminal = shown) terminal->restore();
    ::_exit(static_cast<int>(Exit::kStopped));
  });
  const Exit exit = play(options, *place, shown);
  janitor->reset();
  return exit;
}

}  // namespace hy::cli
