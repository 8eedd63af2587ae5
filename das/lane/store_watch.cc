#include "das/lane/store_watch.h"

namespace hy::das {

Result<StoreWatch::Seen> StoreWatch::look(MonoTime now, StoreSession& session) {
  Seen seen;
  HY_TRY(seen.facts, session.facts());
  const bool below_beat = clock_.stepped_back_at_start(seen.facts.store_ms, seen.facts.beat_ms);
  const bool stepped = clock_.look(now, seen.facts.store_ms);
  if (below_beat || stepped) {
    HY_TRY_VOID(session.raise_clock_steps(seen.facts.clock_steps));
    HY_TRY(seen.facts, session.facts());
    seen.stepped = true;
  }
  if (now >= next_beat_) {
    HY_TRY_VOID(session.beat(seen.facts.store_ms));
    next_beat_ = now + options_.beat_period;
  }
  const auto swap = [&](auto& cell, auto value) {
    if (cell.exchange(value, std::memory_order_relaxed) != value) seen.changed = true;
  };
  swap(state_.store_epoch, seen.facts.store_epoch);
  swap(state_.clock_steps, seen.facts.clock_steps);
  swap(state_.durable, seen.facts.durable);
  return seen;
}

}  // namespace hy::das
