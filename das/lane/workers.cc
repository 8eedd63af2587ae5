#include "das/lane/workers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace hy::das {
namespace {

/// Nearly everything goes through the first lane until it is full (lane_router.h); the others would
/// at its distance add small commits.
LaneOptions lane_options(const WorkerOptions& options, std::size_t number) {
  LaneOptions lane = options.lane;
  lane.number = number;
  if (number > 0) lane.commit_distance_max = options.further_distance_max;
  return lane;
}

}  // namespace

Workers::Workers(const WorkerOptions& options, Engine& engine, const Clock& clock,
                 const RandomMaker& make_random, LaneObserver& observer, const CompletionSink& sink)
    : sink_(sink),
      router_(options.lanes),
      by_lane_(options.lanes),
      readers_(options.readers, engine, clock, sink) {
  const CompletionSink of_lane =
      options.lanes == 1
          ? sink
          : CompletionSink([this](Completion completion) { finished(std::move(completion)); });
  for (std::size_t i = 0; i < options.lanes; ++i)
    lanes_.push_back(std::make_unique<Lane>(lane_options(options, i), engine, clock, make_random(),
                                            observer, of_lane));
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
  {
    const std::scoped_lock guard(router_mutex_);
    for (std::size_t i = 0; i < lanes_.size(); ++i) router_.set_ready(i, lanes_[i]->is_ready());
    for (AppendRequest& request : requests) {
      const std::size_t lane = router_.route(request);
      by_lane_[lane].push_back(std::move(request));
    }
  }
  Completion not_queued;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (!by_lane_[i].empty()) lanes_[i]->offer(std::exchange(by_lane_[i], {}), not_queued);
  if (not_queued.empty()) return;
  const std::scoped_lock guard(router_mutex_);
  router_.release(router_.answered(not_queued));
  std::ranges::move(not_queued.appends, std::back_inserter(refused.appends));
}

void Workers::finished(Completion completion) {
  std::vector<std::uint32_t> groups;
  {
    const std::scoped_lock guard(router_mutex_);
    groups = router_.answered(completion);
  }
  sink_(std::move(completion));
  const std::scoped_lock guard(router_mutex_);
  router_.release(groups);
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
