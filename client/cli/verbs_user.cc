#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "client/cli/cluster.h"
#include "client/cli/operator_client.h"
#include "client/cli/private_folder.h"
#include "client/cli/profile.h"
#include "client/cli/verbs.h"
#include "common/base/bytes.h"
#include "common/config/value_text.h"
#include "common/crypto/system_random.h"

namespace hy::cli {
namespace {

constexpr Millis kOperatorWithin{10'000};
constexpr Millis kImportWithin{600'000};
constexpr std::size_t kPasswordBytes = 12;

struct UserOptions {
  std::vector<std::string> names;
  std::string password_file;
  bool has_no_password = false;
  std::string prefix = "u";
  std::int64_t count = 0;
  std::int64_t first = 1;
  std::string file;
  std::string slot = "phone";
  std::string device = "load-%u";
  std::string life = "30d";
  std::string logic;
  std::string token_file;
};

Result<std::unique_ptr<OperatorClient>> open_door(const UserOptions& o, const Root& root) {
  if (!o.logic.empty()) {
    return OperatorClient::open({{o.logic}, o.token_file}, kOperatorWithin);
  }
  HY_TRY(const Target target, find_target(root.profile));
  HY_TRY(const OperatorAccess access, operator_access(target));
  return OperatorClient::open(access, kOperatorWithin);
}

/// A number or a name as a uid.
Result<std::vector<Uid>> uids_of(OperatorClient& door, const std::vector<std::string>& names) {
  HY_TRY(const auto found, door.find_users(names, {}, kOperatorWithin));
  std::vector<Uid> out;
  for (const std::string& name : names) {
    const auto at = std::find_if(found.begin(), found.end(),
                                 [&name](const Account& a) { return a.name == name; });
    if (at == found.end()) return fail(Errc::kUnknownUser, "\"" + name + "\"");
    out.push_back(at->uid);
  }
  return out;
}

Exit add_users(const UserOptions& o, const Root& root) {
  crypto::SystemRandom random;
  std::string password;
  if (!o.password_file.empty()) {
    const auto text = read_file(o.password_file);
    if (!text) return complain(text.error());
    password = text->substr(0, text->find('\n'));
  }
  auto door = open_door(o, root);
  if (!door) return complain(door.error());
  std::vector<Account> accounts;
  for (const std::string& name : o.names) {
    std::string own = !password.empty() ? password : random_hex(random, kPasswordBytes);
    accounts.push_back({Uid{}, name, o.has_no_password ? std::string() : std::move(own)});
  }
  if (const Status made = (*door)->add_users(accounts, kOperatorWithin); !made) {
    return complain(made.error());
  }
  const bool is_ours = password.empty() && !o.has_no_password;
  Table table(is_ours ? std::vector<std::string>{"uid", "name", "password"}
                      : std::vector<std::string>{"uid", "name"});
  for (const Account& a : accounts) {
    if (is_ours) {
      table.add({a.uid.value(), a.name, a.password});
    } else {
      table.add({a.uid.value(), a.name});
    }
  }
  print(table.text(root.output()));
  return Exit::kOk;
}

/// A bar on a terminal, one line at the end for a pipe.
std::function<void(std::size_t)> progress_of(const char* what, std::int64_t total) {
  const bool is_shown = ::isatty(STDERR_FILENO) == 1;
  return [what, total, is_shown](std::size_t done) {
    if (is_shown) std::cerr << fmt::format("\r{} {}/{}", what, done, total) << std::flush;
    if (is_shown && static_cast<std::int64_t>(done) == total) std::cerr << "\n";
  };
}

Exit import_users(const UserOptions& o, const Root& root) {
  const auto life = config::parse_duration(o.life);
  if (!life) return complain(life.error());
  auto door = open_door(o, root);
  if (!door) return complain(door.error());
  const MonoTime start = std::chrono::steady_clock::now();
  std::vector<Account> accounts;
  for (std::int64_t i = 0; i < o.count; ++i) {
    accounts.push_back({Uid{}, o.prefix + std::to_string(o.first + i), {}});
  }
  const Status made = (*door)->add_users(accounts, kImportWithin, progress_of("users", o.count));
  if (!made) return complain(made.error());
  std::vector<Uid> uids;
  for (const Account& a : accounts) uids.push_back(a.uid);
  const auto tokens = (*door)->make_tokens(uids, slot_from_name(o.slot), o.device,
                                           std::chrono::duration_cast<std::chrono::seconds>(*life),
                                           kImportWithin, progress_of("tokens", o.count));
  if (!tokens) return complain(tokens.error());
  std::string text = "uid\tname\ttoken\n";
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    text += fmt::format("{}\t{}\t{}\n", accounts[i].uid.value(), accounts[i].name,
                        to_hex(as_bytes((*tokens)[i])));
  }
  if (const Status kept = write_private(o.file, text); !kept) return complain(kept.error());
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start);
  note(fmt::format("{} users in {}; uid, name and token are in {} (0600)", o.count,
                   duration_text(took), o.file));
  return Exit::kOk;
}

Exit make_tokens(const UserOptions& o, const Root& root) {
  const auto life = config::parse_duration(o.life);
  if (!life) return complain(life.error());
  auto door = open_door(o, root);
  if (!door) return complain(door.error());
  const auto uids = uids_of(**door, o.names);
  if (!uids) return complain(uids.error());
  const auto tokens = (*door)->make_tokens(*uids, slot_from_name(o.slot), o.device,
                                           std::chrono::duration_cast<std::chrono::seconds>(*life),
                                           kOperatorWithin);
  if (!tokens) return complain(tokens.error());
  Table table({"uid", "name", "token"});
  for (std::size_t i = 0; i < uids->size(); ++i) {
    table.add({(*uids)[i].value(), o.names[i], to_hex(as_bytes((*tokens)[i]))});
  }
  print(table.text(root.output()));
  return Exit::kOk;
}

Exit find_users(const UserOptions& o, const Root& root) {
  auto door = open_door(o, root);
  if (!door) return complain(door.error());
  const auto found = (*door)->find_users(o.names, {}, kOperatorWithin);
  if (!found) return complain(found.error());
  Table table({"uid", "name"});
  for (const Account& a : *found) table.add({a.uid.value(), a.name});
  print(table.text(root.output()));
  return found->size() == o.names.size() ? Exit::kOk : Exit::kNotFound;
}

Exit revoke_users(const UserOptions& o, const Root& root) {
  auto door = open_door(o, root);
  if (!door) return complain(door.error());
  const auto uids = uids_of(**door, o.names);
  if (!uids) return complain(uids.error());
  const Slot slot = o.slot == "all" ? Slot::kNone : slot_from_name(o.slot);
  for (const Uid uid : *uids) {
    if (const Status done = (*door)->revoke(uid, slot, kOperatorWithin); !done) {
      return complain(done.error());
    }
  }
  return Exit::kOk;
}

CLI::App* add_verb(CLI::App& user, Root& root, const std::shared_ptr<UserOptions>& o,
                   const char* name, const char* sentence,
                   Exit (*run)(const UserOptions&, const Root&)) {
  CLI::App* const verb = user.add_subcommand(name, sentence);
  verb->add_option("--logic", o->logic, "Address of a logic, instead of the running cluster's");
  verb->add_option("--token-file", o->token_file, "With --logic: the file of logic.operator_token");
  verb->callback([o, &root, run] { root.run = [o, &root, run] { return run(*o, root); }; });
  return verb;
}

}  // namespace

void add_user_verbs(CLI::App& app, Root& root) {
  CLI::App* const user = app.add_subcommand("user", "Accounts: add, import, token, find, revoke");
  user->require_subcommand(1);
  const auto slots = CLI::IsMember({"phone", "pad", "desktop", "web", "other"});

  auto add = std::make_shared<UserOptions>();
  CLI::App* verb = add_verb(*user, root, add, "add", "Makes accounts and prints them", add_users);
  verb->add_option("name", add->names, "One or more names")->required();
  verb->add_option("--password-file", add->password_file,
                   "Its first line is the password (default: a random one is printed)");
  verb->add_flag("--no-password", add->has_no_password, "Token logins only");
  verb->footer("Examples:\n  hy user add alice bob\n  hy user add carol --password-file carol.pw");

  auto import = std::make_shared<UserOptions>();
  verb = add_verb(*user, root, import, "import", "Makes many accounts with tokens, for load tests",
                  import_users);
  verb->add_option("--prefix", import->prefix, "Names are PREFIX and a number (default u)");
  verb->add_option("--count", import->count, "How many")
      ->required()
      ->check(CLI::Range(1, 10'000'000));
  verb->add_option("--first", import->first, "First number (default 1)");
  verb->add_option("--file", import->file, "Where uid, name and token go, as TSV")->required();
  verb->add_option("--slot", import->slot, "Device kind of the tokens (default phone)")
      ->check(slots);
  verb->add_option("--device", import->device, "Device id of the tokens; %u becomes the uid");
  verb->add_option("--life", import->life, "How long the tokens live (default 30d)");
  verb->footer(
      "Examples:\n  hy user import --count 20000 --file users.tsv\n"
      "  hy user import --prefix load --count 500 --first 501 --file more.tsv");

  auto token = std::make_shared<UserOptions>();
  token->device = "hy";
  verb = add_verb(*user, root, token, "token", "Login tokens for existing users", make_tokens);
  verb->add_option("name", token->names, "One or more names")->required();
  verb->add_option("--slot", token->slot, "Device kind (default phone)")->check(slots);
  verb->add_option("--device", token->device, "Device id that the token is bound to (default hy)");
  verb->add_option("--life", token->life, "How long they live (default 30d)");
  verb->footer(
      "Examples:\n  hy user token alice\n  hy user token bob --slot web --life 1h -o json");

  auto find = std::make_shared<UserOptions>();
  verb = add_verb(*user, root, find, "find", "The uids of names", find_users);
  verb->add_option("name", find->names, "One or more names")->required();
  verb->footer("Examples:\n  hy user find alice\n  hy user find alice bob -o jsonl");

  auto revoke = std::make_shared<UserOptions>();
  revoke->slot = "all";
  verb = add_verb(*user, root, revoke, "revoke", "Ends sign-ins: their tokens stop working",
                  revoke_users);
  verb->add_option("name", revoke->names, "One or more names")->required();
  verb->add_option("--slot", revoke->slot, "Only this device kind (default all)");
  verb->footer("Examples:\n  hy user revoke mallory\n  hy user revoke alice --slot phone");
}

}  // namespace hy::cli
