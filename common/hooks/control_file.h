#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/hooks/sync_points.h"

namespace hy::hooks {

/// What a process does when it comes to an armed place.
enum class Deed : std::uint32_t {
  kNone,
  kKill,   ///< SIGKILL to itself
  kStop,   ///< SIGSTOP to itself; somebody else has to continue it
  kDelay,  ///< the thread waits there
};

/// One place in the control file. Shared between processes: plain atomics, no pointers.
struct PointSlot {
  std::atomic<std::uint64_t> hits;      ///< since the file was made, over all restarts
  std::atomic<std::uint64_t> fired;     ///< how often an armed deed was done
  std::atomic<std::int64_t> countdown;  ///< hits until the deed; 1: the next one
  std::atomic<std::uint32_t> deed;      ///< a Deed; back to kNone when it fires
  std::atomic<std::uint32_t> delay_ms;  ///< for Deed::kDelay
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// A small memory-mapped file, one per process under test: the test arms places in it and reads how
/// often they were reached, also while the process is stopped and after it is dead. Slots stand in
/// the order of kSyncPoints. Move-only; any thread.
class ControlFile {
 public:
  /// Makes the file, all counts zero. Errors: kInternal with the path.
  static Result<ControlFile> create(const std::filesystem::path& file);
  /// Maps a file that create() made. Errors: kInternal (missing, of another build).
  static Result<ControlFile> open(const std::filesystem::path& file);
  ControlFile() = default;
  ~ControlFile();
  ControlFile(ControlFile&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  ControlFile& operator=(ControlFile&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }

  /// The n-th next hit of `point` does `deed`; `delay`: for kDelay alone.
  void arm(std::string_view point, Deed deed, std::int64_t nth, std::uint32_t delay_ms) const;
  /// Takes an armed deed back that has not fired.
  void disarm(std::string_view point) const;
  [[nodiscard]] std::uint64_t hits(std::string_view point) const;
  [[nodiscard]] std::uint64_t fired(std::string_view point) const;
  /// Slot of a name of kSyncPoints; nullptr: no such name.
  [[nodiscard]] PointSlot* slot(std::string_view point) const;

 private:
  explicit ControlFile(void* memory) : memory_(memory) {}
  static Result<ControlFile> map(const std::filesystem::path& file, int flags);
  void* memory_ = nullptr;
};

}  // namespace hy::hooks
