#pragma once

#include <span>
#include <string>

#include "common/config/property.h"

namespace hy::config {

/// The annotated default file: every key with its sentence, bounds, live or restart. It loads
/// again as the defaults; keys without default are written as comments.
std::string render_default_file(std::span<const Property> properties);
/// docs/reference/config.md for these keys: one Markdown table per TOML table.
std::string render_reference(std::span<const Property> properties);
/// --print-config: "key = value  # origin", one a line, sorted, secrets as ***.
std::string render_values(const Values& values);

}  // namespace hy::config
