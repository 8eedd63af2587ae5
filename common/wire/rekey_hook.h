#pragma once

#include <cstdint>

#include "common/base/limits.h"

/// A hook that tests put into the product: keys that serve fewer frames, so that a connection lives
/// through many. Without HY_TEST_HOOKS (every build that ships) it is a constant.
namespace hy::wire {

#if defined(HY_TEST_HOOKS)

/// How many frames a key serves. Any thread.
[[nodiscard]] std::uint64_t rekey_every() noexcept;
/// 0: as usual. Both ends of a connection have to go by the same number, from its first frame on.
void set_rekey_every(std::uint64_t frames) noexcept;

#else

[[nodiscard]] constexpr std::uint64_t rekey_every() noexcept {
  return limits::kRekeyEveryFrames;
}

#endif

}  // namespace hy::wire
