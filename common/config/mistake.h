#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/error.h"

namespace hy::config {

/// One mistake of a configuration, with what a person needs to mend it.
struct Mistake {
  Errc code = Errc::kConfigSyntax;
  std::string message;       ///< after "error HY-8012: "
  std::string source;        ///< file path, variable name or "--set entry.x=…"
  std::uint32_t line = 0;    ///< from 1; 0 = not a place in a file
  std::uint32_t column = 0;  ///< from 1, in characters
  std::uint32_t width = 1;   ///< characters to mark
  std::string line_text;     ///< the line itself
  std::string fix;           ///< beside the caret: 'did you mean "…"?', the range, the form
  std::string help;          ///< last line, a command or a sentence; may be empty
};

/// The block that a person reads:
///   error HY-8012: unknown key "max_conections"
///     --> hongyan.toml:9:1
///    9 | max_conections = "200k"
///      | ^^^^^^^^^^^^^^ did you mean "max_connections"?
std::string render(const Mistake& mistake);
/// All of them, file order, a blank line between.
std::string render(const std::vector<Mistake>& mistakes);

}  // namespace hy::config
