#include "common/base/test_hooks.h"

#if defined(HY_TEST_HOOKS)

#include <atomic>

namespace hy {
namespace {

std::atomic<Mutant> is_on{Mutant::kNone};
std::atomic<SyncPointHandler> at_sync_point{nullptr};

}  // namespace

bool mutant(Mutant which) noexcept {
  return is_on.load(std::memory_order_relaxed) == which;
}

void set_mutant(Mutant which) noexcept {
  is_on.store(which, std::memory_order_relaxed);
}

void set_sync_point_handler(SyncPointHandler handler) noexcept {
  at_sync_point.store(handler, std::memory_order_release);
}

void sync_point(std::string_view name) {
  if (const SyncPointHandler handler = at_sync_point.load(std::memory_order_acquire)) handler(name);
}

}  // namespace hy

#endif
