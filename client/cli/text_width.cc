#include "client/cli/text_width.h"

#include <clocale>
#include <cwchar>

#include "common/base/bytes.h"

namespace hy::cli {
namespace {

struct Decoded {
  char32_t point = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

/// The character at the start of `text`. A byte that starts none is one invalid character.
Decoded decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t length = 1;
  if (lead >= 0xF0) {
    length = 4;
  } else if (lead >= 0xE0) {
    length = 3;
  } else if (lead >= 0xC0) {
    length = 2;
  }
  if (length > text.size() || !is_valid_utf8(text.substr(0, length))) return {};
  char32_t point = length == 1 ? lead : lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  }
  return {point, length, true};
}

int columns_of(const Decoded& c) {
  if (!c.valid) return 1;
  const int width = ::wcwidth(static_cast<wchar_t>(c.point));
  return width < 0 ? 1 : width;
}

/// Marks that reorder the line around them, and line separators: a body must not have that power
/// over the screen.
bool is_layout_control(char32_t point) {
  return (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) ||
         point == 0x2028 || point == 0x2029;
}

}  // namespace

void use_utf8() {
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
}

int display_width(std::string_view utf8) {
  int width = 0;
  while (!utf8.empty()) {
    const Decoded c = decode(utf8);
    width += columns_of(c);
    utf8.remove_prefix(c.bytes);
  }
  return width;
}

std::string printable(std::string_view body) {
  std::string out;
  out.reserve(body.size());
  while (!body.empty()) {
    const Decoded c = decode(body);
    if (!c.valid) {
      out += "\uFFFD";
    } else if (c.point < 0x20) {
      // U+2400 … U+241F are the pictures of U+0000 … U+001F.
      out += '\xE2';
      out += '\x90';
      out += static_cast<char>(0x80 + c.point);
    } else if (c.point == 0x7F) {
      out += "\u2421";
    } else if ((c.point >= 0x80 && c.point < 0xA0) || is_layout_control(c.point)) {
      out += "\uFFFD";
    } else {
      out += body.substr(0, c.bytes);
    }
    body.remove_prefix(c.bytes);
  }
  return out;
}

std::string clip(std::string_view utf8, int columns) {
  if (display_width(utf8) <= columns) return std::string(utf8);
  if (columns <= 0) return {};
  std::string out;
  int used = 0;
  while (!utf8.empty()) {
    const Decoded c = decode(utf8);
    const int width = columns_of(c);
    if (used + width > columns - 1) break;
    out += utf8.substr(0, c.bytes);
    used += width;
    utf8.remove_prefix(c.bytes);
  }
  return out + "…";
}

std::string fit(std::string_view utf8, int columns) {
  std::string out = clip(utf8, columns);
  const int width = display_width(out);
  if (width < columns) out.append(static_cast<std::size_t>(columns - width), ' ');
  return out;
}

}  // namespace hy::cli
