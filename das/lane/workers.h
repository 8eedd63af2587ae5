#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "das/lane/lane.h"
#include "das/lane/lane_router.h"
#include "das/lane/read_pool.h"
#include "das/lane/work_port.h"

namespace hy::das {

struct WorkerOptions {
  std::size_t lanes = 1;
  LaneOptions lane;                ///< `number` is set for each
  Millis further_distance_max{0};  ///< commit_distance_max of all lanes but the first
  ReadPoolOptions readers;
};

/// The work port of hy-das: threads that hold sessions, lanes for writes and a pool for reads. With
/// several lanes lane_router.h says which one commits an append.
class Workers final : public WorkPort {
 public:
  using RandomMaker = std::function<std::unique_ptr<Random>()>;
  Workers(const WorkerOptions& options, Engine& engine, const Clock& clock,
          const RandomMaker& make_random, LaneObserver& observer, const CompletionSink& sink);

  void start() override;
  /// Grouped here by lane, one wake-up each.
  void offer(std::vector<AppendRequest> requests, Completion& refused) override;
  void offer_write(std::unique_ptr<StoreCall> call, std::uint64_t hash,
                   Completion& refused) override;
  void offer_read(std::unique_ptr<StoreCall> call, Completion& refused) override;
  /// Commits and answers what is queued, then ends all threads. Blocks.
  void stop() override;
  [[nodiscard]] std::size_t queued() const override;
  [[nodiscard]] std::size_t lanes() const { return lanes_.size(); }

 private:
  /// On a lane's thread: what it finished, under the callers' tickets.
  void finished(Completion completion);

  const CompletionSink sink_;
  std::mutex router_mutex_;
  LaneRouter router_;  ///< under router_mutex_; of no use with one lane
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::vector<AppendRequest>> by_lane_;
  ReadPool readers_;
};

}  // namespace hy::das
