#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>

namespace hy::judge {

/// A set of positions as runs without holes. Positions of one conversation are dense, so a whole
/// healthy conversation is one run however long it is. Insertion costs the logarithm of the runs.
class SeqSet {
 public:
  void insert(std::uint64_t seq) { insert(seq, seq); }
  /// Everything from `low` to `high`; nothing when low > high.
  void insert(std::uint64_t low, std::uint64_t high) {
    if (low > high) return;
    auto at = runs_.upper_bound(low);
    if (at != runs_.begin() && std::prev(at)->second + 1 >= low) {
      --at;
      low = at->first;
    }
    while (at != runs_.end() && at->first <= high + 1) {
      high = std::max(high, at->second);
      at = runs_.erase(at);
    }
    runs_.emplace_hint(at, low, high);
  }
  [[nodiscard]] bool contains(std::uint64_t seq) const { return end_of_run(seq) >= seq; }
  /// The last position of the run that holds `seq`; seq − 1 when none does.
  [[nodiscard]] std::uint64_t end_of_run(std::uint64_t seq) const {
    const auto after = runs_.upper_bound(seq);
    if (after == runs_.begin() || std::prev(after)->second < seq) return seq - 1;
    return std::prev(after)->second;
  }
  /// The first position in low … high that is not here.
  [[nodiscard]] std::optional<std::uint64_t> first_missing(std::uint64_t low,
                                                           std::uint64_t high) const {
    if (low > high) return std::nullopt;
    const std::uint64_t end = end_of_run(low);
    return end >= high ? std::nullopt : std::optional(end + 1);
  }
  [[nodiscard]] std::uint64_t largest() const {
    return runs_.empty() ? 0 : std::prev(runs_.end())->second;
  }
  [[nodiscard]] std::size_t runs() const { return runs_.size(); }
  void clear() { runs_.clear(); }

 private:
  std::map<std::uint64_t, std::uint64_t> runs_;  // first → last
};

}  // namespace hy::judge
