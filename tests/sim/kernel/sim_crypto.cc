#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "common/base/ids.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x25519.h"

// Stands in front of common/crypto/replaceable.cc, as the simulator's hy::rpc does in front of
// gRPC: what costs tens of microseconds is computed once and remembered. All of it follows from its
// arguments alone, so handshakes, secrets, tokens and frames are the real ones, and what one world
// leaves in memory changes nothing in the next.
namespace hy::crypto {
namespace {

constexpr std::size_t kPairs = 256;
constexpr std::size_t kSecretsMax = 64 * 1'024;
constexpr std::size_t kSignedMax = 4 * 1'024;

X25519KeyPair make(std::uint64_t number) {
  Bytes32 key{};
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::uint64_t word = mix64(number * 4 + i + 1);
    for (std::size_t k = 0; k < 8; ++k) key[i * 8 + k] = static_cast<std::uint8_t>(word >> (8 * k));
  }
  return X25519KeyPair::from_private(key);
}

struct HashOfRandom {  // the first bytes of a point are as good as drawn
  std::size_t operator()(const Bytes64& bytes) const {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::memcpy(&a, bytes.data(), sizeof a);
    std::memcpy(&b, bytes.data() + 32, sizeof b);
    return mix64(a ^ mix64(b));
  }
};

/// The two public keys, in the same order for both ends: their secret is one.
Bytes64 both(const Bytes32& own, View32 peer) {
  Bytes64 out;
  const bool own_first = std::memcmp(own.data(), peer.data(), own.size()) < 0;
  std::memcpy(out.data() + (own_first ? 0 : 32), own.data(), own.size());
  std::memcpy(out.data() + (own_first ? 32 : 0), peer.data(), peer.size());
  return out;
}

std::string joined(View32 key, ByteView message, std::span<const std::uint8_t, 64> signature) {
  std::string out;
  out.reserve(key.size() + message.size() + signature.size());
  const auto add = [&out](ByteView part) {
    out.append(reinterpret_cast<const char*>(part.data()), part.size());
  };
  add(signature);
  add(key);
  add(message);
  return out;
}

/// Signatures that were made here, with their keys and messages.
std::unordered_set<std::string>& signed_here() {
  thread_local std::unordered_set<std::string> all;
  return all;
}

}  // namespace

// A seed makes hundreds of pairs: here they are drawn from a few. Two connections may share a pair;
// the two pairs of one connection are the same as another's once in 65,536 connections.
X25519KeyPair X25519KeyPair::generate(Random& random) {
  thread_local std::array<std::optional<X25519KeyPair>, kPairs> pairs;
  // The real one draws as much.
  SecretKey32 seed;
  random.fill(seed.writable());
  const std::size_t number = seed.reveal()[0] % kPairs;
  if (!pairs[number]) pairs[number] = make(number);
  return *pairs[number];
}

Result<SecretKey32> X25519KeyPair::derive(View32 peer_public) const {
  thread_local std::unordered_map<Bytes64, Bytes32, HashOfRandom> secrets;
  const Bytes64 key = both(public_key_, peer_public);
  if (const auto found = secrets.find(key); found != secrets.end()) {
    return SecretKey32(found->second);
  }
  auto secret = compute(peer_public);
  if (!secret) return secret;
  if (secrets.size() >= kSecretsMax) secrets.clear();
  Bytes32& kept = secrets[key];
  std::memcpy(kept.data(), secret->reveal().data(), kept.size());
  return secret;
}

Signature Ed25519Key::sign(ByteView message) const {
  const Signature signature = compute(message);
  auto& made = signed_here();
  if (made.size() >= kSignedMax) made.clear();
  made.insert(joined(public_key_, message, signature));
  return signature;
}

bool ed25519_verify(View32 public_key, ByteView message,
                    std::span<const std::uint8_t, 64> signature) {
  return signed_here().contains(joined(public_key, message, signature)) ||
         ed25519_verify_now(public_key, message, signature);
}

}  // namespace hy::crypto
