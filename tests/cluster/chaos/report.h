#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "tests/cluster/chaos/nemesis.h"

namespace hy::chaos {

/// Figures of one or many runs: names with counts, so that two reports are merged by adding.
/// "rounds", "messages/stored", "faults/kill", "pairs/kill+pause", "points/das.after_lock/kill",
/// "hits/das.after_lock", "violations" …
class Report {
 public:
  void add(const std::string& name, std::uint64_t count = 1) { counts_[name] += count; }
  [[nodiscard]] std::uint64_t get(const std::string& name) const;
  /// Sum of all whose name begins so.
  [[nodiscard]] std::uint64_t sum(std::string_view prefix) const;
  /// How many names begin so.
  [[nodiscard]] std::size_t kinds(std::string_view prefix) const;
  void merge(const Report& other);
  /// Faults, pairs that overlapped, what was felt.
  void add_faults(const std::vector<FaultRecord>& records);

  [[nodiscard]] std::string json() const;
  /// Reads what json() wrote. Errors: kConfigSyntax.
  static Result<Report> parse(const std::string& text);
  /// Writes the file; `append`: adds what it holds.
  Status save(const std::filesystem::path& file, bool append) const;
  /// For people, several lines.
  [[nodiscard]] std::vector<std::string> summary() const;
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace hy::chaos
