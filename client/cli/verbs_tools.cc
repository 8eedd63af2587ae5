#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/tools.h"
#include "client/cli/verbs.h"

namespace hy::cli {
namespace {

constexpr const char* kVersion = "hy 0.1.0, client protocol 1";

void add_config(CLI::App& app, Root& root) {
  CLI::App* const config = app.add_subcommand("config", "Checks configuration files");
  config->require_subcommand(1);
  CLI::App* const check = config->add_subcommand(
      "check", "All mistakes of hongyan.toml and topology.toml, with the fix");
  auto file = std::make_shared<std::string>("/etc/hongyan/hongyan.toml");
  auto settings = std::make_shared<std::vector<std::string>>();
  check->add_option("file", *file, "hongyan.toml (default /etc/hongyan/hongyan.toml)");
  check->add_option("--set", *settings, "key=value, as the daemons take it (repeatable)");
  check->footer("Examples:\n  hy config check\n  hy config check ./hongyan.toml");
  check->callback([file, settings, &root] {
    root.run = [file, settings] { return run_config_check(*file, *settings); };
  });
}

void add_schema(CLI::App& app, Root& root) {
  CLI::App* const schema = app.add_subcommand("schema", "The store's tables: status, apply");
  schema->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  for (const char* verb_name : {"status", "apply"}) {
    const std::string name = verb_name;
    CLI::App* const verb = schema->add_subcommand(
        name, name == "status" ? "Which steps are applied" : "Applies the missing steps");
    verb->add_option("--config", *file, "hongyan.toml (default: the running cluster's)");
    verb->footer("Examples:\n  hy schema " + name + "\n  hy schema " + name +
                 " --config /etc/hongyan/hongyan.toml");
    verb->callback([file, name, &root] {
      root.run = [file, name, &root] { return run_schema(root.profile, *file, name); };
    });
  }
}

void add_key(CLI::App& app, Root& root) {
  CLI::App* const key = app.add_subcommand("key", "Secrets of the daemons");
  key->require_subcommand(1);
  CLI::App* const fresh = key->add_subcommand("new", "A new secret in a file of its own (0600)");
  auto kind = std::make_shared<std::string>();
  auto file = std::make_shared<std::string>();
  fresh
      ->add_option("kind", *kind,
                   "noise (entry.noise_key), token (logic.token_key) or operator "
                   "(logic.operator_token)")
      ->required()
      ->check(CLI::IsMember({"noise", "token", "operator"}));
  fresh->add_option("file", *file, "Where to write it; must not exist")->required();
  fresh->footer(
      "Examples:\n  hy key new noise /etc/hongyan/secrets/noise.key\n"
      "  hy key new token /etc/hongyan/secrets/token.key");
  fresh->callback(
      [kind, file, &root] { root.run = [kind, file] { return run_key_new(*kind, *file); }; });
}

}  // namespace

void add_tool_verbs(CLI::App& app, Root& root) {
  add_config(app, root);
  add_schema(app, root);
  add_key(app, root);

  CLI::App* const errors = app.add_subcommand("errors", "What a code means and what to do");
  auto code = std::make_shared<std::string>();
  errors->add_option("code", *code, "HY-7001, 7001 or rate_limited (default: the whole table)");
  errors->footer("Examples:\n  hy errors HY-7001\n  hy errors -o json");
  errors->callback(
      [code, &root] { root.run = [code, &root] { return run_errors(*code, root.output()); }; });

  CLI::App* const trace = app.add_subcommand("trace", "What became of one message, hop by hop");
  auto id = std::make_shared<std::string>();
  trace->add_option("id", *id, "client_msg_id (32 hex digits), or CONVERSATION:SEQ")->required();
  trace->footer("Examples:\n  hy trace 9f2c41d07be3405c8a1e6b2f90d1c7aa\n  hy trace 1:2:3");
  trace->callback([id, &root] {
    root.run = [id, &root] {
      Speaker speaker;
      speaker.profile = root.profile;
      return run_trace(speaker, *id, root.output());
    };
  });

  CLI::App* const version = app.add_subcommand("version", "Version of hy and of the protocol");
  version->footer("Examples:\n  hy version\n  hy version && hy demo");
  version->callback([&root] {
    root.run = [] {
      print(std::string(kVersion) + "\n");
      return Exit::kOk;
    };
  });
}

}  // namespace hy::cli
