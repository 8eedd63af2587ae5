#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "common/base/clock.h"
#include "common/sqlite/database.h"
#include "das/engines/embedded/head_cache.h"
#include "das/storage/schema.h"

namespace hy::das::embedded {

/// Puts an error of common/sqlite into the seam's words: BUSY or LOCKED → kOverloaded (rolled back,
/// try again), CORRUPT and I/O errors → kStoreDown.
Error translate(Error error);

/// The one database file of the embedded engine: its lock, its single writing connection, and
/// whether it may be trusted.
///
/// One connection writes and checkpoints (SQLite 3.40 is inside the range of the WAL-reset bug:
/// guarantees.md §8); readers are query_only and never checkpoint. Writing sessions share that
/// connection and take turns. A failed COMMIT is an unknown outcome: its frames may reappear. The
/// file is then condemned: every session, readers too, answers kStoreDown until the writer was
/// closed, opened again and a TRUNCATE checkpoint has written every page anew and emptied the WAL;
/// only then may a read confirm anything.
class StoreFile {
 public:
  /// clock: wall_ms() is the store's clock. pages_max > 0 limits the file (tests of a full disk).
  StoreFile(std::filesystem::path file, const Clock& clock, std::uint32_t pages_max);
  ~StoreFile();
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;

  /// kStoreLocked when another process has it. Kept until destruction; idempotent.
  Status lock();
  /// Makes the writer ready: opens, checks application id and schema, TRUNCATE checkpoint. Brings a
  /// brand-new file to the newest schema. Idempotent. Errors: Engine::start().
  Status open();
  /// A further reading connection. kStoreDown unless the writer is ready.
  Result<sqlite::Database> open_reader() const;
  /// Rows of schema_version; none for a new file or when there is no file.
  Result<std::vector<AppliedMigration>> applied() const;
  Status apply_schema();

  /// Exclusive use of the writer, for one operation.
  struct Turn {
    std::unique_lock<std::mutex> lock;
    sqlite::Database& db;
  };
  /// kStoreDown: condemned since the session of `generation` was opened.
  Result<Turn> turn(std::uint64_t generation);
  /// The caller holds the turn.
  [[nodiscard]] HeadCache& heads() { return heads_; }
  /// The caller holds the turn; nobody uses the connection after this.
  void condemn();
  [[nodiscard]] std::uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool is_ready() const { return ready_.load(std::memory_order_acquire); }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  /// A checkpoint when the WAL has grown. Without effect while somebody has a turn.
  void maintain();

 private:
  Status open_locked();
  Status check_identity(sqlite::Database& db);
  Status apply_locked(sqlite::Database& db);

  const std::filesystem::path file_;
  const Clock& clock_;
  const std::uint32_t pages_max_;
  int lock_fd_ = -1;
  std::mutex mutex_;
  std::optional<sqlite::Database> writer_;
  HeadCache heads_;
  std::uint64_t pages_at_checkpoint_ = 0;
  std::atomic<std::uint64_t> generation_{1};
  std::atomic<bool> ready_{false};
};

}  // namespace hy::das::embedded
