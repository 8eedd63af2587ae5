#include "client/cli/private_folder.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace hy::cli {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::unexpected<Error> file_error(const fs::path& path, int why) {
  return fail(Errc::kConfigUnreadable, path.string() + ": " + std::strerror(why));
}

/// Programs that were killed together with their parent may write for a moment longer.
void remove_stubbornly(const std::vector<fs::path>& paths, const std::vector<fs::path>& prune) {
  constexpr int kTries = 40;
  constexpr int kPauseMs = 25;
  for (int i = 0; i < kTries; ++i) {
    bool is_clean = true;
    for (const fs::path& path : paths) {
      std::error_code ignored;
      fs::remove_all(path, ignored);
      is_clean = is_clean && !fs::exists(fs::symlink_status(path, ignored));
    }
    if (is_clean) break;
    ::poll(nullptr, 0, kPauseMs);
  }
  for (const fs::path& path : prune) ::rmdir(path.c_str());
}

}  // namespace

Status make_private(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return file_error(path, errno);
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return file_error(path, errno);
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid()) {
    return fail(Errc::kUnsafeStart, path.string() + " does not belong to this user");
  }
  if ((info.st_mode & 0077) != 0 && ::chmod(path.c_str(), 0700) != 0)
    return file_error(path, errno);
  return {};
}

Result<fs::path> runtime_folder() {
  if (const std::string xdg = environment("XDG_RUNTIME_DIR"); !xdg.empty()) {
    // After `su` the variable may name a folder that is gone or closed to us.
    const fs::path folder = fs::path(xdg) / "hongyan";
    if (make_private(folder)) return folder;
  }
  const std::string tmp = environment("TMPDIR");
  const fs::path folder =
      fs::path(tmp.empty() ? "/tmp" : tmp) / ("hongyan-" + std::to_string(::geteuid()));
  HY_TRY_VOID(make_private(folder));
  return folder;
}

Result<fs::path> home_folder() {
  fs::path folder;
  if (const std::string home = environment("HY_HOME"); !home.empty()) {
    folder = home;
  } else if (const std::string data = environment("XDG_DATA_HOME"); !data.empty()) {
    folder = fs::path(data) / "hongyan";
  } else if (const std::string user = environment("HOME"); !user.empty()) {
    folder = fs::path(user) / ".local/share/hongyan";
  } else {
    return fail(Errc::kUsage, "neither HOME nor HY_HOME is set");
  }
  HY_TRY_VOID(make_private(folder));
  return folder;
}

Status write_private(const fs::path& path, std::string_view content) {
  const fs::path fresh = path.string() + ".new";
  const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd || ::fchmod(fd.get(), 0600) != 0) return file_error(fresh, errno);
  while (!content.empty()) {
    const ssize_t n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(fresh, errno);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return file_error(path, errno);
  return {};
}

Result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return file_error(path, errno);
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

std::string random_hex(Random& random, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  random.fill(bytes);
  return to_hex(bytes);
}

Result<std::unique_ptr<Janitor>> Janitor::start(std::vector<fs::path> paths,
                                                std::vector<fs::path> prune) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Errc::kInternal, std::strerror(errno));
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(Errc::kInternal, std::strerror(errno));
  if (pid > 0) return std::unique_ptr<Janitor>(new Janitor(pid, std::move(write_end)));
  ::setsid();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(number, SIG_IGN);
  write_end.reset();
  // A pipe or terminal of the caller must not be held open by this process.
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) ::dup2(null, fd);
  char byte = 0;
  while (::read(read_end.get(), &byte, 1) < 0 && errno == EINTR) {
  }
  remove_stubbornly(paths, prune);
  ::_exit(0);
}

Janitor::~Janitor() {
  pipe_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace hy::cli
