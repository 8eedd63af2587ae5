#pragma once

#include <string>

#include "common/base/result.h"

namespace hy::cli {

/// The public X25519 key, as hex, of a private one of 32 bytes in hex. Errors: kConfigWrongType.
Result<std::string> public_key_hex(const std::string& private_hex);

}  // namespace hy::cli
