// Judges a folder of histories: hy_judge FOLDER [--lines 10] [--no-speed] [--placement]
// Exit codes: 0 clean, 4 a promise was broken, 8 no verdict (evidence is missing or unreadable).
#include <CLI/CLI.hpp>
#include <cstdio>

#include "client/judge/file/history_file.h"
#include "client/judge/judge.h"

int main(int argc, char** argv) {
  std::string folder;
  std::size_t lines = 10;
  hy::judge::Rules rules;
  bool is_slow = false;
  CLI::App app("what the clients saw, held against what was promised");
  app.add_option("folder", folder, "device-*.jsonl, store.jsonl, …")->required();
  app.add_option("--lines", lines, "violations of each checker that are written out");
  app.add_flag("--no-speed", is_slow, "do not judge C-AVAIL, C-FLOW and C-RECOVER");
  app.add_flag("--placement", rules.needs_placement, "routers and entries must have been read");
  CLI11_PARSE(app, argc, argv);
  rules.judges_speed = !is_slow;
  const auto evidence = hy::judge::read_evidence(folder);
  if (!evidence) {
    std::printf("%s\nno verdict\n",
                hy::error_text(evidence.error().code, evidence.error().detail).c_str());
    return 8;
  }
  const hy::judge::Verdict verdict = hy::judge::judge(*evidence, rules);
  std::fputs(verdict.text(lines).c_str(), stdout);
  return verdict.exit_code();
}
