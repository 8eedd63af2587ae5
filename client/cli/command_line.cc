#include <CLI/CLI.hpp>

#include "client/cli/verbs.h"

namespace hy::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 ok · 1 failed · 2 usage, configuration or a missing package · 3 not found ·\n"
    "4 a message was lost, doubled or out of order · 5 refused · 6 partly (RELAYED) ·\n"
    "7 no answer · 8 no verdict · 130 stopped\n\n"
    "Examples:\n"
    "  hy demo                                 a cluster on this machine, two people talking\n"
    "  hy send -u alice bob hi --wait delivered";

}  // namespace

int run_command_line(int argc, const char* const* argv, const std::vector<AddVerbs>& more) {
  CLI::App app("hy: everything a person types to Hongyan");
  app.name("hy");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_help_flag("-h,--help", "This text; also after each verb");
  app.footer(kExitCodes);
  Root root;
  app.add_option("--profile", root.profile,
                 "Which cluster: a profile, or the name of a running demo or up cluster "
                 "(else HY_PROFILE, else the one that runs)");
  app.add_option("-o,--output", root.format, "table, json or jsonl")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
  add_run_verbs(app, root);
  add_talk_verbs(app, root);
  add_group_verbs(app, root);
  add_user_verbs(app, root);
  add_tool_verbs(app, root);
  for (const AddVerbs add : more) add(app, root);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : static_cast<int>(Exit::kUsage);
  }
  return static_cast<int>(root.run ? root.run() : Exit::kUsage);
}

}  // namespace hy::cli
