#pragma once

#include <memory>
#include <string_view>

#include "das/storage/account.h"
#include "das/storage/cache_store.h"
#include "das/storage/membership.h"
#include "das/storage/message_log.h"
#include "das/storage/schema.h"
#include "das/storage/types.h"
#include "das/storage/user_log.h"

namespace hy::das {

/// One connection to the store with everything prepared. Belongs to one thread at a time. All
/// methods block; none waits longer than the engine's limits (statement 1 s, lock 2 s).
/// A broken session (connection lost, COMMIT without an answer, a time-out) is never used again,
/// not even to roll back: destroy it and open another, whose locking reads then tell what became of
/// an unknown COMMIT. A time-out breaks it too: a late reply would be read as the next one's.
class StoreSession {
 public:
  virtual ~StoreSession() = default;
  virtual MessageLog& messages() = 0;
  virtual Membership& membership() = 0;
  virtual Accounts& accounts() = 0;
  virtual UserLog& user_log() = 0;

  /// Store clock, epoch, steps, and whether the settings that STORED rests on still hold. Also the
  /// ping that keeps a connection alive and proves that the store answers. Errors: kStoreDown
  /// (also: read-only), and the start-up codes when somebody changed the store underneath.
  virtual Result<StoreFacts> facts() = 0;
  /// Writes the beat: beat_ms = GREATEST(beat_ms, store_ms). Writers alone. Every 5 s.
  virtual Status beat(std::int64_t store_ms) = 0;
  /// The store's clock stepped back: clock_steps = seen + 1 unless somebody raised it already, and
  /// beat_ms = the clock now. Writers alone.
  virtual Status raise_clock_steps(std::uint64_t seen) = 0;

  /// Housekeeping that no caller waits for (a checkpoint, say): called by the owner of a writer
  /// after the answers of a batch went out, and when it is idle. The engine decides whether there
  /// is any.
  virtual void maintain() {}

  [[nodiscard]] virtual bool is_broken() const = 0;
};

/// A storage engine. Built by engines/factory; held to one contract suite (tests/contract).
class Engine {
 public:
  virtual ~Engine() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;  ///< "embedded", "mysql": metrics' label

  /// Start-up checks, idempotent; called until it succeeds once. Fatal for the process (exit 2):
  /// kSchemaTooOld, kSchemaTooNew, kSchemaBroken, kNotDurable, kStoreSettings, kStoreLocked,
  /// kConfig…; anything else means "not reachable yet": das starts as store down and tries again.
  /// A brand-new empty embedded file is initialised; a server's schema only when so configured.
  virtual Status start() = 0;

  /// A session that may write. Runs start() itself when that has not succeeded yet. Re-checks what
  /// may have changed underneath (settings, schema, read-only, server identity) before it serves.
  /// After an unknown COMMIT an embedded engine first makes the file sound again here. Thread: any.
  /// Errors: as start().
  virtual Result<std::unique_ptr<StoreSession>> open_writer() = 0;
  /// A session for reads (pull, find, list, user_log, find accounts, auth_epochs, facts); a write
  /// through it is kInternal. Reads what every finished commit left (primary, never a replica).
  virtual Result<std::unique_ptr<StoreSession>> open_reader() = 0;

  /// How many writing sessions are of use at once: 1 for an engine with a single writer (more may
  /// be opened; they take turns). das runs min(das.lanes, this) lanes.
  [[nodiscard]] virtual unsigned writers_max() const = 0;

  virtual CacheStore& cache() = 0;

  /// For `hy-das --schema status|apply`. Needs no start(). apply: the pending steps in order, each
  /// recorded with its checksum; refuses with kSchemaTooNew or kSchemaBroken and changes nothing
  /// then. Idempotent, and safe against a second process that applies at the same time.
  virtual Result<SchemaStatus> schema_status() = 0;
  virtual Status schema_apply() = 0;
};

}  // namespace hy::das
