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

  /// After COMMIT returned success and *before* the answers go out: the change counters of both
  /// people of each pair move. Also called for a repeated send.
  virtual void committed(std::span<const CommittedHead> heads) = 0;

  /// Something of these users other than a message changed (own events). Their counters move.
  virtual void changed(std::span<const Uid> uids) = 0;

  /// The change counters, same order; 0 = not known now. A counter that was told and a later one
  /// are equal only if nothing was raised between (a lost cache starts at values never told
  /// before).
  virtual std::vector<std::uint64_t> change_counters(std::span<const Uid> uids) = 0;

  /// Forgets everything, as a flush or a restart of the cache would.
  virtual void lose_all() = 0;

  /// For metrics and /readyz: false while the cache does not answer.
  [[nodiscard]] virtual bool is_up() const = 0;
};

}  // namespace hy::das
