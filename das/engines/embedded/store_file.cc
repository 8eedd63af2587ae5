#include "das/engines/embedded/store_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/test_hooks.h"
#include "das/engines/embedded/migrations.h"

namespace hy::das::embedded {
namespace {

/// "HYDA": tells a Hongyan store from any other SQLite file.
constexpr std::int64_t kApplicationId = 0x48594441;
/// A page that many batches wrote is moved once per checkpoint, so rare ones are cheap; but the
/// lane waits for each, about 10 ms at this size (docs/benchmarks.md).
constexpr std::uint64_t kCheckpointFromPages = 4'096;  // of 4 KiB
/// What a checkpoint costs is the pages that it moves, which are the new ones and the heads. Where
/// many conversations write their heads again and again, most of the log is those: it may then
/// grow on until the file has grown by so much,
constexpr std::uint64_t kCheckpointFromGrowth = 1'024;
/// but not beyond this.
constexpr std::uint64_t kCheckpointPagesMax = 4 * kCheckpointFromPages;
/// About 13 MB.
constexpr std::size_t kHeadsMax = 131'072;
/// The pages that appends come back to: one of the (conv, seq) index and a share of one of heads
/// for each conversation that is alive now. 32 MiB hold some 8,000; what does not fit is read
/// again.
constexpr std::uint32_t kWriterCacheKib = 32 * 1'024;
/// Readers of the old generation end their read within this, then the WAL can be emptied.
constexpr Millis kBusyTimeout{2'000};

constexpr std::string_view kVersionTable =
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, "
    "applied_ms INTEGER NOT NULL) STRICT";

sqlite::OpenOptions writer_options() {
  sqlite::OpenOptions options;
  options.busy_timeout = kBusyTimeout;
  options.manual_checkpoint = true;
  options.gather_writes = true;
  options.page_cache_kib = kWriterCacheKib;
  return options;
}

/// The file's directory entry: without it a power cut may lose a file whose contents were synced.
Status sync_folder_of(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(Errc::kStoreDown, "cannot open " + folder.string());
  const int rc = ::fsync(fd);
  ::close(fd);
  if (rc != 0) return fail(Errc::kStoreDown, "cannot sync " + folder.string());
  return {};
}

Result<std::vector<AppliedMigration>> read_applied(sqlite::Database& db) {
  std::vector<AppliedMigration> rows;
  HY_TRY(const auto table, db.query_integer("SELECT 1 FROM sqlite_master WHERE type = 'table' AND "
                                            "name = 'schema_version'"));
  if (!table) return rows;
  HY_TRY(auto statement,
         db.prepare("SELECT version, sha256, applied_ms FROM schema_version ORDER BY version"));
  for (;;) {
    HY_TRY(const bool row, statement.step());
    if (!row) return rows;
    rows.push_back({static_cast<std::uint32_t>(statement.integer(0)),
                    std::string(statement.text(1)), statement.integer(2)});
  }
}

}  // namespace

Error translate(Error error) {
  switch (error.code) {
    case Errc::kUnavailable: error.code = Errc::kOverloaded; break;
    case Errc::kSchemaBroken: error.code = Errc::kStoreDown; break;
    default: break;
  }
  return error;
}

StoreFile::StoreFile(std::filesystem::path file, const Clock& clock, std::uint32_t pages_max)
    : file_(std::move(file)), clock_(clock), pages_max_(pages_max), heads_(kHeadsMax) {}

StoreFile::~StoreFile() {
  writer_.reset();
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status StoreFile::lock() {
  const std::scoped_lock guard(mutex_);
  if (lock_fd_ >= 0) return {};
  const std::string path = file_.string() + ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Errc::kStoreDown, "cannot open " + path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return fail(Errc::kStoreLocked, file_.string());
  }
  lock_fd_ = fd;
  return {};
}

Status StoreFile::open() {
  HY_TRY_VOID(lock());
  const std::scoped_lock guard(mutex_);
  return open_locked();
}

Status StoreFile::open_locked() {
  if (is_ready()) return {};
  writer_.reset();
  auto opened = sqlite::Database::open(file_, writer_options());
  if (!opened) return std::unexpected(translate(std::move(opened).error()));
  sqlite::Database db = std::move(*opened);
  if (pages_max_ > 0) HY_TRY_VOID(db.limit_pages(pages_max_));
  HY_TRY_VOID(check_identity(db));
  auto applied = read_applied(db);
  if (!applied) return std::unexpected(translate(std::move(applied).error()));
  if (applied->empty()) {
    HY_TRY_VOID(apply_locked(db));
  } else {
    HY_TRY_VOID(judge_schema(kMigrations, *applied));
  }
  // Mutants: a store without the unique key.
  if (mutant(Mutant::kNoDeduplication) || mutant(Mutant::kDeduplicationInCacheOnly))
    HY_TRY_VOID(db.exec("DROP INDEX IF EXISTS message_identity"));
  // Every page is written anew and synced, and the WAL emptied, before anything that is read here
  // may confirm a message: a failed sync may have left pages that only look written.
  if (auto done = db.checkpoint(true); !done)
    return std::unexpected(translate(std::move(done).error()));
  if (db.wal_bytes() != 0) return fail(Errc::kStoreDown, "readers still hold the write-ahead log");
  HY_TRY_VOID(sync_folder_of(file_));
  auto pages = db.query_integer("PRAGMA page_count");
  if (!pages) return std::unexpected(translate(std::move(pages).error()));
  pages_at_checkpoint_ = static_cast<std::uint64_t>(pages->value_or(0));
  heads_.clear();
  writer_.emplace(std::move(db));
  generation_.fetch_add(1, std::memory_order_acq_rel);
  ready_.store(true, std::memory_order_release);
  return {};
}

Status StoreFile::check_identity(sqlite::Database& db) {
  auto id = db.query_integer("PRAGMA application_id");
  if (!id) return std::unexpected(translate(std::move(id).error()));
  if (*id == kApplicationId) return {};
  auto tables = db.query_integer("SELECT count(*) FROM sqlite_master");
  if (!tables) return std::unexpected(translate(std::move(tables).error()));
  if (id->value_or(0) != 0 || tables->value_or(0) != 0)
    return fail(Errc::kStoreSettings, file_.string() + " is another program's file");
  return {};
}

Status StoreFile::apply_locked(sqlite::Database& db) {
  const auto run = [&](Status status) -> Status {
    if (!status) return std::unexpected(translate(std::move(status).error()));
    return {};
  };
  auto begun = sqlite::Transaction::begin(db);
  if (!begun) return std::unexpected(translate(std::move(begun).error()));
  HY_TRY_VOID(run(db.exec("PRAGMA application_id = " + std::to_string(kApplicationId))));
  HY_TRY_VOID(run(db.exec(kVersionTable)));
  auto applied = read_applied(db);
  if (!applied) return std::unexpected(translate(std::move(applied).error()));
  if (auto judged = judge_schema(kMigrations, *applied);
      !judged && judged.error().code != Errc::kSchemaTooOld)
    return judged;
  for (const Migration& step : kMigrations) {
    if (step.version <= applied->size()) continue;
    HY_TRY_VOID(run(db.exec(step.sql)));
    HY_TRY(auto record, db.prepare("INSERT INTO schema_version VALUES (?, ?, ?)"));
    record.bind(1, step.version).bind(2, step.sha256).bind(3, clock_.wall_ms());
    HY_TRY_VOID(run(record.run()));
  }
  // Made from the clock: a store that replaces a lost one is told apart by every device.
  HY_TRY(auto epoch,
         db.prepare("INSERT INTO store_epoch VALUES (1, ?1, 0, 0) ON CONFLICT DO NOTHING"));
  epoch.bind(1, clock_.wall_ms());
  HY_TRY_VOID(run(epoch.run()));
  return run(begun->commit());
}

Result<std::vector<AppliedMigration>> StoreFile::applied() const {
  std::error_code ec;
  if (!std::filesystem::exists(file_, ec)) return std::vector<AppliedMigration>{};
  sqlite::OpenOptions options;
  options.read_only = true;
  options.manual_checkpoint = true;
  auto db = sqlite::Database::open(file_, options);
  if (!db) return std::unexpected(translate(std::move(db).error()));
  auto rows = read_applied(*db);
  if (!rows) return std::unexpected(translate(std::move(rows).error()));
  return rows;
}

Status StoreFile::apply_schema() {
  HY_TRY_VOID(lock());
  const std::scoped_lock guard(mutex_);
  if (writer_) return apply_locked(*writer_);
  auto db = sqlite::Database::open(file_, writer_options());
  if (!db) return std::unexpected(translate(std::move(db).error()));
  if (pages_max_ > 0) HY_TRY_VOID(db->limit_pages(pages_max_));
  HY_TRY_VOID(check_identity(*db));
  HY_TRY_VOID(apply_locked(*db));
  return sync_folder_of(file_);
}

Result<sqlite::Database> StoreFile::open_reader() const {
  if (!is_ready()) return fail(Errc::kStoreDown, "the writer is not ready");
  sqlite::OpenOptions options;
  options.read_only = true;
  options.manual_checkpoint = true;
  options.busy_timeout = kBusyTimeout;
  auto db = sqlite::Database::open(file_, options);
  if (!db) return std::unexpected(translate(std::move(db).error()));
  return db;
}

Result<StoreFile::Turn> StoreFile::turn(std::uint64_t generation) {
  std::unique_lock lock(mutex_);
  if (!is_ready() || generation != this->generation())
    return fail(Errc::kStoreDown, "the store file is being made sound again");
  return Turn{std::move(lock), *writer_};
}

void StoreFile::condemn() {
  ready_.store(false, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_acq_rel);
}

void StoreFile::maintain() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !is_ready() || writer_->wal_pages() < kCheckpointFromPages) return;
  const auto pages = writer_->query_integer("PRAGMA page_count");
  const auto now = pages ? static_cast<std::uint64_t>(pages->value_or(0)) : 0;
  if (writer_->wal_pages() < kCheckpointPagesMax && now >= pages_at_checkpoint_ &&
      now - pages_at_checkpoint_ < kCheckpointFromGrowth)
    return;
  pages_at_checkpoint_ = now;
  // PASSIVE: moves what no reader needs; never waits for one. An I/O error here is met again by the
  // next commit, whose outcome is then judged.
  if (auto done = writer_->checkpoint(false); !done) condemn();
}

}  // namespace hy::das::embedded
