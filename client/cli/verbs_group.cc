#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/talk.h"
#include "client/cli/verbs.h"

namespace hy::cli {
namespace {

std::shared_ptr<Speaker> add_speaker(CLI::App& verb) {
  auto s = std::make_shared<Speaker>();
  verb.add_option("-u,--user", s->user,
                  "Act as this person (else HY_USER, else who signed in last)");
  verb.add_option("--as", s->as, "Device kind: phone, pad, desktop, web or other");
  return s;
}

template <class F>
void on_run(CLI::App& verb, Root& root, std::shared_ptr<Speaker> s, F f) {
  verb.callback([&root, s, f] {
    root.run = [&root, s, f] {
      s->profile = root.profile;
      return f(*s, root.output());
    };
  });
}

void add_new(CLI::App& group, Root& root) {
  CLI::App* const verb = group.add_subcommand("new", "Makes a group; you own it");
  auto s = add_speaker(*verb);
  auto o = std::make_shared<GroupNewOptions>();
  verb->add_option("name", o->name, "What it is called: 1 to 64 bytes")->required();
  verb->add_option("members", o->members, "Who is in it besides you: names or uids");
  verb->footer("Examples:\n  hy group new friends bob carol\n  hy group new -u alice team bob");
  on_run(*verb, root, s, [o](const Speaker& who, Format f) { return run_group_new(who, *o, f); });
}

void add_look(CLI::App& group, Root& root) {
  CLI::App* const ls = group.add_subcommand("ls", "The groups you are in, newest first");
  auto s = add_speaker(*ls);
  ls->footer("Examples:\n  hy group ls\n  hy group ls -u bob -o json");
  on_run(*ls, root, s, [](const Speaker& who, Format f) { return run_group_ls(who, f); });

  CLI::App* const members = group.add_subcommand("members", "Who is in a group");
  auto m = add_speaker(*members);
  auto gid = std::make_shared<std::string>();
  members->add_option("group", *gid, "group:7, or 7")->required();
  members->footer("Examples:\n  hy group members 7\n  hy group members group:7 -o json");
  on_run(*members, root, m,
         [gid](const Speaker& who, Format f) { return run_group_members(who, *gid, f); });
}

void add_change(CLI::App& group, Root& root, GroupVerb kind, const char* name, const char* text,
                const char* examples) {
  CLI::App* const verb = group.add_subcommand(name, text);
  auto s = add_speaker(*verb);
  auto gid = std::make_shared<std::string>();
  auto people = std::make_shared<std::vector<std::string>>();
  verb->add_option("group", *gid, "group:7, or 7")->required();
  if (kind != GroupVerb::kLeave) {
    verb->add_option("people", *people, "Names or uids")->required();
  }
  verb->footer(examples);
  on_run(*verb, root, s, [kind, gid, people](const Speaker& who, Format f) {
    return run_group_change(who, kind, *gid, *people, f);
  });
}

}  // namespace

void add_group_verbs(CLI::App& app, Root& root) {
  CLI::App* const group =
      app.add_subcommand("group", "Chat groups: new, ls, members, add, rm, leave");
  group->require_subcommand(1);
  group->footer(
      "A group is written group:GID in hy send, chat and history. Who joins sees what is written\n"
      "from then on; who is removed keeps what is on his devices.\n\n"
      "Examples:\n  hy group new friends bob carol\n  hy send group:7 hello --wait delivered");
  add_new(*group, root);
  add_look(*group, root);
  add_change(*group, root, GroupVerb::kAdd, "add", "Takes people in; the owner may",
             "Examples:\n  hy group add 7 dave\n  hy group add -u alice group:7 dave erin");
  add_change(*group, root, GroupVerb::kRemove, "rm", "Removes people; the owner may",
             "Examples:\n  hy group rm 7 dave\n  hy group rm -u alice group:7 dave erin");
  add_change(*group, root, GroupVerb::kLeave, "leave",
             "Leaves a group; an owner hands it to who is in longest",
             "Examples:\n  hy group leave 7\n  hy group leave -u bob group:7");
}

}  // namespace hy::cli
