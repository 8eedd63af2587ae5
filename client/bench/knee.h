#pragma once

#include <optional>

namespace hy::bench {

/// Where to look next for the largest rate that still holds: doubling until one does not, then
/// halving the interval. Pure.
class KneeSearch {
 public:
  /// `steps`: how often the interval is halved.
  KneeSearch(double start, int steps) : next_(start), halvings_(steps) {}
  /// The next rate to try; nullopt: the search is over.
  [[nodiscard]] std::optional<double> next() const {
    return is_over_ ? std::nullopt : std::optional(next_);
  }
  void tried(double rate, bool holds);
  /// The largest rate that held; 0: none did.
  [[nodiscard]] double best() const { return good_; }

 private:
  double next_;
  int halvings_;
  double good_ = 0;
  double bad_ = 0;
  bool is_over_ = false;
};

}  // namespace hy::bench
