#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/ids.h"

namespace hy::logic {

/// First 16 bytes of SHA-256(kind as u32 big-endian | body): kind and body as the app gave them,
/// never the envelope, or a resend would conflict with itself.
PayloadHash payload_hash(std::uint32_t kind, std::string_view body);

}  // namespace hy::logic
