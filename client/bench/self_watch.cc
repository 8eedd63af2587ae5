#include "client/bench/self_watch.h"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

namespace hy::bench {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

double ticks_s(std::uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessUse process_use(pid_t pid) {
  const std::string text = read_text("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return {};
  std::istringstream rest(text.substr(after_name + 1));
  ProcessUse out;
  std::string word;
  // Fields of proc(5), counted from the one after the name: 14 utime, 15 stime,
  // 24 rss.
  for (int field = 3; field <= 24 && rest >> word; ++field) {
    if (field == 14 || field == 15) out.cpu_s += ticks_s(std::stoull(word));
    if (field == 24)
      out.resident = std::stoull(word) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  return out;
}

std::uint64_t private_bytes(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::uint64_t kib = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("Private_Clean:") && !line.starts_with("Private_Dirty:")) continue;
    std::istringstream fields(line.substr(line.find(':') + 1));
    std::uint64_t value = 0;
    fields >> value;
    kib += value;
  }
  return kib * 1'024;
}

double run_queue_wait_s() {
  std::ifstream in("/proc/thread-self/schedstat");
  std::uint64_t ran = 0;
  std::uint64_t waited = 0;
  in >> ran >> waited;
  return static_cast<double>(waited) * 1e-9;
}

double own_cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

MachineUse machine_use() {
  std::ifstream in("/proc/stat");
  std::string word;
  std::uint64_t fields[8] = {};
  in >> word;
  for (std::uint64_t& field : fields) in >> field;
  // user nice system idle iowait irq softirq steal
  return {.busy_s = ticks_s(fields[0] + fields[1] + fields[2] + fields[5] + fields[6]),
          .stolen_s = ticks_s(fields[7])};
}

MachineText machine_text() {
  MachineText out;
  out.cores = std::thread::hardware_concurrency();
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    out.cpu = line.substr(line.find(':') + 2);
    break;
  }
  out.memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
               static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  utsname names{};
  ::uname(&names);
  out.kernel = std::string(names.sysname) + " " + names.release;
  return out;
}

}  // namespace hy::bench
