#pragma once

#include <atomic>
#include <functional>

#include "client/bench/result.h"

namespace hy::bench {

/// Where a run tells how it goes.
class Progress {
 public:
  virtual ~Progress() = default;
  /// A line for a person: what is being done, what the machine allows.
  virtual void line(const std::string& text) = 0;
  /// One second of the load.
  virtual void point(const Point& p, double left_s) = 0;
};

/// The setting of the server that lifts a refusal like "refused HY-7005";
/// empty: none does.
std::string_view setting_for(const std::string& error);

/// Runs a scenario from start to end. `stop` is set by a signal. Errors: usage,
/// workers, limits of the machine (kLimitTooLow), and the server's refusal to
/// let anybody in.
Result<Outcome> run_scenario(const Options& options, Target target, Progress& progress,
                             const std::atomic<bool>& stop);

}  // namespace hy::bench
