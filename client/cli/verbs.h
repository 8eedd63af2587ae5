#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "common/base/clock.h"

namespace CLI {
class App;
}

/// The command tree. Each family adds its verbs to the root; parsing chooses one `run`.
namespace hy::cli {

/// Options that every verb has, and the verb that was chosen.
struct Root {
  std::string profile;
  std::string format = "table";
  std::function<Exit()> run;
  [[nodiscard]] Format output() const {
    if (format == "json") return Format::kJson;
    return format == "jsonl" ? Format::kJsonl : Format::kTable;
  }
};

void add_run_verbs(CLI::App& app, Root& root);    // demo up down ps logs
void add_talk_verbs(CLI::App& app, Root& root);   // login logout whoami send recv chat history …
void add_group_verbs(CLI::App& app, Root& root);  // group new|ls|members|add|rm|leave
void add_user_verbs(CLI::App& app, Root& root);   // user add|import|token|find|revoke
void add_tool_verbs(CLI::App& app, Root& root);   // config schema errors key trace version

/// A family of verbs that lives in a library of its own.
using AddVerbs = void (*)(CLI::App& app, Root& root);

/// Parses and runs; returns the exit code of the process.
int run_command_line(int argc, const char* const* argv, const std::vector<AddVerbs>& more = {});

}  // namespace hy::cli
