#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/bench/book.h"
#include "client/bench/figures.h"
#include "client/bench/options.h"
#include "client/bench/target.h"
#include "client/bench/verdict.h"

namespace hy::bench {

/// A curve in milliseconds.
struct Percentiles {
  std::uint64_t count = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double p999 = 0;
  double p9999 = 0;
  double p99999 = 0;
  double max = 0;
};
Percentiles percentiles_of(const Histogram& h);

/// One window, or the whole of all windows.
struct Window {
  double seconds = 0;
  Counts counts;
  std::map<std::string, Percentiles> curves;  ///< by the names of kCurveNames
  std::map<std::string, double> cpu_s;        ///< by name of the server's processes
  double generator_cpu_s = 0;
  double machine_cpu_s = 0;
  SelfMeasure self;
};

/// One second, for plots and the live view.
struct Point {
  double t = 0;  ///< seconds since the first one
  double offered = 0;
  double stored = 0;
  double delivered = 0;
  std::map<std::string, Percentiles> curves;  ///< stored, delivered, confirmed, login
  std::map<std::string, double> cpu_share;    ///< by tier, of one core; "generator" too
  std::map<std::string, std::uint64_t> resident;
  double lag_p99_ms = 0;
  std::uint64_t open = 0;
  bool is_measured = false;  ///< within a window
};

/// A step of the search for the knee, or a phase of a scenario with a name.
struct Step {
  std::string name;
  double rate = 0;
  Window window;
  std::vector<std::string> no_verdict;
  bool is_good = false;
};

struct AssertResult {
  std::string text;
  double value = 0;
  bool holds = false;
};

/// Everything that a run found out: the reports are views of it.
struct Outcome {
  Options options;
  Target target;
  std::string command;
  std::uint64_t run = 0;
  double start_unix_s = 0;
  unsigned workers = 0;
  std::uint64_t descriptors = 0;
  std::vector<std::string> sources;

  Window login;  ///< the dialling before the load
  std::vector<Window> windows;
  Window whole;   ///< all windows together
  Curves curves;  ///< of all windows
  std::vector<Point> points;
  std::vector<Step> steps;
  std::map<std::string, std::uint64_t> private_before;  ///< bytes, by process
  std::map<std::string, std::uint64_t> private_after;
  std::uint64_t open_at_end = 0;
  double mean_batch = 0;                     ///< messages per transaction of das; 0: not known
  std::map<std::string, double> link_batch;  ///< envelopes a message of gRPC, by daemon and stream
  std::map<std::string, double> extra;       ///< figures of one scenario alone, by name
  Counts total;
  std::map<std::string, std::uint64_t> errors;
  Ledger ledger;
  bool is_settled = true;

  std::vector<std::string> no_verdict;
  std::vector<AssertResult> asserts;
  bool is_stopped = false;
  /// 0, 4 (ledger or assertion), 8 (no verdict), 130 (stopped).
  [[nodiscard]] int exit_code() const;
};

/// Median, smallest and largest of the windows.
struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};
Spread spread_of(std::vector<double> values);

/// CPU of a tier ("entry" … "store", "daemons", "generator") in µs per stored
/// message of a window; 0 where nothing was stored.
double cpu_us(const Window& w, const Target& target, const std::string& tier);

/// A figure by its name, as assertions and comparisons use it: "p99(delivered)"
/// in ms, "stored_per_s", "lost", "cpu(daemons)" in µs, "bytes(entry)" a
/// connection … nullopt: no such.
std::optional<double> figure(const Outcome& r, const std::string& name);

}  // namespace hy::bench
