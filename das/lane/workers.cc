#include "das/lane/workers.h"

namespace hy::das {

Workers::Workers(const WorkerOptions& options, Engine& engine, const Clock& clock,
                 const RandomMaker& make_random, LaneObserver& observer, const CompletionSink& sink)
    : by_lane_(options.lanes), readers_(options.readers, engine, clock, sink) {
  for (std::size_t i = 0; i < options.lanes; ++i) {
    LaneOptions lane = options.lane;
    lane.number = i;
    lanes_.push_back(std::make_unique<Lane>(lane, engine, clock, make_random(), observer, sink));
  }
}

void Workers::start() {
  for (const auto& lane : lanes_) lane->start();
  readers_.start();
}

void Workers::offer(std::vector<AppendRequest> requests, Completion& refused) {
  if (lanes_.size() == 1) {
    lanes_.front()->offer(std::move(requests), refused);
    return;
  }
  for (AppendRequest& request : requests) {
    const std::size_t hash = std::hash<ConversationId>{}(request.pending.item.conv);
    by_lane_[hash % lanes_.size()].push_back(std::move(request));
  }
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (!by_lane_[i].empty()) lanes_[i]->offer(std::exchange(by_lane_[i], {}), refused);
}

void Workers::offer_write(std::unique_ptr<StoreCall> call, std::uint64_t hash,
                          Completion& refused) {
  lanes_[hash % lanes_.size()]->offer(std::move(call), refused);
}

void Workers::offer_read(std::unique_ptr<StoreCall> call, Completion& refused) {
  readers_.offer(std::move(call), refused);
}

void Workers::stop() {
  for (const auto& lane : lanes_) lane->stop();
  readers_.stop();
}

std::size_t Workers::queued() const {
  std::size_t all = readers_.queued();
  for (const auto& lane : lanes_) all += lane->queued();
  return all;
}

}  // namespace hy::das
