#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/random.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace hy::crypto {

/// Cost of one Argon2id hash (RFC 9106). Range: memory ≥ 8 KiB × lanes, passes ≥ 1, lanes 1 .. 255.
struct PasswordCost {
  std::uint32_t memory_kib = 64 * 1024;
  std::uint32_t passes = 2;
  std::uint32_t lanes = 1;
  friend constexpr bool operator==(const PasswordCost&, const PasswordCost&) = default;
};
/// The default where at least 2 GiB are free, and the floor (OWASP's minimum) elsewhere.
inline constexpr PasswordCost kPasswordCostDefault{};
inline constexpr PasswordCost kPasswordCostFloor{.memory_kib = 19 * 1024, .passes = 2, .lanes = 1};

/// The PHC string `$argon2id$v=19$m=…,t=…,p=…$salt$tag` with a 16-byte salt and a 32-byte tag.
/// Takes 20–130 ms and memory_kib of memory: never on an event loop's thread.
/// Errors: kOverloaded (no memory for it now).
[[nodiscard]] Result<std::string> hash_password(const Secret& password, const PasswordCost& cost,
                                                Random& random);

/// As costly as the hash that made `phc`. False: the password is another one. Errors:
/// kOverloaded (no memory for it now), kInternal (the stored string is not one of ours).
[[nodiscard]] Result<bool> verify_password(const Secret& password, std::string_view phc);

/// What a stored string costs; nullopt-like failure kInternal when it is not one of ours.
[[nodiscard]] Result<PasswordCost> password_cost(std::string_view phc);

/// True when `phc` is cheaper than `cost` in any term: hash again at the next successful login.
[[nodiscard]] bool needs_rehash(std::string_view phc, const PasswordCost& cost);

}  // namespace hy::crypto
