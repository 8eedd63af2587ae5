#include "logic/domain/token_desk.h"

#include "common/base/check.h"

namespace hy::logic {
namespace {

constexpr std::size_t kSeedBytes = 32;
constexpr std::uint16_t kKeyNumber = 1;

crypto::Ed25519Key key_of(const Secret& seed) {
  HY_CHECK(seed.size() == kSeedBytes);
  return crypto::Ed25519Key::from_seed(as_bytes(seed.reveal()).first<kSeedBytes>());
}

}  // namespace

TokenDesk::TokenDesk(const Secret& seed, std::string_view cluster, Random& random)
    : key_(key_of(seed)),
      keys_{wire::TokenKey{kKeyNumber, key_.public_key()}},
      audience_(wire::audience_of(cluster)),
      random_(random) {}

Result<TokenDesk::Claims> TokenDesk::check(std::string_view token, Slot slot,
                                           std::string_view device_id, std::int64_t now_s) const {
  const wire::TokenExpectation expected{.audience = audience_,
                                        .kind = wire::TokenKind::kSession,
                                        .slot = slot,
                                        .device = wire::device_hash(device_id),
                                        .now_s = now_s};
  HY_TRY(const wire::Token opened, wire::verify_token(as_bytes(token), keys_, expected));
  return Claims{opened.uid, opened.auth_epoch};
}

Bytes TokenDesk::make(Uid uid, Slot slot, std::string_view device_id, std::uint32_t auth_epoch,
                      std::int64_t now_s, std::chrono::seconds life) {
  wire::Token token;
  token.slot = slot;
  token.kind = wire::TokenKind::kSession;
  token.uid = uid;
  token.device = wire::device_hash(device_id);
  token.auth_epoch = auth_epoch;
  token.issued_s = now_s;
  token.expires_s = now_s + life.count();
  token.audience = audience_;
  random_.fill(token.id);
  return wire::sign_token(token, kKeyNumber, key_);
}

}  // namespace hy::logic
