#pragma once

#include <array>
#include <chrono>
#include <string_view>

#include "common/base/random.h"
#include "common/base/secret.h"
#include "common/wire/token.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// Makes and checks session tokens for one cluster. The signing key never leaves logic.
class TokenDesk {
 public:
  /// seed: 32 bytes. cluster: its name gives the audience.
  TokenDesk(const Secret& seed, std::string_view cluster, Random& random);

  struct Claims {
    Uid uid;
    std::uint32_t auth_epoch = 0;
  };
  /// Everything that needs no store (security.md §6, in that order): kTokenMalformed,
  /// kTokenForged, kTokenMisused (audience, kind, slot, device), kTokenExpired.
  [[nodiscard]] Result<Claims> check(std::string_view token, Slot slot, std::string_view device_id,
                                     std::int64_t now_s) const;
  /// 144 bytes. About 50 µs.
  [[nodiscard]] Bytes make(Uid uid, Slot slot, std::string_view device_id, std::uint32_t auth_epoch,
                           std::int64_t now_s, std::chrono::seconds life);

 private:
  crypto::Ed25519Key key_;
  std::array<wire::TokenKey, 1> keys_;
  wire::Audience audience_;
  Random& random_;
};

}  // namespace hy::logic
