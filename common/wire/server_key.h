#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/crypto/keys.h"

namespace hy::wire {

using KeyId = std::array<std::uint8_t, 8>;
using Audience = std::array<std::uint8_t, 16>;
using DeviceHash = std::array<std::uint8_t, 8>;

/// First 8 bytes of SHA-256(public key): how HELLO names a server key.
KeyId key_id(crypto::View32 public_key);
/// First 16 bytes of SHA-256("hy-audience-v1" | cluster name): what tokens and notices are for.
Audience audience_of(std::string_view cluster);
/// First 8 bytes of SHA-256(device id): how a token names a device.
DeviceHash device_hash(std::string_view device_id);

}  // namespace hy::wire
