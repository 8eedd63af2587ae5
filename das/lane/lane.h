#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "das/append/commit_pacer.h"
#include "das/lane/lane_core.h"

namespace hy::das {

/// One writer: a thread with one session. Takes what has gathered, commits it, hands the answers
/// over once, takes the next (lane_core.h). Appends of one conversation are in one lane at a
/// time (lane_router.h), so their order is the order of offer.
class Lane : private LaneDoor {
 public:
  /// engine, clock, observer outlive the lane.
  Lane(LaneOptions options, Engine& engine, const Clock& clock, std::unique_ptr<Random> random,
       LaneObserver& observer, CompletionSink sink);
  ~Lane() override;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void start();
  /// Any thread. What is not queued comes back in `refused`, answered (work_port.h).
  void offer(std::vector<AppendRequest> requests, Completion& refused);
  void offer(std::unique_ptr<StoreCall> call, Completion& refused);
  /// Commits what is queued, answers it, ends the thread. Blocks; new offers are refused.
  void stop();
  [[nodiscard]] std::size_t queued() const;
  /// It has a session and does not hang in a turn. Any thread.
  [[nodiscard]] bool is_ready() const;

 private:
  // LaneDoor: on the lane's thread.
  void shut(const Error& why) override;
  void open() override;
  void took(std::size_t rows, std::chrono::nanoseconds spent) override;
  void run();

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  LaneQueue queue_;
  bool stopping_ = false;
  std::optional<MonoTime> turn_began_;  ///< nothing: it waits for work
  CommitPacer pacer_;                   ///< the lane's thread alone
  LaneCore core_;                       ///< the lane's thread alone
  std::thread thread_;
};

}  // namespace hy::das
