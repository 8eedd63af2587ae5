#pragma once

#include <cstdint>
#include <span>

#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/crypto/hash.h"
#include "common/crypto/x25519.h"
#include "common/wire/channel_suite.h"

namespace hy::wire {

/// The channel after the handshake: two keys, two counters, the suite. No heap, no cipher context:
/// the whole cost of an idle connection's cipher is sizeof(Transport).
///
/// Frames of one direction are sealed and opened in order, each with its own n, from 0. A side
/// rekeys a direction by count, without a signal, after the frame with n ≡ 65,535 (mod 65,536); n
/// goes on. At n = 2^32 the direction ends (security: nothing ever wraps). Not thread-safe.
class Transport {
 public:
  Transport() = default;
  Transport(const ChannelSuite& suite, const crypto::SecretKey32& send,
            const crypto::SecretKey32& receive)
      : send_key_(send), receive_key_(receive), suite_(&suite) {}

  [[nodiscard]] bool is_open() const { return suite_ != nullptr; }
  [[nodiscard]] const ChannelSuite* suite() const { return suite_; }

  /// `out` holds text.size() + 16 bytes and may be where `text` is. `ad`: the 16 header bytes.
  /// Errors: kConnectionTooOld (the counter is used up; nothing was sealed).
  [[nodiscard]] Status seal(ByteView ad, ByteView text, std::uint8_t* out);

  /// Checks and decrypts in place. The text is the front of `sealed`. Errors: kBadFrame: close; n
  /// and the key have not moved. kConnectionTooOld: the counter is used up.
  [[nodiscard]] Result<std::span<std::uint8_t>> open(ByteView ad, std::span<std::uint8_t> sealed);

  [[nodiscard]] std::uint64_t sent_frames() const { return send_n_; }
  [[nodiscard]] std::uint64_t received_frames() const { return receive_n_; }

 private:
  friend struct TransportTestAccess;

  crypto::SecretKey32 send_key_;
  crypto::SecretKey32 receive_key_;
  std::uint64_t send_n_ = 0;
  std::uint64_t receive_n_ = 0;
  const ChannelSuite* suite_ = nullptr;
};
static_assert(sizeof(Transport) <= 96, "what an idle connection pays for its cipher");

/// Noise rev 34 §5.2: the running hash, the chaining key and the handshake's cipher.
class SymmetricState {
 public:
  SymmetricState(const ChannelSuite& suite, ByteView prologue);
  void mix_hash(ByteView data);
  void mix_key(ByteView ikm);
  /// Appends ciphertext and tag.
  void encrypt_and_hash(ByteView text, Bytes& out);
  /// False: the tag does not match; h and n have not moved.
  [[nodiscard]] bool decrypt_and_hash(ByteView sealed, Bytes& out);
  /// First: client → server. Second: server → client (Noise rev 34 §5.2, Split).
  [[nodiscard]] crypto::NoiseKeys split() const;
  /// The channel binding once the handshake is over.
  [[nodiscard]] const crypto::Bytes32& handshake_hash() const { return h_; }
  [[nodiscard]] const ChannelSuite& suite() const { return *suite_; }

 private:
  const ChannelSuite* suite_;
  crypto::Bytes32 h_;
  crypto::SecretKey32 ck_;
  crypto::SecretKey32 k_;  // NK mixes a key before its first payload, so it is always set by then
  std::uint64_t n_ = 0;
};

/// NK, the client's side:  -> e, es   <- e, ee.  One object per attempt, with a fresh ephemeral.
class NkInitiator {
 public:
  /// prologue: the HELLO frame as sent, header and body.
  NkInitiator(const ChannelSuite& suite, ByteView prologue, crypto::View32 server_public,
              crypto::X25519KeyPair ephemeral);
  /// Appends HANDSHAKE_1's body (48 + payload bytes). Once. Error: kHandshakeFailed (the server's
  /// key is a low-order point).
  [[nodiscard]] Status write_1(ByteView payload, Bytes& out);
  /// Reads HANDSHAKE_2's body; `payload` gets what it carried. Error: kHandshakeFailed: close.
  [[nodiscard]] Result<Transport> read_2(ByteView message, Bytes& payload);
  [[nodiscard]] const crypto::Bytes32& handshake_hash() const { return state_.handshake_hash(); }

 private:
  SymmetricState state_;
  crypto::Bytes32 server_public_;
  crypto::X25519KeyPair ephemeral_;
};

/// NK, the server's side. Short-lived: it is done within the handling of one HANDSHAKE_1.
class NkResponder {
 public:
  NkResponder(const ChannelSuite& suite, ByteView prologue,
              const crypto::X25519KeyPair& static_key);
  /// Costs one DH. Error: kHandshakeFailed: close without a word.
  [[nodiscard]] Status read_1(ByteView message, Bytes& payload);
  /// Appends HANDSHAKE_2's body (48 + payload bytes) and ends the handshake. Costs a DH.
  [[nodiscard]] Result<Transport> write_2(const crypto::X25519KeyPair& ephemeral, ByteView payload,
                                          Bytes& out);
  [[nodiscard]] const crypto::Bytes32& handshake_hash() const { return state_.handshake_hash(); }

 private:
  SymmetricState state_;
  const crypto::X25519KeyPair& static_;
  crypto::Bytes32 peer_ephemeral_{};
};

/// Bytes of a handshake message without its payload: an ephemeral key and a tag.
inline constexpr std::size_t kHandshakeBytesMin = 48;

}  // namespace hy::wire
