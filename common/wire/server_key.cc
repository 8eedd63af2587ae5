#include "common/wire/server_key.h"

#include <algorithm>

#include "common/crypto/hash.h"

namespace hy::wire {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> first_bytes(const crypto::Bytes32& digest) {
  std::array<std::uint8_t, N> out;
  std::copy_n(digest.begin(), N, out.begin());
  return out;
}

}  // namespace

KeyId key_id(crypto::View32 public_key) {
  return first_bytes<8>(crypto::sha256(public_key));
}

Audience audience_of(std::string_view cluster) {
  return first_bytes<16>(crypto::sha256({as_bytes("hy-audience-v1"), as_bytes(cluster)}));
}

DeviceHash device_hash(std::string_view device_id) {
  return first_bytes<8>(crypto::sha256(as_bytes(device_id)));
}

}  // namespace hy::wire
