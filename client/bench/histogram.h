#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace hy::bench {

/// Latencies in microseconds, 1 µs … 1 h, kept to three significant digits
/// whatever their size (High Dynamic Range histogram; the layout of counts is
/// HdrHistogram's, so that logs can be read by its tools). Recording costs a
/// shift and an increment. Not thread-safe.
class Histogram {
 public:
  static constexpr std::int64_t kHighest = 3'600'000'000;  ///< µs; longer ones count as this

  Histogram();
  void record(std::int64_t us, std::uint64_t times = 1);
  void merge(const Histogram& other);
  void clear();

  [[nodiscard]] std::uint64_t count() const { return total_; }
  [[nodiscard]] std::int64_t max() const { return max_; }  ///< as recorded, 0 when empty
  [[nodiscard]] std::int64_t min() const { return total_ == 0 ? 0 : min_; }
  [[nodiscard]] double mean() const;
  /// The value that `percentile` (0 … 100) of all records do not pass; 0 when
  /// empty. Of the values that share a bucket the highest, as HdrHistogram says
  /// it, but never above max().
  [[nodiscard]] std::int64_t at(double percentile) const;
  /// How many records are above `us` (by whole buckets).
  [[nodiscard]] std::uint64_t count_above(std::int64_t us) const;

  /// V2 encoding, deflated, in base64: one field of a histogram log.
  [[nodiscard]] std::string encode() const;
  /// Errors: kMalformedBody (not base64, not V2, another layout).
  static Result<Histogram> decode(const std::string& text);

 private:
  static std::size_t index_of(std::int64_t us);
  static std::int64_t highest_of(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::int64_t min_ = kHighest;
  std::int64_t max_ = 0;
  double sum_ = 0;
};

/// One line of a histogram log (format 1.3): `tag`, start and length in
/// seconds, max in milliseconds.
std::string log_line(const std::string& tag, double start_s, double length_s, const Histogram& h);
/// The head of such a log; `start_unix_s`: wall clock of its second 0.
std::string log_head(double start_unix_s);

}  // namespace hy::bench
