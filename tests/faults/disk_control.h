#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>

/// The memory that DiskFault and the shim share (one file, mapped by both), and the layout of the
/// undo log beside it. The shim is preloaded into programs that know nothing of us: plain types
/// alone.
namespace hy::faults {

inline constexpr std::uint32_t kDiskMagic = 0x48594446;  // "HYDF"
inline constexpr const char* kDiskControlVariable = "DISK_FAULT_CONTROL";
inline constexpr const char* kUndoSuffix = ".undo";
inline constexpr std::size_t kPathMax = 512;
inline constexpr std::size_t kTrackedFiles = 256;

/// What one file has written and synced, by the sequence numbers of the undo log.
struct TrackedFile {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t last_write = 0;
  std::uint64_t synced = 0;
};

struct DiskControl {
  std::uint32_t magic = kDiskMagic;
  std::uint32_t keeps_undo = 0;
  char prefix[kPathMax] = {};
  char only_with[kPathMax] = {};  // written while the shim reads: a torn text misses one call
  std::atomic<std::int32_t> write_errno{0};
  std::atomic<std::int32_t> sync_errno{0};
  std::atomic<std::int64_t> room{-1};
  std::atomic<std::uint64_t> sync_delay_us{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> syncs{0};
  std::atomic<std::uint64_t> writes_failed{0};
  std::atomic<std::uint64_t> syncs_failed{0};
  std::atomic<std::uint64_t> syncs_delayed{0};
  std::atomic<std::uint64_t> undo_lost{0};
  // The rest under `mutex` (process-shared, robust: its holder may be killed).
  pthread_mutex_t mutex = {};
  std::uint64_t next_sequence = 1;
  std::uint64_t undo_bytes = 0;
  TrackedFile files[kTrackedFiles] = {};
};

enum class UndoKind : std::uint32_t { kWrite = 1, kSync = 2 };

/// One record of the undo log, followed by path_bytes and old_bytes.
struct UndoRecord {
  std::uint32_t magic = kDiskMagic;
  UndoKind kind = UndoKind::kWrite;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t sequence = 0;  // kSync: everything up to here is durable
  std::uint64_t offset = 0;
  std::uint64_t old_size = 0;
  std::uint64_t old_bytes = 0;
  std::uint64_t path_bytes = 0;
};

}  // namespace hy::faults
