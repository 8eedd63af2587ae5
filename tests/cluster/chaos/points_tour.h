#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {

/// Visits every named place of the daemons with every deed, one after the other, while people talk;
/// or some of them, drawn from the seed, one deed each. A place behind a login, a fault or a repeat
/// is led to: connections are reset, a peer is killed, answers are swallowed, a device comes back
/// by another way, another installation signs in, people confirm nothing, newcomers come.
class PointsTour {
 public:
  struct Result {
    std::map<std::string, std::uint64_t> counts;  ///< "points/das.after_lock/kill" → fired
    std::vector<std::string> missed;              ///< "das.after_lock kill": was not reached
    std::vector<judge::FaultWindow> windows;      ///< while a place was struck
  };
  using Say = std::function<void(const std::string&)>;
  struct Which {
    std::size_t max = 0;            ///< so many, drawn from the seed; 0: all
    std::vector<std::string> only;  ///< these; empty: all
  };
  PointsTour(Rig& rig, std::uint64_t seed, Which which, Say say)
      : rig_(rig), random_(seed), which_(std::move(which)), say_(std::move(say)) {}

  Result run();

 private:
  void visit_some(Result& out);
  void visit(const hooks::SyncPoint& point, hooks::Deed deed, Result& out);
  bool try_once(const hooks::SyncPoint& point, hooks::Deed deed, const std::string& daemon,
                Result& out);
  /// Makes the way to the place likely; called again and again until it was reached.
  void lead_to(const hooks::SyncPoint& point, const std::string& daemon, int times);
  /// Ends what lead_to() has begun and nobody else ends.
  void leave_alone();
  void come_back_elsewhere(const std::string& entry, bool same_entry, int times);
  void leave_unconfirmed(const std::string& entry);
  void restart_some(int times);
  void reset_people();
  [[nodiscard]] bool is_of_this_engine(const hooks::SyncPoint& point) const;
  [[nodiscard]] std::vector<std::string> daemons_of(std::string_view tier) const;

  Rig& rig_;
  SeededRandom random_;
  Which which_;
  Say say_;
  std::vector<std::size_t> deaf_;  ///< devices that confirm nothing now
};

}  // namespace hy::chaos
