#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {

/// Visits every named place of the daemons with every deed, one after the other, while people talk;
/// or some of them, drawn from the seed: one deed each, of places that traffic or logins reach by
/// themselves. A place behind a login, a fault or a repeat is led to: connections are reset, a peer
/// is killed, answers are swallowed.
class PointsTour {
 public:
  struct Result {
    std::map<std::string, std::uint64_t> counts;  ///< "points/das.after_lock/kill" → fired
    std::vector<std::string> missed;              ///< "das.after_lock kill": was not reached
  };
  using Say = std::function<void(const std::string&)>;
  /// visits_max 0: all of them.
  PointsTour(Rig& rig, std::uint64_t seed, std::size_t visits_max, Say say)
      : rig_(rig), random_(seed), visits_max_(visits_max), say_(std::move(say)) {}

  Result run();

 private:
  void visit_some(Result& out);
  void visit(const hooks::SyncPoint& point, hooks::Deed deed, Result& out);
  bool try_once(const hooks::SyncPoint& point, hooks::Deed deed, const std::string& daemon);
  /// Makes the way to the place likely; called again and again until it was reached.
  void lead_to(const hooks::SyncPoint& point, const std::string& daemon, int times);
  [[nodiscard]] bool is_of_this_engine(const hooks::SyncPoint& point) const;
  [[nodiscard]] std::vector<std::string> daemons_of(std::string_view tier) const;

  Rig& rig_;
  SeededRandom random_;
  std::size_t visits_max_;
  Say say_;
};

}  // namespace hy::chaos
