#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/talk.h"
#include "client/cli/verbs.h"
#include "common/config/value_text.h"

namespace hy::cli {
namespace {

/// "-u" and "--as", which every talking verb has; --profile comes from the root.
std::shared_ptr<Speaker> add_speaker(CLI::App& verb) {
  auto s = std::make_shared<Speaker>();
  verb.add_option(
      "-u,--user", s->user,
      "Act as this person (else HY_USER, else who signed in last); a demo's alice, bob and "
      "carol need no login");
  verb.add_option("--as", s->as,
                  "Device kind: phone, pad, desktop, web or other; one session each");
  return s;
}

/// Runs `f` with the speaker complete.
template <class F>
void on_run(CLI::App& verb, Root& root, std::shared_ptr<Speaker> s, F f) {
  verb.callback([&root, s, f] {
    root.run = [&root, s, f] {
      s->profile = root.profile;
      return f(*s, root.output());
    };
  });
}

/// A duration option: 500ms, 10s, 2m.
CLI::Option* add_duration(CLI::App& verb, const std::string& name, Millis& value,
                          const std::string& text) {
  return verb
      .add_option_function<std::string>(
          name,
          [&value](const std::string& given) {
            const auto d = config::parse_duration(given);
            if (!d) throw CLI::ValidationError(d.error().detail);
            value = *d;
          },
          text)
      ->type_name("DURATION");
}

void add_login(CLI::App& app, Root& root) {
  CLI::App* const login =
      app.add_subcommand("login", "Asks for the password, keeps a token (0600)");
  auto s = std::make_shared<Speaker>();
  auto o = std::make_shared<LoginOptions>();
  login->add_option("name", o->name, "Who signs in")->required();
  login->add_option("--as", s->as, "Device kind: phone, pad, desktop, web or other");
  login->add_option("--password-file", o->password_file, "Its first line, instead of asking");
  login->add_option("--entry", o->entries, "IP:PORT of an entry on another host (repeatable)");
  login->add_option("--server-key", o->server_key, "The entries' public key: 64 hex digits");
  login->footer(
      "Examples:\n  hy login alice\n"
      "  hy login alice --profile prod --entry 203.0.113.10:14000 --server-key 8f0c…");
  on_run(*login, root, s, [o](const Speaker& who, Format) { return run_login(who, *o); });

  CLI::App* const logout = app.add_subcommand("logout", "Ends the session and forgets the token");
  auto out = add_speaker(*logout);
  logout->footer("Examples:\n  hy logout\n  hy logout -u alice");
  on_run(*logout, root, out, [](const Speaker& who, Format) { return run_logout(who); });

  CLI::App* const whoami = app.add_subcommand("whoami", "Who is signed in, and where");
  auto me = add_speaker(*whoami);
  whoami->footer("Examples:\n  hy whoami\n  hy whoami -o json");
  on_run(*whoami, root, me, [](const Speaker& who, Format f) { return run_whoami(who, f); });
}

void add_send(CLI::App& app, Root& root) {
  CLI::App* const send = app.add_subcommand("send", "One message, or one a line");
  auto s = add_speaker(*send);
  auto o = std::make_shared<SendOptions>();
  send->add_option("peer", o->peer, "Name, uid or group:GID")->required();
  send->add_option("text", o->words, "The message; several words are joined");
  send->add_flag("--stdin", o->from_stdin, "The message is what stdin holds");
  send->add_flag("--lines", o->is_lines, "With --stdin: one message a line, in order");
  send->add_option_function<std::string>(
          "--wait",
          [o](const std::string& w) {
            o->wait = w == "read"        ? Step::kRead
                      : w == "delivered" ? Step::kDelivered
                                         : Step::kStored;
          },
          "stored (default), delivered or read: exit code 0 only then; in a group to all others")
      ->check(CLI::IsMember({"stored", "delivered", "read"}));
  add_duration(*send, "--timeout", o->within, "How long to wait (default 10s)");
  send->add_flag("-v,--ladder", o->show_ladder, "Show the packets with their milliseconds");
  send->footer(
      "Exit codes: 0 reached · 5 refused · 6 RELAYED, not saved yet · 7 no answer; 6 and 7 stay in "
      "the "
      "outbox\nExamples:\n  hy send bob hi --wait delivered\n  hy send -u alice bob --stdin "
      "--lines "
      "< poem.txt");
  on_run(*send, root, s, [o](const Speaker& who, Format f) { return run_send(who, *o, f); });
}

void add_recv(CLI::App& app, Root& root) {
  CLI::App* const recv = app.add_subcommand("recv", "Prints messages as they come, one a line");
  auto s = add_speaker(*recv);
  auto o = std::make_shared<RecvOptions>();
  recv->add_option("--count", o->count, "End after so many (default: never)")
      ->check(CLI::Range(1, 1'000'000'000));
  CLI::Option* const timeout =
      add_duration(*recv, "--timeout", o->within,
                   "End after this time; exit code 7 when --count was not reached");
  recv->add_flag("--read", o->mark_read, "Tell the senders that they were read");
  recv->footer("Examples:\n  hy recv -u bob\n  hy recv -u bob --count 3 --timeout 10s -o jsonl");
  on_run(*recv, root, s, [o, timeout](const Speaker& who, Format f) {
    o->has_timeout = timeout->count() > 0;
    return run_recv(who, *o, f);
  });
}

void add_look_back(CLI::App& app, Root& root) {
  CLI::App* const history = app.add_subcommand("history", "The last messages with somebody");
  auto s = add_speaker(*history);
  auto peer = std::make_shared<std::string>();
  auto last = std::make_shared<int>(20);
  history->add_option("peer", *peer, "Name, uid or group:GID")->required();
  history->add_option("--last", *last, "How many (default 20)")->check(CLI::Range(1, 200));
  history->footer("Examples:\n  hy history bob\n  hy history -u alice bob --last 100 -o jsonl");
  on_run(*history, root, s,
         [peer, last](const Speaker& who, Format f) { return run_history(who, *peer, *last, f); });

  CLI::App* const recents =
      app.add_subcommand("recents", "Conversations, newest first, with unread");
  auto r = add_speaker(*recents);
  recents->footer("Examples:\n  hy recents\n  hy recents -u bob -o json");
  on_run(*recents, root, r, [](const Speaker& who, Format f) { return run_recents(who, f); });
}

void add_outbox(CLI::App& app, Root& root) {
  CLI::App* const outbox = app.add_subcommand("outbox", "What is not STORED yet");
  auto s = add_speaker(*outbox);
  auto verb = std::make_shared<std::string>("ls");
  auto id = std::make_shared<std::string>();
  outbox->add_option("verb", *verb, "ls (default), retry or drop")
      ->check(CLI::IsMember({"ls", "retry", "drop"}));
  outbox->add_option("id", *id, "With retry and drop: 32 hex digits");
  outbox->footer("Examples:\n  hy outbox\n  hy outbox retry 9f2c41d07be3405c8a1e6b2f90d1c7aa");
  on_run(*outbox, root, s,
         [verb, id](const Speaker& who, Format f) { return run_outbox(who, *verb, *id, f); });
}

void add_chat(CLI::App& app, Root& root) {
  CLI::App* const chat = app.add_subcommand("chat", "A conversation, line by line, with ticks");
  auto s = add_speaker(*chat);
  auto peer = std::make_shared<std::string>();
  auto ladder = std::make_shared<bool>(false);
  chat->add_option("peer", *peer, "Name, uid or group:GID")->required();
  chat->add_flag("-v,--ladder", *ladder, "Show the packets of each message");
  chat->footer("Examples:\n  hy chat bob\n  hy chat -u bob alice -v");
  on_run(*chat, root, s,
         [peer, ladder](const Speaker& who, Format) { return run_chat(who, *peer, *ladder); });

  for (const bool on : {true, false}) {
    CLI::App* const block = app.add_subcommand(
        on ? "block" : "unblock", on ? "Takes no messages from somebody" : "Takes them again");
    auto who = add_speaker(*block);
    auto name = std::make_shared<std::string>();
    block->add_option("peer", *name, "Name or uid")->required();
    block->footer(on ? "Examples:\n  hy block mallory\n  hy block -u bob mallory"
                     : "Examples:\n  hy unblock mallory\n  hy unblock -u bob mallory");
    on_run(*block, root, who,
           [name, on](const Speaker& speaker, Format) { return run_block(speaker, *name, on); });
  }
}

}  // namespace

void add_talk_verbs(CLI::App& app, Root& root) {
  add_login(app, root);
  add_send(app, root);
  add_recv(app, root);
  add_chat(app, root);
  add_look_back(app, root);
  add_outbox(app, root);
}

}  // namespace hy::cli
