#pragma once

#include "common/base/random.h"

namespace hy::crypto {

/// The system's randomness through OpenSSL (getrandom underneath). Any thread. No fork after use.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

}  // namespace hy::crypto
