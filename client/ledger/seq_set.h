#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace hy::client {

/// A set of positions as runs without holes. Positions of one conversation are dense, so a whole
/// healthy conversation is one run however long it is.
class SeqSet {
 public:
  /// False: it was in the set.
  bool insert(std::uint64_t seq) {
    auto after = runs_.upper_bound(seq);
    const auto before = after == runs_.begin() ? runs_.end() : std::prev(after);
    if (before != runs_.end() && seq <= before->second) return false;
    ++count_;
    const bool joins_before = before != runs_.end() && before->second + 1 == seq;
    const bool joins_after = after != runs_.end() && after->first == seq + 1;
    if (joins_before && joins_after) {
      before->second = after->second;
      runs_.erase(after);
    } else if (joins_before) {
      before->second = seq;
    } else if (joins_after) {
      const std::uint64_t last = after->second;
      runs_.erase(after);
      runs_.emplace(seq, last);
    } else {
      runs_.emplace(seq, seq);
    }
    return true;
  }
  [[nodiscard]] bool contains(std::uint64_t seq) const {
    const auto after = runs_.upper_bound(seq);
    return after != runs_.begin() && seq <= std::prev(after)->second;
  }
  /// How many are here and not in `other`; each is given to `f`.
  template <class F>
  std::uint64_t missing_in(const SeqSet& other, F&& f) const {
    std::uint64_t missing = 0;
    for (const auto& [first, last] : runs_) {
      for (std::uint64_t seq = first; seq <= last;) {
        const auto after = other.runs_.upper_bound(seq);
        if (after != other.runs_.begin() && seq <= std::prev(after)->second) {
          seq = std::prev(after)->second + 1;  // skips a whole run
          continue;
        }
        ++missing;
        f(seq);
        ++seq;
      }
    }
    return missing;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::size_t runs() const { return runs_.size(); }

 private:
  std::map<std::uint64_t, std::uint64_t> runs_;  // first → last
  std::uint64_t count_ = 0;
};

}  // namespace hy::client
