#include "common/wire/token.h"

#include <algorithm>

#include "common/crypto/hash.h"

namespace hy::wire {
namespace {

constexpr std::string_view kTag = "HYT1";
constexpr std::string_view kDomain = "hy-token-v1";
constexpr std::size_t kSignedBytes = kTokenBytes - 64;

Bytes signed_text(ByteView head) {
  Bytes text(kDomain);
  text.append(as_text(head));
  return text;
}

template <class Out>
void take(ByteView bytes, std::size_t at, Out& out) {
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
}

}  // namespace

Bytes sign_token(const Token& token, std::uint16_t key_number, const crypto::Ed25519Key& key) {
  Bytes out(kTokenBytes, '\0');
  auto* p = reinterpret_cast<std::uint8_t*>(out.data());
  std::copy(kTag.begin(), kTag.end(), out.begin());
  put_be(p + 4, key_number);
  p[6] = static_cast<std::uint8_t>(token.slot);
  p[7] = static_cast<std::uint8_t>(token.kind);
  put_be(p + 8, token.uid.value());
  std::copy(token.device.begin(), token.device.end(), p + 16);
  put_be(p + 24, token.auth_epoch);
  put_be(p + 32, token.issued_s);
  put_be(p + 40, token.expires_s);
  std::copy(token.audience.begin(), token.audience.end(), p + 48);
  std::copy(token.id.begin(), token.id.end(), p + 64);
  const auto signature = key.sign(as_bytes(signed_text({p, kSignedBytes})));
  std::copy(signature.begin(), signature.end(), p + kSignedBytes);
  return out;
}

Result<Token> open_token(ByteView bytes, std::span<const TokenKey> keys) {
  if (bytes.size() != kTokenBytes) return fail(Errc::kTokenMalformed, "length");
  const std::uint8_t* p = bytes.data();
  if (as_text(bytes.first(4)) != kTag) return fail(Errc::kTokenMalformed, "tag");
  if (get_be<std::uint32_t>(p + 28) != 0) return fail(Errc::kTokenMalformed, "zeros");
  const auto number = get_be<std::uint16_t>(p + 4);
  const auto key = std::ranges::find(keys, number, &TokenKey::number);
  if (key == keys.end()) return fail(Errc::kTokenForged, "unknown key number");
  if (!crypto::ed25519_verify(key->public_key, as_bytes(signed_text(bytes.first(kSignedBytes))),
                              bytes.subspan<kSignedBytes, 64>()))
    return fail(Errc::kTokenForged, "signature");
  if (!is_valid_slot(p[6]) || (p[7] != 1 && p[7] != 2))
    return fail(Errc::kTokenMalformed, "slot or kind");
  Token token{.slot = static_cast<Slot>(p[6]),
              .kind = static_cast<TokenKind>(p[7]),
              .uid = Uid{get_be<std::uint64_t>(p + 8)},
              .auth_epoch = get_be<std::uint32_t>(p + 24),
              .issued_s = get_be<std::int64_t>(p + 32),
              .expires_s = get_be<std::int64_t>(p + 40)};
  take(bytes, 16, token.device);
  take(bytes, 48, token.audience);
  take(bytes, 64, token.id);
  return token;
}

Status check_token(const Token& token, const TokenExpectation& expected) {
  if (!crypto::equal_constant_time(token.audience, expected.audience))
    return fail(Errc::kTokenMisused, "audience");
  if (token.kind != expected.kind) return fail(Errc::kTokenMisused, "kind");
  if (token.slot != expected.slot) return fail(Errc::kTokenMisused, "slot");
  if (!crypto::equal_constant_time(token.device, expected.device))
    return fail(Errc::kTokenMisused, "device");
  if (expected.now_s - kTokenToleranceS > token.expires_s ||
      expected.now_s + kTokenToleranceS < token.issued_s)
    return fail(Errc::kTokenExpired);
  if (token.auth_epoch < expected.auth_epoch_min) return fail(Errc::kRevoked);
  return {};
}

Result<Token> verify_token(ByteView bytes, std::span<const TokenKey> keys,
                           const TokenExpectation& expected) {
  HY_TRY(const Token token, open_token(bytes, keys));
  HY_TRY_VOID(check_token(token, expected));
  return token;
}

}  // namespace hy::wire
