#include "client/bench/result.h"

#include <algorithm>
#include <charconv>

namespace hy::bench {
namespace {

double ms(std::int64_t us) {
  return static_cast<double>(us) / 1'000;
}

/// "p99(delivered)" → 99, "delivered".
bool split_call(const std::string& name, std::string& head, std::string& inside) {
  const std::size_t open = name.find('(');
  if (open == std::string::npos || !name.ends_with(')')) return false;
  head = name.substr(0, open);
  inside = name.substr(open + 1, name.size() - open - 2);
  return true;
}

std::optional<double> percentile_figure(const Outcome& r, const std::string& head,
                                        const std::string& curve) {
  const auto* const known =
      std::ranges::find_if(kCurveNames, [&](const auto& row) { return row.first == curve; });
  if (known == std::end(kCurveNames)) return std::nullopt;
  const Histogram& h = r.curves.*known->second;
  if (head == "max") return ms(h.max());
  if (head == "mean") return h.mean() / 1'000;
  double percentile = 0;
  const auto [end, error] = std::from_chars(head.data() + 1, head.data() + head.size(), percentile);
  if (!head.starts_with('p') || error != std::errc() || end != head.data() + head.size() ||
      percentile <= 0 || percentile > 100)
    return std::nullopt;
  return ms(h.at(percentile));
}

}  // namespace

Percentiles percentiles_of(const Histogram& h) {
  return {.count = h.count(),
          .p50 = ms(h.at(50)),
          .p90 = ms(h.at(90)),
          .p99 = ms(h.at(99)),
          .p999 = ms(h.at(99.9)),
          .p9999 = ms(h.at(99.99)),
          .p99999 = ms(h.at(99.999)),
          .max = ms(h.max())};
}

int Outcome::exit_code() const {
  if (is_stopped) return 130;
  if (ledger.found() > 0) return 4;
  if (!no_verdict.empty()) return 8;
  return std::ranges::all_of(asserts, &AssertResult::holds) ? 0 : 4;
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

double cpu_us(const Window& w, const Target& target, const std::string& tier) {
  if (w.counts.stored == 0) return 0;
  const auto messages = static_cast<double>(w.counts.stored);
  if (tier == "generator") return w.generator_cpu_s * 1e6 / messages;
  double seconds = 0;
  for (const ServerProcess& p : target.processes) {
    const bool counts = tier == "daemons" ? p.tier != "store" : p.tier == tier || p.name == tier;
    const auto at = w.cpu_s.find(p.name);
    if (counts && at != w.cpu_s.end()) seconds += at->second;
  }
  return seconds * 1e6 / messages;
}

std::optional<double> figure(const Outcome& r, const std::string& name) {
  const auto rate = [&](std::uint64_t n) {
    return r.whole.seconds > 0 ? static_cast<double>(n) / r.whole.seconds : 0;
  };
  const auto extra = r.extra.find(name);
  if (extra != r.extra.end()) return extra->second;
  std::string head;
  std::string inside;
  if (split_call(name, head, inside)) {
    if (head == "cpu") return cpu_us(r.whole, r.target, inside);
    if (head == "bytes") {
      const auto after = r.private_after.find(inside);
      const auto before = r.private_before.find(inside);
      if (after == r.private_after.end() || before == r.private_before.end() || r.open_at_end == 0)
        return std::nullopt;
      return (static_cast<double>(after->second) - static_cast<double>(before->second)) /
             static_cast<double>(r.open_at_end);
    }
    return percentile_figure(r, head, inside);
  }
  if (name == "lost") return static_cast<double>(r.ledger.lost);
  if (name == "shown_twice") return static_cast<double>(r.ledger.shown_twice);
  if (name == "out_of_order") return static_cast<double>(r.ledger.out_of_order);
  if (name == "dishonest") return static_cast<double>(r.ledger.dishonest);
  if (name == "stored_per_s") return rate(r.whole.counts.stored);
  if (name == "delivered_per_s") return rate(r.whole.counts.delivered);
  if (name == "confirmed_per_s") return rate(r.whole.counts.confirmed);
  if (name == "refused") return static_cast<double>(r.total.refused);
  if (name == "connections_lost") return static_cast<double>(r.total.lost);
  if (name == "open") return static_cast<double>(r.open_at_end);
  if (name == "mean_batch") return r.mean_batch;
  return std::nullopt;
}

}  // namespace hy::bench
