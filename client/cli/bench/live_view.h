#pragma once

#include <deque>
#include <string>
#include <vector>

#include "client/bench/run.h"

namespace hy::cli {

/// The screen of a running bench: a few lines that are drawn again each second, with the last
/// minute as bars. Pure but for print().
class LiveView {
 public:
  explicit LiveView(double total_s) : total_s_(total_s) {}
  void add(const bench::Point& p, double left_s);
  /// The block as lines of at most `columns`.
  [[nodiscard]] std::vector<std::string> lines(int columns) const;
  /// "▁▂▅█": one bar a value, the largest is full. Values from `values`' end, at most `width`.
  static std::string bars(const std::vector<double>& values, std::size_t width);

 private:
  [[nodiscard]] std::vector<double> history(double (*value)(const bench::Point&)) const;
  std::deque<bench::Point> points_;
  double total_s_;
  double left_s_ = 0;
};

}  // namespace hy::cli
