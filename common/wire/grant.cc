#include "common/wire/grant.h"

#include <algorithm>

#include "common/crypto/hash.h"

namespace hy::wire {
namespace {

constexpr std::string_view kDomain = "hy-grant-v1";

}  // namespace

GrantKey GrantKey::from_token_seed(crypto::View32 seed) {
  GrantKey out;
  crypto::hkdf_sha256({}, seed, as_bytes(kDomain), out.key_.writable());
  return out;
}

ConnGrant GrantKey::make(const GrantFacts& facts) const {
  // uid u64 | slot u8 | auth_epoch u32 | conn_counter u32 | entry_id u16 | conn u64 | expires_s i64
  std::array<std::uint8_t, 35> text;
  put_be(&text[0], facts.uid.value());
  text[8] = static_cast<std::uint8_t>(facts.slot);
  put_be(&text[9], facts.epoch.auth);
  put_be(&text[13], facts.epoch.conn);
  put_be(&text[17], facts.entry.value());
  put_be(&text[19], facts.conn.value());
  put_be(&text[27], facts.expires_s);
  const auto mac = crypto::hmac_sha256(key_.reveal(), {as_bytes(kDomain), text});
  ConnGrant out;
  std::copy_n(mac.begin(), out.size(), out.begin());
  return out;
}

Status GrantKey::check(const GrantFacts& facts, ByteView grant, std::int64_t now_s) const {
  if (!crypto::equal_constant_time(make(facts), grant)) return fail(Errc::kGrantInvalid, "grant");
  if (facts.expires_s < now_s) return fail(Errc::kGrantInvalid, "grant expired");
  return {};
}

}  // namespace hy::wire
