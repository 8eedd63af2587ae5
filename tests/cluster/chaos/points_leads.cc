// How the tour gets a daemon to a named place that talking alone does not reach.
#include <signal.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/cluster/chaos/fleet.h"
#include "tests/cluster/chaos/points_tour.h"

namespace hy::chaos {
namespace {

constexpr std::size_t kRestarted = 2;  // devices at once
constexpr std::size_t kDeafMax = 3;
constexpr std::chrono::milliseconds kLook{20};
constexpr std::chrono::seconds kBackWithin{2};
constexpr std::chrono::milliseconds kHangs{300};

}  // namespace

void PointsTour::reset_people() {
  for (const auto& link : rig_.links()) {
    if (link->from == "people" || link->from == "roaming") link->gate->reset_all();
  }
}

void PointsTour::restart_some(int times) {
  for (std::size_t i = 0; i < kRestarted; ++i)
    (void)rig_.fleet()->restart(static_cast<std::size_t>(times) * kRestarted + i);
}

/// From one network into another: the way that a device came by is dead, its entry is not told, and
/// the device comes back by another way, to the same entry or to another one.
void PointsTour::come_back_elsewhere(const std::string& entry, bool same_entry, int times) {
  Fleet& fleet = *rig_.fleet();
  const std::size_t devices = fleet.devices();
  for (std::size_t i = 0; i < devices; ++i) {
    const std::size_t device = static_cast<std::size_t>(times) + i;
    const std::string address = fleet.entry_of(device);
    for (const auto& link : rig_.links()) {
      const bool is_way = link->from == "people" || link->from == "roaming";
      if (!is_way || address.empty() || link->gate->address() != address) continue;
      if (!entry.empty() && link->to != entry) continue;
      const std::string other = link->from == "people" ? "roaming>" : "people>";
      std::string to = link->to;
      if (!same_entry) to = to == "entry-a" ? "entry-b" : "entry-a";
      link->gate->pull(true);
      link->gate->refuse_new(true);
      (void)fleet.restart(device, {rig_.link(other + to)->gate->address()});
      const auto until = Clock::now() + kBackWithin;
      while (!fleet.is_online(device) && Clock::now() < until) std::this_thread::sleep_for(kLook);
      link->gate->heal();
      return;
    }
  }
}

/// Some people at this entry confirm nothing for a while; whoever talks to them goes on.
void PointsTour::leave_unconfirmed(const std::string& entry) {
  Fleet& fleet = *rig_.fleet();
  for (std::size_t i = 0; i < fleet.devices() && deaf_.size() < kDeafMax; ++i) {
    const std::string address = fleet.entry_of(i);
    for (const auto& link : rig_.links()) {
      if (link->to != entry || link->gate->address() != address) continue;
      fleet.set_deaf(i, true);
      deaf_.push_back(i);
    }
  }
}

void PointsTour::leave_alone() {
  for (const std::size_t device : deaf_) rig_.fleet()->set_deaf(device, false);
  deaf_.clear();
  (void)rig_.fleet()->bring_back();
}

void PointsTour::lead_to(const hooks::SyncPoint& point, const std::string& daemon, int times) {
  cli::Supervisor& processes = rig_.cluster().supervisor();
  const std::string_view name = point.name;
  const bool is_even = times % 2 == 0;
  if (name == "entry.logic_lost_before_resend") {
    processes.signal(is_even ? "logic-a" : "logic-b", SIGKILL);
  } else if (name == "logic.before_deliver_elsewhere") {
    // With deliveries that nobody answered any more: it hangs before it dies.
    processes.signal(is_even ? "router-a" : "router-b", SIGSTOP);
    std::this_thread::sleep_for(kHangs);
    processes.signal(is_even ? "router-a" : "router-b", SIGKILL);
  } else if (name == "entry.before_dump_end" || name == "entry.registered_partly") {
    processes.signal(is_even ? "router-a" : "router-b", SIGKILL);
    reset_people();
  } else if (name == "router.mid_snapshot" || name == "router.before_dump_end" ||
             name == "router.entry_lost") {
    processes.signal(is_even ? "entry-a" : "entry-b", SIGKILL);
  } else if (name == "entry.before_push_resend") {
    leave_unconfirmed(daemon);
  } else if (name == "entry.drain_mid") {
    processes.signal(daemon, SIGTERM);
  } else if (name == "entry.displaced_before_close") {
    come_back_elsewhere(daemon, true, times);
  } else if (name == "entry.before_kick" || name == "entry.kicked_before_close") {
    come_back_elsewhere(daemon, false, times);
  } else if (name == "router.before_kick") {
    come_back_elsewhere({}, false, times);
  } else if (name == "logic.epoch_raised_before_kick") {
    rig_.fleet()->sign_in_elsewhere(static_cast<std::size_t>(times));
  } else if (name == "logic.before_relay" || name == "logic.after_relay_before_acked") {
    const std::string store = rig_.has_mysql() ? "mariadb" : "das-a";
    if (is_even) (void)rig_.pauses().pause(rig_.pid(store), Millis{3'500});
  } else if (name == "das.unknown_before_resolve" || name == "das.slow_after_lock" ||
             name == "das.fast_rolled_back_before_slow") {
    if (Link* const way = rig_.link(daemon + ">mariadb")) {
      faults::CommitFault lost;
      lost.swallow_next = 3;
      way->gate->set_commits(lost);
    } else if (name == "das.unknown_before_resolve" && rig_.store_disk() != nullptr) {
      faults::DiskFaultState disk;
      if (is_even) disk.sync_errno = EIO;
      rig_.store_disk()->set(disk);
    } else {
      processes.signal("logic-a", SIGKILL);  // its open appends are sent again
    }
  } else if (point.reached == hooks::Reached::kByStart ||
             point.reached == hooks::Reached::kByMysqlStart) {
    // A device that starts anew signs in by password, as at its first time.
    if (!is_even || !rig_.fleet()->welcome()) restart_some(times);
  } else if (point.reached == hooks::Reached::kByLogin ||
             point.reached == hooks::Reached::kByFault) {
    reset_people();
  }
}

}  // namespace hy::chaos
