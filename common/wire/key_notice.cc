#include "common/wire/key_notice.h"

#include <algorithm>

#include "common/crypto/hash.h"

namespace hy::wire {
namespace {

constexpr std::uint8_t kLayout = 1;
constexpr std::size_t kSignedBytes = kKeyNoticeBytes - 64;
constexpr std::string_view kDomain = "hy-key-notice-v1";

Bytes signed_text(ByteView head) {
  Bytes text(kDomain);
  text.append(as_text(head));
  return text;
}

template <class Out>
void take(ByteView body, std::size_t at, Out& out) {
  std::copy_n(body.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
}

}  // namespace

KeyNoticeBytes sign_key_notice(const KeyNotice& notice, const crypto::Ed25519Key& root_key) {
  KeyNoticeBytes out{};
  out[0] = kLayout;
  out[1] = notice.root;
  put_be(&out[4], notice.key_epoch);
  put_be(&out[8], notice.min_epoch);
  const KeyId id = key_id(notice.public_key);
  std::copy(id.begin(), id.end(), &out[12]);
  std::copy(notice.public_key.begin(), notice.public_key.end(), &out[20]);
  put_be(&out[52], notice.not_before_s);
  put_be(&out[60], notice.not_after_s);
  std::copy(notice.audience.begin(), notice.audience.end(), &out[68]);
  const auto signature = root_key.sign(as_bytes(signed_text(ByteView(out).first(kSignedBytes))));
  std::copy(signature.begin(), signature.end(), &out[kSignedBytes]);
  return out;
}

Result<KeyNotice> verify_key_notice(ByteView body, const KeyTrust& trust) {
  if (body.size() != kKeyNoticeBytes) return fail(Errc::kUnknownServerKey, "notice: length");
  if (body[0] != kLayout || body[2] != 0 || body[3] != 0)
    return fail(Errc::kUnknownServerKey, "notice: layout");
  KeyNotice notice{.root = body[1],
                   .key_epoch = get_be<std::uint32_t>(&body[4]),
                   .min_epoch = get_be<std::uint32_t>(&body[8]),
                   .not_before_s = get_be<std::int64_t>(&body[52]),
                   .not_after_s = get_be<std::int64_t>(&body[60])};
  if (notice.root >= trust.roots.size()) return fail(Errc::kUnknownServerKey, "notice: root");
  if (!crypto::ed25519_verify(trust.roots[notice.root],
                              as_bytes(signed_text(body.first(kSignedBytes))),
                              body.subspan<kSignedBytes, 64>()))
    return fail(Errc::kUnknownServerKey, "notice: signature");
  take(body, 20, notice.public_key);
  take(body, 68, notice.audience);
  KeyId id;
  take(body, 12, id);
  if (id != key_id(notice.public_key)) return fail(Errc::kUnknownServerKey, "notice: key id");
  if (notice.audience != trust.audience) return fail(Errc::kUnknownServerKey, "notice: audience");
  if (notice.key_epoch < trust.key_epoch_seen || notice.key_epoch < notice.min_epoch)
    return fail(Errc::kUnknownServerKey, "notice: key epoch");
  // Subtraction on the side of our own clock: the dates are a peer's and may be anything.
  if (notice.not_before_s > trust.now_s + kKeyNoticeToleranceS ||
      notice.not_after_s < trust.now_s - kKeyNoticeToleranceS)
    return fail(Errc::kUnknownServerKey, "notice: dates");
  return notice;
}

}  // namespace hy::wire
