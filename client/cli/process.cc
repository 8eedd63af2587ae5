#include "client/cli/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <string>

namespace hy::cli {
namespace {

constexpr std::size_t kOutputBytesMax = 1'024 * 1'024;

/// The programs that run now, for end_all_children().
struct Family {
  std::mutex mutex;
  std::set<pid_t> pids;
  bool is_ending = false;
};
Family& family() {
  static Family* const it = new Family;  // never destroyed: threads may end after main
  return *it;
}

int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

/// What stands between fork and exec: everything that the child needs, made before, because after
/// fork in a program with threads only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> env;
  int in = -1;
  int out = -1;
  int error_pipe = -1;
  pid_t parent = -1;
};

[[noreturn]] void child_main(const Prepared& p) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != p.parent) ::_exit(127);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGQUIT, SIGTSTP, SIGTTOU}) {
    ::signal(number, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(p.in, 0);
  ::dup2(p.out, 1);
  ::dup2(p.out, 2);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execvpe(p.argv.front(), p.argv.data(), p.env.data());
  const int why = errno;
  if (::write(p.error_pipe, &why, sizeof why) < 0) ::_exit(126);
  ::_exit(127);
}

std::unexpected<Error> cannot_start(const std::string& program, int why) {
  return fail(Errc::kChildFailed, "cannot start " + program + ": " + std::strerror(why));
}

Result<Child> spawn_to(const Command& command, int out) {
  if (command.argv.empty()) return fail(Errc::kChildFailed, "empty command");
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return cannot_start(command.argv.front(), errno);
  const UniqueFd error_out(pipe_ends[0]);
  UniqueFd error_in(pipe_ends[1]);

  Prepared p;
  for (const std::string& arg : command.argv) p.argv.push_back(const_cast<char*>(arg.c_str()));
  p.argv.push_back(nullptr);
  // The daemons of a cluster are described by its files; a HY_ variable of the caller's shell would
  // change them, or be refused as unknown.
  for (const std::string& given : command.env) p.env.push_back(const_cast<char*>(given.c_str()));
  const auto is_given = [&command](std::string_view entry) {
    const std::string_view name = entry.substr(0, entry.find('=') + 1);
    return std::ranges::any_of(command.env, [name](const auto& e) { return e.starts_with(name); });
  };
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("HY_") && !is_given(*entry)) p.env.push_back(*entry);
  }
  p.env.push_back(nullptr);
  p.in = null.get();
  p.out = out >= 0 ? out : null.get();
  p.error_pipe = error_in.get();
  p.parent = ::getpid();
  const std::lock_guard lock(family().mutex);
  if (family().is_ending) return fail(Errc::kChildFailed, "stopping");
  const pid_t pid = ::fork();
  if (pid < 0) return cannot_start(command.argv.front(), errno);
  if (pid == 0) child_main(p);
  error_in.reset();
  int why = 0;
  ssize_t got = 0;
  do {
    got = ::read(error_out.get(), &why, sizeof why);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof why)) {
    ::waitpid(pid, nullptr, 0);
    return cannot_start(command.argv.front(), why);
  }
  family().pids.insert(pid);
  return Child(pid, UniqueFd(open_pidfd(pid)));
}

}  // namespace

std::string exit_text(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return "killed by signal " + std::to_string(WTERMSIG(wait_status));
  }
  return "exit code " + std::to_string(WEXITSTATUS(wait_status));
}

void Child::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

std::optional<int> Child::try_wait() {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  {
    const std::lock_guard lock(family().mutex);
    family().pids.erase(pid_);
  }
  pid_ = -1;
  return status;
}

std::optional<int> Child::wait(Millis within) {
  pollfd p{pidfd_.get(), POLLIN, 0};
  ::poll(&p, 1, static_cast<int>(within.count()));
  return try_wait();
}

Result<Child> spawn(const Command& command) {
  UniqueFd log;
  if (!command.log.empty()) {
    log = UniqueFd(::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!log) return cannot_start(command.argv.front(), errno);
  }
  return spawn_to(command, log.get());
}

Result<Finished> run(const Command& command, Millis within) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_start(command.argv.front(), errno);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  HY_TRY(Child child, spawn_to(command, to.get()));
  to.reset();
  const MonoTime deadline = std::chrono::steady_clock::now() + within;
  Finished done;
  char buffer[4096];
  for (;;) {
    const auto left =
        std::chrono::duration_cast<Millis>(deadline - std::chrono::steady_clock::now());
    pollfd p{from.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) <= 0) {
      child.signal(SIGKILL);
      child.wait(Millis(1'000));
      return fail(Errc::kTimedOut, command.argv.front() + " did not end in time");
    }
    const ssize_t n = ::read(from.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    if (done.output.size() < kOutputBytesMax)
      done.output.append(buffer, static_cast<std::size_t>(n));
  }
  const auto status = child.wait(within);
  if (!status) {
    child.signal(SIGKILL);
    child.wait(Millis(1'000));
    return fail(Errc::kTimedOut, command.argv.front() + " closed its output but did not end");
  }
  done.code = WIFSIGNALED(*status) ? 128 + WTERMSIG(*status) : WEXITSTATUS(*status);
  return done;
}

void end_all_children() {
  std::set<pid_t> pids;
  {
    const std::lock_guard lock(family().mutex);
    family().is_ending = true;
    pids = family().pids;
  }
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  for (const pid_t pid : pids) {
    siginfo_t info;
    // WNOWAIT: the supervisor's thread may be about to collect it.
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  }
}

std::size_t resident_bytes(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  if (!(in >> total >> resident)) return 0;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string tail_of(const std::filesystem::path& file, int lines) {
  constexpr std::streamoff kTailBytes = 16 * 1'024;
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const std::streamoff size = in.tellg();
  in.seekg(size > kTailBytes ? size - kTailBytes : 0);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  while (text.ends_with('\n')) text.pop_back();
  std::size_t at = text.size();
  for (int i = 0; i < lines && at != std::string::npos && at > 0; ++i) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

}  // namespace hy::cli
