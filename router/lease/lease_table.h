#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"

namespace hy::router {

/// Times of router.md §7.
struct LeaseRules {
  Millis tick{250};  ///< how often the driver ticks
  Millis suspect_after{3'000};
  Millis dead_after{10'000};
  Millis pause_from{1'000};  ///< a tick later than this: the replica itself was asleep
  Millis recently_dead{60'000};
  Millis heartbeat{1'000};
};

enum class LeaseState : std::uint8_t { kNever, kAlive, kSuspect, kDead };

/// One lease per entry, on the replica's *running* time: what it slept is added to every "last
/// heard", so a replica that was stopped declares nobody dead (I6). One thread, the same that
/// processes the streams, or the guard proves nothing.
class LeaseTable {
 public:
  LeaseTable(LeaseRules rules, const std::vector<EntryId>& topology, MonoTime now);

  /// Before anything else of each event. True: this process was asleep since the last call; all
  /// leases were moved by the gap, and judging waits until the entries have spoken.
  bool observe(MonoTime now);
  /// A batch of the entry has come.
  void heard(EntryId entry, MonoTime now);
  /// Its stream has ended.
  void stream_lost(EntryId entry, MonoTime now);

  struct Changes {
    std::vector<EntryId> suspect;
    std::vector<EntryId> dead;
  };
  /// Judges; call every rules.tick.
  Changes tick(MonoTime now);

  [[nodiscard]] bool is_known(EntryId entry) const { return leases_.contains(entry); }
  [[nodiscard]] LeaseState state(EntryId entry) const;
  /// DEAD for at most rules.recently_dead: another replica may still see it.
  [[nodiscard]] bool is_recently_dead(EntryId entry, MonoTime now) const;
  /// DEAD for longer than `age`.
  [[nodiscard]] bool is_dead_since(EntryId entry, Millis age, MonoTime now) const;
  /// Entries of which nothing was heard since this replica woke up, in order of their ids.
  [[nodiscard]] std::vector<EntryId> unheard_since_wake() const;
  /// Seconds since the entry that is silent longest (among those that live) was heard.
  [[nodiscard]] double age_max_seconds(MonoTime now) const;
  [[nodiscard]] std::vector<EntryId> entries() const;
  [[nodiscard]] std::uint64_t wakes() const { return wakes_; }
  [[nodiscard]] const LeaseRules& rules() const { return rules_; }

 private:
  struct Lease {
    LeaseState state = LeaseState::kNever;
    MonoTime last_heard{};  // of a NEVER one: when this replica began to wait
    MonoTime dead_since{};
    bool must_speak = false;
  };
  LeaseRules rules_;
  std::map<EntryId, Lease> leases_;
  MonoTime observed_;
  MonoTime woke_;
  std::uint64_t wakes_ = 0;
};

}  // namespace hy::router
