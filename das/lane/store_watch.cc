#include "das/lane/store_watch.h"

namespace hy::das {
namespace {

void raise_to(std::atomic<std::int64_t>& cell, std::int64_t value) {
  std::int64_t known = cell.load(std::memory_order_relaxed);
  while (known < value && !cell.compare_exchange_weak(known, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

void ClockReadings::note(std::int64_t store_ms) {
  if (store_ms <= 0) return;
  const std::int64_t highest = highest_.load(std::memory_order_relaxed);
  if (store_ms > highest) {
    raise_to(highest_, store_ms);
  } else {
    raise_to(deepest_fall_, highest - store_ms);
  }
}

bool ClockReadings::fell(std::int64_t store_ms, Millis step_max) const {
  return deepest_fall_.load(std::memory_order_relaxed) > step_max.count() ||
         highest_.load(std::memory_order_relaxed) > store_ms + step_max.count();
}

void ClockReadings::start_over(std::int64_t store_ms) {
  highest_.store(store_ms, std::memory_order_relaxed);
  deepest_fall_.store(0, std::memory_order_relaxed);
}

Result<StoreWatch::Seen> StoreWatch::look(MonoTime now, StoreSession& session) {
  Seen seen;
  HY_TRY(seen.facts, session.facts());
  const bool below_beat = clock_.stepped_back_at_start(seen.facts.store_ms, seen.facts.beat_ms);
  const bool stepped = clock_.look(now, seen.facts.store_ms);
  const bool fell = state_.readings.fell(seen.facts.store_ms, options_.step_max);
  if (below_beat || stepped || fell) {
    HY_TRY_VOID(session.raise_clock_steps(seen.facts.clock_steps));
    state_.readings.start_over(seen.facts.store_ms);
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
