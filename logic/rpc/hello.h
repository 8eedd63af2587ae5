#pragma once

#include <cstdint>
#include <string>

#include "hy/common/v1/envelope.pb.h"

namespace hy::logic {

/// The stream protocol versions that this build speaks, both ends included.
inline constexpr std::uint32_t kStreamVersionLow = 1;
inline constexpr std::uint32_t kStreamVersionHigh = 1;

inline void fill_hello(const std::string& instance, std::uint64_t incarnation,
                       hy::common::v1::Hello& out) {
  out.set_role("logic");
  out.set_name(instance);
  out.set_incarnation(incarnation);
  out.set_version_low(kStreamVersionLow);
  out.set_version_high(kStreamVersionHigh);
}

inline bool speaks_our_version(const hy::common::v1::Hello& hello) {
  return hello.version_low() <= kStreamVersionHigh && hello.version_high() >= kStreamVersionLow;
}

}  // namespace hy::logic
