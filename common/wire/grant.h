#pragma once

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/keys.h"

namespace hy::wire {

using ConnGrant = std::array<std::uint8_t, 16>;

/// What a grant binds together: one login, on one connection, of one entry.
struct GrantFacts {
  Uid uid{};
  Slot slot = Slot::kNone;
  Epoch epoch{};
  EntryId entry{};
  ConnId conn{};
  std::int64_t expires_s = 0;  ///< unix seconds
};

/// The proof that a session was opened by logic through that entry. Logic makes it at LOGIN, renews
/// it with PING and checks it on every forwarded command, so an entry that was taken over cannot
/// act for people who are not connected to it. Any thread.
class GrantKey {
 public:
  /// HKDF-SHA256 of the token key's seed with info "hy-grant-v1": every logic has the same.
  static GrantKey from_token_seed(crypto::View32 seed);

  /// First 16 bytes of HMAC-SHA256 over "hy-grant-v1" and the facts, big-endian, in their order.
  [[nodiscard]] ConnGrant make(const GrantFacts& facts) const;

  /// Errors: kGrantInvalid (wrong or expired). now_s: unix seconds.
  [[nodiscard]] Status check(const GrantFacts& facts, ByteView grant, std::int64_t now_s) const;

 private:
  crypto::SecretKey32 key_;
};

}  // namespace hy::wire
