#pragma once

#include <string>
#include <string_view>

namespace hy::cli {

/// Makes wcwidth() answer for UTF-8, whatever the environment says. Once, before any thread starts.
void use_utf8();

/// Terminal columns of printable text: 2 for wide characters, 0 for combining ones.
int display_width(std::string_view utf8);

/// What a terminal may be shown of a body that somebody else wrote: control characters and bytes
/// that are no UTF-8 become visible signs, so no body can move the cursor or change colours.
std::string printable(std::string_view body);

/// Exactly `columns` wide: cut with "…", or filled with spaces.
std::string fit(std::string_view utf8, int columns);
/// At most `columns` wide: cut with "…", never filled.
std::string clip(std::string_view utf8, int columns);

}  // namespace hy::cli
