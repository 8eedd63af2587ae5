#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace hy::peers {

/// Latencies in microseconds, in buckets of at most 3.2 % width from 32 µs on (1 µs below). One
/// thread.
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 32 * 33;

  void add(std::uint64_t us) { ++counts_[index(us)]; }
  void add_bucket(std::size_t bucket, std::uint64_t count) {
    if (bucket < kBuckets) counts_[bucket] += count;
  }
  void clear() { counts_ = {}; }
  [[nodiscard]] std::uint64_t count(std::size_t bucket) const { return counts_[bucket]; }
  /// The upper edge of the bucket that holds quantile `q` (0–1), in µs; 0 when empty.
  [[nodiscard]] std::uint64_t quantile(double q) const {
    std::uint64_t total = 0;
    for (const std::uint64_t n : counts_) total += n;
    if (total == 0) return 0;
    const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(total - 1));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen > rank) return upper_edge(i);
    }
    return upper_edge(kBuckets - 1);
  }

  static constexpr std::size_t index(std::uint64_t us) {
    if (us < 32) return static_cast<std::size_t>(us);
    const auto shift = static_cast<std::size_t>(std::bit_width(us)) - 6;  // leaves 32..63
    const std::size_t at = (shift + 1) * 32 + static_cast<std::size_t>(us >> shift) - 32;
    return at < kBuckets ? at : kBuckets - 1;
  }
  static constexpr std::uint64_t upper_edge(std::size_t bucket) {
    if (bucket < 32) return bucket;
    const std::size_t shift = bucket / 32 - 1;
    return ((bucket % 32 + 33) << shift) - 1;
  }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
};

static_assert([] {
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    const std::uint64_t edge = Histogram::upper_edge(i);
    if (Histogram::index(edge) != i) return false;
    if (i + 1 < Histogram::kBuckets && Histogram::index(edge + 1) != i + 1) return false;
  }
  return true;
}());

}  // namespace hy::peers
