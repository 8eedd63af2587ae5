#include <fmt/format.h>

#include <algorithm>

#include "client/bench/report.h"

namespace hy::bench {
namespace {

constexpr const char* kTiers[] = {"entry", "logic", "router", "das"};

std::string count_text(double n) {
  return n >= 100'000 ? fmt::format("{:.0f} k", n / 1'000) : fmt::format("{:.0f}", n);
}

std::string ms_text(double ms) {
  return ms < 10 ? fmt::format("{:.2f}", ms) : fmt::format("{:.0f}", ms);
}

std::string per_second(std::uint64_t n, const Window& w) {
  return count_text(w.seconds > 0 ? static_cast<double>(n) / w.seconds : 0);
}

std::string curve_text(const Window& w, const std::string& name) {
  const auto at = w.curves.find(name);
  if (at == w.curves.end()) return "-";
  return ms_text(at->second.p50) + "/" + ms_text(at->second.p99);
}

std::string cost_text(const Window& w, const Target& target) {
  std::string out;
  for (const char* tier : kTiers) {
    if (const double us = cpu_us(w, target, tier); us > 0)
      out += fmt::format("{} {:.1f} ", tier, us);
  }
  return fmt::format("{}daemons {:.1f} · stores {:.1f} · generator {:.1f}", out,
                     cpu_us(w, target, "daemons"), cpu_us(w, target, "store"),
                     cpu_us(w, target, "generator"));
}

std::string message_windows(const Outcome& r) {
  std::string out;
  for (std::size_t i = 0; i < r.windows.size(); ++i) {
    const Window& w = r.windows[i];
    out += fmt::format(
        " window {:<3} stored {}/s · delivered {}/s · confirmed {}/s · p50/p99 "
        "ms stored {} "
        "delivered {} confirmed {}\n            CPU µs a message: {}\n",
        i + 1, per_second(w.counts.stored, w), per_second(w.counts.delivered, w),
        per_second(w.counts.confirmed, w), curve_text(w, "stored"), curve_text(w, "delivered"),
        curve_text(w, "confirmed"), cost_text(w, r.target));
  }
  return out;
}

std::string spread_text(const Outcome& r) {
  std::vector<double> rates;
  std::vector<double> daemons;
  std::vector<double> stores;
  for (const Window& w : r.windows) {
    rates.push_back(static_cast<double>(w.counts.stored) / std::max(w.seconds, 1.0));
    daemons.push_back(cpu_us(w, r.target, "daemons"));
    stores.push_back(cpu_us(w, r.target, "store"));
  }
  const Spread a = spread_of(rates);
  const Spread b = spread_of(daemons);
  const Spread c = spread_of(stores);
  return fmt::format(
      " median    {:.0f} stored/s ({:.0f}–{:.0f}) · daemons "
      "{:.1f} µs ({:.1f}–{:.1f}) · stores "
      "{:.1f} µs ({:.1f}–{:.1f}){}\n",
      a.median, a.min, a.max, b.median, b.min, b.max, c.median, c.min, c.max,
      r.mean_batch > 0 ? fmt::format(" · mean batch {:.1f}", r.mean_batch) : std::string());
}

/// "entry-a to logic 31.2": what each daemon puts into one message of gRPC, by the stream's tier.
std::string batches_text(const Outcome& r) {
  if (r.link_batch.empty()) return {};
  std::string out = " batches  ";
  for (const auto& [link, mean] : r.link_batch) {
    const std::size_t space = link.find(" /hy.");
    const std::string tier = link.substr(space + 5, link.find('.', space + 5) - space - 5);
    const std::string stream = link.substr(link.find_last_of('.') + 1);
    out += fmt::format(" {} on {}.{} {:.1f} ·", link.substr(0, space), tier,
                       stream.substr(0, stream.find('/')), mean);
  }
  out.resize(out.size() - std::string_view(" ·").size());
  return out + "\n";
}

std::string latency_text(const Outcome& r) {
  std::string out;
  for (const char* name : {"stored", "delivered", "confirmed"}) {
    const auto at = r.whole.curves.find(name);
    if (at == r.whole.curves.end()) continue;
    const Percentiles& p = at->second;
    out += fmt::format(" {:<9} p50 {} · p90 {} · p99 {} · p99.9 {} · p99.99 {} · max {} ms", name,
                       ms_text(p.p50), ms_text(p.p90), ms_text(p.p99), ms_text(p.p999),
                       ms_text(p.p9999), ms_text(p.max));
    const auto raw = r.whole.curves.find(std::string(name) + "_raw");
    if (!r.options.closed && raw != r.whole.curves.end())
      out += fmt::format("   (uncorrected p99 {} max {})", ms_text(raw->second.p99),
                         ms_text(raw->second.max));
    out += "\n";
  }
  return out;
}

std::string login_text(const Outcome& r) {
  const auto at = r.login.curves.find("login");
  if (at == r.login.curves.end() || r.login.counts.opened == 0) return {};
  double daemons = 0;
  double stores = 0;
  for (const ServerProcess& p : r.target.processes) {
    const auto used = r.login.cpu_s.find(p.name);
    if (used != r.login.cpu_s.end()) (p.tier == "store" ? stores : daemons) += used->second;
  }
  const auto n = static_cast<double>(r.login.counts.opened);
  return fmt::format(
      " logins    {} in {:.0f} s · p50 {} · p99 {} · max {} ms "
      "· CPU µs a login: daemons {:.0f} · "
      "stores {:.0f}\n",
      r.login.counts.opened, r.login.seconds, ms_text(at->second.p50), ms_text(at->second.p99),
      ms_text(at->second.max), daemons * 1e6 / n, stores * 1e6 / n);
}

std::string memory_text(const Outcome& r) {
  std::string out;
  for (const ServerProcess& p : r.target.processes) {
    const auto before = r.private_before.find(p.name);
    const auto after = r.private_after.find(p.name);
    if (before == r.private_before.end() || after == r.private_after.end()) continue;
    const double grown = static_cast<double>(after->second) - static_cast<double>(before->second);
    const auto cpu = r.whole.cpu_s.find(p.name);
    out += fmt::format(
        " {:<10} {:8.1f} MiB private, {:7.0f} bytes a connection, CPU {:.2f} "
        "%\n",
        p.name, static_cast<double>(after->second) / 1048576.0,
        grown / std::max<double>(1, static_cast<double>(r.open_at_end)),
        cpu == r.whole.cpu_s.end() || r.whole.seconds <= 0 ? 0
                                                           : cpu->second / r.whole.seconds * 100);
  }
  return out;
}

std::string ledger_text(const Outcome& r) {
  const std::uint64_t under_way =
      r.total.stored > r.total.delivered ? r.total.stored - r.total.delivered : 0;
  std::string out = fmt::format(
      " ledger    sent {} · stored {} · delivered {} "
      "· confirmed {} · in flight {} · relayed {} · "
      "refused {}\n           LOST {} · SHOWN TWICE "
      "{} · OUT OF ORDER {} · DISHONEST {} · {} "
      "comparisons\n",
      r.total.sent, r.total.stored, r.total.delivered, r.total.confirmed, under_way,
      r.total.relayed, r.total.refused, r.ledger.lost, r.ledger.shown_twice, r.ledger.out_of_order,
      r.ledger.dishonest, r.ledger.looked_at);
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(kShown, r.ledger.violations.size()); ++i)
    out += "           " + r.ledger.violations[i] + "\n";
  return out;
}

std::string verdict_text(const Outcome& r) {
  std::string out;
  if (r.is_stopped) return " verdict   stopped before its end\n";
  if (r.ledger.found() > 0)
    out += " verdict   FAIL   the ledger is not clean\n";
  else if (!r.no_verdict.empty()) {
    out += " verdict   NO VERDICT   the figures above are no result\n";
    for (const std::string& reason : r.no_verdict) out += "           " + reason + "\n";
  } else {
    out += r.exit_code() == 0 ? " verdict   PASS\n" : " verdict   FAIL\n";
  }
  for (const AssertResult& a : r.asserts)
    out += fmt::format("           {} {} (is {:.3f})\n", a.holds ? "holds:" : "BROKEN:", a.text,
                       a.value);
  return out;
}

std::string honesty_text(const Outcome& r) {
  const SelfMeasure& m = r.whole.self;
  std::string out = r.total.sent == 0 ? std::string(" honesty   logins alone")
                    : m.is_closed
                        ? fmt::format(
                              " honesty   CLOSED LOOP, {} outstanding: latencies say "
                              "nothing of a "
                              "schedule",
                              r.options.outstanding)
                        : fmt::format(" honesty   open loop {:.0f}/s · send lag p99 {:.2f} ms",
                                      m.rate, m.lag_p99_ms);
  out += fmt::format(
      " · generator CPU {:.0f} % of a core, waited {:.0f} % · "
      "other programs {:.0f} %\n",
      m.cpu_share * 100, m.wait_share * 100, m.foreign_share * 100);
  return out;
}

}  // namespace

std::string report_text(const Outcome& r) {
  std::string out = login_text(r);
  if (r.total.sent == 0) {
    out += fmt::format(" open      {} connections\n", r.open_at_end) + memory_text(r);
  } else {
    out += message_windows(r) + spread_text(r) + batches_text(r) + latency_text(r) + ledger_text(r);
  }
  for (const auto& [name, value] : r.extra)
    out += fmt::format(" figure    {} {:.2f}\n", name, value);
  for (const auto& [what, times] : r.errors)
    out += fmt::format(" errors    {} × {}\n", times, what);
  if (r.options.scenario != "idle") out += honesty_text(r);
  return out + verdict_text(r);
}

std::string point_line(const Point& p, double left_s) {
  std::string out = fmt::format("{:5.0f} s  open {}", p.t, p.open);
  if (p.offered > 0 || p.stored > 0)
    out += fmt::format("  offered {:.0f}/s  stored {:.0f}/s  delivered {:.0f}/s", p.offered,
                       p.stored, p.delivered);
  for (const char* name : {"login", "stored", "delivered", "confirmed"}) {
    const auto at = p.curves.find(name);
    if (at != p.curves.end())
      out += fmt::format("  {} {}/{}", name, ms_text(at->second.p50), ms_text(at->second.p99));
  }
  if (p.lag_p99_ms > 0) out += fmt::format("  lag {:.2f}", p.lag_p99_ms);
  out += "  CPU %";
  for (const auto& [tier, share] : p.cpu_share) out += fmt::format(" {} {:.0f}", tier, share * 100);
  if (left_s > 0) out += fmt::format("  {:.0f} s left", left_s);
  return out;
}

}  // namespace hy::bench
