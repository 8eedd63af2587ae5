#include "client/cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "client/cli/text_width.h"
#include "common/base/bytes.h"

namespace hy::cli {
namespace {

std::string capitals(std::string_view field) {
  std::string out(field);
  for (char& c : out)
    c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i++];
    } else if (c < 0x20) {
      out += fmt::format("\\u{:04x}", c);
      ++i;
    } else if (c < 0x80) {
      out += text[i++];
    } else {
      const std::size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
      const std::string_view piece = text.substr(i, length);
      const bool is_whole = piece.size() == length && is_valid_utf8(piece);
      out += is_whole ? piece : std::string_view("\uFFFD");
      i += is_whole ? length : 1;
    }
  }
  return out + "\"";
}

std::string Table::json_row(std::size_t row) const {
  std::string out = "{";
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const Cell& cell = rows_[row][i];
    out += (i > 0 ? ",\"" : "\"") + fields_[i] + "\":";
    out += cell.is_bare ? cell.text : json_string(cell.text);
  }
  return out + "}";
}

std::string Table::text(Format format) const {
  std::string out;
  if (format != Format::kTable) {
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      if (format == Format::kJson) out += r == 0 ? "[" : ",\n ";
      out += json_row(r);
      if (format == Format::kJsonl) out += "\n";
    }
    if (format == Format::kJson) out += rows_.empty() ? "[]\n" : "]\n";
    return out;
  }
  std::vector<int> widths;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    int width = display_width(fields_[i]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  const auto line = [&](auto&& cell) {
    std::string text;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      text += i + 1 < fields_.size() ? fit(cell(i), widths[i]) + "  " : cell(i);
    }
    out += text + "\n";
  };
  line([&](std::size_t i) { return capitals(fields_[i]); });
  for (const auto& row : rows_) {
    line([&](std::size_t i) { return printable(row[i].text); });
  }
  return out;
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void note(std::string_view text) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

Exit complain(const Error& error) {
  return complain(error.code, error.detail);
}

Exit complain(Errc code, std::string_view detail) {
  note("hy: " + error_text(code, detail));
  note("    " + std::string(error_info(code).what_to_do));
  return exit_for(code);
}

std::string duration_text(std::chrono::milliseconds d) {
  if (d < std::chrono::seconds(1)) return fmt::format("{} ms", d.count());
  return fmt::format("{:.1f} s", static_cast<double>(d.count()) / 1'000.0);
}

std::string size_text(std::size_t bytes) {
  return fmt::format("{} MB", (bytes + 500'000) / 1'000'000);
}

}  // namespace hy::cli
