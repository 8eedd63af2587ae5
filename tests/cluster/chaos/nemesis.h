#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {

using MonoClock = std::chrono::steady_clock;

/// What became of a planned fault.
struct FaultRecord {
  Planned planned;
  MonoTime began{};
  MonoTime ended{};
  std::string detail;
  std::string error;  ///< it could not begin or end
  bool has_begun = false;
  bool was_felt = false;
};

/// Plays a schedule against a cluster. One thread.
class Nemesis {
 public:
  Nemesis(Rig& rig, std::vector<Planned> plan);

  /// Ends what is over and begins what is due; `now`: seconds since the load began. Returns a line
  /// for each.
  std::vector<std::string> step(double now);
  /// Ends everything that is alive and begins nothing more.
  std::vector<std::string> end_all();
  /// After healing, when everything is ready: asks every fault whether it did anything.
  void ask_what_was_felt();
  [[nodiscard]] bool is_over() const { return next_ == faults_.size() && alive() == 0; }
  [[nodiscard]] int alive() const;
  [[nodiscard]] std::string alive_text() const;
  [[nodiscard]] std::vector<FaultRecord> records() const;

 private:
  struct Fault {
    FaultRecord record;
    std::optional<LiveFault> live;
    double over_at = 0;
    int tries = 0;
    bool is_alive = false;
  };
  void begin(Fault& fault, double now, std::vector<std::string>& lines);
  /// A way of the people that nobody uses now: another one of theirs that is free, if there is one.
  void move_to_used_way(Planned& planned) const;
  static void end(Fault& fault, std::vector<std::string>& lines);

  Rig& rig_;
  std::vector<Fault> faults_;
  std::size_t next_ = 0;
};

}  // namespace hy::chaos
