#include "tests/cluster/chaos/device_points.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/test_hooks.h"

namespace hy::chaos::device_points {
namespace {

struct State {
  std::array<std::atomic<std::uint64_t>, hooks::kSyncPoints.size()> hits{};
  std::atomic<bool> is_armed{false};
  std::atomic<bool> has_struck{false};
  std::mutex mutex;
  std::string point;
  Strike strike;
};
State& state() {
  static State* const it = new State;  // SDK threads may come here until the process ends
  return *it;
}

std::size_t index_of(std::string_view point) {
  const auto at = std::ranges::find(hooks::kSyncPoints, point, &hooks::SyncPoint::name);
  return static_cast<std::size_t>(at - hooks::kSyncPoints.begin());
}

#if defined(HY_TEST_HOOKS)
void at_place(std::string_view name) {
  State& s = state();
  const std::size_t index = index_of(name);
  if (index < s.hits.size()) s.hits.at(index).fetch_add(1, std::memory_order_relaxed);
  if (!s.is_armed.load(std::memory_order_acquire)) return;
  Strike strike;
  {
    const std::lock_guard lock(s.mutex);
    if (!s.is_armed || s.point != name) return;
    strike = s.strike;
  }
  // Outside the lock: a struck device may wait here for seconds. Only its own thread counts down.
  if (!strike(name)) return;
}
#endif

}  // namespace

void install() {
#if defined(HY_TEST_HOOKS)
  set_sync_point_handler(&at_place);
#endif
}

void arm(std::string_view point, std::int64_t nth, Strike strike) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.point = point;
  s.has_struck = false;
  auto left = std::make_shared<std::atomic<std::int64_t>>(std::max<std::int64_t>(nth, 1));
  s.strike = [left, strike = std::move(strike)](std::string_view name) {
    if (state().has_struck || !strike({})) return false;  // empty: is this thread the one meant?
    if (left->fetch_sub(1) != 1) return false;
    state().has_struck = true;
    state().is_armed = false;
    return strike(name);
  };
  s.is_armed.store(true, std::memory_order_release);
}

void disarm() {
  state().is_armed = false;
}

std::uint64_t hits(std::string_view point) {
  const std::size_t index = index_of(point);
  return index < hooks::kSyncPoints.size() ? state().hits.at(index).load() : 0;
}

bool has_struck() {
  return state().has_struck;
}

Turn turn_at(std::string_view point) {
  constexpr std::array<std::string_view, 3> kCommitted{
      "sdk.after_persist_before_ack", "sdk.counter_before_connect", "sdk.after_send_before_ack"};
  if (std::ranges::find(kCommitted, point) != kCommitted.end()) return Turn::kCommitted;
  if (point == "sdk.after_ack_before_show") return Turn::kTold;
  return point == "sdk.after_outbox_write" ? Turn::kOver : Turn::kOpen;
}

}  // namespace hy::chaos::device_points
