#include "common/wire/rekey_hook.h"

#if defined(HY_TEST_HOOKS)

#include <atomic>

namespace hy::wire {
namespace {

std::atomic<std::uint64_t> frames_of_a_key{limits::kRekeyEveryFrames};

}  // namespace

std::uint64_t rekey_every() noexcept {
  return frames_of_a_key.load(std::memory_order_relaxed);
}

void set_rekey_every(std::uint64_t frames) noexcept {
  frames_of_a_key.store(frames == 0 ? limits::kRekeyEveryFrames : frames,
                        std::memory_order_relaxed);
}

}  // namespace hy::wire

#endif
