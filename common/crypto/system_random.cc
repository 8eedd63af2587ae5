#include "common/crypto/system_random.h"

#include <openssl/rand.h>

#include <algorithm>

#include "common/base/check.h"

namespace hy::crypto {

void SystemRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::size_t take = std::min<std::size_t>(out.size(), 1 << 20);
    // Without randomness no key may be made: this ends the process rather than go on.
    HY_CHECK(RAND_bytes(out.data(), static_cast<int>(take)) == 1);
    out = out.subspan(take);
  }
}

}  // namespace hy::crypto
