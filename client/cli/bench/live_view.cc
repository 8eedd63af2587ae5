#include "client/cli/bench/live_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

constexpr std::size_t kKept = 60;
constexpr std::size_t kBarColumns = 24;
constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

double curve(const bench::Point& p, const char* name, double bench::Percentiles::* which) {
  const auto at = p.curves.find(name);
  return at == p.curves.end() ? 0 : at->second.*which;
}

}  // namespace

void LiveView::add(const bench::Point& p, double left_s) {
  points_.push_back(p);
  if (points_.size() > kKept) points_.pop_front();
  left_s_ = left_s;
}

std::string LiveView::bars(const std::vector<double>& values, std::size_t width) {
  const std::size_t first = values.size() > width ? values.size() - width : 0;
  double most = 0;
  for (std::size_t i = first; i < values.size(); ++i) most = std::max(most, values[i]);
  std::string out;
  for (std::size_t i = first; i < values.size(); ++i) {
    const double share = most > 0 ? values[i] / most : 0;
    out += kBars[std::min<std::size_t>(7, static_cast<std::size_t>(share * 7.999))];
  }
  return out;
}

std::vector<double> LiveView::history(double (*value)(const bench::Point&)) const {
  std::vector<double> out;
  for (const bench::Point& p : points_) out.push_back(value(p));
  return out;
}

std::vector<std::string> LiveView::lines(int columns) const {
  if (points_.empty()) return {};
  const bench::Point& p = points_.back();
  std::vector<std::string> out;
  std::string progress = fmt::format(" {:.0f} s", p.t);
  if (left_s_ > 0 && total_s_ > 0) {
    const double done = std::clamp(1 - left_s_ / total_s_, 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(done * kBarColumns);
    progress += "  ";
    for (std::size_t i = 0; i < kBarColumns; ++i) progress += i < filled ? "█" : "░";
    progress += fmt::format("  {:.0f} s left", left_s_);
  }
  out.push_back(progress + fmt::format("   {} connections", p.open));
  out.push_back(
      fmt::format(" offered {:7.0f}/s   stored {:7.0f}/s   {}", p.offered, p.stored,
                  bars(history([](const bench::Point& q) { return q.stored; }), kBarColumns)));
  for (const char* name : {"login", "stored", "delivered", "confirmed"}) {
    if (!p.curves.contains(name)) continue;
    out.push_back(fmt::format(" {:<10} p50 {:8.2f}   p99 {:8.2f}   max {:8.2f} ms", name,
                              curve(p, name, &bench::Percentiles::p50),
                              curve(p, name, &bench::Percentiles::p99),
                              curve(p, name, &bench::Percentiles::max)));
  }
  out.push_back(fmt::format(" p99        {}   send lag p99 {:.2f} ms",
                            bars(history([](const bench::Point& q) {
                                   return curve(
                                       q, q.curves.contains("delivered") ? "delivered" : "login",
                                       &bench::Percentiles::p99);
                                 }),
                                 kBarColumns),
                            p.lag_p99_ms));
  std::string cpu = " CPU % of a core  ";
  for (const auto& [tier, share] : p.cpu_share) cpu += fmt::format(" {} {:.0f}", tier, share * 100);
  out.push_back(std::move(cpu));
  for (std::string& line : out) line = clip(line, columns);
  return out;
}

}  // namespace hy::cli
