#include "common/sqlite/gather_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <new>

namespace hy::sqlite {
namespace {

/// SQLite's own layer writes at most 2^17 - 1 bytes in one call.
constexpr int kHeldMax = 126 * 1'024;

/// The file that SQLite sees; the default layer's own file lies behind it in the same memory.
struct GatherFile {
  sqlite3_file base;
  bool gathers;
  int held;              ///< bytes in buffer
  sqlite3_int64 offset;  ///< of the first of them in the file
  std::unique_ptr<char[]> buffer;
};

GatherFile& mine(sqlite3_file* file) {
  return *reinterpret_cast<GatherFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(&mine(file) + 1);
}
const sqlite3_io_methods& calls(sqlite3_file* file) {
  return *real(file)->pMethods;
}

int write_held(sqlite3_file* file) {
  GatherFile& f = mine(file);
  if (f.held == 0) return SQLITE_OK;
  const int n = f.held;
  f.held = 0;  // after an error SQLite writes the transaction again, or not at all
  return calls(file).xWrite(real(file), f.buffer.get(), n, f.offset);
}

int on_close(sqlite3_file* file) {
  const int written = write_held(file);
  const int closed = calls(file).xClose(real(file));
  mine(file).~GatherFile();
  return written != SQLITE_OK ? written : closed;
}

int on_write(sqlite3_file* file, const void* bytes, int n, sqlite3_int64 offset) {
  GatherFile& f = mine(file);
  const bool follows = f.held > 0 && offset == f.offset + f.held && f.held + n <= kHeldMax;
  if (!follows)
    if (const int rc = write_held(file); rc != SQLITE_OK) return rc;
  if (!f.gathers || n > kHeldMax) return calls(file).xWrite(real(file), bytes, n, offset);
  if (!f.buffer) f.buffer.reset(new (std::nothrow) char[kHeldMax]);
  if (!f.buffer) return SQLITE_IOERR_NOMEM;
  if (f.held == 0) f.offset = offset;
  std::memcpy(f.buffer.get() + f.held, bytes, static_cast<std::size_t>(n));
  f.held += n;
  return SQLITE_OK;
}

int on_read(sqlite3_file* file, void* bytes, int n, sqlite3_int64 offset) {
  if (const int rc = write_held(file); rc != SQLITE_OK) return rc;
  return calls(file).xRead(real(file), bytes, n, offset);
}
int on_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int rc = write_held(file); rc != SQLITE_OK) return rc;
  return calls(file).xTruncate(real(file), size);
}
int on_sync(sqlite3_file* file, int flags) {
  if (const int rc = write_held(file); rc != SQLITE_OK) return rc;
  return calls(file).xSync(real(file), flags);
}
int on_size(sqlite3_file* file, sqlite3_int64* size) {
  if (const int rc = write_held(file); rc != SQLITE_OK) return rc;
  return calls(file).xFileSize(real(file), size);
}

// Everything else goes through as it is.
int on_lock(sqlite3_file* file, int level) {
  return calls(file).xLock(real(file), level);
}
int on_unlock(sqlite3_file* file, int level) {
  return calls(file).xUnlock(real(file), level);
}
int on_check_lock(sqlite3_file* file, int* out) {
  return calls(file).xCheckReservedLock(real(file), out);
}
int on_control(sqlite3_file* file, int what, void* argument) {
  return calls(file).xFileControl(real(file), what, argument);
}
int on_sector_size(sqlite3_file* file) {
  return calls(file).xSectorSize(real(file));
}
int on_characteristics(sqlite3_file* file) {
  return calls(file).xDeviceCharacteristics(real(file));
}
int on_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return calls(file).xShmMap(real(file), page, size, extend, out);
}
int on_shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  return calls(file).xShmLock(real(file), offset, n, flags);
}
void on_shm_barrier(sqlite3_file* file) {
  calls(file).xShmBarrier(real(file));
}
int on_shm_unmap(sqlite3_file* file, int remove) {
  return calls(file).xShmUnmap(real(file), remove);
}

// Version 2: without memory-mapped reads, which would not see what is held.
constexpr sqlite3_io_methods kMethods = {2,
                                         on_close,
                                         on_read,
                                         on_write,
                                         on_truncate,
                                         on_sync,
                                         on_size,
                                         on_lock,
                                         on_unlock,
                                         on_check_lock,
                                         on_control,
                                         on_sector_size,
                                         on_characteristics,
                                         on_shm_map,
                                         on_shm_lock,
                                         on_shm_barrier,
                                         on_shm_unmap,
                                         nullptr,
                                         nullptr};

int on_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const below = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* const f = new (file) GatherFile{};
  f->gathers = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)) != 0;
  const int rc = below->xOpen(below, name, real(file), flags, out_flags);
  // xClose is called whenever pMethods is set, also after a failed open.
  if (rc == SQLITE_OK || real(file)->pMethods != nullptr) {
    file->pMethods = &kMethods;
  } else {
    f->~GatherFile();
    file->pMethods = nullptr;
  }
  return rc;
}

sqlite3_vfs* make() {
  sqlite3_vfs* const below = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *below;
  vfs.zName = "hongyan-gather";
  vfs.pNext = nullptr;
  vfs.szOsFile = static_cast<int>(sizeof(GatherFile)) + below->szOsFile;
  vfs.pAppData = below;
  vfs.xOpen = on_open;
  sqlite3_vfs_register(&vfs, 0);
  return &vfs;
}

}  // namespace

const char* gather_vfs() {
  static const sqlite3_vfs* const vfs = make();
  return vfs->zName;
}

}  // namespace hy::sqlite
