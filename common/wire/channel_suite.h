#pragma once

#include <cstdint>
#include <string_view>

#include "common/crypto/aead.h"

namespace hy::wire {

/// What HELLO names (wire-protocol.md#suites). Everything that differs between suites hangs on this
/// row: another suite or hash is another row and another protocol version.
struct ChannelSuite {
  std::uint8_t number;
  std::string_view noise_name;  ///< at most 32 bytes: padded with zeros to become h
  crypto::AeadKind aead;
  bool nonce_big_endian;  ///< AES-GCM big-endian, ChaChaPoly little-endian (Noise rev 34 §12.3,
                          ///< §12.4)
};

inline constexpr std::uint8_t kPatternNk = 1;
inline constexpr std::uint8_t kSuiteAesGcm = 1;
inline constexpr std::uint8_t kSuiteChaChaPoly = 2;

/// Null: no such suite.
const ChannelSuite* find_suite(std::uint8_t number);

/// 4 zero bytes, then n in 64 bits in the suite's byte order.
crypto::Nonce make_nonce(const ChannelSuite& suite, std::uint64_t n);

}  // namespace hy::wire
