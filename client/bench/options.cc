#include "client/bench/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace hy::bench {
namespace {

Error wrong(std::string_view text, std::string_view form) {
  return {Errc::kUsage, "\"" + std::string(text) + "\" is not " + std::string(form)};
}

/// Digits with an optional fraction, and what follows them.
bool split_number(std::string_view text, double& value, std::string_view& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || !std::isfinite(value)) return false;
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

constexpr Millis kLongest = std::chrono::hours(18);  // what the times of the book can tell

constexpr OptionRow kRows[] = {
    {"conns", &Options::conns, "Connections, one person each (default 1000)", "2-10000000"},
    {"workers", &Options::workers, "Worker processes (default: as few as descriptors allow)",
     "1-256"},
    {"source-ip", &Options::source_ip,
     "Addresses to dial from: 127.0.0.2-127.0.0.33, or single ones; "
     "repeatable"},
    {"ramp", &Options::ramp, "Connects a second (default: as fast as answers come)"},
    {"at-once", &Options::at_once, "Logins under way at once (default 200)", "1-100000"},
    {"peers", &Options::peers,
     "p2p, soak: people that each one writes to, by draw (default 1: fixed pairs)", "1-10000"},
    {"ping", &Options::ping, "Time between two pings (default: as the server announces)"},
    {"rate", &Options::rate, "Messages a second of all together, on a schedule (default 500/s)"},
    {"closed", &Options::closed, "Closed loop: everybody sends when an answer came; labelled"},
    {"outstanding", &Options::outstanding,
     "Closed loop: unanswered messages of each person (default 4)", "1-1000"},
    {"size", &Options::size, "Bytes of a body: 100, uniform:20-400, lognormal:120 (default 100)"},
    {"for", &Options::run_for, "Length of a window (default 30s)"},
    {"windows", &Options::windows, "Windows, one after the other (default 1)", "1-100000"},
    {"warmup", &Options::warmup, "Load before the first window (default 2s)"},
    {"count-calls", &Options::count_calls,
     "Count the system calls of the daemons on this host a message, and allocations where they do"},
    {"within", &Options::within, "Storms: everybody is to be in by then (default 10s)"},
    {"drop", &Options::drop, "reconnect-storm: share that is cut (default 50%)", "share"},
    {"backlog", &Options::backlog, "offline-flood: messages that wait for each (default 100)",
     "1-100000"},
    {"mix", &Options::mix, "mixed: what people do (default office)", "office|social|service"},
    {"groups", &Options::groups, "group: chat groups (default 1)", "1-100000"},
    {"members", &Options::members, "group: people of each, in no other one (default 500)", "2-512"},
    {"p99", &Options::p99, "capacity: the p99(delivered) that still counts (default 200ms)"},
    {"start-rate", &Options::start_rate, "capacity: first rate that is tried (default 1k/s)"},
    {"cluster", &Options::cluster,
     "throwaway: one of its own; else a running one's name (default: the one "
     "that runs)"},
    {"store", &Options::store, "Throwaway: the engine (default embedded)", "embedded|mysql"},
    {"entries", &Options::entries, "Throwaway: entries (default 1)", "1-26"},
    {"logics", &Options::logics, "Throwaway: logics (default 1)", "1-26"},
    {"routers", &Options::routers, "Throwaway: routers (default 1)", "1-26"},
    {"das", &Options::das, "Throwaway: das (default 1; more with mysql alone)", "1-26"},
    {"set", &Options::settings, "Throwaway: key=value for its daemons; repeatable"},
    {"people", &Options::people,
     "File of hy user import, for any cluster: uid, name, token in hex"},
    {"entry", &Options::entry, "With people: IP:PORT of an entry; repeatable"},
    {"server-key", &Options::server_key, "With people: the entries' public key in hex"},
    {"assert", &Options::asserts,
     "'p99(delivered)<200ms', 'lost==0', 'stored_per_s>=5000'; repeatable"},
    {"report", &Options::report, "Folder for report.html, report.json and the histogram logs"},
    {"no-tui", &Options::no_tui, "A line a second on a terminal too"},
    {"seed", &Options::seed, "Ids, bodies and draws (default: drawn)", "1-18446744073709551615"},
};

constexpr ScenarioRow kScenarios[] = {
    {"connect", "Connects and logs in on a schedule", "hy bench connect --conns 5k --ramp 1k/s"},
    {"idle", "Connections that only ping: memory and CPU of every daemon",
     "hy bench idle --conns 15k --for 10s"},
    {"login-storm", "Everybody logs in within a short time; who is turned away comes again",
     "hy bench login-storm --conns 5k --within 5s"},
    {"reconnect-storm", "A share of the connections is cut at once and comes back as apps do",
     "hy bench reconnect-storm --conns 5k --drop 50%"},
    {"p2p", "Pairs of people who write to each other, with receipts",
     "hy bench p2p --conns 2k --rate 5k/s --for 60s"},
    {"group", "Chat groups in which everybody writes: every delivery checked, CPU of each",
     "hy bench group --cluster throwaway --members 500 --closed --outstanding 4 --for 5s"},
    {"offline-flood", "Messages pile up for people who are away; then all of them come and fetch",
     "hy bench offline-flood --conns 200 --backlog 500"},
    {"mixed", "Some people write much, most little, some come and go",
     "hy bench mixed --mix social --conns 2k --rate 1k/s --for 60s"},
    {"soak", "p2p for hours, with the growth of every process's memory",
     "hy bench soak --rate 1k/s --for 8h"},
    {"capacity", "Searches the rate at which p99(delivered) passes a bound, and confirms it",
     "hy bench capacity --p99 200ms --conns 1k"},
    {"entry-loss", "p2p while one of several entries is killed: who is back when",
     "hy bench entry-loss --cluster throwaway --entries 2 --conns 15k --rate 10k/s --for 5s"},
    {"overload", "Twice the most that an even load gets stored, and the way back to normal",
     "hy bench overload --cluster throwaway --conns 1k --for 30s"},
};

bool is_one_of(std::string_view text, std::string_view choices) {
  for (std::size_t at = 0; at <= choices.size();) {
    const std::size_t end = std::min(choices.find('|', at), choices.size());
    if (choices.substr(at, end - at) == text) return true;
    at = end + 1;
  }
  return false;
}

Result<std::uint64_t> bounded_count(std::string_view text, std::string_view allowed) {
  HY_TRY(const std::uint64_t value, parse_count(text));
  std::uint64_t bounds[2] = {0, ~std::uint64_t{0}};
  const std::size_t dash = allowed.find('-');
  if (dash != std::string_view::npos) {
    std::from_chars(allowed.data(), allowed.data() + dash, bounds[0]);
    std::from_chars(allowed.data() + dash + 1, allowed.data() + allowed.size(), bounds[1]);
  }
  if (value < bounds[0] || value > bounds[1]) return std::unexpected(wrong(text, allowed));
  return value;
}

Result<double> parse_share(std::string_view text) {
  double value = 0;
  std::string_view unit;
  if (split_number(text, value, unit) && unit == "%" && value <= 100) return value / 100;
  return std::unexpected(wrong(text, "a share like 50%"));
}

/// Reads a text into the place of an option.
struct Reader {
  Options& options;
  const OptionRow& row;
  std::string_view text;

  Status operator()(bool Options::* place) const {
    if (text != "true" && text != "false") return std::unexpected(wrong(text, "true or false"));
    options.*place = text == "true";
    return {};
  }
  Status operator()(std::uint32_t Options::* place) const {
    HY_TRY(const std::uint64_t value, bounded_count(text, row.allowed));
    options.*place = static_cast<std::uint32_t>(value);
    return {};
  }
  Status operator()(std::uint64_t Options::* place) const {
    HY_TRY(options.*place, bounded_count(text, row.allowed));
    return {};
  }
  Status operator()(double Options::* place) const {
    HY_TRY(options.*place, row.allowed == "share" ? parse_share(text) : parse_rate(text));
    return {};
  }
  Status operator()(Millis Options::* place) const {
    HY_TRY(options.*place, parse_duration(text));
    return {};
  }
  Status operator()(std::string Options::* place) const {
    if (!row.allowed.empty() && !is_one_of(text, row.allowed))
      return std::unexpected(wrong(text, row.allowed));
    options.*place = text;
    return {};
  }
  Status operator()(std::vector<std::string> Options::* place) const {
    (options.*place).emplace_back(text);
    return {};
  }
  Status operator()(SizeSpec Options::* place) const {
    HY_TRY(options.*place, SizeSpec::parse(text));
    return {};
  }
};

}  // namespace

std::span<const OptionRow> option_rows() {
  return kRows;
}

std::span<const ScenarioRow> scenario_rows() {
  return kScenarios;
}

Status set_option(Options& options, std::string_view key, std::string_view text) {
  const auto* const row = std::ranges::find(kRows, key, &OptionRow::key);
  if (row == std::end(kRows)) return fail(Errc::kUsage, "no option " + std::string(key));
  if (Status done = std::visit(Reader{options, *row, text}, row->place); !done)
    return fail(Errc::kUsage, std::string(key) + ": " + done.error().detail);
  return {};
}

Status check_options(const Options& o) {
  if (o.closed && o.rate > 0)
    return fail(Errc::kUsage, "a closed loop has no rate: --closed --outstanding N, or --rate");
  if (!o.people.empty() && (o.entry.empty() || o.server_key.empty()))
    return fail(Errc::kUsage, "--people needs --entry and --server-key");
  if (o.run_for * o.windows > kLongest)
    return fail(Errc::kUsage, "for: a run takes 18 hours at most");
  if (o.run_for < Millis(1'000)) return fail(Errc::kUsage, "for: a window takes a second or more");
  if (o.peers > 1 && o.scenario != "p2p" && o.scenario != "soak")
    return fail(Errc::kUsage, "peers: p2p and soak alone");
  if (o.peers >= o.conns) return fail(Errc::kUsage, "peers: fewer than there are people (--conns)");
  return {};
}

void complete_options(Options& o) {
  if (o.scenario == "group") {
    o.conns = o.groups * o.members;
  } else {
    o.conns += o.conns % 2;
  }
}

Result<std::uint64_t> parse_count(std::string_view text) {
  // Seeds are larger than 2^53: they must not go through a double.
  std::uint64_t exact = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exact);
  if (error == std::errc() && end == text.data() + text.size()) return exact;
  double value = 0;
  std::string_view unit;
  if (split_number(text, value, unit)) {
    const double factor = unit == "k" ? 1e3 : unit == "M" ? 1e6 : 0;
    const double out = value * factor;
    if (factor > 0 && out < 0x1p63 && out == std::floor(out))
      return static_cast<std::uint64_t>(out);
  }
  return std::unexpected(wrong(text, "a count like 500, 15k or 2M"));
}

Result<double> parse_rate(std::string_view text) {
  const std::string_view number = text.ends_with("/s") ? text.substr(0, text.size() - 2) : text;
  double value = 0;
  std::string_view unit;
  if (split_number(number, value, unit)) {
    const double factor = unit.empty() ? 1 : unit == "k" ? 1e3 : unit == "M" ? 1e6 : 0;
    if (factor > 0 && value > 0) return value * factor;
  }
  return std::unexpected(wrong(text, "a rate like 500/s or 5k/s"));
}

Result<Millis> parse_duration(std::string_view text) {
  double value = 0;
  std::string_view unit;
  if (split_number(text, value, unit)) {
    const double ms = unit == "ms"  ? 1
                      : unit == "s" ? 1e3
                      : unit == "m" ? 6e4
                      : unit == "h" ? 3.6e6
                                    : 0;
    if (ms > 0 && value * ms <= 3.6e8) return Millis(static_cast<std::int64_t>(value * ms));
  }
  return std::unexpected(wrong(text, "a time like 250ms, 5s, 10m or 8h"));
}

}  // namespace hy::bench
