#include "client/bench/call_count.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace hy::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemCallId = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";
constexpr std::string_view kCountFile = "/hy-allocations.";
constexpr std::size_t kSlotBytes = 64;  // tests/bench/count_allocations.cc: a count in each

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> out;
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", ignored))
    out.push_back(std::stoi(task.path().filename()));
  return out;
}

/// The file in which the process counts its allocations; empty: it does not.
std::string count_file_of(pid_t pid) {
  std::istringstream maps(text_of("/proc/" + std::to_string(pid) + "/maps"));
  for (std::string line; std::getline(maps, line);) {
    if (line.find(kCountFile) != std::string::npos) return line.substr(line.find('/'));
  }
  return {};
}

Error impossible(const std::string& why) {
  return {Errc::kConfigUnreadable, "system calls cannot be counted: " + why, {}};
}

}  // namespace

Result<std::unique_ptr<CallCounter>> CallCounter::open(pid_t pid) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.inherit = 1;
  std::istringstream id(text_of(kSystemCallId));
  if (!(id >> attributes.config))
    return std::unexpected(
        impossible(std::string(kSystemCallId) +
                   " cannot be read; as root: mount -t tracefs tracefs /sys/kernel/tracing"));
  std::unique_ptr<CallCounter> out(new CallCounter());
  for (const pid_t thread : threads_of(pid)) {
    const auto event = static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC));
    if (event < 0 && errno == ESRCH) continue;  // it ended meanwhile
    if (event < 0) return std::unexpected(impossible(std::strerror(errno)));
    out->events_.push_back(event);
  }
  out->count_file_ = count_file_of(pid);
  out->allocations_before_ = out->allocations_now();
  return out;
}

CallCounter::~CallCounter() {
  for (const int event : events_) ::close(event);
}

std::uint64_t CallCounter::allocations_now() const {
  const std::string slots = text_of(count_file_);
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + kSlotBytes <= slots.size(); at += kSlotBytes) {
    std::uint64_t one = 0;
    std::memcpy(&one, slots.data() + at, sizeof one);
    sum += one;
  }
  return sum;
}

CallCounter::Calls CallCounter::read() const {
  Calls out;
  for (const int event : events_) {
    std::uint64_t one = 0;
    if (::read(event, &one, sizeof one) == sizeof one) out.system_calls += one;
  }
  if (!count_file_.empty()) out.allocations = allocations_now() - allocations_before_;
  return out;
}

}  // namespace hy::bench
