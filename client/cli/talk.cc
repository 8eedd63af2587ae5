#include "client/cli/talk.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "client/cli/demo/stage.h"
#include "client/cli/ladder.h"
#include "client/cli/private_folder.h"
#include "client/cli/text_width.h"
#include "common/base/secret.h"

namespace hy::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Without echo on a terminal; the first line of stdin otherwise, so scripts are never asked.
Result<Secret> read_password(const LoginOptions& o) {
  std::string line;
  if (!o.password_file.empty()) {
    HY_TRY(const std::string text, read_file(o.password_file));
    return Secret(text.substr(0, text.find('\n')));
  }
  if (::isatty(STDIN_FILENO) == 0) {
    if (!std::getline(std::cin, line)) return fail(Errc::kUsage, "no password on stdin");
    return Secret(std::move(line));
  }
  std::cerr << "password of " << o.name << ": " << std::flush;
  termios before{};
  ::tcgetattr(STDIN_FILENO, &before);
  termios quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  const bool has_line = static_cast<bool>(std::getline(std::cin, line));
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::cerr << "\n";
  if (!has_line) return fail(Errc::kUsage, "no password");
  return Secret(std::move(line));
}

}  // namespace

std::string step_text(Step step) {
  return std::string(step_name(step));
}

std::string message_text(const Message& m, const std::string& from, Format format) {
  if (format == Format::kTable) {
    const std::string body =
        m.kind == 2 ? fmt::format("({} bytes)", m.body.size()) : printable(m.body);
    return clock_text(m.server_ms) + " " + fit(from, std::max(5, display_width(from))) + " " +
           body + (m.provisional ? "  ◌ not saved yet" : "");
  }
  const bool is_text = is_valid_utf8(m.body);
  Table table({"conversation", "seq", "from", "uid", "id", "kind", is_text ? "text" : "body_hex",
               "server_ms", "provisional"});
  table.add({fmt::format("{}:{}", m.conversation.hi, m.conversation.lo), m.seq.value(), from,
             m.sender.value(), m.client_msg_id.to_hex(), m.kind,
             is_text ? std::string(m.body) : to_hex(as_bytes(m.body)), m.server_ms, m.provisional});
  return table.json_row(0);
}

Exit run_login(const Speaker& speaker, const LoginOptions& o) {
  Slot slot = speaker.as.empty() ? Slot::kDesktop : slot_from_name(speaker.as);
  if (slot == Slot::kNone) {
    return complain(Errc::kUsage, "--as is one of: phone, pad, desktop, web, other");
  }
  auto target = o.entries.empty()
                    ? find_target(speaker.profile)
                    : save_profile(speaker.profile.empty() ? "default" : speaker.profile, o.entries,
                                   o.server_key);
  if (!target) return complain(target.error());
  auto password = read_password(o);
  if (!password) return complain(password.error());
  Person person;
  person.name = o.name;
  person.slot = slot;
  person.folder = target->people / o.name;
  if (const Status made = make_private(target->people); !made) return complain(made.error());
  if (const Status made = make_private(person.folder); !made) return complain(made.error());
  hy::Client client(sdk_options(*target, person));
  Credentials c;
  c.name = o.name;
  c.password = password->reveal();
  if (const Status in = client.login(std::move(c), speaker.within); !in)
    return complain(in.error());
  person.uid = client.uid();
  person.token = client.session_token();
  if (const Status kept = keep_person(*target, person); !kept) return complain(kept.error());
  note(fmt::format("signed in to {} as {} (uid {}, {}); the token is in {}", target->name,
                   person.name, person.uid.value(), slot_name(slot), person.folder.string()));
  return Exit::kOk;
}

Exit run_logout(const Speaker& speaker) {
  auto session = Session::open(speaker, Slot::kDesktop, true);
  if (!session) return complain(session.error());
  (*session)->client().logout();
  const Person person = (*session)->person();
  const Target target = (*session)->target();
  session->reset();
  if (const Status gone = forget_person(target, person.name); !gone) return complain(gone.error());
  note("signed out " + person.name);
  return Exit::kOk;
}

Exit run_whoami(const Speaker& speaker, Format format) {
  const auto target = find_target(speaker.profile);
  if (!target) return complain(target.error());
  const auto person = find_person(*target, speaker.user, Slot::kDesktop);
  if (!person) return complain(person.error());
  Table table({"name", "uid", "slot", "cluster"});
  table.add({person->name, person->uid.value(), slot_name(person->slot), target->name});
  print(table.text(format));
  return Exit::kOk;
}

Exit run_recv(const Speaker& speaker, const RecvOptions& o, Format format) {
  MessageQueue queue;
  auto session = Session::open(speaker, Slot::kDesktop, true, [&queue](hy::Client& c) {
    c.on_message([&queue](const Message& m) {
      if (!m.mine) queue.put(m);
    });
  });
  if (!session) return complain(session.error());
  const MonoTime deadline =
      o.has_timeout ? Clock::now() + o.within : Clock::now() + std::chrono::hours(24 * 365);
  int left = o.count;
  while (o.count == 0 || left > 0) {
    const auto message = queue.take(deadline);
    if (!message) break;
    // A program reads the group from `conversation`.
    const bool tells_group = message->conversation.is_group() && format == Format::kTable;
    const std::string from = (tells_group ? (*session)->name_of(message->conversation) + " " : "") +
                             (*session)->name_of(message->sender);
    print(message_text((*session)->readable(*message), from, format) + "\n");
    if (o.mark_read && message->seq.value() > 0) {
      (void)(*session)->client().mark_read(message->conversation, message->seq);
    }
    --left;
  }
  if (o.count > 0 && left > 0) {
    return complain(Errc::kTimedOut,
                    fmt::format("{} of {} messages came", o.count - left, o.count));
  }
  return Exit::kOk;
}

Exit run_history(const Speaker& speaker, const std::string& peer, int last, Format format) {
  auto session = Session::open(speaker, Slot::kOther);
  if (!session) return complain(session.error());
  const auto conversation = (*session)->find_conversation(peer);
  if (!conversation) return complain(conversation.error());
  const auto messages =
      (*session)->client().history(*conversation, Seq{}, Seq{}, static_cast<std::uint32_t>(last));
  if (!messages) return complain(messages.error());
  for (const Message& m : *messages) {
    print(message_text((*session)->readable(m), (*session)->name_of(m.sender), format) + "\n");
  }
  return Exit::kOk;
}

Exit run_recents(const Speaker& speaker, Format format) {
  constexpr std::uint32_t kLimit = 100;
  constexpr int kPreview = 40;
  auto session = Session::open(speaker, Slot::kOther);
  if (!session) return complain(session.error());
  const auto recents = (*session)->client().recents(kLimit);
  if (!recents) return complain(recents.error());
  Table table({"when", "peer", "unread", "head", "last"});
  for (const ConversationInfo& c : *recents) {
    const std::string text = !c.last ? ""
                             : c.last->kind == 2
                                 ? "(bytes)"
                                 : clip(printable((*session)->readable(*c.last).body), kPreview);
    std::string peer = (*session)->name_of(c.conversation);
    if (!c.group_name.empty()) peer += " " + c.group_name;
    table.add({clock_text(c.head_ms), peer, c.unread, c.head.value(), text});
  }
  print(table.text(format));
  return Exit::kOk;
}

Exit run_outbox(const Speaker& speaker, const std::string& verb, const std::string& id,
                Format format) {
  auto session = Session::open(speaker, Slot::kOther, true);
  if (!session) return complain(session.error());
  hy::Client& client = (*session)->client();
  if (verb == "ls") {
    Table table({"id", "to", "step", "bytes", "text"});
    constexpr int kPreview = 30;
    for (const auto& [m, step] : client.outbox()) {
      table.add({m.client_msg_id.to_hex(), (*session)->name_of(m.conversation), step_text(step),
                 m.body.size(), clip(printable(m.body), kPreview)});
    }
    print(table.text(format));
    return Exit::kOk;
  }
  const auto bytes = from_hex(id);
  if (!bytes || bytes->size() != 16) {
    return complain(Errc::kUsage, "an id is 32 hex digits: hy outbox ls shows them");
  }
  const ClientMsgId message = ClientMsgId::from_bytes(*bytes);
  const Status done = verb == "retry" ? client.retry(message) : client.drop(message);
  if (!done) return complain(done.error());
  return Exit::kOk;
}

Exit run_block(const Speaker& speaker, const std::string& peer, bool on) {
  auto session = Session::open(speaker, Slot::kOther);
  if (!session) return complain(session.error());
  const auto uid = (*session)->find(peer);
  if (!uid) return complain(uid.error());
  if (const Status done = (*session)->client().block(*uid, on); !done)
    return complain(done.error());
  return Exit::kOk;
}

}  // namespace hy::cli
