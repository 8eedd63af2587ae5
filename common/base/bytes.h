#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hy {

using Bytes =
    std::string;  // owned bytes; protobuf's `bytes` is std::string too, so no copy between
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Big-endian put and get: every integer of the client protocol. The span must hold sizeof(T)
/// bytes.
template <class T>
void put_be(std::uint8_t* out, T value) {
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  std::memcpy(out, &value, sizeof value);
}
template <class T>
T get_be(const std::uint8_t* in) {
  T value;
  std::memcpy(&value, in, sizeof value);
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  return value;
}

/// Lower-case hex, two digits a byte.
std::string to_hex(ByteView bytes);
/// nullopt: odd length or a character that is no hex digit.
std::optional<Bytes> from_hex(std::string_view hex);
/// True when `text` is well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, ≤ U+10FFFF).
bool is_valid_utf8(std::string_view text);

}  // namespace hy
