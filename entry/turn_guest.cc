#include "entry/turn_guest.h"

namespace hy::entry {
namespace {

/// Peers whose batches a turn finds at once: two logics and two routers.
constexpr int kLooks = 4;
/// The thread's share of a CPU holds the loop's work too: with it the distance between two turns is
/// what it was without.
constexpr double kFullShare = 0.4;

MonoTime steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

void TurnGuest::after_turn() {
  thread_.pace();
  if (!rule_.after_turn(steady_now(), thread_.spent(), true) || !loop_.take_over()) return;
  metrics_.guest_active(true);
  bool did_something = true;
  while (rule_.after_turn(steady_now(), thread_.spent(), did_something) && !loop_.is_stopping() &&
         !io_.is_stopping()) {
    did_something = turn();
    thread_.pace(kFullShare);
  }
  loop_.give_back();
  metrics_.guest_active(false);
}

/// What peers sent, then what clients sent and what is for them, then what goes to peers.
bool TurnGuest::turn() {
  bool any = loop_.turn_without_waiting(kLooks);
  any |= io_.turn_without_waiting(0);
  any |= loop_.turn_without_waiting(1);
  return any;
}

}  // namespace hy::entry
