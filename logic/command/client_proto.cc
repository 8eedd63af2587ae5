#include "logic/command/client_proto.h"

#include <algorithm>

namespace hy::logic {
namespace {

/// Takes one varint (protobuf encoding guide: 7 bits a byte, at most 10 bytes). False: none there.
bool take_varint(std::string_view& in, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 70 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    if (shift < 64) out |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

bool skip(std::string_view& in, std::uint64_t bytes) {
  if (bytes > in.size()) return false;
  in.remove_prefix(bytes);
  return true;
}

}  // namespace

bool has_bad_text(std::string_view body, std::span<const std::uint32_t> text_fields) {
  while (!body.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t value = 0;
    if (!take_varint(body, tag)) return false;
    switch (tag & 7) {
      case 0:
        if (!take_varint(body, value)) return false;
        break;
      case 1:
        if (!skip(body, 8)) return false;
        break;
      case 2: {
        if (!take_varint(body, value) || value > body.size()) return false;
        const bool is_text = std::ranges::find(text_fields, tag >> 3) != text_fields.end();
        if (is_text && !is_valid_utf8(body.substr(0, value))) return true;
        body.remove_prefix(value);
        break;
      }
      case 5:
        if (!skip(body, 4)) return false;
        break;
      default: return false;
    }
  }
  return false;
}

}  // namespace hy::logic
