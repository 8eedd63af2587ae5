#include "tests/peers/sitting/report.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

namespace hy::peers {
namespace {

constexpr const char* kArchive = "ejabberd+archive";

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

using Figure = std::function<double(const Window&)>;

std::vector<double> figures(const Results& r, const std::string& scenario,
                            const std::string& system, const Figure& figure) {
  std::vector<double> out;
  for (const Window& w : r.windows) {
    if (w.scenario == scenario && w.system == system) out.push_back(figure(w));
  }
  return out;
}

/// Per round, ours divided by theirs.
std::vector<double> ratios(const Results& r, const std::string& scenario, const std::string& ours,
                           const std::string& theirs, const Figure& figure) {
  std::vector<double> out;
  for (const Window& a : r.windows) {
    if (a.scenario != scenario || a.system != ours) continue;
    for (const Window& b : r.windows) {
      if (b.scenario == scenario && b.system == theirs && b.round == a.round) {
        out.push_back(figure(a) / figure(b));
      }
    }
  }
  return out;
}

std::string table(const Results& r, const std::string& scenario, const std::string& title) {
  std::vector<std::string> systems;
  for (const Window& w : r.windows) {
    if (w.scenario == scenario && std::ranges::find(systems, w.system) == systems.end()) {
      systems.push_back(w.system);
    }
  }
  if (systems.empty()) return {};
  std::string out =
      "\n### " + title +
      "\n\n| System | messages/s | daemons µs | stores µs | generator µs | refused % | "
      "others % | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const std::string& system : systems) {
    const auto cell = [&](const Figure& f, int digits) {
      return spread(figures(r, scenario, system, f), digits) + " | ";
    };
    out += "| " + system + " | " + cell([](const Window& w) { return w.per_second; }, 0) +
           cell([](const Window& w) { return w.daemons_us; }, 1) +
           cell([](const Window& w) { return w.stores_us; }, 1) +
           cell([](const Window& w) { return w.generator_us; }, 1) +
           cell([](const Window& w) { return w.refused_percent; }, 0) +
           cell([](const Window& w) { return w.others_percent; }, 0) +
           cell([](const Window& w) { return w.p50_ms; }, 2) +
           cell([](const Window& w) { return w.p99_ms; }, 1) + "\n";
  }
  out += "\nBy process, median µs a message:";
  for (const std::string& system : systems) {
    std::map<std::string, std::vector<double>> by_name;
    for (const Window& w : r.windows) {
      if (w.scenario != scenario || w.system != system || w.process_us.size() < 2) continue;
      for (const auto& [name, us] : w.process_us) by_name[name].push_back(us);
    }
    if (by_name.empty()) continue;
    out += "\n" + system + ":";
    for (auto& [name, values] : by_name) {
      std::ranges::sort(values);
      out += " " + name + " " + number(values[values.size() / 2], 1);
    }
  }
  return out + "\n";
}

std::string logins_table(const Results& r) {
  struct Column {
    std::vector<double> rate, cpu, memory;
  };
  std::map<std::pair<std::size_t, std::string>, Column> rows;
  for (const Logins& l : r.logins) {
    Column& row = rows[{l.connections, l.system}];
    row.rate.push_back(static_cast<double>(l.connections) / l.seconds);
    row.cpu.push_back(l.cpu_us);
    row.memory.push_back(l.memory_bytes);
  }
  if (rows.empty()) return {};
  std::string out =
      "\n### Logins and idle connections\n\n| System | connections | logins/s | CPU µs a login | "
      "private bytes an idle connection |\n|---|---|---|---|---|\n";
  for (const auto& [key, row] : rows) {
    out += "| " + key.second + " | " + std::to_string(key.first) + " | " + spread(row.rate, 0) +
           " | " + spread(row.cpu, 0) + " | " + spread(row.memory, 0) + " |\n";
  }
  return out;
}

std::string goal(const std::string& name, const std::vector<double>& values, int digits,
                 const std::string& wanted) {
  if (values.empty()) return {};
  return "| " + name + " | " + spread(values, digits) + " | " + wanted + " |\n";
}

std::string goals(const Results& r) {
  const Figure daemons = [](const Window& w) { return w.daemons_us; };
  const Figure all = [](const Window& w) { return w.daemons_us + w.stores_us; };
  const Figure speed = [](const Window& w) { return w.per_second; };
  std::string rows;
  for (const std::string engine : {"hongyan/embedded", "hongyan/mysql"}) {
    rows += goal("1: daemons' µs a message, " + engine, figures(r, "busy", engine, daemons), 1,
                 "must ≤ 30, goal ≤ 16");
    rows +=
        goal("1: to mosquitto", ratios(r, "busy", engine, "mosquitto", daemons), 2, "goal ≤ 1.0");
    rows += goal("2: 10,000 connections at half load, to mosquitto, " + engine,
                 ratios(r, "many/half", engine, "mosquitto", daemons), 2, "must ≤ 3, goal ≤ 1.6");
    rows += goal("3: daemons + stores to " + std::string(kArchive) + ", " + engine,
                 ratios(r, "busy", engine, kArchive, all), 4, "must ≤ 0.125, goal ≤ 0.05");
    rows += goal("Throughput to " + std::string(kArchive) + ", " + engine,
                 ratios(r, "busy", engine, kArchive, speed), 1, "must ≥ 5");
  }
  for (const std::string engine : {"hongyan/embedded", "hongyan/mysql"}) {
    rows += goal("5: daemons' µs a delivery in a group of 500, " + engine,
                 figures(r, "group", engine, daemons), 2, "goal ≤ 3.8");
    rows += goal("5: to mosquitto, " + engine, ratios(r, "group", engine, "mosquitto", daemons), 2,
                 "must ≤ 1, goal ≤ 0.45");
  }
  rows += goal("3: daemons + stores, µs a message, hongyan/mysql",
               figures(r, "busy", "hongyan/mysql", all), 1, "goal ≤ 26");
  std::vector<double> shares;
  for (const RawInserts& raw : r.raw) {
    for (const Window& w : r.windows) {
      if (w.scenario != "busy" || w.system != "hongyan/mysql" || w.round != raw.round) continue;
      shares.push_back(w.per_second / ((raw.before + raw.after) / 2));
    }
  }
  rows += goal("4: stored/s to raw multi-row INSERT rows/s", shares, 3, "must ≥ 0.15, goal ≥ 0.40");
  if (rows.empty()) return {};
  return "\n### Ratios, paired within each round\n\n| Goal | measured | wanted |\n|---|---|---|\n" +
         rows;
}

}  // namespace

std::string spread(std::vector<double> values, int digits) {
  if (values.empty()) return "–";
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return number(median, digits) + " (" + number(values.front(), digits) + "–" +
         number(values.back(), digits) + ")";
}

std::string report(const Results& r) {
  std::string out =
      "Median (minimum–maximum) over the rounds. CPU is user + system time from /proc, µs a "
      "message; \"others\" is the share of the machine that went to programs outside the "
      "comparison.\n";
  out += table(r, "busy", "1,000 connections in pairs, 4 outstanding each, closed loop");
  out += table(r, "many", "10,000 connections in pairs, 1 outstanding each, closed loop");
  out += table(r, "many/half", "10,000 connections in pairs, half of the rate above, open loop");
  out += table(r, "even", "1,000 connections in pairs, 2,000 messages/s, open loop");
  out += table(r, "group",
               "A group of 500, 4 messages under way, closed loop: all figures are of deliveries");
  out += logins_table(r);
  std::vector<double> raw;
  for (const RawInserts& one : r.raw) {
    raw.push_back(one.before);
    raw.push_back(one.after);
  }
  if (!raw.empty()) {
    out += "\nRaw multi-row INSERTs (200 rows a statement, one writer, same table and server): " +
           spread(raw, 0) + " rows/s\n";
  }
  return out + goals(r);
}

std::string to_json(const Results& r) {
  nlohmann::json out;
  for (const Window& w : r.windows) {
    out["windows"].push_back({{"scenario", w.scenario},
                              {"round", w.round},
                              {"system", w.system},
                              {"per_second", w.per_second},
                              {"process_us", w.process_us},
                              {"daemons_us", w.daemons_us},
                              {"stores_us", w.stores_us},
                              {"generator_us", w.generator_us},
                              {"machine_us", w.machine_us},
                              {"others_percent", w.others_percent},
                              {"refused_percent", w.refused_percent},
                              {"p50_ms", w.p50_ms},
                              {"p99_ms", w.p99_ms}});
  }
  for (const Logins& l : r.logins) {
    out["logins"].push_back({{"system", l.system},
                             {"connections", l.connections},
                             {"seconds", l.seconds},
                             {"cpu_us", l.cpu_us},
                             {"memory_bytes", l.memory_bytes}});
  }
  for (const RawInserts& raw : r.raw) {
    out["raw_inserts"].push_back(
        {{"round", raw.round}, {"before", raw.before}, {"after", raw.after}});
  }
  return out.dump(1) + "\n";
}

Results from_json(const std::string& text) {
  Results out;
  const nlohmann::json in = nlohmann::json::parse(text);
  for (const auto& w : in.value("windows", nlohmann::json::array())) {
    Window& to = out.windows.emplace_back();
    w.at("scenario").get_to(to.scenario);
    w.at("round").get_to(to.round);
    w.at("system").get_to(to.system);
    w.at("per_second").get_to(to.per_second);
    w.at("process_us").get_to(to.process_us);
    w.at("daemons_us").get_to(to.daemons_us);
    w.at("stores_us").get_to(to.stores_us);
    w.at("generator_us").get_to(to.generator_us);
    w.at("machine_us").get_to(to.machine_us);
    w.at("others_percent").get_to(to.others_percent);
    w.at("refused_percent").get_to(to.refused_percent);
    w.at("p50_ms").get_to(to.p50_ms);
    w.at("p99_ms").get_to(to.p99_ms);
  }
  for (const auto& l : in.value("logins", nlohmann::json::array())) {
    Logins& to = out.logins.emplace_back();
    l.at("system").get_to(to.system);
    l.at("connections").get_to(to.connections);
    l.at("seconds").get_to(to.seconds);
    l.at("cpu_us").get_to(to.cpu_us);
    l.at("memory_bytes").get_to(to.memory_bytes);
  }
  for (const auto& raw : in.value("raw_inserts", nlohmann::json::array())) {
    out.raw.push_back({raw.at("round"), raw.at("before"), raw.at("after")});
  }
  return out;
}

}  // namespace hy::peers
