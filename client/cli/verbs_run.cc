#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "client/cli/demo/demo.h"
#include "client/cli/up.h"
#include "client/cli/verbs.h"

namespace hy::cli {
namespace {

void add_store(CLI::App& verb, StoreKind& store) {
  verb.add_option_function<std::string>(
          "--store",
          [&store](const std::string& name) {
            store = name == "mysql" ? StoreKind::kMysql : StoreKind::kEmbedded;
          },
          "embedded: SQLite, nothing to install (default). mysql: a private MariaDB and Redis")
      ->check(CLI::IsMember({"embedded", "mysql"}));
}

void add_demo(CLI::App& app, Root& root) {
  auto o = std::make_shared<DemoOptions>();
  auto script = std::make_shared<std::vector<std::string>>();
  CLI::App* const verb = app.add_subcommand(
      "demo", "A whole cluster on this machine, two people talking, and keys that break things");
  add_store(*verb, o->store);
  verb->add_option("--script", *script,
                   "The same as text: hello, kill, store, unplug, drain, or corpus FILE")
      ->expected(1, 2);
  verb->add_option("--keep", o->keep, "Keep the files in this folder, and use them again");
  verb->add_option("--load", o->load_per_second, "Messages a second between alice and bob")
      ->check(CLI::Range(1, 20'000));
  verb->footer(
      "Examples:\n  hy demo\n  hy demo --store mysql --script kill --load 500\n"
      "  hy demo --script corpus /usr/share/common-licenses/GPL-3");
  verb->callback([o, script, &root] {
    root.run = [o, script] {
      static const std::vector<std::string> kScripts = {"hello",  "kill",  "store",
                                                        "unplug", "drain", "corpus"};
      if (!script->empty()) o->script = script->front();
      if (script->size() > 1) o->corpus_file = script->back();
      const bool is_known = o->script.empty() || std::find(kScripts.begin(), kScripts.end(),
                                                           o->script) != kScripts.end();
      if (!is_known || (o->script == "corpus") != (script->size() == 2)) {
        return complain(Errc::kUsage,
                        "--script is one of: hello, kill, store, unplug, drain, corpus FILE");
      }
      return run_demo(*o);
    };
  });
}

void add_up(CLI::App& app, Root& root) {
  auto o = std::make_shared<UpOptions>();
  auto folder = std::make_shared<std::string>();
  CLI::App* const verb =
      app.add_subcommand("up", "The same cluster in the background, in a folder that stays");
  verb->add_option("folder", *folder, "Where its files live (default: dev in the home folder)");
  add_store(*verb, o->store);
  verb->add_option("--set", o->settings, "key=value, as the daemons take it (repeatable)");
  verb->add_option("--ready-fd", o->ready_fd)->group("");
  verb->footer("Examples:\n  hy up\n  hy up /srv/hongyan-test --store mysql");
  verb->callback([o, folder, &root] {
    root.run = [o, folder] {
      o->folder = *folder;
      return o->ready_fd >= 0 ? run_up_background(*o) : run_up(*o);
    };
  });
}

}  // namespace

void add_run_verbs(CLI::App& app, Root& root) {
  add_demo(app, root);
  add_up(app, root);

  CLI::App* const down =
      app.add_subcommand("down", "Ends a cluster that hy up started; data stays");
  auto down_name = std::make_shared<std::string>();
  down->add_option("cluster", *down_name, "Its name (default: the one that runs)");
  down->footer("Examples:\n  hy down\n  hy down dev");
  down->callback([down_name, &root] {
    root.run = [down_name, &root] {
      return run_down(down_name->empty() ? root.profile : *down_name);
    };
  });

  CLI::App* const ps = app.add_subcommand("ps", "The running clusters: every daemon, ready or not");
  ps->footer("Examples:\n  hy ps\n  hy ps -o jsonl");
  ps->callback([&root] {
    root.run = [&root] { return run_ps(root.profile, static_cast<int>(root.output())); };
  });

  struct LogsOptions {
    std::string daemon;
    bool follow = false;
    int lines = 20;
  };
  auto l = std::make_shared<LogsOptions>();
  CLI::App* const logs = app.add_subcommand("logs", "The end of a daemon's log");
  logs->add_option("daemon", l->daemon, "entry-a, logic-b, das-a, mariadb …")->required();
  logs->add_flag("-f,--follow", l->follow, "Go on with what is added");
  logs->add_option("-n,--lines", l->lines, "Lines to begin with (default 20)");
  logs->footer("Examples:\n  hy logs entry-a\n  hy logs das-a -f");
  logs->callback([l, &root] {
    root.run = [l, &root] { return run_logs(root.profile, l->daemon, l->follow, l->lines); };
  });
}

}  // namespace hy::cli
