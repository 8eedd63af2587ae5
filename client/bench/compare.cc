#include "client/bench/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

namespace hy::bench {
namespace {

using Json = nlohmann::json;

struct Figure {
  const char* name;
  const char* pointer;  ///< into one window of a report
  bool is_more_better;
};
constexpr Figure kFigures[] = {
    {"stored_per_s", "/stored_per_s", true},
    {"delivered_per_s", "/delivered_per_s", true},
    {"p50(stored) ms", "/latency_ms/stored/p50", false},
    {"p99(stored) ms", "/latency_ms/stored/p99", false},
    {"p50(delivered) ms", "/latency_ms/delivered/p50", false},
    {"p99(delivered) ms", "/latency_ms/delivered/p99", false},
    {"p99(login) ms", "/latency_ms/login/p99", false},
    {"cpu(daemons) µs", "/cpu_us_per_message/daemons", false},
    {"cpu(entry) µs", "/cpu_us_per_message/entry", false},
    {"cpu(logic) µs", "/cpu_us_per_message/logic", false},
    {"cpu(router) µs", "/cpu_us_per_message/router", false},
    {"cpu(das) µs", "/cpu_us_per_message/das", false},
    {"cpu(store) µs", "/cpu_us_per_message/store", false},
};

std::vector<double> values_of(const std::vector<Json>& reports, const char* pointer) {
  std::vector<double> out;
  const Json::json_pointer at(pointer);
  for (const Json& report : reports) {
    const auto windows = report.find("windows");
    if (windows == report.end()) continue;
    for (const Json& window : *windows) {
      if (window.contains(at) && window.at(at).is_number()) out.push_back(window.at(at));
    }
  }
  return out;
}

}  // namespace

std::vector<Comparison> compare_reports(const std::vector<Json>& a, const std::vector<Json>& b,
                                        double least) {
  std::vector<Comparison> out;
  for (const Figure& figure : kFigures) {
    const auto of_a = values_of(a, figure.pointer);
    const auto of_b = values_of(b, figure.pointer);
    if (of_a.empty() || of_b.empty()) continue;
    Comparison c{.name = figure.name,
                 .is_more_better = figure.is_more_better,
                 .a = spread_of(of_a),
                 .b = spread_of(of_b)};
    if (c.a.median <= 0 || (!figure.is_more_better && c.b.median <= 0)) continue;
    c.change = c.b.median / c.a.median - 1;
    const bool is_worse = figure.is_more_better ? c.change < -least : c.change > least;
    const bool is_apart = figure.is_more_better ? c.b.max < c.a.min : c.b.min > c.a.max;
    c.is_regression = is_worse && is_apart;
    out.push_back(std::move(c));
  }
  return out;
}

std::vector<std::string> doubts(const std::vector<Json>& a, const std::vector<Json>& b) {
  static constexpr std::pair<const char*, const char*> kSame[] = {
      {"scenario", "/scenario"}, {"mode", "/mode"}, {"store", "/server/store"}};
  std::vector<std::string> out;
  const auto text = [](const std::vector<Json>& reports, const char* pointer) {
    std::set<std::string> values;
    for (const Json& report : reports)
      values.insert(report.value(Json::json_pointer(pointer), std::string()));
    return fmt::format("{}", fmt::join(values, "+"));
  };
  for (const auto& [name, pointer] : kSame) {
    const std::string of_a = text(a, pointer);
    const std::string of_b = text(b, pointer);
    if (of_a != of_b) out.push_back(fmt::format("{}: A {}, B {}", name, of_a, of_b));
  }
  for (const auto& [name, reports] : {std::pair("A", &a), std::pair("B", &b)}) {
    const auto none = std::ranges::count_if(*reports, [](const Json& report) {
      return report.value(Json::json_pointer("/verdict/result"), std::string()) == "none";
    });
    if (none > 0)
      out.push_back(fmt::format("{}: {} of {} runs have no verdict", name, none, reports->size()));
  }
  return out;
}

Result<std::vector<Json>> read_reports(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) files.push_back(path);
  if (fs::is_regular_file(path / "report.json", ignored)) files.push_back(path / "report.json");
  if (files.empty()) {
    for (const auto& entry : fs::directory_iterator(path, ignored)) {
      const fs::path file = entry.path() / "report.json";
      if (fs::is_regular_file(file, ignored)) files.push_back(file);
    }
  }
  if (files.empty()) return fail(Errc::kConfigUnreadable, path.string() + ": no report.json there");
  std::ranges::sort(files);
  std::vector<Json> out;
  for (const fs::path& file : files) {
    std::ifstream in(file);
    Json report = Json::parse(in, nullptr, false);
    if (report.is_discarded() || !report.contains("windows"))
      return fail(Errc::kConfigUnreadable, file.string() + ": not a report of hy bench");
    out.push_back(std::move(report));
  }
  return out;
}

std::string comparison_text(const std::vector<Comparison>& all) {
  std::string out = fmt::format("{:<20} {:>30} {:>30} {:>9}\n", "FIGURE", "A median (min–max)",
                                "B median (min–max)", "CHANGE");
  const auto spread = [](const Spread& s) {
    const int digits = s.median < 100 ? 2 : 0;
    return fmt::format("{:.{}f} ({:.{}f}–{:.{}f})", s.median, digits, s.min, digits, s.max, digits);
  };
  for (const Comparison& c : all) {
    out += fmt::format("{:<20} {:>30} {:>30} {:>+8.1f}%{}\n", c.name, spread(c.a), spread(c.b),
                       c.change * 100, c.is_regression ? "  REGRESSION" : "");
  }
  return out;
}

}  // namespace hy::bench
