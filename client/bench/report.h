#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "client/bench/result.h"

namespace hy::bench {

/// The run for a person, 100 columns at most: windows, cost, verdict, honesty,
/// ledger.
std::string report_text(const Outcome& r);
/// One second of the load in a line.
std::string point_line(const Point& p, double left_s);

/// The run for programs. Field names are an interface: `compare` and scripts
/// read them.
nlohmann::json report_json(const Outcome& r);

/// The run as one page without any other file: plots, tables, the command and
/// the machine.
std::string report_html(const Outcome& r);

/// Writes report.json, report.html and the histogram logs into `folder`, which
/// is made. Errors: kConfigUnreadable.
Status write_reports(const Outcome& r, const std::filesystem::path& folder);

}  // namespace hy::bench
