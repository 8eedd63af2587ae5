#include "router/lease/lease_table.h"

#include <algorithm>

#include "common/base/test_hooks.h"

namespace hy::router {

LeaseTable::LeaseTable(LeaseRules rules, const std::vector<EntryId>& topology, MonoTime now)
    : rules_(rules), observed_(now), woke_(now) {
  for (const EntryId entry : topology) leases_[entry].last_heard = now;
}

bool LeaseTable::observe(MonoTime now) {
  const auto gap = now - observed_;
  observed_ = std::max(observed_, now);
  if (gap <= rules_.tick + rules_.pause_from) return false;
  if (mutant(Mutant::kNoSelfPauseGuard)) return false;
  ++wakes_;
  woke_ = now;
  for (auto& [entry, lease] : leases_) {
    lease.last_heard = std::min(lease.last_heard + gap, now);
    lease.dead_since = std::min(lease.dead_since + gap, now);
    lease.must_speak = lease.state == LeaseState::kAlive || lease.state == LeaseState::kSuspect;
  }
  return true;
}

void LeaseTable::heard(EntryId entry, MonoTime now) {
  const auto found = leases_.find(entry);
  if (found == leases_.end()) return;
  Lease& lease = found->second;
  lease.state = LeaseState::kAlive;
  lease.last_heard = now;
  // What lay in the socket while this process slept is read at once after the wake; it says
  // nothing about now.
  if (now - woke_ >= rules_.heartbeat) lease.must_speak = false;
}

void LeaseTable::stream_lost(EntryId entry, MonoTime) {
  const auto found = leases_.find(entry);
  if (found != leases_.end() && found->second.state == LeaseState::kAlive) {
    found->second.state = LeaseState::kSuspect;
  }
}

LeaseTable::Changes LeaseTable::tick(MonoTime now) {
  Changes changes;
  for (auto& [entry, lease] : leases_) {
    const auto silent = now - lease.last_heard;
    if (lease.state != LeaseState::kDead && silent >= rules_.dead_after) {
      lease.state = LeaseState::kDead;
      lease.dead_since = now;
      lease.must_speak = false;
      changes.dead.push_back(entry);
    } else if (lease.state == LeaseState::kAlive && silent >= rules_.suspect_after) {
      lease.state = LeaseState::kSuspect;
      changes.suspect.push_back(entry);
    }
  }
  return changes;
}

LeaseState LeaseTable::state(EntryId entry) const {
  const auto found = leases_.find(entry);
  return found == leases_.end() ? LeaseState::kNever : found->second.state;
}

bool LeaseTable::is_recently_dead(EntryId entry, MonoTime now) const {
  return state(entry) == LeaseState::kDead && !is_dead_since(entry, rules_.recently_dead, now);
}

bool LeaseTable::is_dead_since(EntryId entry, Millis age, MonoTime now) const {
  const auto found = leases_.find(entry);
  return found != leases_.end() && found->second.state == LeaseState::kDead &&
         now - found->second.dead_since > age;
}

std::vector<EntryId> LeaseTable::unheard_since_wake() const {
  std::vector<EntryId> out;
  for (const auto& [entry, lease] : leases_) {
    if (lease.must_speak) out.push_back(entry);
  }
  return out;
}

double LeaseTable::age_max_seconds(MonoTime now) const {
  std::chrono::nanoseconds age{0};
  for (const auto& [entry, lease] : leases_) {
    if (lease.state == LeaseState::kAlive || lease.state == LeaseState::kSuspect) {
      age = std::max<std::chrono::nanoseconds>(age, now - lease.last_heard);
    }
  }
  return std::chrono::duration<double>(age).count();
}

std::vector<EntryId> LeaseTable::entries() const {
  std::vector<EntryId> out;
  for (const auto& lease : leases_) out.push_back(lease.first);
  return out;
}

}  // namespace hy::router
