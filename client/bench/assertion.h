#pragma once

#include "client/bench/result.h"

namespace hy::bench {

/// "p99(delivered)<200ms", "lost==0": a figure's name, one of < <= > >= == !=,
/// and a number with an optional ms, s, us, /s or k.
struct Assertion {
  std::string text;
  std::string name;
  std::string op;
  double bound = 0;  ///< times in ms
};
/// Errors: kUsage.
Result<Assertion> parse_assertion(const std::string& text);
/// Against a run; a figure that it does not have does not hold.
AssertResult judge_assertion(const Assertion& a, const Outcome& r);

}  // namespace hy::bench
