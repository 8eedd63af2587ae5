#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

/// A generic interpreter of the Noise Protocol Framework, revision 34, for tests: every pattern of
/// the specification with psk modifiers, 25519 and 448, both ciphers, four hashes. It shares no
/// code with the production channel (its own HMAC, nonces and cipher calls straight from OpenSSL),
/// so that equality between the two means something. Speed and wiping do not matter here.
namespace hy::vectors {

struct Protocol {
  std::string name;
  std::string dh;      ///< 25519, 448
  std::string cipher;  ///< AESGCM, ChaChaPoly
  std::string hash;    ///< SHA256, SHA512, BLAKE2s, BLAKE2b
  std::vector<std::string> initiator_pre;
  std::vector<std::string> responder_pre;
  std::vector<std::vector<std::string>> messages;  ///< tokens, the initiator's first
  bool psk = false;
  bool one_way = false;
};

/// False: a name with a pattern or primitive that is not known here.
bool parse_protocol(std::string_view name, Protocol& out);

struct KeyPair {
  Bytes private_key;
  Bytes public_key;
};
KeyPair key_pair(const std::string& dh, const Bytes& private_key);

/// One direction after Split.
class CipherState {
 public:
  CipherState() = default;
  CipherState(std::string cipher, Bytes key) : cipher_(std::move(cipher)), key_(std::move(key)) {}
  [[nodiscard]] bool has_key() const { return !key_.empty(); }
  Bytes encrypt(const Bytes& ad, const Bytes& text);
  /// False: the tag does not match.
  bool decrypt(const Bytes& ad, const Bytes& sealed, Bytes& text);
  void rekey();
  [[nodiscard]] std::uint64_t n() const { return n_; }

 private:
  [[nodiscard]] Bytes nonce(std::uint64_t n) const;

  std::string cipher_;
  Bytes key_;
  std::uint64_t n_ = 0;
};

struct Party {
  Bytes prologue;
  Bytes static_private;  ///< empty: none
  Bytes ephemeral_private;
  Bytes remote_static;  ///< public; known before the handshake
  std::vector<Bytes> psks;
};

/// One side of a handshake and of the channel after it.
class Interpreter {
 public:
  Interpreter(const Protocol& protocol, bool initiator, const Party& party);
  Bytes write(const Bytes& payload);
  bool read(const Bytes& message, Bytes& payload);
  [[nodiscard]] bool done() const { return at_ == protocol_.messages.size(); }
  [[nodiscard]] const Bytes& handshake_hash() const { return h_; }
  CipherState& sending() { return initiator_ ? first_ : second_; }
  CipherState& receiving() { return initiator_ ? second_ : first_; }

 private:
  [[nodiscard]] Bytes hash(const Bytes& data) const;
  [[nodiscard]] Bytes hmac(const Bytes& key, const Bytes& data) const;
  [[nodiscard]] std::vector<Bytes> hkdf(const Bytes& ikm, int outputs) const;
  [[nodiscard]] Bytes dh(const std::string& token) const;
  void mix_hash(const Bytes& data) { h_ = hash(h_ + data); }
  void mix_key(const Bytes& ikm);
  void mix_psk();
  Bytes encrypt_and_hash(const Bytes& text);
  bool decrypt_and_hash(const Bytes& sealed, Bytes& text);
  bool read_key(const Bytes& message, std::size_t& at, bool maybe_sealed, Bytes& key);
  void finish_message();

  Protocol protocol_;
  bool initiator_;
  KeyPair s_;
  KeyPair e_;
  Bytes rs_;
  Bytes re_;
  std::vector<Bytes> psks_;
  std::size_t psk_at_ = 0;
  Bytes h_;
  Bytes ck_;
  CipherState cipher_;
  std::size_t at_ = 0;  // next message
  CipherState first_;
  CipherState second_;
};

}  // namespace hy::vectors
