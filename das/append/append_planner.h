#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "common/base/clock.h"
#include "das/storage/message_log.h"

namespace hy::das {

/// One append and until when its caller listens.
struct PendingAppend {
  AppendItem item;
  MonoTime deadline;
};

/// Where an append stands after a batch.
struct AppendVerdict {
  enum class State : std::uint8_t {
    kAnswered,  ///< `answer` is final
    kNotDone,   ///< the session broke before this one was stored: for certain not stored
    kUnknown,   ///< the session broke after its COMMIT was sent: stored or not, nobody knows
  };
  State state = State::kNotDone;
  Result<Stored> answer = fail(Errc::kStoreDown);
};

struct BatchOutcome {
  std::vector<AppendVerdict> verdicts;  ///< same order as the batch
  std::vector<CommittedHead> heads;     ///< raise these in the cache *before* the answers go out
  std::vector<Uid> tell{};              ///< members of groups: raise these too
  bool fast = false;                    ///< one transaction for all
  bool broken = false;                  ///< the session must be replaced
  Error why_broken;
  std::size_t repeats = 0;
  std::size_t conflicts = 0;
};

/// Ids that this lane has committed, so that a predecessor need not be read. A fixed table of exact
/// keys in buckets of two: a new one takes the place of the older of its bucket, so has() may
/// forget (which costs a read) and is never wrong. No memory per id.
class RecentIds {
 public:
  /// Room for about `ids_max`, rounded up to a power of two.
  explicit RecentIds(std::size_t ids_max);
  void add(const ConversationId& conv, Uid sender, const ClientMsgId& id);
  [[nodiscard]] bool has(const ConversationId& conv, Uid sender, const ClientMsgId& id) const;
  void clear();

 private:
  struct Key {
    ConversationId conv;
    Uid sender;  ///< 0: free
    ClientMsgId id;
    friend bool operator==(const Key&, const Key&) = default;
  };
  /// Newer first.
  using Bucket = std::array<Key, 2>;
  [[nodiscard]] std::size_t bucket_of(const Key& key) const;

  std::vector<Bucket> buckets_;
};

/// Turns one lane's batch into transactions and each caller's own answer (guarantees.md §5).
///
/// Fast: one transaction for the whole batch. When anything in it is not plain, everything is
/// rolled back and done row by row: each its own transaction, its own answer. The same id twice in
/// a batch is one row and two equal answers; with another payload the later one is a CONFLICT. A
/// conversation whose row lock could not be had is not tried again in the same batch, so a long row
/// lock costs the lane one wait and not one per message. STORED is said after COMMIT returned
/// success, or a read under the lock proved that it did, and never earlier: a verdict is kAnswered
/// with a value only on those two. Thread: one lane's. Blocks in `log`.
class AppendPlanner {
 public:
  AppendPlanner(const Clock& clock, std::size_t recent_ids_max)
      : clock_(clock), recent_(recent_ids_max) {}

  /// batch: 1 .. 256. `after_proven` of its items is set here.
  BatchOutcome run(MessageLog& log, std::span<PendingAppend> batch);
  /// Row by row at once: for what a broken session left behind (commit_resolver.h). Order is kept.
  BatchOutcome run_slow(MessageLog& log, std::span<PendingAppend* const> batch);
  /// The session was replaced, perhaps by another server's: what was proven is proven no more.
  void forget() { recent_.clear(); }

 private:
  struct Plan;
  static Plan make_plan(std::span<const PendingAppend> batch);
  bool try_fast(MessageLog& log, std::span<PendingAppend> batch, const Plan& plan,
                BatchOutcome& out);
  void one_by_one(MessageLog& log, std::span<PendingAppend* const> batch, BatchOutcome& out);
  Result<AppendedOne> append_with_retries(MessageLog& log, const PendingAppend& pending);
  void note_stored(const AppendItem& item, BatchOutcome& out, const Stored& stored);

  const Clock& clock_;
  RecentIds recent_;
};

}  // namespace hy::das
