#pragma once

#include <cstdint>

#include "common/base/secret.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// Proof that a logic let this session in through this entry and connection: an entry that was taken
/// over cannot act for people who are not connected to it (security.md E12). Any logic checks it.
///
/// 16 bytes = HMAC-SHA256(key, "hy-grant-v1" | uid u64 | slot u8 | auth_epoch u32 |
/// conn_counter u32 | entry_id u16 | conn u64 | expires_s i64), big-endian, cut.
/// key = HKDF-SHA256 of the token key's seed with info "hy-grant-v1".
class Grants {
 public:
  /// life: how long a grant holds; renewed when less than half of it is left.
  Grants(const Secret& token_seed, std::chrono::seconds life);

  /// Sets expiry and grant of `session`.
  void give(SessionInfo& session, EntryId entry, ConnId conn, std::int64_t now_s) const;
  /// kGrantInvalid: forged, of another entry or connection, or expired.
  [[nodiscard]] Status check(const SessionInfo& session, EntryId entry, ConnId conn,
                             std::int64_t now_s) const;
  [[nodiscard]] bool wants_renewal(const SessionInfo& session, std::int64_t now_s) const {
    return session.grant_expires_s - now_s < life_.count() / 2;
  }

 private:
  [[nodiscard]] Bytes mac(const SessionInfo& session, EntryId entry, ConnId conn) const;

  Secret key_;
  std::chrono::seconds life_;
};

}  // namespace hy::logic
