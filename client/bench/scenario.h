#pragma once

#include <atomic>
#include <functional>

#include "client/bench/call_count.h"
#include "client/bench/crew.h"
#include "client/bench/measure.h"
#include "client/bench/run.h"

namespace hy::bench {

/// The steps that scenarios are made of. Each returns when it is done; a stop by a signal ends any
/// of them with kTimedOut.
class Run {
 public:
  Run(const Options& options, Target target, Progress& progress, const std::atomic<bool>& stop);

  /// Limits, arithmetic, workers.
  Status prepare();
  /// Everybody logs in, `rate` a second (0: as fast as answers come); the window is `login`.
  Status dial(double rate, bool is_stubborn);
  /// With several peers: one message in each conversation, so that its rows are made and its facts
  /// known before anything is measured. With one the warm-up does it.
  Status open_conversations();
  /// Open loop at `rate`, or the closed one of the options; returns when the load has begun. The
  /// second from which it may be measured.
  std::int64_t begin_load(double rate, const std::string& mix);
  /// Measures `count` windows of `length` seconds one after the other, from the second `from`.
  Status windows(std::int64_t from, std::int64_t length, std::uint32_t count);
  /// One window that is no result of its own.
  Status window(std::int64_t from, std::int64_t length, Window& w);
  /// Ends the load, waits until everything has come, and has the workers judge their books.
  Status settle();
  /// Memory, totals, verdict.
  Status finish();
  /// Waits `length` seconds that are not measured.
  Status pass(std::int64_t length);

  [[nodiscard]] double wanted_rate() const;
  [[nodiscard]] const Options& options() const { return out_.options; }
  Outcome& out() { return out_; }
  Crew& crew() { return crew_; }
  Meter& meter() { return meter_; }
  void say(const std::string& text) { progress_.line(text); }
  Outcome take(bool is_stopped);

 private:
  [[nodiscard]] std::string server_text() const;
  Status begin_counting();
  /// Calls a stored message of the windows, by daemon and of all, into the figures.
  void end_counting();
  std::string refusal_text();

  Outcome out_;
  Progress& progress_;
  Crew crew_;
  Meter meter_;
  std::map<std::string, std::unique_ptr<CallCounter>> counters_;  ///< by name of the process
};

std::int64_t whole_seconds(Millis d);
/// The monotonic clock's second that is running.
std::int64_t second_now();

/// A scenario by its name; nullptr: there is none.
using Script = Status (*)(Run& run);
Script script_of(std::string_view name);

/// Searches the rate at which p99(delivered) passes the bound, and confirms it by a second run.
Status run_capacity(Run& run);
/// Chat groups: made by their people, then loaded.
Status run_group(Run& run);
/// Kills one of several entries under load and waits until everybody is back.
Status run_entry_loss(Run& run);
/// Twice the rate of a closed loop, and the way back.
Status run_overload(Run& run);

}  // namespace hy::bench
