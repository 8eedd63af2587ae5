#include "logic/domain/grant.h"

#include <array>

#include "common/crypto/hash.h"

namespace hy::logic {
namespace {

constexpr std::string_view kLabel = "hy-grant-v1";
constexpr std::size_t kGrantBytes = 16;
constexpr std::size_t kKeyBytes = 32;

}  // namespace

Grants::Grants(const Secret& token_seed, std::chrono::seconds life) : life_(life) {
  std::string key(kKeyBytes, '\0');
  crypto::hkdf_sha256({}, as_bytes(token_seed.reveal()), as_bytes(kLabel),
                      {reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
  key_ = Secret(std::move(key));
}

Bytes Grants::mac(const SessionInfo& s, EntryId entry, ConnId conn) const {
  std::array<std::uint8_t, 8 + 1 + 4 + 4 + 2 + 8 + 8> fields{};
  std::uint8_t* at = fields.data();
  put_be(at, s.uid.value());
  at[8] = static_cast<std::uint8_t>(s.slot);
  put_be(at + 9, s.auth_epoch);
  put_be(at + 13, s.conn_counter);
  put_be(at + 17, entry.value());
  put_be(at + 19, conn.value());
  put_be(at + 27, s.grant_expires_s);
  const crypto::Bytes32 full =
      crypto::hmac_sha256(as_bytes(key_.reveal()), {as_bytes(kLabel), fields});
  return Bytes(as_text(full).substr(0, kGrantBytes));
}

void Grants::give(SessionInfo& session, EntryId entry, ConnId conn, std::int64_t now_s) const {
  session.grant_expires_s = now_s + life_.count();
  session.grant = mac(session, entry, conn);
}

Status Grants::check(const SessionInfo& session, EntryId entry, ConnId conn,
                     std::int64_t now_s) const {
  const Bytes expected = mac(session, entry, conn);
  if (!crypto::equal_constant_time(as_bytes(expected), as_bytes(session.grant))) {
    return fail(Errc::kGrantInvalid, "wrong grant");
  }
  if (now_s >= session.grant_expires_s) return fail(Errc::kGrantInvalid, "expired grant");
  return {};
}

}  // namespace hy::logic
