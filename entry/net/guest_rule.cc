#include "entry/net/guest_rule.h"

namespace hy::entry {

bool GuestRule::after_turn(MonoTime now, const Spent& spent, bool did_something) {
  idle_turns_ = did_something ? 0 : idle_turns_ + 1;
  if (idle_turns_ >= kIdleTurns) is_guest_ = false;
  if (now - window_began_ < kWindow) return is_guest_;
  const auto share = [passed = std::chrono::duration<double>(now - window_began_)](
                         std::chrono::duration<double> part) { return part / passed; };
  const double paused = share(spent.paused - then_.paused);
  const double cpu = share(spent.cpu - then_.cpu);
  window_began_ = now;
  then_ = spent;
  is_guest_ = idle_turns_ < kIdleTurns && paused >= (is_guest_ ? kGoesPaused : kComesPaused) &&
              cpu >= (is_guest_ ? kGoesCpu : kComesCpu);
  return is_guest_;
}

}  // namespace hy::entry
