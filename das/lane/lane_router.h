#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "das/lane/work_port.h"

namespace hy::das {

/// A turn that takes longer hangs in its session: what may goes to another lane meanwhile.
inline constexpr Millis kTurnHangs{100};

/// Which lane commits an append, where there are several.
///
/// The lanes share a server, and a commit costs it about as much as fifty rows: so everything goes
/// to the first lane while that has fewer than kFullFrom appends, and what comes beyond goes to the
/// lane that its conversation's hash names. Conversations are told apart by their hash alone
/// (kGroups groups). While anything of a group is not answered, all of it stays in one lane, so
/// that a conversation is never in two: its order is the order of offer. Between answers a group
/// may move. Not thread-safe. Core.
class LaneRouter {
 public:
  static constexpr std::size_t kGroups = 4'096;
  /// At ten thousand a second about thirty are on their way, at saturation more than a batch waits.
  static constexpr std::size_t kFullFrom = 128;

  /// lanes >= 1. full_from: the first lane has room below so many.
  explicit LaneRouter(std::size_t lanes, std::size_t full_from = kFullFrom);

  /// false: only what has to goes there (the lane has no session, or hangs in a turn), and what
  /// has it for its home.
  void set_ready(std::size_t lane, bool ready) { lanes_[lane].ready = ready; }
  /// The lane of this append. Its ticket becomes the router's own until answered() gives it back.
  std::size_t route(AppendRequest& request);
  /// Gives the callers' tickets back. What it returns goes to release() after the answers were
  /// handed over: an answer of the next lane must not overtake these.
  std::vector<std::uint32_t> answered(Completion& completion);
  void release(std::span<const std::uint32_t> groups);
  [[nodiscard]] std::size_t open(std::size_t lane) const { return lanes_[lane].open; }

 private:
  struct Group {
    std::uint32_t open = 0;
    std::uint32_t lane = 0;
  };
  struct Ticket {
    std::uint64_t ticket = 0;  ///< the caller's
    std::uint32_t group = 0;
  };
  struct LaneState {
    std::size_t open = 0;
    bool ready = true;
  };
  std::size_t full_from_;
  std::vector<Group> groups_;
  std::vector<LaneState> lanes_;
  std::vector<Ticket> tickets_;
  std::vector<std::uint32_t> free_;  ///< of tickets_
};

}  // namespace hy::das
