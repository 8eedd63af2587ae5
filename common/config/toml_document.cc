#include "common/config/toml_document.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace hy::config {
namespace {

constexpr std::size_t kFileBytesMax = 1'024 * 1'024;
constexpr int kRecoveriesMax = 20;

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.emplace_back(line);
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

bool is_header(std::string_view line) {
  const auto first = line.find_first_not_of(" \t");
  return first != line.npos && line[first] == '[';
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out.append(line) += '\n';
  return out;
}

/// The parser's own words without its habit of naming itself.
Mistake syntax_mistake(const Document& doc, const toml::parse_error& error) {
  const std::string_view said = error.description();
  const bool duplicate = said.contains("cannot redefine");
  auto m =
      doc.at(error.source(), duplicate ? Errc::kConfigDuplicateKey : Errc::kConfigSyntax, {}, {});
  if (duplicate) {
    // The parser stops behind the name; a person wants it marked.
    const auto first = m.line_text.find_first_not_of(" \t[");
    if (first != m.line_text.npos) {
      const auto end = m.line_text.find_first_of(" \t=]", first);
      m.column = static_cast<std::uint32_t>(first + 1);
      m.width = static_cast<std::uint32_t>(std::min(end, m.line_text.size()) - first);
      m.message = "\"" + m.line_text.substr(first, m.width) + "\" is here a second time";
    }
    m.fix = "remove one of the two";
  } else {
    m.message = "not valid TOML: " + std::string(said);
    m.fix = "mend or remove this";
  }
  return m;
}

/// Blanks what the parser could not read: the line, or from a header to the next one. false: it
/// would change nothing.
bool blank(std::vector<std::string>& lines, std::size_t index) {
  if (index >= lines.size() || lines[index].empty()) return false;
  const bool header = is_header(lines[index]);
  lines[index].clear();
  if (header)
    for (auto i = index + 1; i < lines.size() && !is_header(lines[i]); ++i) lines[i].clear();
  return true;
}

}  // namespace

Mistake Document::at(const toml::source_region& where, Errc code, std::string message,
                     std::string fix) const {
  Mistake m;
  m.code = code;
  m.message = std::move(message);
  m.source = file;
  m.line = std::max<std::uint32_t>(where.begin.line, 1);
  m.column = std::max<std::uint32_t>(where.begin.column, 1);
  if (where.end.line == where.begin.line && where.end.column > where.begin.column)
    m.width = where.end.column - where.begin.column;
  if (m.line <= lines.size()) m.line_text = lines[m.line - 1];
  m.fix = std::move(fix);
  return m;
}

Document parse_document(std::string_view text, std::string file) {
  Document doc;
  doc.file = std::move(file);
  doc.lines = split_lines(text);
  auto lines = doc.lines;
  std::string again(text);
  for (int round = 0; round <= kRecoveriesMax; ++round) {
    try {
      doc.root = toml::parse(again, doc.file);
      return doc;
    } catch (const toml::parse_error& error) {
      doc.mistakes.push_back(syntax_mistake(doc, error));
      std::size_t index = error.source().begin.line;
      index = index == 0 ? 0 : index - 1;
      // An unterminated value is noticed at the start of the next line or at the end of the file.
      while (index > 0 && (index >= lines.size() || lines[index].empty())) --index;
      if (!blank(lines, index)) return doc;
      again = joined(lines);
    }
  }
  return doc;
}

bool read_config_file(const std::string& file, std::string& text, Mistake& mistake) {
  mistake = {};
  mistake.code = Errc::kConfigUnreadable;
  mistake.source = file;
  mistake.fix = "check path and permissions";
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    mistake.message = std::string("cannot read the file: ") + std::strerror(errno);
    return false;
  }
  text.resize(kFileBytesMax + 1);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) {
    mistake.message = "cannot read the file (is it a folder?)";
    return false;
  }
  if (text.size() > kFileBytesMax) {
    mistake.message = "the file is larger than 1 MiB";
    return false;
  }
  return true;
}

}  // namespace hy::config
