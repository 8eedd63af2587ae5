#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "client/bench/size_spec.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace hy::bench {

/// Everything that a run can be told. Flags of `hy bench` and keys of a
/// scenario file are the same names, from one table (option_rows).
struct Options {
  std::string scenario;  ///< connect, idle, p2p …
  // who
  std::uint32_t conns = 1'000;
  std::uint32_t workers = 0;  ///< 0: as few as the descriptors allow
  std::vector<std::string> source_ip;
  double ramp = 0;  ///< connects a second; 0: as fast as answers come
  std::uint32_t at_once = 200;
  std::uint32_t peers = 1;  ///< that each person writes to: conns · peers / 2 conversations
  Millis ping{0};           ///< 0: as the server announces
  // what
  double rate = 0;  ///< messages a second of all together
  bool closed = false;
  std::uint32_t outstanding = 4;
  SizeSpec size;
  // how long
  Millis run_for{30'000};  ///< one window
  std::uint32_t windows = 1;
  Millis warmup{2'000};
  bool count_calls = false;  ///< system calls and allocations a message
  // storms, floods, capacity
  Millis within{10'000};
  double drop = 0.5;
  std::uint32_t backlog = 100;
  std::string mix = "office";
  std::uint32_t groups = 1;
  std::uint32_t members = 500;
  Millis p99{200};
  double start_rate = 0;
  // against what
  std::string cluster;  ///< empty: the one that runs; "throwaway"; or a name
  std::string store = "embedded";
  std::uint32_t entries = 1;
  std::uint32_t logics = 1;
  std::uint32_t routers = 1;
  std::uint32_t das = 1;
  std::vector<std::string> settings;
  std::string people;  ///< file of "uid token-in-hex" lines
  std::vector<std::string> entry;
  std::string server_key;  ///< hex
  // judgement and output
  std::vector<std::string> asserts;
  std::string report;      ///< folder; empty: none is written
  bool no_tui = false;     ///< a line a second on a terminal too
  std::uint64_t seed = 0;  ///< 0: drawn
};

/// Where an option lives: its type decides how the text is read.
using OptionPlace =
    std::variant<bool Options::*, std::uint32_t Options::*, std::uint64_t Options::*,
                 double Options::*, Millis Options::*, std::string Options::*,
                 std::vector<std::string> Options::*, SizeSpec Options::*>;

/// One option. `key` is the flag without its dashes, and the key in [bench] of
/// a scenario file.
struct OptionRow {
  std::string_view key;
  OptionPlace place;
  std::string_view sentence;
  std::string_view allowed = "";  ///< texts: "a|b"; counts: "low-high"; doubles: "share"
  [[nodiscard]] bool is_flag() const { return std::holds_alternative<bool Options::*>(place); }
  /// Written without quotes in a scenario file.
  [[nodiscard]] bool is_number() const {
    return std::holds_alternative<std::uint32_t Options::*>(place);
  }
  [[nodiscard]] bool is_list() const {
    return std::holds_alternative<std::vector<std::string> Options::*>(place);
  }
};
std::span<const OptionRow> option_rows();

/// Applies "key" = text. Errors: kUsage with the key, the text and what would
/// be right.
Status set_option(Options& options, std::string_view key, std::string_view text);
/// What does not fit together. Errors: kUsage.
Status check_options(const Options& options);
/// What one option means for another: people for every group, pairs that are whole.
void complete_options(Options& options);
/// The options that differ from the defaults, for reports.
std::map<std::string, std::string> option_texts(const Options& options);

/// "15k", "2M", "1000".
Result<std::uint64_t> parse_count(std::string_view text);
/// "5k/s", "500", "500/s": a second.
Result<double> parse_rate(std::string_view text);
/// "250ms", "5s", "10m", "8h".
Result<Millis> parse_duration(std::string_view text);

/// The names of all scenarios with a sentence each.
struct ScenarioRow {
  std::string_view name;
  std::string_view sentence;
  std::string_view example;
};
std::span<const ScenarioRow> scenario_rows();

}  // namespace hy::bench
