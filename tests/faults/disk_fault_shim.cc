// libhy_disk_fault.so: preloaded into a program, it makes the disk below a prefix fail as the
// control file says (disk_control.h). It calls the kernel directly, so nothing of the C library's
// start-up order matters to it, and it never allocates.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tests/faults/disk_control.h"

namespace hy::faults {
namespace {

constexpr int kDescriptorsMax = 65'536;
constexpr std::uint64_t kCompactAbove = 4ULL * 1'024 * 1'024;
constexpr std::size_t kCopyBytes = 64 * 1'024;

DiskControl* control = nullptr;
int undo_fd = -1;

/// What a descriptor was found to be; checked by device and inode at each use, so a descriptor that
/// was closed and given out again is looked at anew without watching close().
struct Known {
  std::atomic<std::uint64_t> key{0};  // device and inode, mixed; 0: nothing known
  std::atomic<bool> is_ours{false};
};
Known known[kDescriptorsMax];

struct File {
  bool is_ours = false;
  struct stat stat = {};
};

bool path_of(int fd, char (&path)[kPathMax]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long n = ::syscall(SYS_readlink, link, path, sizeof path - 1);
  if (n <= 0) return false;
  path[n] = '\0';
  return true;
}

File look(int fd) {
  File file;
  if (control == nullptr || fd < 0 || fd >= kDescriptorsMax) return file;
  const int before = errno;
  const bool is_file = ::fstat(fd, &file.stat) == 0 && S_ISREG(file.stat.st_mode);
  errno = before;
  if (!is_file) return file;
  const std::uint64_t key = (file.stat.st_dev * 0x9E3779B97F4A7C15ULL) ^ (file.stat.st_ino + 1);
  Known& entry = known[fd];
  if (entry.key.load(std::memory_order_acquire) != key) {
    char path[kPathMax];
    const bool ours =
        path_of(fd, path) && std::strncmp(path, control->prefix, std::strlen(control->prefix)) == 0;
    errno = before;
    entry.is_ours.store(ours, std::memory_order_relaxed);
    entry.key.store(key, std::memory_order_release);
  }
  file.is_ours = entry.is_ours.load(std::memory_order_relaxed);
  return file;
}

/// `only_with` is looked at per call, because it changes while files are open.
bool is_meant(int fd) {
  if (control->only_with[0] == '\0') return true;
  char path[kPathMax];
  const int before = errno;
  const bool meant = path_of(fd, path) && std::strstr(path, control->only_with) != nullptr;
  errno = before;
  return meant;
}

/// True: the call is to fail, errno says how.
bool write_fails(int fd, std::size_t bytes) {
  ++control->writes;
  if (const int why = control->write_errno.load(); why != 0 && is_meant(fd)) {
    ++control->writes_failed;
    errno = why;
    return true;
  }
  const std::int64_t room = control->room.load();
  if (room < 0 || !is_meant(fd)) return false;
  if (control->room.fetch_sub(static_cast<std::int64_t>(bytes)) >=
      static_cast<std::int64_t>(bytes)) {
    return false;
  }
  control->room.store(0);
  ++control->writes_failed;
  errno = ENOSPC;
  return true;
}

class Lock {
 public:
  Lock() {
    if (::pthread_mutex_lock(&control->mutex) == EOWNERDEAD)
      ::pthread_mutex_consistent(&control->mutex);
  }
  ~Lock() { ::pthread_mutex_unlock(&control->mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

TrackedFile* tracked(const struct stat& s) {
  TrackedFile* spare = nullptr;
  for (TrackedFile& f : control->files) {
    if (f.inode == s.st_ino && f.device == s.st_dev) return &f;
    if (spare == nullptr && f.last_write <= f.synced) spare = &f;
  }
  if (spare != nullptr) *spare = {s.st_dev, s.st_ino, 0, 0};
  return spare;
}

bool append_undo(const void* data, std::size_t bytes) {
  const bool done = ::syscall(SYS_write, undo_fd, data, bytes) == static_cast<long>(bytes);
  if (done) control->undo_bytes += bytes;
  return done;
}

/// Keeps what `bytes` at `offset` are about to replace. Under the lock, before the write.
void keep_undo(int fd, const struct stat& s, std::uint64_t offset, std::uint64_t bytes) {
  char path[kPathMax];
  TrackedFile* const file = tracked(s);
  if (file == nullptr || !path_of(fd, path) || std::strstr(path, "-shm") != nullptr) {
    if (file == nullptr) ++control->undo_lost;
    return;
  }
  const auto size = static_cast<std::uint64_t>(s.st_size);
  UndoRecord record;
  record.device = s.st_dev;
  record.inode = s.st_ino;
  record.sequence = file->last_write = control->next_sequence++;
  record.offset = offset;
  record.old_size = size;
  record.old_bytes = offset < size ? std::min(bytes, size - offset) : 0;
  record.path_bytes = std::strlen(path);
  bool kept = append_undo(&record, sizeof record) && append_undo(path, record.path_bytes);
  // A second descriptor without O_DIRECT and O_WRONLY of the first.
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long reader = ::syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
  // Not thread_local: MariaDB starts a thread whose stack of 8 KiB has to hold all of that.
  static char copy[kCopyBytes];
  for (std::uint64_t at = 0; kept && at < record.old_bytes;) {
    const std::size_t n = std::min<std::uint64_t>(sizeof copy, record.old_bytes - at);
    const long got = ::syscall(SYS_pread64, reader, copy, n, offset + at);
    kept = got == static_cast<long>(n) && append_undo(copy, n);
    at += n;
  }
  if (reader >= 0) ::syscall(SYS_close, reader);
  if (!kept) ++control->undo_lost;
}

/// `upto`: the last write that had returned when the sync began.
void note_synced(const struct stat& s, std::uint64_t upto) {
  const Lock lock;
  TrackedFile* const file = tracked(s);
  if (file == nullptr) return;
  file->synced = std::max(file->synced, upto);
  UndoRecord record;
  record.kind = UndoKind::kSync;
  record.device = s.st_dev;
  record.inode = s.st_ino;
  record.sequence = upto;
  if (!append_undo(&record, sizeof record)) ++control->undo_lost;
  if (control->undo_bytes < kCompactAbove) return;
  for (const TrackedFile& f : control->files) {
    if (f.last_write > f.synced) return;
  }
  if (::syscall(SYS_ftruncate, undo_fd, 0) == 0) control->undo_bytes = 0;
}

/// Runs a call that writes, with its undo record kept before it.
template <class Call>
long guarded_write(int fd, const File& file, std::int64_t offset, std::size_t bytes, Call call) {
  if (write_fails(fd, bytes)) return -1;
  if (control->keeps_undo == 0 || undo_fd < 0) return call();
  const Lock lock;
  struct stat now = file.stat;
  ::fstat(fd, &now);
  if (offset < 0) {
    const bool appends = (::syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND) != 0;
    offset = appends ? now.st_size : ::syscall(SYS_lseek, fd, 0, SEEK_CUR);
  }
  keep_undo(fd, now, static_cast<std::uint64_t>(offset), bytes);
  return call();
}

std::size_t total(const iovec* parts, int count) {
  std::size_t sum = 0;
  for (int i = 0; i < count; ++i) sum += parts[i].iov_len;
  return sum;
}

long sync_call(int fd, long number) {
  const File file = look(fd);
  if (!file.is_ours) return ::syscall(number, fd);
  ++control->syncs;
  if (const std::uint64_t us = control->sync_delay_us.load(); us > 0 && is_meant(fd)) {
    ++control->syncs_delayed;
    const timespec wait{static_cast<time_t>(us / 1'000'000),
                        static_cast<long>(us % 1'000'000 * 1'000)};
    ::syscall(SYS_nanosleep, &wait, nullptr);
  }
  if (const int why = control->sync_errno.load(); why != 0 && is_meant(fd)) {
    ++control->syncs_failed;
    errno = why;
    return -1;
  }
  if (control->keeps_undo == 0 || undo_fd < 0) return ::syscall(number, fd);
  std::uint64_t upto = 0;
  {
    const Lock lock;
    upto = control->next_sequence - 1;
  }
  const long done = ::syscall(number, fd);
  if (done == 0) note_synced(file.stat, upto);
  return done;
}

long resize_call(int fd, std::uint64_t size) {
  const File file = look(fd);
  const auto call = [&] { return ::syscall(SYS_ftruncate, fd, size); };
  if (!file.is_ours) return call();
  const auto old = static_cast<std::uint64_t>(file.stat.st_size);
  return guarded_write(fd, file, static_cast<std::int64_t>(size), old > size ? old - size : 0,
                       call);
}

long fallocate_call(int fd, int mode, std::int64_t offset, std::int64_t bytes) {
  const File file = look(fd);
  const auto call = [&] { return ::syscall(SYS_fallocate, fd, mode, offset, bytes); };
  if (!file.is_ours) return call();
  return guarded_write(fd, file, offset, static_cast<std::size_t>(bytes), call);
}

__attribute__((constructor)) void open_control() {
  const char* const path = std::getenv(kDiskControlVariable);
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* const at = ::mmap(nullptr, sizeof(DiskControl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (at == MAP_FAILED || static_cast<DiskControl*>(at)->magic != kDiskMagic) return;
  char undo[kPathMax];
  snprintf(undo, sizeof undo, "%s%s", path, kUndoSuffix);
  undo_fd = ::open(undo, O_WRONLY | O_APPEND | O_CLOEXEC);
  control = static_cast<DiskControl*>(at);
}

}  // namespace
}  // namespace hy::faults

// The names of the C library, as the programs call them: with and without 64.
// clang-format off
#define HY_SHIM(name) asm(name) __attribute__((visibility("default")))
extern "C" {
ssize_t shim_write(int fd, const void* data, size_t bytes) HY_SHIM("write");
ssize_t shim_pwrite(int fd, const void* data, size_t bytes, std::int64_t at) HY_SHIM("pwrite");
ssize_t shim_pwrite64(int fd, const void* data, size_t bytes, std::int64_t at) HY_SHIM("pwrite64");
ssize_t shim_writev(int fd, const iovec* parts, int count) HY_SHIM("writev");
ssize_t shim_pwritev(int fd, const iovec* parts, int count, std::int64_t at) HY_SHIM("pwritev");
ssize_t shim_pwritev64(int fd, const iovec* parts, int count, std::int64_t at) HY_SHIM("pwritev64");
size_t shim_fwrite(const void* data, size_t size, size_t count, FILE* stream) HY_SHIM("fwrite");
int shim_ftruncate(int fd, std::int64_t size) HY_SHIM("ftruncate");
int shim_ftruncate64(int fd, std::int64_t size) HY_SHIM("ftruncate64");
int shim_fallocate(int fd, int mode, std::int64_t at, std::int64_t bytes) HY_SHIM("fallocate");
int shim_fallocate64(int fd, int mode, std::int64_t at, std::int64_t bytes) HY_SHIM("fallocate64");
int shim_posix_fallocate(int fd, std::int64_t at, std::int64_t bytes) HY_SHIM("posix_fallocate");
int shim_posix_fallocate64(int fd, std::int64_t at, std::int64_t bytes) HY_SHIM("posix_fallocate64");
int shim_fsync(int fd) HY_SHIM("fsync");
int shim_fdatasync(int fd) HY_SHIM("fdatasync");
// clang-format on

ssize_t shim_write(int fd, const void* data, size_t bytes) {
  const auto call = [&] { return ::syscall(SYS_write, fd, data, bytes); };
  const auto file = hy::faults::look(fd);
  return file.is_ours ? hy::faults::guarded_write(fd, file, -1, bytes, call) : call();
}

ssize_t shim_pwrite(int fd, const void* data, size_t bytes, std::int64_t at) {
  const auto call = [&] { return ::syscall(SYS_pwrite64, fd, data, bytes, at); };
  const auto file = hy::faults::look(fd);
  return file.is_ours ? hy::faults::guarded_write(fd, file, at, bytes, call) : call();
}
ssize_t shim_pwrite64(int fd, const void* data, size_t bytes, std::int64_t at) {
  return shim_pwrite(fd, data, bytes, at);
}

ssize_t shim_writev(int fd, const iovec* parts, int count) {
  const auto call = [&] { return ::syscall(SYS_writev, fd, parts, count); };
  const auto file = hy::faults::look(fd);
  if (!file.is_ours) return call();
  return hy::faults::guarded_write(fd, file, -1, hy::faults::total(parts, count), call);
}

ssize_t shim_pwritev(int fd, const iovec* parts, int count, std::int64_t at) {
  const auto call = [&] { return ::syscall(SYS_pwritev, fd, parts, count, at, 0L); };
  const auto file = hy::faults::look(fd);
  if (!file.is_ours) return call();
  return hy::faults::guarded_write(fd, file, at, hy::faults::total(parts, count), call);
}
ssize_t shim_pwritev64(int fd, const iovec* parts, int count, std::int64_t at) {
  return shim_pwritev(fd, parts, count, at);
}

size_t shim_fwrite(const void* data, size_t size, size_t count, FILE* stream) {
  using Real = size_t (*)(const void*, size_t, size_t, FILE*);
  static const Real real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, "fwrite"));
  const int fd = stream != nullptr ? ::fileno(stream) : -1;
  const auto file = hy::faults::look(fd);
  if (file.is_ours && hy::faults::write_fails(fd, size * count)) return 0;
  return real(data, size, count, stream);
}

int shim_ftruncate(int fd, std::int64_t size) {
  return static_cast<int>(hy::faults::resize_call(fd, static_cast<std::uint64_t>(size)));
}
int shim_ftruncate64(int fd, std::int64_t size) {
  return shim_ftruncate(fd, size);
}

int shim_fallocate(int fd, int mode, std::int64_t at, std::int64_t bytes) {
  return static_cast<int>(hy::faults::fallocate_call(fd, mode, at, bytes));
}
int shim_fallocate64(int fd, int mode, std::int64_t at, std::int64_t bytes) {
  return shim_fallocate(fd, mode, at, bytes);
}
int shim_posix_fallocate(int fd, std::int64_t at, std::int64_t bytes) {
  const int before = errno;
  const int done = shim_fallocate(fd, 0, at, bytes) == 0 ? 0 : errno;
  errno = before;
  return done;
}
int shim_posix_fallocate64(int fd, std::int64_t at, std::int64_t bytes) {
  return shim_posix_fallocate(fd, at, bytes);
}

int shim_fsync(int fd) {
  return static_cast<int>(hy::faults::sync_call(fd, SYS_fsync));
}
int shim_fdatasync(int fd) {
  return static_cast<int>(hy::faults::sync_call(fd, SYS_fdatasync));
}
}
