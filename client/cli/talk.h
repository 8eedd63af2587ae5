#pragma once

#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

namespace hy::cli {

struct LoginOptions {
  std::string name;
  std::string password_file;  ///< empty: asked on the terminal, or the first line of stdin
  std::vector<std::string> entries;
  std::string server_key;
};
Exit run_login(const Speaker& speaker, const LoginOptions& options);
Exit run_logout(const Speaker& speaker);
Exit run_whoami(const Speaker& speaker, Format format);

struct SendOptions {
  std::string peer;
  std::vector<std::string> words;  ///< joined by spaces
  bool from_stdin = false;
  bool is_lines = false;  ///< one message a line
  Step wait = Step::kStored;
  Millis within{10'000};
  bool show_ladder = false;
};
Exit run_send(const Speaker& speaker, const SendOptions& options, Format format);
/// The exit code for the step that a message reached, when `wanted` was asked for.
Exit exit_for_step(Step reached, Step wanted);

struct RecvOptions {
  int count = 0;  ///< 0: until the time is over, or for ever
  Millis within{0};
  bool has_timeout = false;
  bool mark_read = false;
};
Exit run_recv(const Speaker& speaker, const RecvOptions& options, Format format);

/// How many of a group's other members have a message, or have read it.
struct GroupReach {
  std::size_t reached = 0;
  std::size_t others = 0;
  [[nodiscard]] bool is_all() const { return reached == others; }
};
/// Counts what a group's receipts say of `seq`. Pure.
GroupReach count_reach(const Group& group, Uid self, const std::vector<MemberReceipt>& receipts,
                       Seq seq, bool read);

struct GroupNewOptions {
  std::string name;
  std::vector<std::string> members;
};
Exit run_group_new(const Speaker& speaker, const GroupNewOptions& options, Format format);
Exit run_group_ls(const Speaker& speaker, Format format);
Exit run_group_members(const Speaker& speaker, const std::string& group, Format format);
/// Adds or removes people; `leave`: oneself, and `people` is empty.
enum class GroupVerb : std::uint8_t { kAdd, kRemove, kLeave };
Exit run_group_change(const Speaker& speaker, GroupVerb verb, const std::string& group,
                      const std::vector<std::string>& people, Format format);

Exit run_history(const Speaker& speaker, const std::string& peer, int last, Format format);
Exit run_recents(const Speaker& speaker, Format format);
Exit run_outbox(const Speaker& speaker, const std::string& verb, const std::string& id,
                Format format);
Exit run_block(const Speaker& speaker, const std::string& peer, bool on);
Exit run_chat(const Speaker& speaker, const std::string& peer, bool show_ladder);

/// One message as a person ("12:00:04 bob  hi") or a program reads it.
std::string message_text(const Message& message, const std::string& from, Format format);
std::string step_text(Step step);

}  // namespace hy::cli
