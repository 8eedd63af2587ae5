#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "common/base/secret.h"
#include "common/wire/grant.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// Proof that a logic let this session in through this entry and connection: an entry that was
/// taken over cannot act for people who are not connected to it (security.md E12). Any logic checks
/// it. One thread: what a check has proven is remembered, in a table of fixed size, and the same
/// bytes for the same facts are then compared and not computed again.
class Grants {
 public:
  /// token_seed: 32 bytes. life: how long a grant holds; renewed by each PING, and by any command
  /// when less than half of it is left.
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
  /// A session whose grant was computed here and found right, with all that the grant binds.
  struct Proven {
    SessionInfo session;
    EntryId entry;
    ConnId conn;
    friend bool operator==(const Proven&, const Proven&) = default;
  };
  static constexpr std::size_t kProvenRows = 8'192;  // 64 bytes each

  wire::GrantKey key_;
  /// By connection, one row each: connections of one entry are numbered densely.
  mutable std::vector<Proven> proven_;
  std::chrono::seconds life_;
};

/// True when `given` is the operator's token. Takes the same time for every wrong one. An empty
/// `expected` admits nobody.
[[nodiscard]] bool is_operator(const Secret& expected, std::string_view given);

}  // namespace hy::logic
