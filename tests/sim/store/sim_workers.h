#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "das/lane/lane_core.h"
#include "das/lane/reader_core.h"
#include "das/lane/work_port.h"
#include "das/lane/workers.h"
#include "tests/sim/store/model_engine.h"

namespace hy::sim {

/// How long the store takes for a turn, drawn evenly; what the model engine says it spent (lock
/// waits, slow statements) comes on top.
struct StoreLatency {
  std::chrono::nanoseconds commit_min{std::chrono::microseconds(300)};
  std::chrono::nanoseconds commit_max{std::chrono::microseconds(3'000)};
  std::chrono::nanoseconds read_min{std::chrono::microseconds(100)};
  std::chrono::nanoseconds read_max{std::chrono::microseconds(1'000)};
  std::uint32_t stall_per_million = 0;  ///< of turns
  Millis stall_max{3'000};
};

/// das's work port on virtual time: the lanes' and readers' own logic without their threads. A lane
/// takes what waits, is busy for the drawn latency, and meanwhile the next batch gathers. The
/// transaction takes effect somewhere inside that time, the answers come at its end; whoever dies
/// between has committed without an ack.
class SimWorkers final : public das::WorkPort {
 public:
  using Task = std::move_only_function<void()>;
  /// Runs the task after so much virtual time, unless the process has died by then.
  using Schedule = std::function<void(std::chrono::nanoseconds, Task)>;

  /// engine: what the lanes use (a MeasuredEngine around `model`, or `model` itself). All outlive
  /// the port. Destroying the port calls its events off.
  SimWorkers(const das::WorkerOptions& options, const StoreLatency& latency, das::Engine& engine,
             ModelEngine& model, const Clock& clock, std::uint64_t seed,
             das::LaneObserver& observer, das::CompletionSink sink, Schedule schedule);
  ~SimWorkers() override;

  void start() override;
  void offer(std::vector<das::AppendRequest> requests, das::Completion& refused) override;
  void offer_write(std::unique_ptr<das::StoreCall> call, std::uint64_t hash,
                   das::Completion& refused) override;
  void offer_read(std::unique_ptr<das::StoreCall> call, das::Completion& refused) override;
  /// In no time at all: everything that waits is committed and answered.
  void stop() override;
  [[nodiscard]] std::size_t queued() const override;

 private:
  class SimLane;
  struct SimReader;
  /// Calls `task` later unless the port is gone.
  void later(std::chrono::nanoseconds delay, Task task);
  std::chrono::nanoseconds draw(std::chrono::nanoseconds min, std::chrono::nanoseconds max);
  /// What a lane finished, under the callers' tickets.
  void finished(das::Completion completion);
  void read_turn(SimReader& reader);
  void read_now(SimReader& reader);
  void wake_reader();

  const das::WorkerOptions options_;
  const StoreLatency latency_;
  ModelEngine& model_;
  const Clock& clock_;
  SeededRandom random_;
  das::CompletionSink sink_;
  das::LaneRouter router_;
  Schedule schedule_;
  std::shared_ptr<int> life_ = std::make_shared<int>(0);
  std::vector<std::unique_ptr<SimLane>> lanes_;
  std::vector<std::unique_ptr<SimReader>> readers_;
  std::vector<std::vector<das::AppendRequest>> by_lane_;
  std::deque<std::unique_ptr<das::StoreCall>> reads_;
  bool started_ = false;
  bool stopping_ = false;
};

}  // namespace hy::sim
