#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/config/mistake.h"

namespace hy::config {

/// A parsed TOML text with its lines, and the mistakes of its syntax. Only for this folder.
struct Document {
  std::string file;
  std::vector<std::string> lines;
  toml::table root;
  std::vector<Mistake> mistakes;

  /// A mistake at a place of the text.
  [[nodiscard]] Mistake at(const toml::source_region& where, Errc code, std::string message,
                           std::string fix) const;
};

/// Parses, and goes on after a mistake: a line or section that is not TOML is reported, blanked and
/// the rest read again, at most 20 times. So one run shows all mistakes of a file.
Document parse_document(std::string_view text, std::string file);

/// Reads a configuration file of at most 1 MiB. false: `mistake` says why not.
bool read_config_file(const std::string& file, std::string& text, Mistake& mistake);

}  // namespace hy::config
