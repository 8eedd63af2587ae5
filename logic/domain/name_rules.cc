#include "logic/domain/name_rules.h"

#include <array>
#include <string>

#include "common/base/bytes.h"
#include "common/base/limits.h"

namespace hy::logic {
namespace {

/// Code point at the start of well-formed UTF-8, and its length.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 1;
};

CodePoint first_code_point(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {((lead & 0x1F) << 6) | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) {
    return {((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F), 3};
  }
  return {
      ((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F),
      4};
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};
/// C0, DEL and C1; zero width and bidi marks; separators; bidi embeddings, overrides and isolates
/// (Unicode UAX #9); BOM; interlinear annotation.
constexpr std::array<Range, 7> kUnseen = {{{0x00, 0x1F},
                                           {0x7F, 0x9F},
                                           {0x200B, 0x200F},
                                           {0x2028, 0x202E},
                                           {0x2060, 0x206F},
                                           {0xFEFF, 0xFEFF},
                                           {0xFFF9, 0xFFFB}}};

bool is_unseen(std::uint32_t c) {
  for (const Range r : kUnseen) {
    if (c >= r.first && c <= r.last) return true;
  }
  return false;
}

}  // namespace

Status check_name(std::string_view name) {
  if (!is_valid_utf8(name)) return fail(Errc::kInvalidText);
  if (name.empty() || name.size() > limits::kNameBytesMax) return fail(Errc::kNameInvalid);
  if (name.front() == ' ' || name.back() == ' ') return fail(Errc::kNameInvalid);
  while (!name.empty()) {
    const CodePoint c = first_code_point(name);
    if (is_unseen(c.value)) return fail(Errc::kNameInvalid);
    name.remove_prefix(c.bytes);
  }
  return {};
}

Status check_password(std::string_view password) {
  const bool fits =
      password.size() >= limits::kPasswordBytesMin && password.size() <= limits::kPasswordBytesMax;
  if (!fits) return fail(Errc::kPasswordUnfit);
  return {};
}

Status check_device_id(std::string_view device_id) {
  if (device_id.empty() || device_id.size() > limits::kDeviceIdBytesMax) {
    return fail(Errc::kMalformedBody, "device_id has 1 to 64 bytes");
  }
  if (!is_valid_utf8(device_id)) return fail(Errc::kInvalidText);
  return {};
}

std::string displayable(std::string_view text, std::size_t bytes_max) {
  std::string out;
  if (!is_valid_utf8(text)) return out;
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (out.size() + c.bytes > bytes_max) break;
    if (is_unseen(c.value)) {
      out.push_back(' ');
    } else {
      out.append(text.substr(0, c.bytes));
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace hy::logic
