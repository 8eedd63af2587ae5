#include "client/bench/assertion.h"

#include <charconv>
#include <limits>

namespace hy::bench {

Result<Assertion> parse_assertion(const std::string& text) {
  std::string tight;
  for (const char c : text) {
    if (c != ' ') tight += c;
  }
  const auto bad = [&] {
    return fail(Errc::kUsage, "assert: \"" + text + "\" is not like p99(delivered)<200ms");
  };
  const std::size_t at = tight.find_first_of("<>=!");
  if (at == std::string::npos || at == 0) return bad();
  Assertion out{.text = text, .name = tight.substr(0, at), .op = tight.substr(at, 1), .bound = 0};
  if (tight.substr(at + 1, 1) == "=") out.op += '=';
  if (out.op == "=" || out.op == "!") return bad();
  const std::string number = tight.substr(at + out.op.size());
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), out.bound);
  if (error != std::errc()) return bad();
  const std::string unit(end, number.data() + number.size());
  if (unit == "s")
    out.bound *= 1'000;
  else if (unit == "us")
    out.bound /= 1'000;
  else if (unit == "k" || unit == "k/s")
    out.bound *= 1'000;
  else if (!unit.empty() && unit != "ms" && unit != "/s")
    return bad();
  return out;
}

AssertResult judge_assertion(const Assertion& a, const Outcome& r) {
  AssertResult out{.text = a.text};
  const auto value = figure(r, a.name);
  if (!value) {
    out.value = std::numeric_limits<double>::quiet_NaN();
    return out;
  }
  out.value = *value;
  out.holds = a.op == "<"    ? *value < a.bound
              : a.op == "<=" ? *value <= a.bound
              : a.op == ">"  ? *value > a.bound
              : a.op == ">=" ? *value >= a.bound
              : a.op == "==" ? *value == a.bound
                             : *value != a.bound;
  return out;
}

}  // namespace hy::bench
