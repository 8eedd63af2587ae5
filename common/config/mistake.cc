#include "common/config/mistake.h"

#include <algorithm>

namespace hy::config {
namespace {

constexpr std::size_t kLineCharactersMax = 160;

/// Text for a terminal: no control characters, tabs as one blank (so that the caret stays under its
/// character), at most kLineCharactersMax bytes.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, kLineCharactersMax));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}

}  // namespace

std::string render(const Mistake& m) {
  std::string out = "error " + error_code_text(m.code) + ": " + m.message + "\n";
  if (m.line == 0) {
    if (!m.source.empty()) out += "  --> " + m.source + "\n";
    if (!m.fix.empty()) out += "   = " + m.fix + "\n";
  } else {
    const auto number = std::to_string(m.line);
    const std::string gutter(std::max<std::size_t>(number.size(), 2), ' ');
    out += "  --> " + m.source + ":" + number + ":" + std::to_string(m.column) + "\n";
    out += gutter.substr(number.size()) + number + " | " + printable(m.line_text) + "\n";
    const std::size_t before = m.column == 0 ? 0 : m.column - 1;
    out += gutter + " | " + std::string(std::min(before, kLineCharactersMax), ' ') +
           std::string(std::clamp<std::size_t>(m.width, 1, 60), '^');
    if (!m.fix.empty()) out += " " + m.fix;
    out += "\n";
  }
  if (!m.help.empty()) out += "   = help: " + m.help + "\n";
  return out;
}

std::string render(const std::vector<Mistake>& mistakes) {
  std::string out;
  for (const auto& m : mistakes) {
    if (!out.empty()) out += "\n";
    out += render(m);
  }
  return out;
}

}  // namespace hy::config
