// An SVG picture from figures that a tool wrote as JSON, one object a line (store_scale --json).
//   plot_figures --x rows --y append_us --by conversations --title "..." --out F.svg F.jsonl ...
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "client/bench/plot.h"

namespace {

struct Options {
  std::string x = "rows";
  std::string y = "append_us";
  std::string by = "conversations";
  std::string where;  ///< "key=value": other objects are left out
  std::string out;
  hy::bench::Plot plot;
  std::vector<std::string> files;
};

/// The picture stands alone: the colours that a report's page would give.
constexpr const char* kStyle =
    "<style>svg{background:#fff;font:11px sans-serif}.title{font:bold 13px sans-serif}"
    ".grid{stroke:#ddd}.tick,.label,.title{fill:#333}"
    ".s0{stroke:#1b6ca8}.s1{stroke:#c0392b}.s2{stroke:#27823b}.s3{stroke:#8e44ad}"
    ".s4{stroke:#b9770e}.s5{stroke:#555}</style>";

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool is_wanted(const nlohmann::json& object, const std::string& where) {
  const std::size_t at = where.find('=');
  return at == std::string::npos ||
         text_of(object.value(where.substr(0, at), nlohmann::json())) == where.substr(at + 1);
}

/// false: a file cannot be read or has a line that is not such an object.
bool read(Options& options) {
  std::map<std::pair<std::size_t, std::string>, hy::bench::Series> series;
  for (const std::string& file : options.files) {
    std::ifstream in(file);
    if (!in) return false;
    for (std::string line; std::getline(in, line);) {
      const auto object = nlohmann::json::parse(line, nullptr, false);
      if (!object.is_object() || !object.contains(options.x) || !object.contains(options.y))
        return false;
      if (!is_wanted(object, options.where)) continue;
      const std::string name = text_of(object.value(options.by, nlohmann::json()));
      hy::bench::Series& one = series[{name.size(), name}];
      one.name = name;
      one.points.emplace_back(object[options.x].get<double>(), object[options.y].get<double>());
    }
  }
  for (auto& [key, one] : series) {
    std::ranges::sort(one.points);
    options.plot.series.push_back(std::move(one));
  }
  return !options.plot.series.empty();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("a picture of figures");
  app.add_option("--x", options.x, "key of the x axis, which is logarithmic");
  app.add_option("--y", options.y);
  app.add_option("--by", options.by, "key that tells the lines apart");
  app.add_option("--where", options.where, "key=value that objects must have");
  app.add_option("--title", options.plot.title);
  app.add_option("--x-label", options.plot.x_label);
  app.add_option("--y-label", options.plot.y_label);
  app.add_option("--out", options.out)->required();
  app.add_option("files", options.files)->required();
  CLI11_PARSE(app, argc, argv);
  options.plot.is_x_log = true;
  if (!read(options)) {
    std::fprintf(stderr, "no figures of %s and %s, one JSON object a line\n", options.x.c_str(),
                 options.y.c_str());
    return 2;
  }
  std::string svg = hy::bench::svg_of(options.plot);
  const std::string open = "<svg ";
  svg.replace(0, open.size(), "<svg xmlns=\"http://www.w3.org/2000/svg\" ");
  svg.insert(svg.find('>') + 1, kStyle);
  std::ofstream(options.out) << svg;
  return 0;
}
