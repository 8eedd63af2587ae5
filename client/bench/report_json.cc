#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "client/bench/report.h"
#include "client/bench/self_watch.h"

namespace hy::bench {
namespace {

using Json = nlohmann::json;
constexpr int kSchema = 1;
constexpr const char* kTiers[] = {"entry",   "logic", "router",   "das",
                                  "daemons", "store", "generator"};

/// Three decimals: microseconds of a millisecond; more would be noise.
double rounded(double value) {
  return std::round(value * 1'000) / 1'000;
}

Json json_of(const Percentiles& p) {
  return {{"count", p.count},
          {"p50", rounded(p.p50)},
          {"p90", rounded(p.p90)},
          {"p99", rounded(p.p99)},
          {"p99_9", rounded(p.p999)},
          {"p99_99", rounded(p.p9999)},
          {"p99_999", rounded(p.p99999)},
          {"max", rounded(p.max)}};
}

Json json_of(const SelfMeasure& m) {
  return {{"mode", m.is_closed ? "closed" : "open"},
          {"rate", rounded(m.rate)},
          {"cpu_share", rounded(m.cpu_share)},
          {"lag_p99_ms", rounded(m.lag_p99_ms)},
          {"backlog_growth_per_s", rounded(m.backlog_growth)},
          {"wait_share", rounded(m.wait_share)},
          {"foreign_share", rounded(m.foreign_share)},
          {"stolen_share", rounded(m.stolen_share)}};
}

Json json_of(const Window& w, const Target& target) {
  Json out = {{"seconds", w.seconds}, {"generator", json_of(w.self)}};
  for (const auto& [name, count] : kCountNames) out["counts"][name] = w.counts.*count;
  for (const auto& [name, p] : w.curves) out["latency_ms"][name] = json_of(p);
  const auto rate = [&](std::uint64_t n) {
    return rounded(w.seconds > 0 ? static_cast<double>(n) / w.seconds : 0);
  };
  out["stored_per_s"] = rate(w.counts.stored);
  out["delivered_per_s"] = rate(w.counts.delivered);
  out["confirmed_per_s"] = rate(w.counts.confirmed);
  for (const char* tier : kTiers)
    out["cpu_us_per_message"][tier] = rounded(cpu_us(w, target, tier));
  for (const auto& [name, used] : w.cpu_s) out["cpu_s"][name] = rounded(used);
  out["cpu_s"]["generator"] = rounded(w.generator_cpu_s);
  out["cpu_s"]["machine"] = rounded(w.machine_cpu_s);
  return out;
}

Json json_of(const Spread& s) {
  return {{"median", rounded(s.median)}, {"min", rounded(s.min)}, {"max", rounded(s.max)}};
}

Json summary(const Outcome& r) {
  const auto over = [&](auto&& f) {
    std::vector<double> values;
    for (const Window& w : r.windows) values.push_back(f(w));
    return json_of(spread_of(values));
  };
  Json out;
  const auto rate = [](std::uint64_t n, const Window& w) {
    return w.seconds > 0 ? static_cast<double>(n) / w.seconds : 0;
  };
  out["stored_per_s"] = over([&](const Window& w) { return rate(w.counts.stored, w); });
  out["delivered_per_s"] = over([&](const Window& w) { return rate(w.counts.delivered, w); });
  for (const char* tier : kTiers)
    out["cpu_us_per_message"][tier] =
        over([&](const Window& w) { return cpu_us(w, r.target, tier); });
  for (const char* curve : {"stored", "delivered", "confirmed"}) {
    const auto of = [&](double Percentiles::* which) {
      return over([&](const Window& w) {
        const auto at = w.curves.find(curve);
        return at == w.curves.end() ? 0 : at->second.*which;
      });
    };
    out["p50_ms"][curve] = of(&Percentiles::p50);
    out["p99_ms"][curve] = of(&Percentiles::p99);
  }
  return out;
}

Json verdict(const Outcome& r) {
  const int code = r.exit_code();
  Json out = {{"exit", code},
              {"result", r.is_stopped            ? "stopped"
                         : r.ledger.found() > 0  ? "ledger"
                         : !r.no_verdict.empty() ? "none"
                         : code == 0             ? "pass"
                                                 : "fail"},
              {"reasons", r.no_verdict},
              {"asserts", Json::array()}};
  for (const AssertResult& a : r.asserts)
    out["asserts"].push_back({{"text", a.text}, {"value", a.value}, {"holds", a.holds}});
  return out;
}

Json memory(const Outcome& r) {
  Json out = Json::object();
  for (const auto& [name, after] : r.private_after) {
    const auto before = r.private_before.find(name);
    const double grown =
        static_cast<double>(after) -
        (before == r.private_before.end() ? 0 : static_cast<double>(before->second));
    out[name] = {{"private_bytes", after},
                 {"bytes_per_connection",
                  rounded(grown / std::max(1.0, static_cast<double>(r.open_at_end)))}};
  }
  return out;
}

Json points(const Outcome& r) {
  Json out = Json::array();
  for (const Point& p : r.points) {
    Json one = {{"t", p.t},
                {"offered", p.offered},
                {"stored", p.stored},
                {"delivered", p.delivered},
                {"open", p.open},
                {"lag_p99_ms", rounded(p.lag_p99_ms)},
                {"measured", p.is_measured}};
    for (const auto& [name, c] : p.curves) {
      if (name.ends_with("_raw") || name == "lag") continue;
      one["ms"][name] = {{"p50", rounded(c.p50)}, {"p99", rounded(c.p99)}, {"max", rounded(c.max)}};
    }
    for (const auto& [tier, share] : p.cpu_share) one["cpu"][tier] = rounded(share);
    out.push_back(std::move(one));
  }
  return out;
}

Json head(const Outcome& r) {
  const MachineText machine = machine_text();
  Json processes = Json::array();
  for (const ServerProcess& p : r.target.processes)
    processes.push_back({{"name", p.name}, {"tier", p.tier}});
  return {{"schema", kSchema},
          {"scenario", r.options.scenario},
          {"mode", r.options.closed ? "closed" : "open"},
          {"command", r.command},
          {"seed", r.run},
          {"start_unix_s", rounded(r.start_unix_s)},
          {"workers", r.workers},
          {"machine",
           {{"cores", machine.cores},
            {"cpu", machine.cpu},
            {"memory_bytes", machine.memory},
            {"kernel", machine.kernel}}},
          {"server",
           {{"name", r.target.name},
            {"store", r.target.store},
            {"entries", r.target.entries},
            {"processes", std::move(processes)}}}};
}

Status write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) return fail(Errc::kConfigUnreadable, file.string() + " cannot be written");
  return {};
}

}  // namespace

Json report_json(const Outcome& r) {
  Json out = head(r);
  out["verdict"] = verdict(r);
  out["ledger"] = {{"lost", r.ledger.lost},
                   {"shown_twice", r.ledger.shown_twice},
                   {"out_of_order", r.ledger.out_of_order},
                   {"dishonest", r.ledger.dishonest},
                   {"comparisons", r.ledger.looked_at},
                   {"violations", r.ledger.violations},
                   {"settled", r.is_settled}};
  for (const auto& [name, count] : kCountNames) out["total"][name] = r.total.*count;
  out["errors"] = r.errors;
  out["login"] = json_of(r.login, r.target);
  out["windows"] = Json::array();
  for (const Window& w : r.windows) out["windows"].push_back(json_of(w, r.target));
  out["whole"] = json_of(r.whole, r.target);
  out["summary"] = summary(r);
  out["mean_batch"] = rounded(r.mean_batch);
  for (const auto& [link, mean] : r.link_batch) out["link_batch"][link] = rounded(mean);
  out["open_at_end"] = r.open_at_end;
  out["memory"] = memory(r);
  out["extra"] = r.extra;
  out["seconds"] = points(r);
  return out;
}

Status write_reports(const Outcome& r, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Errc::kConfigUnreadable, folder.string() + ": " + error.message());
  HY_TRY_VOID(write_text(folder / "report.json", report_json(r).dump(1) + "\n"));
  HY_TRY_VOID(write_text(folder / "report.html", report_html(r)));
  std::string log = log_head(r.start_unix_s);
  for (const auto& [name, curve] : kCurveNames) {
    const Histogram& h = r.curves.*curve;
    if (h.count() > 0) log += log_line(name, 0, r.whole.seconds, h);
  }
  return write_text(folder / "latency.hlog", log);
}

}  // namespace hy::bench
