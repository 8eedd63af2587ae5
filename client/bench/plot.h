#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hy::bench {

/// A line of a plot. Lines differ by their dashes too: readable without colour.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool is_x_log = false;
  bool is_y_log = false;
  /// Ticks with texts of their own on the x axis; empty: chosen.
  std::vector<std::pair<double, std::string>> x_ticks;
  std::vector<Series> series;
};

/// One SVG picture with axes, ticks, a legend and a title, coloured by CSS
/// variables of the page.
std::string svg_of(const Plot& plot);
/// "<" becomes "&lt;" and so on.
std::string html_text(const std::string& text);
/// 1, 2 or 5 times a power of ten, so that at most `max` of them lie between
/// low and high.
double tick_step(double low, double high, int max);

}  // namespace hy::bench
