#include "common/config/render.h"

#include <algorithm>
#include <vector>

#include "common/config/value_text.h"

namespace hy::config {
namespace {

std::string_view table_of(std::string_view key) {
  return key.substr(0, key.find('.'));
}

/// The tables in order of first appearance.
std::vector<std::string_view> tables_of(std::span<const Property> properties) {
  std::vector<std::string_view> out;
  for (const auto& p : properties)
    if (std::ranges::find(out, table_of(p.key)) == out.end()) out.push_back(table_of(p.key));
  return out;
}

/// The default as TOML, empty when there is none.
std::string default_text(const Property& p) {
  if (p.required || p.kind == Kind::kSecret) return {};
  auto free = p;
  if (p.fallback.empty()) {
    free.min = {};
    if (p.kind == Kind::kEnum) return {};
  }
  const auto value = parse_value(free, p.fallback);
  return value ? value->shown : std::string();
}

std::string example_of(const Property& p) {
  switch (p.kind) {
    case Kind::kSecret: {
      std::string name(p.key);
      std::ranges::replace(name, '.', '_');
      return "{ file = \"secrets/" + name + "\" }";
    }
    case Kind::kText: return "\"…\"";
    case Kind::kAddress: return "\"127.0.0.1:14000\"";
    case Kind::kAddressList: return "[\"127.0.0.1:14000\"]";
    default: return "…";
  }
}

std::string escaped_cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string render_default_file(std::span<const Property> properties) {
  std::string out =
      "# hongyan.toml: one per host. Every key with its default; precedence: flag > environment > "
      "file > default.\n";
  for (const auto table : tables_of(properties)) {
    out += "\n[" + std::string(table) + "]\n";
    for (const auto& p : properties) {
      if (table_of(p.key) != table) continue;
      const auto range = allowed_range(p);
      out += "# " + std::string(p.sentence);
      out += p.apply == Apply::kLive ? " (live" : " (restart";
      if (!range.empty()) out += "; " + range;
      out += ")\n";
      // Dotted keys: one line a key also for the inner tables.
      const std::string name(p.key.substr(table.size() + 1));
      const auto value = default_text(p);
      if (value.empty())
        out += (p.required ? "" : "# ") + name + " = " + (p.required ? "\"\"" : example_of(p)) +
               (p.required ? "  # required\n" : "\n");
      else
        out += name + " = " + value + "\n";
    }
  }
  return out;
}

std::string render_reference(std::span<const Property> properties) {
  std::string out;
  for (const auto table : tables_of(properties)) {
    out += "## [" + std::string(table) + "]\n\n";
    out += "| Key | Form | Default | Allowed | Change | Meaning |\n|---|---|---|---|---|---|\n";
    for (const auto& p : properties) {
      if (table_of(p.key) != table) continue;
      auto value = default_text(p);
      value = value.empty() ? (p.required ? "required" : "none") : "`" + value + "`";
      out += "| `" + std::string(p.key) + "` | " + std::string(kind_name(p.kind)) + " | " +
             escaped_cell(value) + " | " + escaped_cell(allowed_range(p)) + " | " +
             (p.apply == Apply::kLive ? "live" : "restart") + " | " + escaped_cell(p.sentence) +
             " |\n";
    }
    out += "\n";
  }
  return out;
}

std::string render_values(const Values& values) {
  std::string out;
  for (const auto& [key, value] : values.all())
    out += key + " = " + value.shown + "  # " + value.origin + "\n";
  return out;
}

}  // namespace hy::config
