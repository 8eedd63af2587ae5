#include "tests/vectors/noise_interpreter.h"

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <sstream>

#include "common/base/check.h"

namespace hy::vectors {
namespace {

// Noise rev 34 §7.4, §7.5 and §18.1: "pre-messages | message, message, …".
const std::map<std::string, std::string, std::less<>>& patterns() {
  static const std::map<std::string, std::string, std::less<>> kPatterns = {
      {"N", "<s|e es"},
      {"K", ">s <s|e es ss"},
      {"X", "<s|e es s ss"},
      {"NN", "|e,e ee"},
      {"NK", "<s|e es,e ee"},
      {"NX", "|e,e ee s es"},
      {"XN", "|e,e ee,s se"},
      {"XK", "<s|e es,e ee,s se"},
      {"XX", "|e,e ee s es,s se"},
      {"KN", ">s|e,e ee se"},
      {"KK", ">s <s|e es ss,e ee se"},
      {"KX", ">s|e,e ee se s es"},
      {"IN", "|e s,e ee se"},
      {"IK", "<s|e es s ss,e ee se"},
      {"IX", "|e s,e ee se s es"},
      {"NK1", "<s|e,e ee es"},
      {"NX1", "|e,e ee s,es"},
      {"X1N", "|e,e ee,s,se"},
      {"X1K", "<s|e es,e ee,s,se"},
      {"XK1", "<s|e,e ee es,s se"},
      {"X1K1", "<s|e,e ee es,s,se"},
      {"X1X", "|e,e ee s es,s,se"},
      {"XX1", "|e,e ee s,es s se"},
      {"X1X1", "|e,e ee s,es s,se"},
      {"K1N", ">s|e,e ee,se"},
      {"K1K", ">s <s|e es,e ee,se"},
      {"KK1", ">s <s|e,e ee se es"},
      {"K1K1", ">s <s|e,e ee es,se"},
      {"K1X", ">s|e,e ee s es,se"},
      {"KX1", ">s|e,e ee se s,es"},
      {"K1X1", ">s|e,e ee s,se es"},
      {"I1N", "|e s,e ee,se"},
      {"I1K", "<s|e es s,e ee,se"},
      {"IK1", "<s|e s,e ee se es"},
      {"I1K1", "<s|e s,e ee es,se"},
      {"I1X", "|e s,e ee s es,se"},
      {"IX1", "|e s,e ee se s,es"},
      {"I1X1", "|e s,e ee s,se es"},
  };
  return kPatterns;
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> out;
  std::string piece;
  std::istringstream in{std::string(text)};
  while (std::getline(in, piece, by)) out.push_back(piece);
  return out;
}

const std::map<std::string, std::string, std::less<>> kHashNames = {{"SHA256", "SHA256"},
                                                                    {"SHA512", "SHA512"},
                                                                    {"BLAKE2s", "BLAKE2S-256"},
                                                                    {"BLAKE2b", "BLAKE2B-512"}};

std::size_t hash_bytes(const std::string& hash) {
  return hash == "SHA256" || hash == "BLAKE2s" ? 32 : 64;
}
std::size_t key_bytes(const std::string& dh) {
  return dh == "25519" ? 32 : 56;
}
const char* key_type(const std::string& dh) {
  return dh == "25519" ? "X25519" : "X448";
}
std::uint8_t* writable(Bytes& bytes) {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

using Pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
Pkey private_key_of(const std::string& dh, const Bytes& key) {
  return {EVP_PKEY_new_raw_private_key_ex(nullptr, key_type(dh), nullptr, as_bytes(key).data(),
                                          key.size()),
          EVP_PKEY_free};
}

bool apply_psks(std::string_view modifiers, Protocol& out) {
  for (const std::string& modifier : split(modifiers, '+')) {
    if (!modifier.starts_with("psk") || modifier.size() != 4) return false;
    const auto position = static_cast<std::size_t>(modifier[3] - '0');
    if (position > out.messages.size()) return false;
    if (position == 0)
      out.messages[0].insert(out.messages[0].begin(), "psk");
    else
      out.messages[position - 1].emplace_back("psk");
    out.psk = true;
  }
  return true;
}

}  // namespace

bool parse_protocol(std::string_view name, Protocol& out) {
  const auto parts = split(name, '_');
  if (parts.size() != 5 || parts[0] != "Noise") return false;
  const std::size_t base = parts[1].find("psk");
  const std::string pattern = parts[1].substr(0, base);
  const auto row = patterns().find(pattern);
  if (row == patterns().end() || !kHashNames.contains(parts[4])) return false;
  if (parts[2] != "25519" && parts[2] != "448") return false;
  if (parts[3] != "AESGCM" && parts[3] != "ChaChaPoly") return false;
  out = Protocol();
  out.name = name;
  out.dh = parts[2];
  out.cipher = parts[3];
  out.hash = parts[4];
  const std::size_t bar = row->second.find('|');
  for (const std::string& pre : split(row->second.substr(0, bar), ' '))
    (pre[0] == '>' ? out.initiator_pre : out.responder_pre).push_back(pre.substr(1));
  for (const std::string& message : split(row->second.substr(bar + 1), ','))
    out.messages.push_back(split(message, ' '));
  out.one_way = pattern.size() == 1;
  return base == std::string::npos || apply_psks(parts[1].substr(base), out);
}

KeyPair key_pair(const std::string& dh, const Bytes& private_key) {
  if (private_key.empty()) return {};
  const auto key = private_key_of(dh, private_key);
  HY_CHECK(key != nullptr);
  KeyPair out{private_key, Bytes(key_bytes(dh), '\0')};
  std::size_t size = out.public_key.size();
  HY_CHECK(EVP_PKEY_get_raw_public_key(key.get(), writable(out.public_key), &size) == 1);
  return out;
}

Bytes CipherState::nonce(std::uint64_t n) const {
  Bytes out(12, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    const auto byte = static_cast<char>(n >> (8 * i));
    out[cipher_ == "AESGCM" ? 11 - i : 4 + i] = byte;
  }
  return out;
}

Bytes CipherState::encrypt(const Bytes& ad, const Bytes& text) {
  const Bytes iv = nonce(n_++);
  const auto* cipher = cipher_ == "AESGCM" ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> ctx(EVP_CIPHER_CTX_new(),
                                                                      EVP_CIPHER_CTX_free);
  Bytes out(text.size() + 16, '\0');
  int size = 0;
  HY_CHECK(EVP_EncryptInit_ex(ctx.get(), cipher, nullptr, as_bytes(key_).data(),
                              as_bytes(iv).data()) == 1);
  HY_CHECK(EVP_EncryptUpdate(ctx.get(), nullptr, &size, as_bytes(ad).data(),
                             static_cast<int>(ad.size())) == 1);
  HY_CHECK(EVP_EncryptUpdate(ctx.get(), writable(out), &size, as_bytes(text).data(),
                             static_cast<int>(text.size())) == 1);
  HY_CHECK(EVP_EncryptFinal_ex(ctx.get(), writable(out) + text.size(), &size) == 1);
  HY_CHECK(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, 16, writable(out) + text.size()) ==
           1);
  return out;
}

bool CipherState::decrypt(const Bytes& ad, const Bytes& sealed, Bytes& text) {
  if (sealed.size() < 16) return false;
  // Encrypting is its own inverse but for the tag: encrypt the ciphertext, take the text, and see
  // whether sealing that text gives the same bytes.
  const std::uint64_t n = n_;
  const Bytes body = sealed.substr(0, sealed.size() - 16);
  text = encrypt(ad, body).substr(0, body.size());
  n_ = n;
  if (encrypt(ad, text) == sealed) return true;
  n_ = n;
  return false;
}

void CipherState::rekey() {
  const std::uint64_t n = n_;
  n_ = ~std::uint64_t{0};
  key_ = encrypt("", Bytes(32, '\0')).substr(0, 32);
  n_ = n;
}

Interpreter::Interpreter(const Protocol& protocol, bool initiator, const Party& party)
    : protocol_(protocol),
      initiator_(initiator),
      s_(key_pair(protocol.dh, party.static_private)),
      e_(key_pair(protocol.dh, party.ephemeral_private)),
      rs_(party.remote_static),
      psks_(party.psks) {
  const std::size_t size = hash_bytes(protocol_.hash);
  h_ = protocol_.name.size() <= size ? protocol_.name + Bytes(size - protocol_.name.size(), '\0')
                                     : hash(protocol_.name);
  ck_ = h_;
  mix_hash(party.prologue);
  for ([[maybe_unused]] const auto& pre : protocol_.initiator_pre)
    mix_hash(initiator_ ? s_.public_key : rs_);
  for ([[maybe_unused]] const auto& pre : protocol_.responder_pre)
    mix_hash(initiator_ ? rs_ : s_.public_key);
}

Bytes Interpreter::hash(const Bytes& data) const {
  Bytes out(hash_bytes(protocol_.hash), '\0');
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> md(
      EVP_MD_fetch(nullptr, kHashNames.at(protocol_.hash).c_str(), nullptr), EVP_MD_free);
  unsigned size = 0;
  HY_CHECK(EVP_Digest(data.data(), data.size(), writable(out), &size, md.get(), nullptr) == 1);
  return out;
}

Bytes Interpreter::hmac(const Bytes& key, const Bytes& data) const {
  const std::size_t block = protocol_.hash == "SHA256" || protocol_.hash == "BLAKE2s" ? 64 : 128;
  Bytes padded = key.size() > block ? hash(key) : key;
  padded.resize(block);
  Bytes inner = padded;
  Bytes outer = padded;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  return hash(outer + hash(inner + data));
}

std::vector<Bytes> Interpreter::hkdf(const Bytes& ikm, int outputs) const {
  const Bytes temp = hmac(ck_, ikm);
  std::vector<Bytes> out;
  for (int i = 1; i <= outputs; ++i)
    out.push_back(hmac(temp, (out.empty() ? Bytes() : out.back()) + static_cast<char>(i)));
  return out;
}

Bytes Interpreter::dh(const std::string& token) const {
  // The first letter is the initiator's key, the second the responder's.
  const char mine = initiator_ ? token[0] : token[1];
  const char theirs = initiator_ ? token[1] : token[0];
  const auto own = private_key_of(protocol_.dh, mine == 'e' ? e_.private_key : s_.private_key);
  const Bytes& other = theirs == 'e' ? re_ : rs_;
  const Pkey peer(EVP_PKEY_new_raw_public_key_ex(nullptr, key_type(protocol_.dh), nullptr,
                                                 as_bytes(other).data(), other.size()),
                  EVP_PKEY_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> ctx(
      EVP_PKEY_CTX_new(own.get(), nullptr), EVP_PKEY_CTX_free);
  Bytes out(key_bytes(protocol_.dh), '\0');
  std::size_t size = out.size();
  HY_CHECK(EVP_PKEY_derive_init(ctx.get()) == 1);
  HY_CHECK(EVP_PKEY_derive_set_peer(ctx.get(), peer.get()) == 1);
  HY_CHECK(EVP_PKEY_derive(ctx.get(), writable(out), &size) == 1);
  return out;
}

void Interpreter::mix_key(const Bytes& ikm) {
  const auto out = hkdf(ikm, 2);
  ck_ = out[0];
  cipher_ = CipherState(protocol_.cipher, out[1].substr(0, 32));
}

void Interpreter::mix_psk() {
  const auto out = hkdf(psks_.at(psk_at_++), 3);
  ck_ = out[0];
  mix_hash(out[1]);
  cipher_ = CipherState(protocol_.cipher, out[2].substr(0, 32));
}

Bytes Interpreter::encrypt_and_hash(const Bytes& text) {
  const Bytes out = cipher_.has_key() ? cipher_.encrypt(h_, text) : text;
  mix_hash(out);
  return out;
}

bool Interpreter::decrypt_and_hash(const Bytes& sealed, Bytes& text) {
  if (!cipher_.has_key())
    text = sealed;
  else if (!cipher_.decrypt(h_, sealed, text))
    return false;
  mix_hash(sealed);
  return true;
}

Bytes Interpreter::write(const Bytes& payload) {
  Bytes out;
  for (const std::string& token : protocol_.messages.at(at_)) {
    if (token == "e") {
      out += e_.public_key;
      mix_hash(e_.public_key);
      if (protocol_.psk) mix_key(e_.public_key);
    } else if (token == "s") {
      out += encrypt_and_hash(s_.public_key);
    } else if (token == "psk") {
      mix_psk();
    } else {
      mix_key(dh(token));
    }
  }
  out += encrypt_and_hash(payload);
  finish_message();
  return out;
}

bool Interpreter::read_key(const Bytes& message, std::size_t& at, bool maybe_sealed, Bytes& key) {
  const std::size_t size = key_bytes(protocol_.dh) + (maybe_sealed && cipher_.has_key() ? 16U : 0U);
  if (message.size() - at < size) return false;
  const Bytes piece = message.substr(at, size);
  at += size;
  if (maybe_sealed) return decrypt_and_hash(piece, key);
  key = piece;
  mix_hash(key);
  if (protocol_.psk) mix_key(key);
  return true;
}

bool Interpreter::read(const Bytes& message, Bytes& payload) {
  std::size_t at = 0;
  for (const std::string& token : protocol_.messages.at(at_)) {
    if (token == "e") {
      if (!read_key(message, at, false, re_)) return false;
    } else if (token == "s") {
      if (!read_key(message, at, true, rs_)) return false;
    } else if (token == "psk") {
      mix_psk();
    } else {
      mix_key(dh(token));
    }
  }
  if (!decrypt_and_hash(message.substr(at), payload)) return false;
  finish_message();
  return true;
}

void Interpreter::finish_message() {
  ++at_;
  if (!done()) return;
  const auto out = hkdf("", 2);
  first_ = CipherState(protocol_.cipher, out[0].substr(0, 32));
  second_ = CipherState(protocol_.cipher, out[1].substr(0, 32));
}

}  // namespace hy::vectors
