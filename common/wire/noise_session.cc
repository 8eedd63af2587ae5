#include "common/wire/noise_session.h"
#include "common/base/test_hooks.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/wire/rekey_hook.h"

namespace hy::wire {
namespace {

using crypto::Bytes32;
using crypto::SecretKey32;

/// Noise rev 34 §11.3: the first 32 bytes of 32 zeros encrypted under n = 2^64 - 1 with empty AD.
void rekey(const ChannelSuite& suite, SecretKey32& key) {
  static constexpr Bytes32 kZeros{};
  std::uint8_t out[32 + crypto::kAeadTagBytes];
  crypto::aead_seal(suite.aead, key.reveal(), make_nonce(suite, ~std::uint64_t{0}), {}, kZeros,
                    out);
  std::copy_n(out, 32, key.writable().begin());
  wipe(out, sizeof out);
}

void advance(const ChannelSuite& suite, SecretKey32& key, std::uint64_t& n, bool is_early) {
  if ((++n + (is_early ? 1 : 0)) % rekey_every() == 0) rekey(suite, key);
}

std::uint8_t* grow(Bytes& out, std::size_t by) {
  const std::size_t at = out.size();
  out.resize(at + by);
  return reinterpret_cast<std::uint8_t*>(out.data()) + at;
}

}  // namespace

Status Transport::seal(ByteView ad, ByteView text, std::uint8_t* out) {
  HY_CHECK(suite_ != nullptr);
  if (send_n_ >= limits::kNonceStop) return fail(Errc::kConnectionTooOld);
  crypto::aead_seal(suite_->aead, send_key_.reveal(), make_nonce(*suite_, send_n_), ad, text, out);
  advance(*suite_, send_key_, send_n_, false);
  return {};
}

Result<std::span<std::uint8_t>> Transport::open(ByteView ad, std::span<std::uint8_t> sealed) {
  HY_CHECK(suite_ != nullptr);
  if (receive_n_ >= limits::kNonceStop) return fail(Errc::kConnectionTooOld);
  // n moves only after the tag was checked: a forged frame must not shift the sequence.
  if (!crypto::aead_open(suite_->aead, receive_key_.reveal(), make_nonce(*suite_, receive_n_), ad,
                         sealed, sealed.data())) {
    if (mutant(Mutant::kNonceMovesOnFailure)) ++receive_n_;
    return fail(Errc::kBadFrame);
  }
  advance(*suite_, receive_key_, receive_n_, mutant(Mutant::kRekeyOffByOne));
  return sealed.first(sealed.size() - crypto::kAeadTagBytes);
}

SymmetricState::SymmetricState(const ChannelSuite& suite, ByteView prologue) : suite_(&suite) {
  static_assert(sizeof(Bytes32) == 32);
  HY_CHECK(suite.noise_name.size() <= 32);
  h_.fill(0);  // a name up to 32 bytes is padded with zeros, not hashed
  std::copy(suite.noise_name.begin(), suite.noise_name.end(), h_.begin());
  ck_ = SecretKey32(h_);
  mix_hash(prologue);
}

void SymmetricState::mix_hash(ByteView data) {
  h_ = crypto::sha256({h_, data});
}

void SymmetricState::mix_key(ByteView ikm) {
  crypto::NoiseKeys keys = crypto::noise_hkdf(ck_.reveal(), ikm);
  ck_ = std::move(keys.first);
  k_ = std::move(keys.second);
  n_ = 0;
}

void SymmetricState::encrypt_and_hash(ByteView text, Bytes& out) {
  const std::size_t size = text.size() + crypto::kAeadTagBytes;
  std::uint8_t* at = grow(out, size);
  crypto::aead_seal(suite_->aead, k_.reveal(), make_nonce(*suite_, n_), h_, text, at);
  ++n_;
  mix_hash({at, size});
}

bool SymmetricState::decrypt_and_hash(ByteView sealed, Bytes& out) {
  if (sealed.size() < crypto::kAeadTagBytes) return false;
  Bytes text(sealed.size() - crypto::kAeadTagBytes, '\0');
  if (!crypto::aead_open(suite_->aead, k_.reveal(), make_nonce(*suite_, n_), h_, sealed,
                         reinterpret_cast<std::uint8_t*>(text.data())))
    return false;
  ++n_;
  mix_hash(sealed);
  out = std::move(text);
  return true;
}

crypto::NoiseKeys SymmetricState::split() const {
  return crypto::noise_hkdf(ck_.reveal(), {});
}

NkInitiator::NkInitiator(const ChannelSuite& suite, ByteView prologue, crypto::View32 server_public,
                         crypto::X25519KeyPair ephemeral)
    : state_(suite, prologue), server_public_(), ephemeral_(std::move(ephemeral)) {
  std::copy(server_public.begin(), server_public.end(), server_public_.begin());
  state_.mix_hash(server_public_);  // the pre-message <- s
}

Status NkInitiator::write_1(ByteView payload, Bytes& out) {
  out.append(as_text(ephemeral_.public_key()));
  state_.mix_hash(ephemeral_.public_key());
  HY_TRY(const SecretKey32 es, ephemeral_.derive(server_public_));
  state_.mix_key(es.reveal());
  state_.encrypt_and_hash(payload, out);
  return {};
}

Result<Transport> NkInitiator::read_2(ByteView message, Bytes& payload) {
  if (message.size() < kHandshakeBytesMin) return fail(Errc::kHandshakeFailed);
  const auto peer = message.first<32>();
  state_.mix_hash(peer);
  HY_TRY(const SecretKey32 ee, ephemeral_.derive(peer));
  state_.mix_key(ee.reveal());
  if (!state_.decrypt_and_hash(message.subspan(32), payload)) return fail(Errc::kHandshakeFailed);
  const crypto::NoiseKeys keys = state_.split();
  return Transport(state_.suite(), keys.first, keys.second);
}

NkResponder::NkResponder(const ChannelSuite& suite, ByteView prologue,
                         const crypto::X25519KeyPair& static_key)
    : state_(suite, prologue), static_(static_key) {
  state_.mix_hash(static_.public_key());
}

Status NkResponder::read_1(ByteView message, Bytes& payload) {
  if (message.size() < kHandshakeBytesMin) return fail(Errc::kHandshakeFailed);
  const auto peer = message.first<32>();
  std::copy(peer.begin(), peer.end(), peer_ephemeral_.begin());
  state_.mix_hash(peer);
  HY_TRY(const SecretKey32 es, static_.derive(peer));
  state_.mix_key(es.reveal());
  if (!state_.decrypt_and_hash(message.subspan(32), payload)) return fail(Errc::kHandshakeFailed);
  return {};
}

Result<Transport> NkResponder::write_2(const crypto::X25519KeyPair& ephemeral, ByteView payload,
                                       Bytes& out) {
  HY_TRY(const SecretKey32 ee, ephemeral.derive(peer_ephemeral_));
  out.append(as_text(ephemeral.public_key()));
  state_.mix_hash(ephemeral.public_key());
  state_.mix_key(ee.reveal());
  state_.encrypt_and_hash(payload, out);
  const crypto::NoiseKeys keys = state_.split();
  return Transport(state_.suite(), keys.second, keys.first);
}

}  // namespace hy::wire
