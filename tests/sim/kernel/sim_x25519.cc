#include <vector>

#include "common/base/ids.h"
#include "common/crypto/x25519.h"

namespace hy::crypto {
namespace {

constexpr std::uint64_t kPairs = 256;

X25519KeyPair make(std::uint64_t number) {
  Bytes32 key{};
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::uint64_t word = mix64(number * 4 + i + 1);
    for (std::size_t k = 0; k < 8; ++k) key[i * 8 + k] = static_cast<std::uint8_t>(word >> (8 * k));
  }
  return X25519KeyPair::from_private(key);
}

}  // namespace

// Stands in front of common/crypto/x25519_generate.cc, as the simulator's hy::rpc does in front of
// gRPC. Making a pair costs as much as a DH, and a seed makes hundreds: here they are drawn from a
// few, made once. Handshakes, secrets and frames are the real ones; two connections may share a
// pair, the two pairs of one connection are the same as another's once in 65,536 connections.
X25519KeyPair X25519KeyPair::generate(Random& random) {
  static const std::vector<X25519KeyPair> pairs = [] {
    std::vector<X25519KeyPair> out;
    for (std::uint64_t i = 0; i < kPairs; ++i) out.push_back(make(i));
    return out;
  }();
  // The real one draws as much.
  SecretKey32 seed;
  random.fill(seed.writable());
  return pairs[seed.reveal()[0] % kPairs];
}

}  // namespace hy::crypto
