#pragma once

#include <optional>

#include "client/bench/crew.h"
#include "client/bench/run.h"

namespace hy::bench {

/// Puts the seconds of a run into the window that is open, and makes a point of
/// each. Curves of all measured windows gather in the outcome.
class Meter {
 public:
  Meter(Outcome& out, Progress& progress) : out_(out), progress_(progress) {}

  /// How the load is made from now on, for the judgement of the generator.
  void set_scheme(bool is_closed, double rate) {
    is_closed_ = is_closed;
    rate_ = rate;
  }
  void set_left(double seconds) { left_s_ = seconds; }
  /// Seconds that end after `from` count to `w`, which outlives end().
  /// `is_measured`: its curves are the run's.
  void begin(Window& w, std::int64_t from, bool is_measured);
  /// Closes the window behind the last complete second.
  void end();
  /// Curves of the window that was closed last.
  [[nodiscard]] const Curves& last_curves() const { return curves_; }
  void second(const Second& s);

 private:
  void add_point(const Second& s);

  Outcome& out_;
  Progress& progress_;
  bool is_closed_ = false;
  bool is_measured_ = false;
  double rate_ = 0;
  double left_s_ = 0;
  Window* window_ = nullptr;
  std::int64_t from_ = 0;
  std::int64_t seconds_ = 0;
  Curves curves_;
  std::uint64_t first_backlog_ = 0;
  std::uint64_t last_backlog_ = 0;
  double waited_ = 0;
  /// The end of the last second is the beginning of the next one.
  struct Last {
    std::int64_t at = 0;
    std::uint64_t backlog = 0;
    Sample sample;
  };
  std::optional<Last> last_;
  Sample at_begin_;
  std::int64_t first_at_ = 0;
};

/// All windows as one. `curves`: of all of them.
Window whole_of(const std::vector<Window>& windows, const Curves& curves);

}  // namespace hy::bench
