#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace hy::bench {

/// Counts the system calls of a running process from outside, exactly: the kernel counts
/// (perf_event_open(2), tracepoint raw_syscalls:sys_enter), about 0.1 µs each. Threads that it
/// starts later count too. Heap allocations count where the process was started with the library of
/// tests/bench/count_allocations.cc before its others.
class CallCounter {
 public:
  /// Errors: kConfigUnreadable with what is missing: tracefs, or the right to count (root, or
  /// kernel.perf_event_paranoid).
  static Result<std::unique_ptr<CallCounter>> open(pid_t pid);
  ~CallCounter();
  CallCounter(const CallCounter&) = delete;
  CallCounter& operator=(const CallCounter&) = delete;

  struct Calls {
    std::uint64_t system_calls = 0;
    std::optional<std::uint64_t> allocations;  ///< nullopt: the process does not count them
  };
  /// Since open().
  [[nodiscard]] Calls read() const;

 private:
  CallCounter() = default;
  [[nodiscard]] std::uint64_t allocations_now() const;

  std::vector<int> events_;
  std::string count_file_;
  std::uint64_t allocations_before_ = 0;
};

}  // namespace hy::bench
