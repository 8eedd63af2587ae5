#include "das/lane/lane_router.h"

#include "common/base/check.h"

namespace hy::das {

LaneRouter::LaneRouter(std::size_t lanes, std::size_t full_from)
    : full_from_(full_from), groups_(kGroups), lanes_(lanes) {}

std::size_t LaneRouter::route(AppendRequest& request) {
  const std::size_t hash = std::hash<ConversationId>{}(request.pending.item.conv);
  const auto number = static_cast<std::uint32_t>(hash % kGroups);
  Group& group = groups_[number];
  if (group.open == 0) {
    const LaneState& first = lanes_.front();
    const bool first_has_room = first.ready && first.open < full_from_;
    group.lane = first_has_room ? 0 : static_cast<std::uint32_t>(number % lanes_.size());
  }
  ++group.open;
  ++lanes_[group.lane].open;
  const Ticket kept{request.ticket, number};
  if (free_.empty()) {
    request.ticket = tickets_.size();
    tickets_.push_back(kept);
  } else {
    request.ticket = free_.back();
    free_.pop_back();
    tickets_[request.ticket] = kept;
  }
  return group.lane;
}

std::vector<std::uint32_t> LaneRouter::answered(Completion& completion) {
  std::vector<std::uint32_t> groups;
  groups.reserve(completion.appends.size());
  for (AppendDone& done : completion.appends) {
    HY_CHECK(done.ticket < tickets_.size());
    free_.push_back(static_cast<std::uint32_t>(done.ticket));
    const Ticket& kept = tickets_[done.ticket];
    done.ticket = kept.ticket;
    groups.push_back(kept.group);
  }
  return groups;
}

void LaneRouter::release(std::span<const std::uint32_t> groups) {
  for (const std::uint32_t number : groups) {
    Group& group = groups_[number];
    HY_CHECK(group.open > 0);
    --group.open;
    --lanes_[group.lane].open;
  }
}

}  // namespace hy::das
