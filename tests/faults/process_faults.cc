#include "tests/faults/process_faults.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace hy::faults {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr Millis kStopsWithin{1'000};
constexpr int kLookEveryMs = 1;

/// The state letter of one thread stands behind the name's closing bracket.
char state_of(const fs::path& stat) {
  std::ifstream in(stat);
  std::string text;
  std::getline(in, text);
  const std::size_t at = text.rfind(')');
  return at == std::string::npos || at + 2 >= text.size() ? '?' : text[at + 2];
}

bool is_stopped(pid_t pid) {
  std::error_code gone;
  bool any = false;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
    any = true;
    if (state_of(task.path() / "stat") != 'T') return false;
  }
  return any;
}

fs::path find_library(const std::string& name) {
  for (const char* folder : {"/usr/lib/x86_64-linux-gnu/faketime",
                             "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"}) {
    if (::access((fs::path(folder) / name).c_str(), R_OK) == 0) return fs::path(folder) / name;
  }
  return {};
}

/// The limit bounds the numbers, not the count: the one below which `spare` numbers are free.
std::optional<int> limit_for(pid_t pid, int spare) {
  std::error_code gone;
  std::set<int> taken;
  for (const auto& fd : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone))
    taken.insert(std::atoi(fd.path().filename().c_str()));
  if (gone) return std::nullopt;
  int limit = 0;
  for (; spare > 0; ++limit) spare -= taken.contains(limit) ? 0 : 1;
  return limit;
}

}  // namespace

std::vector<std::string> with_environment(std::vector<std::string> argv,
                                          const std::vector<Environment>& environments) {
  std::map<std::string, std::string> all;
  for (const Environment& one : environments) {
    for (const auto& [name, value] : one) {
      std::string& have = all[name];
      have = name == "LD_PRELOAD" && !have.empty() ? have + ":" + value : value;
    }
  }
  std::vector<std::string> out{"/usr/bin/env"};
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  std::ranges::move(argv, std::back_inserter(out));
  return out;
}

struct Pauses::Impl {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<pid_t, Clock::time_point> until;
  bool is_ending = false;
  std::thread thread{[this] { work(); }};

  void work() {
    std::unique_lock lock(mutex);
    while (!is_ending) {
      if (until.empty()) {
        changed.wait(lock);
        continue;
      }
      const auto next = std::ranges::min_element(until, {}, [](const auto& p) { return p.second; });
      if (Clock::now() >= next->second) {
        ::kill(next->first, SIGCONT);
        until.erase(next);
      } else {
        changed.wait_until(lock, next->second);
      }
    }
  }
};

Pauses::Pauses() : impl_(std::make_unique<Impl>()) {}

Pauses::~Pauses() {
  resume_all();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_ending = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

Status Pauses::pause(pid_t pid, Millis duration) {
  if (pid <= 0 || ::kill(pid, SIGSTOP) != 0)
    return fail(Errc::kChildFailed, "no process " + std::to_string(pid));
  const auto begin = Clock::now();
  while (!is_stopped(pid)) {
    if (Clock::now() > begin + kStopsWithin) {
      ::kill(pid, SIGCONT);
      return fail(Errc::kTimedOut, "process " + std::to_string(pid) + " does not stop");
    }
    ::poll(nullptr, 0, kLookEveryMs);
  }
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->until[pid] = begin + duration;
  }
  impl_->changed.notify_all();
  return {};
}

void Pauses::resume(pid_t pid) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->until.erase(pid) > 0) ::kill(pid, SIGCONT);
}

void Pauses::resume_all() {
  const std::lock_guard lock(impl_->mutex);
  for (const auto& [pid, when] : impl_->until) ::kill(pid, SIGCONT);
  impl_->until.clear();
}

int open_descriptors(pid_t pid) {
  std::error_code gone;
  int count = 0;
  for (const auto& fd : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
    static_cast<void>(fd);
    ++count;
  }
  return gone ? -1 : count;
}

Result<DescriptorSqueeze> DescriptorSqueeze::begin(pid_t pid, int spare) {
  const auto limit = limit_for(pid, spare);
  rlimit old{};
  if (!limit || ::prlimit(pid, RLIMIT_NOFILE, nullptr, &old) != 0)
    return fail(Errc::kChildFailed, "no process " + std::to_string(pid));
  rlimit less = old;
  less.rlim_cur = std::min<rlim_t>(old.rlim_cur, static_cast<rlim_t>(*limit));
  if (::prlimit(pid, RLIMIT_NOFILE, &less, nullptr) != 0)
    return fail(Errc::kChildFailed, "cannot limit process " + std::to_string(pid));
  return DescriptorSqueeze(pid, old.rlim_cur, static_cast<int>(less.rlim_cur));
}

DescriptorSqueeze::DescriptorSqueeze(DescriptorSqueeze&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), old_soft_(other.old_soft_), limit_(other.limit_) {}
DescriptorSqueeze& DescriptorSqueeze::operator=(DescriptorSqueeze&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(old_soft_, other.old_soft_);
  std::swap(limit_, other.limit_);
  return *this;
}
DescriptorSqueeze::~DescriptorSqueeze() {
  restore();
}

void DescriptorSqueeze::restore() {
  const pid_t pid = std::exchange(pid_, -1);
  rlimit now{};
  if (pid <= 0 || ::prlimit(pid, RLIMIT_NOFILE, nullptr, &now) != 0) return;
  now.rlim_cur = std::min<rlim_t>(old_soft_, now.rlim_max);
  ::prlimit(pid, RLIMIT_NOFILE, &now, nullptr);
}

Result<WallClock> WallClock::make(fs::path file) {
  const fs::path library = find_library("libfaketimeMT.so.1");
  if (library.empty())
    return fail(Errc::kMissingPackage, "sudo apt-get install --no-install-recommends faketime");
  WallClock clock(std::move(file), library.string());
  HY_TRY_VOID(clock.set_offset(0));
  return clock;
}

Environment WallClock::environment() const {
  // platform.md §14: without these, monotonic time would jump as well, and a change of the file
  // would be seen after ten seconds.
  return {{"LD_PRELOAD", library_},
          {"FAKETIME_TIMESTAMP_FILE", file_.string()},
          {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
          {"FAKETIME_NO_CACHE", "1"},
          {"NO_FAKE_STAT", "1"}};
}

Status WallClock::set_offset(double seconds) const {
  const fs::path next = file_.string() + ".next";
  {
    std::ofstream out(next);
    out << std::showpos << std::fixed << seconds << "\n";
    if (!out.flush()) return fail(Errc::kChildFailed, "cannot write " + next.string());
  }
  std::error_code error;
  fs::rename(next, file_, error);
  if (error) return fail(Errc::kChildFailed, file_.string() + ": " + error.message());
  return {};
}

}  // namespace hy::faults
