#include "tests/faults/disk_fault.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <new>

#include "client/cli/unique_fd.h"
#include "tests/faults/disk_control.h"

namespace hy::faults {
namespace {

namespace fs = std::filesystem;

fs::path undo_file(const fs::path& control) {
  return control.string() + kUndoSuffix;
}

std::unexpected<Error> broken(const fs::path& what) {
  return fail(Errc::kChildFailed, what.string() + ": " + std::strerror(errno));
}

void copy_text(char (&to)[kPathMax], const std::string& from) {
  const std::size_t n = std::min(from.size(), kPathMax - 1);
  std::memset(to, 0, kPathMax);
  std::memcpy(to, from.data(), n);
}

void init_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t kind;
  ::pthread_mutexattr_init(&kind);
  ::pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(&mutex, &kind);
  ::pthread_mutexattr_destroy(&kind);
}

struct Undo {
  UndoRecord record;
  std::string path;
  std::string bytes;
};

/// The writes that no sync has confirmed, oldest first. A record that was cut by the kill itself is
/// of a write that never happened.
std::vector<Undo> unsynced(const fs::path& log) {
  std::ifstream in(log, std::ios::binary);
  std::vector<Undo> writes;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> synced;
  for (;;) {
    Undo undo;
    if (!in.read(reinterpret_cast<char*>(&undo.record), sizeof undo.record)) break;
    const UndoRecord& r = undo.record;
    if (r.magic != kDiskMagic || r.path_bytes >= kPathMax) break;
    undo.path.resize(r.path_bytes);
    undo.bytes.resize(r.old_bytes);
    if (!in.read(undo.path.data(), static_cast<std::streamsize>(r.path_bytes))) break;
    if (!in.read(undo.bytes.data(), static_cast<std::streamsize>(r.old_bytes))) break;
    if (r.kind == UndoKind::kSync) {
      auto& upto = synced[{r.device, r.inode}];
      upto = std::max(upto, r.sequence);
    } else {
      writes.push_back(std::move(undo));
    }
  }
  std::erase_if(writes, [&](const Undo& undo) {
    const auto at = synced.find({undo.record.device, undo.record.inode});
    return at != synced.end() && undo.record.sequence <= at->second;
  });
  return writes;
}

Status take_back(const Undo& undo) {
  const cli::UniqueFd fd(::open(undo.path.c_str(), O_RDWR | O_CLOEXEC));
  struct stat now{};
  // The file is gone, or another one has its name: its unsynced bytes went with it.
  if (!fd || ::fstat(fd.get(), &now) != 0 || now.st_ino != undo.record.inode) return {};
  const auto bytes = static_cast<ssize_t>(undo.bytes.size());
  if (::pwrite(fd.get(), undo.bytes.data(), undo.bytes.size(),
               static_cast<off_t>(undo.record.offset)) != bytes)
    return broken(undo.path);
  const auto size = static_cast<off_t>(undo.record.old_size);
  if (::ftruncate(fd.get(), size) != 0) return broken(undo.path);
  return {};
}

}  // namespace

Result<DiskFault> DiskFault::make(const fs::path& control, const fs::path& prefix,
                                  const fs::path& library, bool power_loss) {
  if (::access(library.c_str(), R_OK) != 0) return broken(library);
  const cli::UniqueFd fd(::open(control.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd || ::ftruncate(fd.get(), sizeof(DiskControl)) != 0) return broken(control);
  const cli::UniqueFd undo(
      ::open(undo_file(control).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!undo) return broken(undo_file(control));
  void* const at =
      ::mmap(nullptr, sizeof(DiskControl), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return broken(control);
  auto* const shared = new (at) DiskControl;
  shared->keeps_undo = power_loss ? 1 : 0;
  copy_text(shared->prefix, fs::weakly_canonical(prefix).string());
  init_mutex(shared->mutex);
  return DiskFault(control, library, shared);
}

DiskFault::DiskFault(fs::path control, fs::path library, DiskControl* shared)
    : control_(std::move(control)), library_(std::move(library)), shared_(shared) {}
DiskFault::DiskFault(DiskFault&& other) noexcept
    : control_(std::move(other.control_)),
      library_(std::move(other.library_)),
      shared_(std::exchange(other.shared_, nullptr)) {}
DiskFault& DiskFault::operator=(DiskFault&& other) noexcept {
  std::swap(control_, other.control_);
  std::swap(library_, other.library_);
  std::swap(shared_, other.shared_);
  return *this;
}
DiskFault::~DiskFault() {
  if (shared_ != nullptr) ::munmap(shared_, sizeof(DiskControl));
}

Environment DiskFault::environment() const {
  return {{"LD_PRELOAD", library_.string()}, {kDiskControlVariable, control_.string()}};
}

void DiskFault::set(const DiskFaultState& state) {
  copy_text(shared_->only_with, state.only_with);
  shared_->sync_delay_us = static_cast<std::uint64_t>(state.sync_delay.count()) * 1'000;
  shared_->sync_errno = state.sync_errno;
  shared_->room = state.room;
  shared_->write_errno = state.write_errno;
}

DiskFaultCounters DiskFault::counters() const {
  return {.writes = shared_->writes,
          .syncs = shared_->syncs,
          .writes_failed = shared_->writes_failed,
          .syncs_failed = shared_->syncs_failed,
          .syncs_delayed = shared_->syncs_delayed,
          .undo_lost = shared_->undo_lost};
}

Result<std::uint64_t> DiskFault::cut_power() {
  std::vector<Undo> writes = unsynced(undo_file(control_));
  std::ranges::sort(writes, std::greater<>(), [](const Undo& u) { return u.record.sequence; });
  for (const Undo& undo : writes) HY_TRY_VOID(take_back(undo));
  if (::truncate(undo_file(control_).c_str(), 0) != 0) return broken(undo_file(control_));
  shared_->undo_bytes = 0;
  for (TrackedFile& file : shared_->files) file = {};
  return writes.size();
}

}  // namespace hy::faults
