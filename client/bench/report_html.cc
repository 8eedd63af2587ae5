#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/bench/plot.h"
#include "client/bench/report.h"
#include "client/bench/self_watch.h"

namespace hy::bench {
namespace {

constexpr const char* kStyle = R"(<style>
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#6a737d;--grid:#e1e4e8;--paper:#fff;
--c0:#0b62c4;--c1:#c2410c;--c2:#15803d;--c3:#7c3aed;--c4:#a16207;--c5:#be123c}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4b0;--grid:#30363d;--paper:#0d1117;
--c0:#6cb0ff;--c1:#ff9a62;--c2:#6ee787;--c3:#c9a7ff;--c4:#e3b341;--c5:#ff8fa3}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:820px;
margin:2em auto;padding:0 1em}
h1{font-size:1.5em}h2{font-size:1.1em;margin-top:2em}pre{overflow:auto;background:none;
border:1px solid var(--grid);padding:.8em;font-size:12.5px}
table{border-collapse:collapse;font-size:13px;margin:.6em 0}td,th{padding:.2em .7em;text-align:right;
border-bottom:1px solid var(--grid)}td:first-child,th:first-child{text-align:left}
svg{width:100%;height:auto}.grid{stroke:var(--grid)}.tick{fill:var(--soft);font-size:11px}
.label{fill:var(--soft);font-size:12px}.title{fill:var(--ink);font-size:13px;font-weight:600}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}
.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}
.banner{border-left:5px solid var(--c5);padding:.3em .9em}.banner.pass{border-color:var(--c2)}
</style>
)";

constexpr double kNines[] = {50,   75,   90,    95,    98,    99,     99.5,
                             99.8, 99.9, 99.95, 99.98, 99.99, 99.995, 99.999};

/// x of a percentile: how many are slower, 1 in …
double nines(double percentile) {
  return 100 / (100 - percentile);
}

Series percentile_series(const std::string& name, const Histogram& h) {
  Series out{.name = name, .points = {}};
  for (const double p : kNines) {
    // Beyond one record in so many the curve would show nothing but the
    // maximum.
    if (nines(p) > static_cast<double>(h.count())) break;
    out.points.emplace_back(nines(p), static_cast<double>(h.at(p)) / 1'000);
  }
  return out;
}

std::string percentile_plot(const Outcome& r) {
  Plot plot{
      .title = "Latency by percentile",
      .x_label = "percentile",
      .y_label = "ms",
      .is_x_log = true,
      .is_y_log = true,
      .x_ticks =
          {{2, "50"}, {10, "90"}, {100, "99"}, {1e3, "99.9"}, {1e4, "99.99"}, {1e5, "99.999"}},
      .series = {}};
  for (const auto& [name, curve] : kCurveNames) {
    const std::string text = name;
    const Histogram& h = r.curves.*curve;
    if (text == "lag" || h.count() == 0) continue;
    if (text.ends_with("_raw") && (r.options.closed || text != "delivered_raw")) continue;
    plot.series.push_back(
        percentile_series(text == "delivered_raw" ? "delivered, uncorrected" : text, h));
  }
  if (plot.series.empty()) return {};
  std::string out = svg_of(plot) + "<table><tr><th>ms</th>";
  for (const char* head : {"count", "p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "max"})
    out += fmt::format("<th>{}</th>", head);
  out += "</tr>";
  for (const auto& [name, p] : r.whole.curves) {
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{:.2f}</td><td>{:.2f}</"
        "td><td>{:.2f}</td><td>{:.2f}</td>"
        "<td>{:.2f}</td><td>{:.2f}</td><td>{:.2f}</td></tr>",
        name.ends_with("_raw") ? name.substr(0, name.size() - 4) + ", uncorrected" : name, p.count,
        p.p50, p.p90, p.p99, p.p999, p.p9999, p.p99999, p.max);
  }
  return out + "</table>\n";
}

/// A plot over the seconds of the run, one line per name that `value` knows.
template <class F>
Plot over_time(const Outcome& r, std::string title, std::string y, bool is_log,
               const std::vector<std::string>& names, F&& value) {
  Plot plot{.title = std::move(title),
            .x_label = "seconds",
            .y_label = std::move(y),
            .is_x_log = false,
            .is_y_log = is_log,
            .x_ticks = {},
            .series = {}};
  for (const std::string& name : names) {
    Series s{.name = name, .points = {}};
    for (const Point& p : r.points) {
      if (const double v = value(p, name); v > 0) s.points.emplace_back(p.t, v);
    }
    if (!s.points.empty()) plot.series.push_back(std::move(s));
  }
  return plot;
}

std::string time_plots(const Outcome& r) {
  const auto curve = [](const Point& p, const std::string& name, double Percentiles::* which) {
    const auto at = p.curves.find(name);
    return at == p.curves.end() ? 0 : at->second.*which;
  };
  std::string out;
  const bool has_messages = r.total.sent > 0;
  const std::string of = has_messages ? "delivered" : "login";
  const Plot latency = over_time(r, "Latency over time, " + of, "ms", true, {"p50", "p99", "max"},
                                 [&](const Point& p, const std::string& name) {
                                   return curve(p, of,
                                                name == "p50"   ? &Percentiles::p50
                                                : name == "p99" ? &Percentiles::p99
                                                                : &Percentiles::max);
                                 });
  if (!latency.series.empty()) out += svg_of(latency);
  if (has_messages) {
    out += svg_of(over_time(
        r, "Messages a second", "messages/s", false, {"offered", "stored", "delivered"},
        [](const Point& p, const std::string& name) {
          return name == "offered" ? p.offered : name == "stored" ? p.stored : p.delivered;
        }));
  }
  out += svg_of(over_time(r, "CPU", "share of one core", false,
                          {"entry", "logic", "router", "das", "store", "generator"},
                          [](const Point& p, const std::string& name) {
                            const auto at = p.cpu_share.find(name);
                            return at == p.cpu_share.end() ? 0 : at->second;
                          }));
  const Plot memory = over_time(
      r, "Resident memory", "MiB", false,
      [&] {
        std::vector<std::string> names;
        for (const ServerProcess& p : r.target.processes) names.push_back(p.name);
        return names;
      }(),
      [](const Point& p, const std::string& name) {
        const auto at = p.resident.find(name);
        return at == p.resident.end() ? 0.0 : static_cast<double>(at->second) / 1048576;
      });
  if (!memory.series.empty()) out += svg_of(memory);
  return out;
}

std::string knee_plot(const Outcome& r) {
  if (r.steps.empty()) return {};
  Plot plot{.title = "The knee: offered rate against p99(delivered)",
            .x_label = "offered messages/s",
            .y_label = "ms",
            .is_x_log = false,
            .is_y_log = true,
            .x_ticks = {},
            .series = {{.name = "p50", .points = {}}, {.name = "p99", .points = {}}}};
  std::vector<Step> steps = r.steps;
  std::ranges::sort(steps, {}, &Step::rate);
  std::string table =
      "<table><tr><th>step</th><th>offered/s</th><th>stored/s</"
      "th><th>p50</th><th>p99</th>"
      "<th>holds</th></tr>";
  for (const Step& s : steps) {
    const auto at = s.window.curves.find("delivered");
    if (at == s.window.curves.end() || s.window.seconds <= 0) continue;
    plot.series[0].points.emplace_back(s.rate, at->second.p50);
    plot.series[1].points.emplace_back(s.rate, at->second.p99);
    table += fmt::format(
        "<tr><td>{}</td><td>{:.0f}</td><td>{:.0f}</td><td>{:.2f}</"
        "td><td>{:.2f}</td><td>{}</td>"
        "</tr>",
        html_text(s.name), s.rate, static_cast<double>(s.window.counts.stored) / s.window.seconds,
        at->second.p50, at->second.p99,
        s.is_good              ? "yes"
        : s.no_verdict.empty() ? "no"
                               : html_text(s.no_verdict.front()));
  }
  return "<h2>Capacity</h2>" + svg_of(plot) + table + "</table>\n";
}

std::string cost_table(const Outcome& r) {
  std::string out =
      "<table><tr><th>process</th><th>CPU s</th><th>CPU µs a "
      "message</th><th>private MiB</th>"
      "<th>bytes a connection</th></tr>";
  for (const ServerProcess& p : r.target.processes) {
    const auto cpu = r.whole.cpu_s.find(p.name);
    const auto after = r.private_after.find(p.name);
    const auto before = r.private_before.find(p.name);
    if (cpu == r.whole.cpu_s.end() || after == r.private_after.end() ||
        before == r.private_before.end())
      continue;
    const double grown = static_cast<double>(after->second) - static_cast<double>(before->second);
    out += fmt::format(
        "<tr><td>{}</td><td>{:.2f}</td><td>{:.1f}</td><td>{:.1f}</"
        "td><td>{:.0f}</td></tr>",
        html_text(p.name), cpu->second, cpu_us(r.whole, r.target, p.name),
        static_cast<double>(after->second) / 1048576,
        grown / std::max(1.0, static_cast<double>(r.open_at_end)));
  }
  out += fmt::format(
      "<tr><td>generator</td><td>{:.2f}</td><td>{:.1f}</"
      "td><td></td><td></td></tr></table>\n",
      r.whole.generator_cpu_s, cpu_us(r.whole, r.target, "generator"));
  return out;
}

}  // namespace

std::string report_html(const Outcome& r) {
  const MachineText machine = machine_text();
  const int code = r.exit_code();
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta "
      "charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>hy bench " +
      html_text(r.options.scenario) + "</title>\n" + kStyle + "</head><body>\n<h1>hy bench " +
      html_text(r.options.scenario) + "</h1>\n";
  out += fmt::format("<p class=\"banner{}\">{}</p>\n<pre>{}</pre>\n", code == 0 ? " pass" : "",
                     code == 0   ? "PASS"
                     : code == 8 ? "NO VERDICT: the figures below are no result"
                                 : "NOT PASSED",
                     html_text(report_text(r)));
  out += "<h2>Latency</h2>\n" + percentile_plot(r) + knee_plot(r) + "<h2>Over time</h2>\n" +
         time_plots(r) + "<h2>Cost</h2>\n" + cost_table(r);
  out += fmt::format(
      "<h2>How it was made</h2>\n<pre>{}\nseed {}\n{} cores, {}, {:.0f} GiB, "
      "{}\n"
      "server {} store {}\n{} worker{}</pre>\n</body></html>\n",
      html_text(r.command), r.run, machine.cores, html_text(machine.cpu),
      static_cast<double>(machine.memory) / 1073741824.0, html_text(machine.kernel),
      html_text(r.target.name), html_text(r.target.store), r.workers, r.workers == 1 ? "" : "s");
  return out;
}

}  // namespace hy::bench
