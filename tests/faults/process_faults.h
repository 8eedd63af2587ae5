#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace hy::faults {

/// Variables for a program, as (name, value).
using Environment = std::vector<std::pair<std::string, std::string>>;

/// Puts /usr/bin/env and the variables in front of a command line. env executes the program in its
/// own place, so the pid that was started is the pid of the program. LD_PRELOAD of several
/// environments is joined. Names with HY_ are refused by the daemons: none of ours has it.
std::vector<std::string> with_environment(std::vector<std::string> argv,
                                          const std::vector<Environment>& environments);

/// SIGSTOP and SIGCONT with a duration, for any number of processes at once. One thread of its own
/// ends the pauses; the destructor ends those that are left. Any thread.
class Pauses {
 public:
  Pauses();
  ~Pauses();
  Pauses(const Pauses&) = delete;
  Pauses& operator=(const Pauses&) = delete;

  /// Returns when the kernel says that every thread of `pid` is stopped (≤ 1 s). A second pause of
  /// the same process replaces the end of the first. Errors: kChildFailed (gone), kTimedOut.
  Status pause(pid_t pid, Millis duration);
  /// Ends a pause before its time. Nothing when there is none.
  void resume(pid_t pid);
  void resume_all();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Takes descriptors away from a running process: RLIMIT_NOFILE's soft limit down until
/// `spare` numbers are free; the old limit returns with restore() or the destructor. What is open
/// stays open.
class DescriptorSqueeze {
 public:
  /// Errors: kChildFailed (gone, or not ours).
  static Result<DescriptorSqueeze> begin(pid_t pid, int spare);
  DescriptorSqueeze(DescriptorSqueeze&& other) noexcept;
  DescriptorSqueeze& operator=(DescriptorSqueeze&& other) noexcept;
  ~DescriptorSqueeze();
  void restore();
  [[nodiscard]] int limit() const { return limit_; }

 private:
  DescriptorSqueeze(pid_t pid, std::uint64_t old_soft, int limit)
      : pid_(pid), old_soft_(old_soft), limit_(limit) {}
  pid_t pid_ = -1;
  std::uint64_t old_soft_ = 0;
  int limit_ = 0;
};

/// Descriptors that a process holds now; -1 when it is gone.
int open_descriptors(pid_t pid);

/// Wall-clock jumps by libfaketime (Debian package faketime) for every process that was started
/// with environment(). Monotonic time goes on unchanged. Not together with AddressSanitizer, which
/// aborts under libfaketime (platform.md §14).
class WallClock {
 public:
  /// `file`: made here, read by the processes at each call of the clock. Errors: kMissingPackage
  /// with the apt line; kChildFailed (the file cannot be written).
  static Result<WallClock> make(std::filesystem::path file);
  /// For with_environment().
  [[nodiscard]] Environment environment() const;
  /// Seconds that are added to the true wall clock from now on; 0: the true one. Also fractions.
  /// Thread-safe towards the readers: the file is replaced by rename.
  Status set_offset(double seconds) const;

 private:
  explicit WallClock(std::filesystem::path file, std::string library)
      : file_(std::move(file)), library_(std::move(library)) {}
  std::filesystem::path file_;
  std::string library_;
};

}  // namespace hy::faults
