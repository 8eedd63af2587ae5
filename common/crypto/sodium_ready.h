#pragma once

// Private to common/crypto. No other folder includes it.

#include <sodium.h>

#include "common/base/check.h"

namespace hy::crypto {

/// To be called before anything of libsodium: it chooses the code for this processor once. Any
/// thread.
inline void sodium_ready() {
  static const bool ready = sodium_init() >= 0;
  HY_CHECK(ready);
}

}  // namespace hy::crypto
