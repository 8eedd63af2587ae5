#pragma once

#include <span>

#include "das/storage/types.h"

namespace hy::das {

/// Hints: may be lost, emptied or refuse at any moment, and may be late; never wrong in a way that
/// hides a message (guarantees.md §6, §7). Methods therefore return no errors: what cannot be read
/// is "not known", what cannot be raised is dropped. Thread: any. A remote cache gives each call at
/// most 50 ms and, after failures, answers "not known" at once until it is back.
class CacheStore {
 public:
  virtual ~CacheStore() = default;

  /// After COMMIT returned success and *before* the answers go out: heads go up (never down), and
  /// the change counters of both people of each pair move. Also called for a repeated send.
  virtual void committed(std::span<const CommittedHead> heads) = 0;

  /// Something of these users other than a message changed (own events). Their counters move.
  virtual void changed(std::span<const Uid> uids) = 0;

  /// The change counters, same order; 0 = not known now. A counter that was told and a later one
  /// are equal only if nothing was raised between (a lost cache starts at values never told
  /// before).
  virtual std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) = 0;

  /// Cached heads, same order; nullopt = not known. An entry dies 60 s after *the database read or
  /// commit* behind it, however late it was filled.
  virtual std::vector<std::optional<CommittedHead>> heads(
      std::span<const ConversationId> convs) = 0;

  /// Fills from a read that began at `read_began_ms` (unix ms, das's clock). Version check: an
  /// entry that holds a higher head stays, so the cache is never behind a commit it has been told
  /// of and never ahead of the database. A fill older than 60 s is dropped.
  virtual void fill_heads(std::span<const CommittedHead> heads, std::int64_t read_began_ms) = 0;

  /// Forgets everything, as a flush or a restart of the cache would.
  virtual void lose_all() = 0;

  /// For metrics and /readyz: false while the cache does not answer.
  [[nodiscard]] virtual bool is_up() const = 0;
};

}  // namespace hy::das
