#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/load/light_pairs.h"
#include "common/base/clock.h"
#include "tests/degraded/town.h"

namespace hy::degraded {

/// Light clients in pairs, all in the caller's thread: for loads that real SDK clients cannot make
/// on one machine.
class Swarm {
 public:
  /// What happened since reset().
  struct Count {
    std::uint64_t sent = 0;
    std::uint64_t stored = 0;
    std::uint64_t in_time = 0;  ///< stored within kUseful
    std::uint64_t refused = 0;
    std::uint64_t refused_with_time = 0;  ///< and told when to come again
    std::uint64_t pushed = 0;
    std::vector<double> latency_ms;  ///< of what was stored
    [[nodiscard]] double quantile(double q);
  };
  /// An answer that comes later is of no use to the person who waits.
  static constexpr Millis kUseful{2'000};

  explicit Swarm(cli::Cluster& cluster) : cluster_(cluster) {}
  /// Makes `count` (even) people with tokens and connects them. Errors: the operator's door;
  /// kTimedOut with the last refusal.
  Status connect(std::size_t count);
  /// Closed loop: `outstanding` of each of the first `active` connections.
  Count closed(double seconds, std::size_t outstanding, std::size_t active);
  /// Open loop: `rate` messages a second of all together, whatever the answers. A connection that
  /// has `backlog_max` unanswered ones is passed over (the entry would refuse it too).
  Count open(double seconds, double rate, std::size_t backlog_max);
  /// Runs until nothing is outstanding, or `within`.
  bool drain(double within);
  [[nodiscard]] std::size_t lost() const { return pairs_->totals().lost_connections; }
  [[nodiscard]] Errc last_refusal() const { return pairs_->totals().last_refusal; }
  [[nodiscard]] std::uint64_t pushed_again() const {
    return pairs_->totals().twice + pairs_->totals().disorder;
  }

 private:
  bool turn(MonoTime deadline);
  void on_stored(std::size_t i, MonoTime sent);
  Count finish(const load::LightPairs::Totals& before);

  cli::Cluster& cluster_;
  SystemClock clock_;
  std::unique_ptr<load::LightPairs> pairs_;  ///< once connect() was called
  std::string body_ = std::string(100, 'x');
  Count count_;
  std::size_t outstanding_ = 0;  // closed loop; 0: open
  std::size_t round_ = 0;
};

}  // namespace hy::degraded
