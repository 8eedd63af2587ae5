#include "tests/peers/sitting/processes.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace hy::peers {
namespace {

std::string whole_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

double ticks_to_seconds(std::uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> found;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(tasks, gone)) {
    std::istringstream in(whole_file(task.path().string() + "/children"));
    for (pid_t child = 0; in >> child;) found.push_back(child);
  }
  return found;
}

}  // namespace

double cpu_seconds(pid_t pid) {
  const std::string text = whole_file("/proc/" + std::to_string(pid) + "/stat");
  if (text.empty()) return 0;
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string word;
  std::uint64_t ticks = 0;
  for (int field = 3; rest >> word && field <= 17; ++field) {
    if (field >= 14) ticks += std::stoull(word);  // utime, stime, cutime, cstime
  }
  double seconds = ticks_to_seconds(ticks);
  for (const pid_t child : children_of(pid)) seconds += cpu_seconds(child);
  return seconds;
}

double machine_cpu_seconds() {
  std::istringstream in(whole_file("/proc/stat"));
  std::string cpu;
  std::uint64_t user = 0;
  std::uint64_t nice = 0;
  std::uint64_t system = 0;
  std::uint64_t idle = 0;
  std::uint64_t iowait = 0;
  std::uint64_t irq = 0;
  std::uint64_t softirq = 0;
  in >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq;
  return ticks_to_seconds(user + nice + system + irq + softirq);
}

std::uint64_t private_bytes(pid_t pid) {
  std::istringstream in(whole_file("/proc/" + std::to_string(pid) + "/smaps_rollup"));
  std::uint64_t kib = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("Private_Clean:") && !line.starts_with("Private_Dirty:")) continue;
    kib += std::stoull(line.substr(line.find(':') + 1));
  }
  for (const pid_t child : children_of(pid)) kib += private_bytes(child) / 1'024;
  return kib * 1'024;
}

LoadProcess::LoadProcess(const std::vector<std::string>& argv) {
  int to_child[2];
  int from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe2");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const int error = posix_spawn(&pid_, args[0], &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(to_child[0]);
  ::close(from_child[1]);
  in_ = to_child[1];
  out_ = from_child[0];
  if (error != 0) throw std::runtime_error("cannot start " + argv[0]);
}

LoadProcess::~LoadProcess() {
  ::close(in_);  // the end of its commands is its end
  ::close(out_);
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

void LoadProcess::tell(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(in_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("the load program is gone");
  }
}

nlohmann::json LoadProcess::answer() {
  constexpr int kLongestMs = 330'000;
  for (;;) {
    if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
      const auto parsed = nlohmann::json::parse(text_.substr(0, end));
      text_.erase(0, end + 1);
      return parsed;
    }
    pollfd p{out_, POLLIN, 0};
    char buffer[65'536];
    if (::poll(&p, 1, kLongestMs) <= 0) throw std::runtime_error("the load program is silent");
    const ssize_t n = ::read(out_, buffer, sizeof buffer);
    if (n <= 0) throw std::runtime_error("the load program ended");
    text_.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace hy::peers
