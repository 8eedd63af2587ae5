#include "client/cli/up.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>

#include "client/cli/cluster.h"
#include "client/cli/output.h"
#include "client/cli/profile.h"
#include "client/cli/stop_signal.h"
#include "common/http/http_get.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
constexpr Millis kUpWithin{90'000};
constexpr Millis kDownWithin{60'000};
constexpr Millis kReadyzWithin{500};
constexpr Millis kFollow{200};

Result<fs::path> up_folder(const fs::path& given) {
  if (!given.empty()) return fs::absolute(given);
  HY_TRY(const fs::path home, home_folder());
  return home / "dev";
}

/// Two supervisors in one folder would fight over its sockets: the lock is held while it runs.
UniqueFd lock_folder(const fs::path& folder) {
  UniqueFd fd(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
  return fd;
}

/// Sockets in the cluster's own folder are shown without it.
std::string shown_address(const std::string& address, const fs::path& folder) {
  const std::string prefix = "unix:" + folder.string() + "/";
  return address.starts_with(prefix) ? "unix:" + address.substr(prefix.size()) : address;
}

/// One line to the waiting foreground process: "ok", or what went wrong.
void report(int fd, const std::string& text) {
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t n = ::write(fd, left.data(), left.size());
    if (n <= 0) break;
    left.remove_prefix(static_cast<std::size_t>(n));
  }
  ::close(fd);
}

/// Starts this program again in a session of its own, with a pipe to hear from it.
Result<int> start_background(const UpOptions& options, const fs::path& folder) {
  int ends[2];
  if (::pipe(ends) != 0) return fail(Errc::kInternal, std::strerror(errno));
  ::fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  const std::string fd_text = std::to_string(ends[1]);
  const std::string store(store_kind_name(options.store));
  const std::string path = folder.string();
  const fs::path log = folder / "up.log";
  std::vector<std::string> arguments{"hy", "up", path, "--store", store, "--ready-fd", fd_text};
  for (const std::string& setting : options.settings)
    arguments.insert(arguments.end(), {"--set", setting});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(Errc::kChildFailed, std::strerror(errno));
  if (pid == 0) {
    ::setsid();
    const int null = ::open("/dev/null", O_RDONLY);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(null, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv("/proc/self/exe", argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  return ends[0];
}

std::string read_all(int fd, Millis within) {
  std::string out;
  char buffer[1024];
  pollfd p{fd, POLLIN, 0};
  while (::poll(&p, 1, static_cast<int>(within.count())) > 0) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return out;
}

}  // namespace

Exit run_up(const UpOptions& options) {
  const auto folder = up_folder(options.folder);
  if (!folder) return complain(folder.error());
  if (const Status made = make_private(*folder); !made) return complain(made.error());
  if (const UniqueFd lock = lock_folder(*folder); !lock) {
    note("hy up: a cluster already runs in " + folder->string() + " (hy ps, hy down)");
    return Exit::kFailed;
  }
  note("hy up: starting in " + folder->string() + " …");
  const auto pipe = start_background(options, *folder);
  if (!pipe) return complain(pipe.error());
  const std::string answer = read_all(*pipe, kUpWithin);
  if (!answer.starts_with("ok")) {
    note("hy up: " +
         (answer.empty() ? "it did not come up; see " + (*folder / "up.log").string() : answer));
    return Exit::kFailed;
  }
  print(answer.substr(3));
  return Exit::kOk;
}

Exit run_up_background(const UpOptions& options) {
  ::fcntl(options.ready_fd, F_SETFD, FD_CLOEXEC);
  const auto folder = up_folder(options.folder);
  if (!folder) return complain(folder.error());
  const UniqueFd lock = lock_folder(*folder);
  if (!lock) {
    report(options.ready_fd, "a cluster already runs in " + folder->string());
    return Exit::kFailed;
  }
  std::mutex mutex;
  std::condition_variable stopped;
  bool is_stopping = false;
  const StopSignal stop([&](int) {
    const std::lock_guard guard(mutex);
    is_stopping = true;
    stopped.notify_all();
  });
  ClusterOptions o;
  o.folder = *folder;
  o.cluster = folder->filename().string();
  o.store = options.store;
  o.size = ClusterSize::usual(options.store);
  o.more_settings = options.settings;
  auto cluster = Cluster::start(o);
  if (!cluster) {
    report(options.ready_fd, error_text(cluster.error().code, cluster.error().detail));
    return exit_for(cluster.error().code);
  }
  const auto file = announce((*cluster)->layout(), o.cluster);
  if (!file) {
    report(options.ready_fd, error_text(file.error().code, file.error().detail));
    return Exit::kFailed;
  }
  std::string text = fmt::format("{} is up in {}: {} daemons, store {}\n", o.cluster,
                                 duration_text((*cluster)->start_took()), o.size.total(),
                                 store_kind_name(o.store));
  for (const std::string& entry : (*cluster)->layout().entry_addresses())
    text += "entry " + entry + "\n";
  text += "server key " + (*cluster)->layout().server_key_hex + "\n";
  text += "next: hy user add alice · hy login alice · hy ps · hy logs entry-a -f · hy down\n";
  report(options.ready_fd, "ok\n" + text);
  {
    std::unique_lock guard(mutex);
    stopped.wait(guard, [&] { return is_stopping; });
  }
  std::error_code ignored;
  fs::remove(*file, ignored);
  (*cluster)->stop(false);
  return Exit::kOk;
}

Exit run_down(const std::string& name) {
  const auto cluster = running_cluster(name);
  if (!cluster) return complain(cluster.error());
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, cluster->pid, 0)));
  if (!pidfd || ::kill(cluster->pid, SIGTERM) != 0) {
    return complain(Errc::kUnreachableServer, cluster->name + " has already ended");
  }
  pollfd p{pidfd.get(), POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(kDownWithin.count())) <= 0) {
    return complain(Errc::kTimedOut, cluster->name + " is still stopping");
  }
  note(cluster->name + " is down; its data stays in " + cluster->folder.string());
  return Exit::kOk;
}

Exit run_ps(const std::string& name, int format) {
  auto all = running_clusters();
  if (!all) return complain(all.error());
  if (!name.empty()) {
    auto one = running_cluster(name);
    if (!one) return complain(one.error());
    all = std::vector<RunningCluster>{*std::move(one)};
  }
  if (all->empty()) {
    note("no cluster of yours runs on this host (hy demo, hy up)");
    return Exit::kNotFound;
  }
  Table table({"cluster", "daemon", "address", "admin", "ready", "missing"});
  bool is_all_ready = true;
  for (const RunningCluster& cluster : *all) {
    for (const DaemonPlace& d : cluster.daemons) {
      const auto answer = http::get(d.admin, "/readyz", kReadyzWithin);
      const bool is_ready = answer && answer->status == 200;
      is_all_ready = is_all_ready && is_ready;
      table.add({cluster.name, d.name(), shown_address(d.address, cluster.folder), d.admin,
                 is_ready,
                 is_ready ? std::string()
                 : answer ? answer->body
                          : "no answer"});
    }
  }
  print(table.text(static_cast<Format>(format)));
  return is_all_ready ? Exit::kOk : Exit::kFailed;
}

Exit run_logs(const std::string& name, const std::string& daemon, bool follow, int lines) {
  const auto cluster = running_cluster(name);
  if (!cluster) return complain(cluster.error());
  fs::path file = cluster->folder / "log" / (daemon + ".log");
  if (daemon == "mariadb" || daemon == "redis")
    file = cluster->folder / "store" / (daemon + ".log");
  std::error_code error;
  if (!fs::exists(file, error)) {
    std::string names;
    for (const DaemonPlace& d : cluster->daemons) names += " " + d.name();
    note("hy: there is no " + daemon + "; there are:" + names);
    return Exit::kNotFound;
  }
  print(tail_of(file, lines) + "\n");
  std::ifstream in(file, std::ios::ate);
  while (follow) {
    std::string line;
    while (std::getline(in, line)) print(line + "\n");
    in.clear();
    ::poll(nullptr, 0,
           static_cast<int>(kFollow.count()));  // files have no end that one could wait for
  }
  return Exit::kOk;
}

}  // namespace hy::cli
