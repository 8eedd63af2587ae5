#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/bench/result.h"

namespace hy::bench {

/// One figure of two sets of runs.
struct Comparison {
  std::string name;
  bool is_more_better = false;
  Spread a;
  Spread b;
  double change = 0;           ///< of the medians, 0.1 = 10 % more
  bool is_regression = false;  ///< worse by more than the spread of both explains
};

/// All windows of all runs of either side, figure by figure. A change is a regression when the
/// medians differ by more than `least` of the first one, to the worse, and the ranges do not touch.
std::vector<Comparison> compare_reports(const std::vector<nlohmann::json>& a,
                                        const std::vector<nlohmann::json>& b, double least = 0.05);

/// report.json of a run's folder, of each folder in it, or a file itself. Errors:
/// kConfigUnreadable.
Result<std::vector<nlohmann::json>> read_reports(const std::filesystem::path& path);

/// What the two sides do not have in common, or what makes their figures no result, in a line each:
/// another scenario, another way to make the load, another store, runs without a verdict.
std::vector<std::string> doubts(const std::vector<nlohmann::json>& a,
                                const std::vector<nlohmann::json>& b);

std::string comparison_text(const std::vector<Comparison>& all);

}  // namespace hy::bench
