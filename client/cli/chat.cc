#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <iostream>

#include "client/cli/demo/stage.h"
#include "client/cli/demo/view.h"
#include "client/cli/ladder.h"
#include "client/cli/talk.h"
#include "client/cli/terminal.h"
#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

constexpr Millis kTurn{100};
constexpr std::uint32_t kHistoryShown = 10;

/// What the SDK's thread tells the chat's own thread.
struct Events {
  std::mutex mutex;
  MessageQueue messages;
  std::deque<std::pair<ClientMsgId, Step>> steps;
  std::string link;
  LadderBook book;
};

class Chat {
 public:
  Chat(Session& session, Events& events, ConversationId conversation, std::string peer_name,
       bool show_ladder)
      : session_(session),
        events_(events),
        conversation_(conversation),
        peer_name_(std::move(peer_name)),
        show_ladder_(show_ladder) {}

  Exit run() {
    show_history();
    if (!is_interactive()) return run_pipe();
    RawTerminal terminal(false);
    say("— chat with " + peer_name_ + " · Enter sends · /ladder /who /quit —");
    while (!is_over_) {
      drain_events();
      print("\r\x1b[K> " + editor_.on_screen(std::max(20, terminal_size().columns - 4)));
      for (const Key& key : terminal.read(kTurn)) take(key);
    }
    print("\r\x1b[K");
    return Exit::kOk;
  }

 private:
  /// Without a terminal: lines of stdin are sent, messages are printed; the end of stdin is the
  /// end, once everything sent was answered.
  Exit run_pipe() {
    constexpr Millis kAnswerWithin{10'000};
    std::vector<Sent> sent;
    for (std::string line; std::getline(std::cin, line);) {
      auto one = send(line);
      if (!one) return complain(one.error());
      sent.push_back(*std::move(one));
      drain_events();
    }
    Exit worst = Exit::kOk;
    for (const Sent& one : sent) {
      one.wait(Step::kStored, kAnswerWithin);
      worst = std::max(worst, exit_for_step(one.step(), Step::kStored));
    }
    drain_events();
    return worst;
  }

  void show_history() {
    const auto past = session_.client().history(conversation_, Seq{}, Seq{}, kHistoryShown);
    if (!past) return;
    for (const Message& m : *past) show(m);
  }

  void show(const Message& m) {
    if (m.seq.value() > 0 && m.seq <= last_shown_) return;
    last_shown_ = std::max(last_shown_, m.seq);
    const std::string from = m.mine ? "you" : session_.name_of(m.sender);
    say(message_text(session_.readable(m), from, Format::kTable));
    if (!m.mine && m.seq.value() > 0) (void)session_.client().mark_read(m.conversation, m.seq);
  }

  void say(const std::string& line) { print("\r\x1b[K" + line + "\n"); }

  void drain_events() {
    while (!events_.messages.empty()) {
      const auto m = events_.messages.take(std::chrono::steady_clock::now());
      if (m && m->conversation == conversation_) show(*m);
    }
    std::deque<std::pair<ClientMsgId, Step>> steps;
    std::string link;
    {
      const std::lock_guard lock(events_.mutex);
      steps.swap(events_.steps);
      link.swap(events_.link);
    }
    if (!link.empty()) say("· " + link);
    for (const auto& [id, step] : steps) {
      if (step != Step::kQueued && step != Step::kSent) {
        say("  " + short_id(id) + " " + tick(step) + " " + step_text(step));
      }
    }
    if (!steps.empty() && show_ladder_) show_ladder();
  }

  void show_ladder() {
    const std::lock_guard lock(events_.mutex);
    if (const Ladder* const ladder = events_.book.latest(); ladder != nullptr) {
      for (const Rung& rung : ladder->rungs()) print(rung_text(rung) + "\n");
    }
  }

  void take(const Key& key) {
    if (key.kind == Key::Kind::kClosed ||
        (key.kind == Key::Kind::kControl && (key.text == "c" || key.text == "d"))) {
      is_over_ = true;
      return;
    }
    if (!editor_.key(key)) return;
    const std::string text = editor_.take();
    if (text == "/quit") {
      is_over_ = true;
    } else if (text == "/ladder") {
      show_ladder_ = !show_ladder_;
      show_ladder();
    } else if (text == "/who") {
      say(fmt::format("you are uid {}, at entry {}; here: {}", session_.client().uid().value(),
                      session_.client().entry(), who()));
    } else if (!text.empty()) {
      const auto sent = send(text);
      say(sent ? fmt::format("{} you   {}", short_id(sent->id()), printable(text))
               : error_text(sent.error().code, sent.error().detail));
    }
  }

  Result<Sent> send(const std::string& text) {
    hy::Client& client = session_.client();
    if (conversation_.is_group()) return client.send(Gid{conversation_.lo}, text);
    return client.send(conversation_.peer_of(client.uid()), text);
  }

  /// The other person, or the members of the group.
  std::string who() {
    if (!conversation_.is_group()) {
      const Uid peer = conversation_.peer_of(session_.client().uid());
      return fmt::format("{} (uid {})", peer_name_, peer.value());
    }
    const auto group = session_.client().group(Gid{conversation_.lo});
    if (!group) return error_text(group.error().code, group.error().detail);
    std::string out = group->name + " with";
    for (const GroupMember& m : group->members) {
      out += " " + session_.name_of(m.uid) + (m.owner ? " (owner)" : "");
    }
    return out;
  }

  Session& session_;
  Events& events_;
  ConversationId conversation_;
  std::string peer_name_;
  bool show_ladder_;
  bool is_over_ = false;
  Seq last_shown_{};
  LineEditor editor_;
};

}  // namespace

Exit run_chat(const Speaker& speaker, const std::string& peer, bool show_ladder) {
  Events events;
  auto session = Session::open(speaker, Slot::kDesktop, false, [&events](hy::Client& c) {
    c.on_message([&events](const Message& m) {
      if (!m.mine) events.messages.put(m);
    });
    c.on_step([&events](const ClientMsgId& id, Step step, Errc, Seq) {
      const std::lock_guard lock(events.mutex);
      events.steps.emplace_back(id, step);
    });
    c.on_ladder([&events](const LadderEvent& e) {
      const std::lock_guard lock(events.mutex);
      events.book.add("you", e);
    });
    c.on_state([&events](LinkState state, const std::string& why) {
      if (state != LinkState::kBackingOff && state != LinkState::kStopped) return;
      const std::lock_guard lock(events.mutex);
      events.link = std::string(link_state_name(state)) + (why.empty() ? "" : ": " + why);
    });
  });
  if (!session) return complain(session.error());
  const auto conversation = (*session)->find_conversation(peer);
  if (!conversation) return complain(conversation.error());
  const std::string name = (*session)->name_of(*conversation);
  const Exit exit = Chat(**session, events, *conversation, name, show_ladder).run();
  session->reset();  // its callbacks use `events`
  return exit;
}

}  // namespace hy::cli
