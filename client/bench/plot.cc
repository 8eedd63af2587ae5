#include "client/bench/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace hy::bench {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 320;
constexpr double kLeft = 62;
constexpr double kRight = 16;
constexpr double kTop = 30;
constexpr double kBottom = 46;
constexpr int kTicks = 7;
constexpr const char* kDashes[] = {"", "7 3", "2 3", "9 3 2 3", "4 2", "1 2"};

/// One axis: values to pixels.
struct Axis {
  double low = 0;
  double high = 1;
  bool is_log = false;
  double from = 0;  // pixel of low
  double to = 1;    // pixel of high

  [[nodiscard]] double at(double value) const {
    const auto f = [this](double v) { return is_log ? std::log10(std::max(v, 1e-9)) : v; };
    return from + (to - from) * (f(value) - f(low)) / (f(high) - f(low));
  }
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> out;
    if (is_log) {
      for (double t = std::pow(10, std::floor(std::log10(low))); t <= high * 1.0001; t *= 10) {
        if (t >= low * 0.9999) out.push_back(t);
      }
      return out;
    }
    const double step = tick_step(low, high, kTicks);
    for (double t = std::ceil(low / step) * step; t <= high + step * 1e-6; t += step)
      out.push_back(t);
    return out;
  }
};

std::string number(double v) {
  if (v >= 1e6) return fmt::format("{:g}M", v / 1e6);
  if (v >= 1e4) return fmt::format("{:g}k", v / 1e3);
  return fmt::format("{:g}", std::abs(v) < 1e-9 ? 0 : v);
}

void bounds(const Plot& plot, Axis& x, Axis& y) {
  constexpr double kMax = std::numeric_limits<double>::max();
  double low[2] = {kMax, kMax};
  double high[2] = {-kMax, -kMax};
  for (const Series& s : plot.series) {
    for (const auto& [px, py] : s.points) {
      low[0] = std::min(low[0], px);
      high[0] = std::max(high[0], px);
      if (plot.is_y_log && py <= 0) continue;
      low[1] = std::min(low[1], py);
      high[1] = std::max(high[1], py);
    }
  }
  if (low[0] > high[0]) low[0] = 0, high[0] = 1;
  if (low[1] > high[1]) low[1] = 0, high[1] = 1;
  x = {.low = low[0], .high = high[0] > low[0] ? high[0] : low[0] + 1, .is_log = plot.is_x_log};
  if (plot.is_y_log) {
    low[1] = std::pow(10, std::floor(std::log10(low[1])));
    high[1] = std::pow(10, std::ceil(std::log10(high[1] * 1.0001)));
  } else {
    low[1] = std::min(0.0, low[1]);
    high[1] *= 1.05;
  }
  y = {.low = low[1], .high = high[1] > low[1] ? high[1] : low[1] + 1, .is_log = plot.is_y_log};
  x.from = kLeft;
  x.to = kWidth - kRight;
  y.from = kHeight - kBottom;
  y.to = kTop;
}

std::string axes(const Plot& plot, const Axis& x, const Axis& y) {
  std::string out;
  for (const double t : y.ticks()) {
    const double at = y.at(t);
    out += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" "
        "x2=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>\n",
        kLeft, at, kWidth - kRight, at, kLeft - 6, at + 4, number(t));
  }
  std::vector<std::pair<double, std::string>> ticks = plot.x_ticks;
  if (ticks.empty()) {
    for (const double t : x.ticks()) ticks.emplace_back(t, number(t));
  }
  for (const auto& [t, text] : ticks) {
    if (t < x.low || t > x.high) continue;
    const double at = x.at(t);
    out += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" "
        "x2=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" "
        "text-anchor=\"middle\">{}</text>\n",
        at, kTop, at, kHeight - kBottom, at, kHeight - kBottom + 15, html_text(text));
  }
  out += fmt::format(
      "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" "
      "text-anchor=\"middle\">{}</text>"
      "<text class=\"label\" x=\"14\" y=\"{:.1f}\" text-anchor=\"middle\" "
      "transform=\"rotate(-90 14 {:.1f})\">{}</text>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 8, html_text(plot.x_label), kHeight / 2, kHeight / 2,
      html_text(plot.y_label));
  return out;
}

}  // namespace

double tick_step(double low, double high, int max) {
  const double span = std::max(high - low, 1e-9);
  double step = std::pow(10, std::floor(std::log10(span / max)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (span / (step * factor) <= max) return step * factor;
  }
  return step * 10;
}

std::string html_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string svg_of(const Plot& plot) {
  Axis x;
  Axis y;
  bounds(plot, x, y);
  std::string out = fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\"><title>{}</title>"
      "<text class=\"title\" x=\"{:.1f}\" y=\"18\">{}</text>\n",
      kWidth, kHeight, html_text(plot.title), kLeft, html_text(plot.title));
  out += axes(plot, x, y);
  double legend = kWidth - kRight;
  for (std::size_t i = plot.series.size(); i-- > 0;) {
    const Series& s = plot.series[i];
    const auto* const dash = kDashes[i % std::size(kDashes)];
    std::string line;
    for (const auto& [px, py] : s.points) {
      if (plot.is_y_log && py <= 0) continue;
      line += fmt::format("{:.1f},{:.1f} ", x.at(px), y.at(py));
    }
    out += fmt::format(
        "<polyline class=\"s{}\" fill=\"none\" "
        "stroke-width=\"1.8\" stroke-dasharray=\"{}\" "
        "points=\"{}\"/>\n",
        i % std::size(kDashes), dash, line);
    const auto width = 30 + 6.6 * static_cast<double>(s.name.size());
    legend -= width;
    out += fmt::format(
        "<line class=\"s{}\" stroke-width=\"1.8\" "
        "stroke-dasharray=\"{}\" x1=\"{:.1f}\" y1=\"14\" "
        "x2=\"{:.1f}\" y2=\"14\"/><text class=\"tick\" "
        "x=\"{:.1f}\" y=\"18\">{}</text>\n",
        i % std::size(kDashes), dash, legend, legend + 18, legend + 22, html_text(s.name));
  }
  return out + "</svg>\n";
}

}  // namespace hy::bench
