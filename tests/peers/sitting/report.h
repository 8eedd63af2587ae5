#pragma once

#include <string>
#include <vector>

#include "tests/peers/sitting/window.h"

namespace hy::peers {

/// Rows a second of raw INSERTs around one of our windows on MariaDB.
struct RawInserts {
  int round = 0;
  double before = 0;
  double after = 0;
};

struct Results {
  std::vector<Window> windows;
  std::vector<Logins> logins;
  std::vector<RawInserts> raw;
};

/// "12.5 (11.9–13.2)": median, minimum and maximum; "–" when empty.
std::string spread(std::vector<double> values, int digits);
/// The tables and the ratios, as text in Markdown.
std::string report(const Results& results);
std::string to_json(const Results& results);
/// What to_json wrote. Throws when it is something else.
Results from_json(const std::string& text);

}  // namespace hy::peers
