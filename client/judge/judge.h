#pragma once

#include <string>
#include <vector>

#include "client/judge/case.h"

namespace hy::judge {

/// Why nothing can be said.
enum class Missing : std::uint8_t {
  kNoHistory,      ///< no client wrote anything
  kClientEnd,      ///< a client's file has no end: what it did not write is unknown
  kBrokenHistory,  ///< times of a file fall, or two files are of one device
  kStoreDump,      ///< the stores were not read, or not whole
  kPlacement,      ///< routers and entries were not read, and the rules want them
  kNoMessage,      ///< nothing was sent, or nothing acknowledged: an idle workload proves nothing
  kFaultNotFelt,   ///< a declared fault did nothing
  kTap,            ///< lines were tapped and carried nothing, or nothing of it could be played
};
std::string_view missing_name(Missing missing);

struct Gap {
  Missing what;
  std::string text;  ///< for a person
};

enum class Outcome : std::uint8_t { kClean, kViolations, kNoVerdict };

struct Verdict {
  std::vector<Gap> missing;     ///< not empty: no verdict, whatever was found
  std::vector<Report> reports;  ///< one per checker, in a fixed order
  [[nodiscard]] Outcome outcome() const;
  [[nodiscard]] std::uint64_t found() const;
  /// Exit code of programs: 0 clean, 4 violations, 8 no verdict.
  [[nodiscard]] int exit_code() const;
  /// All violations that were kept, in the order of the checkers.
  [[nodiscard]] std::vector<Violation> violations() const;
  /// One line per checker with what it looked at, then the first `max` violations of each.
  [[nodiscard]] std::string text(std::size_t max = 10) const;
};

/// Runs every checker. No I/O, no clock; the same evidence gives the same verdict.
Verdict judge(const Evidence& evidence, const Rules& rules);

}  // namespace hy::judge
