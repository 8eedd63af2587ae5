#pragma once

#include <span>

#include "common/base/result.h"
#include "common/crypto/ed25519.h"
#include "common/wire/server_key.h"

namespace hy::wire {

inline constexpr std::size_t kKeyNoticeBytes = 148;
using KeyNoticeBytes = std::array<std::uint8_t, kKeyNoticeBytes>;

/// Which server key is current, said by an offline root (wire-protocol.md#key_notice).
struct KeyNotice {
  std::uint8_t root = 0;        ///< index of the root key that signed
  std::uint32_t key_epoch = 0;  ///< raised with every key
  std::uint32_t min_epoch = 0;  ///< keys below this one are no longer trusted
  crypto::Bytes32 public_key{};
  std::int64_t not_before_s = 0;  ///< unix seconds
  std::int64_t not_after_s = 0;
  Audience audience{};
};

/// What the client holds against a notice.
struct KeyTrust {
  std::span<const crypto::Bytes32> roots;  ///< Ed25519 public keys, by index
  Audience audience{};
  std::uint32_t key_epoch_seen = 0;  ///< the highest key_epoch and min_epoch ever accepted
  std::int64_t now_s = 0;
};

/// Clocks of phones are wrong: dates are judged with this tolerance.
inline constexpr std::int64_t kKeyNoticeToleranceS = 48 * 3600;

/// Lays out and signs. root_key is the root that `notice.root` names.
KeyNoticeBytes sign_key_notice(const KeyNotice& notice, const crypto::Ed25519Key& root_key);

/// All checks of wire-protocol.md#key_notice, the signature before any field is believed. Error
/// kUnknownServerKey for each of them: the client closes and keeps what it had. On success the
/// caller stores the key and the larger of key_epoch and min_epoch.
[[nodiscard]] Result<KeyNotice> verify_key_notice(ByteView body, const KeyTrust& trust);

}  // namespace hy::wire
