#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "tests/sim/store/model_rows.h"

/// The model store: what one database server is to das, without a disk. Transactions take effect at
/// COMMIT, rows are locked until their transaction has ended, and each fault that a real server has
/// can strike at the place where it strikes there. Several das attach (model_engine.h). It is held
/// to the same contract suite as the real engines (tests/contract). Deterministic: everything
/// follows from the calls, the clock and the seed. A lock makes it usable by threads; the simulator
/// has one.
namespace hy::sim {

enum class StoreFlavour : std::uint8_t {
  kManyWriters,  ///< as MySQL: row locks, head_ms never falls, a hung COMMIT stays in flight
  kOneWriter,    ///< as SQLite: one file, one das; an error from COMMIT condemns it until reopened
};

/// One strike of a fault.
enum class StoreFault : std::uint8_t {
  kLockWait,        ///< 2 s for a row lock: the statement alone is undone, ROLLBACK is the caller's
  kDeadlock,        ///< the server has rolled everything back
  kConnectionLost,  ///< before COMMIT: nothing is done, the session is broken
  kCommitLost,      ///< COMMIT did not take effect, its reply is lost
  kReplyLost,       ///< COMMIT took effect, its reply is lost
  kCommitHangs,  ///< no reply; the transaction ends later, either way, and holds its rows so long
  kSlow,         ///< the call takes up to StoreFaults::slow_max
  kFull,         ///< an insert finds the disk full
};
inline constexpr std::size_t kStoreFaultKinds = 8;

/// How often each fault strikes where it can, in strikes per million; 0: never.
struct StoreFaults {
  std::uint32_t lock_wait = 0;        ///< per locked row
  std::uint32_t deadlock = 0;         ///< per locked row
  std::uint32_t connection_lost = 0;  ///< per call
  std::uint32_t commit_lost = 0;      ///< per COMMIT
  std::uint32_t reply_lost = 0;       ///< per COMMIT
  std::uint32_t commit_hangs = 0;     ///< per COMMIT
  std::uint32_t slow = 0;             ///< per call
  std::uint32_t full = 0;             ///< per inserting transaction
  Millis slow_max{800};
  Millis hang_max{6'000};  ///< above the lock wait of 2 s, some waits for it fail
};

struct ModelStoreOptions {
  StoreFlavour flavour = StoreFlavour::kManyWriters;
  std::uint64_t seed = 1;
  Millis lock_wait{2'000};
};

class ModelSession;

class ModelStore {
 public:
  /// `clock`: now() is the world's monotonic time, wall_ms() true wall time; outlives the store.
  ModelStore(ModelStoreOptions options, const Clock& clock);

  // Faults. Any of them at any time between calls.
  void set_faults(const StoreFaults& faults);
  /// The next time that a place of this kind comes by, whatever the rates.
  void plan(StoreFault fault);
  /// How often each kind has struck.
  [[nodiscard]] std::uint64_t struck(StoreFault fault) const;
  /// No new session, and all that are open break. What was committed stays.
  void set_down(bool down);
  /// Writes are refused with kStoreDown, new writers too; reads go on.
  void set_read_only(bool on);
  /// Inserts are refused with kStoreFull until there is room.
  void set_full(bool on);
  /// Of StoreFacts: the settings that STORED rests on.
  void set_durable(bool on);
  /// All sessions break; what is in flight ends either way. Committed transactions stay.
  void crash();
  /// For as long, whoever wants this row waits (and fails, if that is longer than the lock wait).
  void hold_row(const ConversationId& conv, Millis how_long);
  /// A failover to a replica that has everything.
  void fail_over();
  /// Outside the guarantees: everything since mark_replica() is lost; store_epoch rises.
  void mark_replica();
  void fail_over_with_loss();
  /// The store's wall clock is `ms` off true time. A step back of more than 30 s is das's to see.
  void set_clock_skew(std::int64_t ms);

  /// Store clock, unix ms.
  [[nodiscard]] std::int64_t now_ms() const { return clock_.wall_ms() + skew_ms_; }
  [[nodiscard]] StoreFlavour flavour() const { return options_.flavour; }
  [[nodiscard]] bool is_down() const { return down_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// Transactions that took effect.
  [[nodiscard]] std::uint64_t commits() const { return commits_; }
  /// What is committed now: for checkers, between calls. What is in flight is not in it.
  [[nodiscard]] const Tables& tables() const { return tables_; }
  /// Called after each transaction that took effect; for checks at every step.
  std::function<void()> on_commit;

 private:
  friend class ModelEngine;
  friend class ModelSession;
  struct InFlight {
    std::unique_ptr<Transaction> transaction;
    MonoTime ends;
    bool commits = false;
  };
  struct HeldRow {
    ConversationId conv;
    MonoTime until;
  };
  enum class CommitResult : std::uint8_t { kDone, kUnknown };

  /// True: it strikes now (planned, or by its rate).
  bool strikes(StoreFault fault, std::uint32_t rate);
  void break_sessions() { ++generation_; }
  void end(InFlight& one);
  /// Ends what is due, or everything.
  void settle(bool all);
  /// Waits for the row as a locking statement does; `spent` grows. kOverloaded: too long.
  Status lock_row(const ConversationId* conv, const Uid* uid, std::chrono::nanoseconds& spent);
  CommitResult commit(std::unique_ptr<Transaction> transaction);

  const ModelStoreOptions options_;
  const Clock& clock_;
  SeededRandom random_;
  mutable std::recursive_mutex mutex_;
  Tables tables_;
  std::unique_ptr<Tables> replica_;
  StoreFaults faults_;
  std::deque<StoreFault> planned_;
  std::array<std::uint64_t, kStoreFaultKinds> struck_{};
  std::vector<InFlight> in_flight_;
  std::vector<HeldRow> held_;
  std::uint64_t generation_ = 1;
  std::uint64_t commits_ = 0;
  std::int64_t skew_ms_ = 0;
  bool down_ = false;
  bool read_only_ = false;
  bool full_ = false;
  bool durable_ = true;
  bool condemned_ = false;  ///< kOneWriter: a COMMIT failed; open_writer makes it sound again
  bool owned_ = false;      ///< kOneWriter: a das has the file
};

}  // namespace hy::sim
