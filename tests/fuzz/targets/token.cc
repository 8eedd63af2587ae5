// Tokens, grants and key notices: what is accepted was issued, byte for byte. A taken-over entry or
// a person with a text editor has no other way in.
#include "common/wire/token.h"

#include "common/base/random.h"
#include "common/crypto/hash.h"
#include "common/wire/grant.h"
#include "common/wire/key_notice.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;
const wire::Audience kAudience = wire::audience_of("demo");
const wire::DeviceHash kDevice = wire::device_hash("device");

const crypto::Ed25519Key& signing_key() {
  static const auto key = crypto::Ed25519Key::from_seed(crypto::sha256(as_bytes("token seed")));
  return key;
}

const std::vector<Bytes>& issued_tokens() {
  static const std::vector<Bytes> all = [] {
    std::vector<Bytes> out;
    for (const auto kind : {wire::TokenKind::kSession, wire::TokenKind::kRenewal}) {
      wire::Token token{.slot = Slot::kPhone,
                        .kind = kind,
                        .uid = Uid{7},
                        .device = kDevice,
                        .auth_epoch = 3,
                        .issued_s = kNow - 10,
                        .expires_s = kNow + 1'000,
                        .audience = kAudience};
      token.id.fill(9);
      out.push_back(wire::sign_token(token, 1, signing_key()));
    }
    return out;
  }();
  return all;
}

void tokens(ByteView bytes, Reader& reader) {
  const wire::TokenKey keys[] = {{1, signing_key().public_key()}};
  const auto opened = wire::open_token(bytes, keys);
  const bool was_issued =
      std::ranges::find(issued_tokens(), as_text(bytes)) != issued_tokens().end();
  law(opened.has_value() == was_issued, "a token opens exactly when it was issued");
  if (!opened) {
    law(opened.error().code == Errc::kTokenMalformed || opened.error().code == Errc::kTokenForged,
        "refusals of a token say one of two things");
    return;
  }
  // Each part of what LOGIN says has to fit.
  wire::TokenExpectation right{.audience = kAudience,
                               .kind = opened->kind,
                               .slot = Slot::kPhone,
                               .device = kDevice,
                               .now_s = kNow,
                               .auth_epoch_min = 3};
  law(wire::check_token(*opened, right).has_value(), "the right expectation is met");
  wire::TokenExpectation wrong = right;
  const std::uint8_t how = reader.u8() % 6;
  if (how == 0) wrong.audience[reader.u8() % 16] ^= 1;
  if (how == 1) wrong.slot = Slot::kPad;
  if (how == 2) wrong.device[reader.u8() % 8] ^= 1;
  if (how == 3) wrong.now_s = kNow + 1'000 + wire::kTokenToleranceS + 1;
  if (how == 4) wrong.auth_epoch_min = 4;
  if (how == 5) {
    wrong.kind = opened->kind == wire::TokenKind::kSession ? wire::TokenKind::kRenewal
                                                           : wire::TokenKind::kSession;
  }
  law(!wire::check_token(*opened, wrong), "a token serves one purpose");
}

const wire::GrantFacts kFacts{.uid = Uid{7},
                              .slot = Slot::kPhone,
                              .epoch = {3, 5},
                              .entry = EntryId{2},
                              .conn = ConnId{99},
                              .expires_s = kNow + 600};

void grants(Reader& reader) {
  static const auto key = wire::GrantKey::from_token_seed(crypto::sha256(as_bytes("token seed")));
  static const wire::ConnGrant issued = key.make(kFacts);
  wire::GrantFacts facts = kFacts;
  const std::uint8_t change = reader.u8();
  if ((change & 1) != 0) facts.uid = Uid{reader.u64()};
  if ((change & 2) != 0) facts.slot = static_cast<Slot>(reader.u8());
  if ((change & 4) != 0) facts.epoch = {reader.u32(), reader.u32()};
  if ((change & 8) != 0) facts.entry = EntryId{reader.u16()};
  if ((change & 16) != 0) facts.conn = ConnId{reader.u64()};
  if ((change & 32) != 0) facts.expires_s = static_cast<std::int64_t>(reader.u64());
  Bytes grant(as_text(issued));
  if ((change & 64) != 0) grant = copy_of(reader.take(reader.u8() % 20));
  const std::int64_t now = (change & 128) != 0 ? static_cast<std::int64_t>(reader.u64()) : kNow;
  const bool is_same = facts.uid == kFacts.uid && facts.slot == kFacts.slot &&
                       facts.epoch == kFacts.epoch && facts.entry == kFacts.entry &&
                       facts.conn == kFacts.conn && facts.expires_s == kFacts.expires_s &&
                       as_bytes(grant).size() == issued.size() && grant == as_text(issued);
  if (key.check(facts, as_bytes(grant), now)) {
    law(is_same, "a grant serves the login that it was made for");
    law(now <= facts.expires_s, "a grant expires");
  } else {
    law(!is_same || now >= kFacts.expires_s, "a right grant is taken");
  }
}

const crypto::Ed25519Key& root_key() {
  static const auto key = crypto::Ed25519Key::from_seed(crypto::sha256(as_bytes("root seed")));
  return key;
}

const Bytes& issued_notice() {
  static const Bytes notice = [] {
    wire::KeyNotice n{.root = 0,
                      .key_epoch = 4,
                      .min_epoch = 2,
                      .not_before_s = kNow - 100,
                      .not_after_s = kNow + 100,
                      .audience = kAudience};
    n.public_key.fill(0x42);
    return Bytes(as_text(wire::sign_key_notice(n, root_key())));
  }();
  return notice;
}

void notices(ByteView bytes, Reader& reader) {
  const crypto::Bytes32 roots[] = {root_key().public_key()};
  wire::KeyTrust trust{
      .roots = roots, .audience = kAudience, .key_epoch_seen = reader.u8() % 8U, .now_s = kNow};
  const auto verified = wire::verify_key_notice(bytes, trust);
  if (verified) {
    law(as_text(bytes) == issued_notice(), "a notice is believed only when the root signed it");
    law(verified->key_epoch >= trust.key_epoch_seen, "no way back to an older key");
  } else {
    law(verified.error().code == Errc::kUnknownServerKey, "one error for all that is wrong");
    law(as_text(bytes) != issued_notice() || trust.key_epoch_seen > 4, "a right notice is taken");
  }
}

/// what % 6: 0 token bytes, 1 token with flips, 2 grant, 3 notice bytes, 4 notice with flips,
/// 5 the other token with flips.
void run(ByteView input) {
  Reader reader(input);
  const std::uint8_t what = reader.u8() % 6;
  if (what == 2) return grants(reader);
  Bytes bytes;
  if (what == 0 || what == 3) {
    bytes = copy_of(reader.take(160));
  } else {
    bytes = what == 4 ? issued_notice() : issued_tokens()[what == 1 ? 0 : 1];
    for (std::size_t n = reader.u8() % 4; n > 0; --n) {
      const std::size_t at = reader.u8() % bytes.size();
      bytes[at] = static_cast<char>(bytes[at] ^ reader.u8());
    }
  }
  if (what == 3 || what == 4) return notices(as_bytes(bytes), reader);
  tokens(as_bytes(bytes), reader);
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  out.emplace_back("token-whole", Bytes{'\0'} + issued_tokens()[0]);
  out.emplace_back("renewal-whole", Bytes{'\0'} + issued_tokens()[1]);
  for (char how = 0; how < 6; ++how) {
    out.emplace_back("token-misuse-" + std::to_string(how), Bytes{'\1', '\0', how, '\1'});
  }
  for (const std::size_t at : {0U, 4U, 6U, 7U, 8U, 16U, 24U, 28U, 32U, 48U, 64U, 80U, 143U}) {
    out.emplace_back("token-flip-" + std::to_string(at),
                     Bytes{'\1', '\1', static_cast<char>(at), '\1'});
    out.emplace_back("notice-flip-" + std::to_string(at),
                     Bytes{'\4', '\1', static_cast<char>(at), '\1'});
  }
  out.emplace_back("token-short", Bytes{'\0'} + issued_tokens()[0].substr(0, 143));
  out.emplace_back("notice-whole", Bytes{'\3'} + issued_notice() + Bytes(12, '\0') + '\4');
  out.emplace_back("notice-old", Bytes{'\4', '\0', '\5'});
  out.emplace_back("grant-right", Bytes{'\2', '\0'});
  for (int bit = 0; bit < 8; ++bit) {
    out.emplace_back("grant-" + std::to_string(bit),
                     Bytes{'\2', static_cast<char>(1 << bit)} + Bytes(10, '\7'));
  }
  return out;
}

HY_FUZZ_TARGET(token, run, seeds, 256);

}  // namespace
}  // namespace hy::fuzz
