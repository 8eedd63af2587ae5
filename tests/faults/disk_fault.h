#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "tests/faults/process_faults.h"

namespace hy::faults {

struct DiskControl;  // shared memory with the shim: disk_control.h

/// What the shim libhy_disk_fault.so does to files below its prefix. All zero: nothing.
struct DiskFaultState {
  int write_errno = 0;      ///< ENOSPC, EIO …: write, pwrite, writev, fwrite, ftruncate, fallocate
  std::int64_t room = -1;   ///< ≥ 0: so many bytes may still be written, then ENOSPC; -1: any
  int sync_errno = 0;       ///< fsync, fdatasync, sync_file_range
  Millis sync_delay{0};     ///< added to every fsync and fdatasync
  std::string only_with{};  ///< only paths that contain this text ("-wal"); empty: all
};

struct DiskFaultCounters {
  std::uint64_t writes = 0;  ///< below the prefix, failed ones included
  std::uint64_t syncs = 0;
  std::uint64_t writes_failed = 0;  ///< by us
  std::uint64_t syncs_failed = 0;   ///< by us
  std::uint64_t syncs_delayed = 0;
  std::uint64_t undo_lost = 0;  ///< power-loss records that could not be kept; must be 0
};

/// A disk that fails, for processes started with environment(). One control file serves any number
/// of processes and is read by them through shared memory, so a change is seen at their next call.
/// MariaDB needs --innodb-use-native-aio=0 --innodb-flush-method=fsync, or its pages bypass libc.
class DiskFault {
 public:
  /// `control`: made here. `prefix`: folder or path prefix that fails. `power_loss`: keep what each
  /// unsynced write replaced, so that cut_power() can take it back (costs a copy of each write).
  /// `library`: libhy_disk_fault.so. Errors: kChildFailed.
  static Result<DiskFault> make(const std::filesystem::path& control,
                                const std::filesystem::path& prefix,
                                const std::filesystem::path& library, bool power_loss = false);
  DiskFault(DiskFault&&) noexcept;
  DiskFault& operator=(DiskFault&&) noexcept;
  ~DiskFault();

  [[nodiscard]] Environment environment() const;
  void set(const DiskFaultState& state);
  void heal() { set({}); }
  [[nodiscard]] DiskFaultCounters counters() const;

  /// Power loss, second half: call after SIGKILL of every process of this disk and before any of
  /// them starts again. Every write that no fsync or fdatasync of its file had confirmed is taken
  /// back, newest first. Names are kept (a new file stays, maybe empty; a rename stays).
  /// Returns how many writes were taken back. Errors: kChildFailed.
  Result<std::uint64_t> cut_power();

 private:
  DiskFault(std::filesystem::path control, std::filesystem::path library, DiskControl* shared);
  std::filesystem::path control_;
  std::filesystem::path library_;
  DiskControl* shared_ = nullptr;
};

}  // namespace hy::faults
