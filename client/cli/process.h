#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/unique_fd.h"
#include "common/base/clock.h"
#include "common/base/result.h"

/// Programs that `hy` starts. Everything is ended by the process that was started, never by a name.
namespace hy::cli {

struct Command {
  std::vector<std::string> argv;   ///< argv[0] is a path, or a name to be found in $PATH
  std::filesystem::path log;       ///< stdout and stderr are appended; empty: /dev/null
  std::vector<std::string> env{};  ///< "NAME=value" beside what is inherited; takes its place
};

/// How a program ended, in words: "exit code 2", "killed by signal 9".
std::string exit_text(int wait_status);

/// One running program. Move-only; destruction does not end it (the supervisor does).
class Child {
 public:
  Child() = default;
  Child(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Readable when the program has ended.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  void signal(int number) const;
  /// Collects the program if it has ended; nullopt: still running.
  std::optional<int> try_wait();
  /// Waits at most `within`; nullopt: still running.
  std::optional<int> wait(Millis within);

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

/// Starts a program with stdin from /dev/null, in its own process group, with default signals and
/// without the caller's HY_ variables. It is killed when the calling *thread* ends
/// (PR_SET_PDEATHSIG), so call this from a thread that lives as long as the program should. Errors:
/// kChildFailed with the path and the reason.
Result<Child> spawn(const Command& command);

/// Runs a program to its end and returns what it printed (stdout and stderr together, at most
/// 1 MiB).
struct Finished {
  int code = -1;  ///< exit code; 128 + signal when killed
  std::string output;
};
Result<Finished> run(const Command& command, Millis within);

/// Kills every program that this process started and waits for their ends; no other one starts any
/// more. For the last moments of a process: a signal, while other threads are anywhere.
void end_all_children();

/// Resident memory of a process in bytes; 0 when it is gone.
std::size_t resident_bytes(pid_t pid);

/// The last `lines` lines of a file, for error messages.
std::string tail_of(const std::filesystem::path& file, int lines);

}  // namespace hy::cli
