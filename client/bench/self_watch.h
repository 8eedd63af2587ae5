#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hy::bench {

/// What the kernel says of a process, as it is now. Zero where it says nothing
/// (the process is gone, or belongs to somebody else).
struct ProcessUse {
  double cpu_s = 0;            ///< user + system
  std::uint64_t resident = 0;  ///< bytes
};
ProcessUse process_use(pid_t pid);
/// Private memory in bytes: what the process alone pays (a walk over its pages:
/// not every second).
std::uint64_t private_bytes(pid_t pid);

/// Seconds that this thread waited for a core although it wanted to run
/// (schedstat(5)).
double run_queue_wait_s();
/// CPU of this process in seconds.
double own_cpu_s();

/// Busy seconds of the whole machine since it started, and those that a
/// hypervisor took away.
struct MachineUse {
  double busy_s = 0;
  double stolen_s = 0;
};
MachineUse machine_use();

/// "2 cores · Intel(R) Xeon(R) … · 23 GiB · Linux 6.18" of this machine.
struct MachineText {
  unsigned cores = 0;
  std::string cpu;
  std::uint64_t memory = 0;
  std::string kernel;
};
MachineText machine_text();

}  // namespace hy::bench
