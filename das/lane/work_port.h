#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "das/append/lane_fsm.h"

namespace hy::das {

/// Where an append ended.
struct AppendDone {
  std::uint64_t ticket = 0;
  Result<Stored> answer;
  std::uint32_t wait_us = 0;    ///< in the lane's queue
  std::uint32_t commit_us = 0;  ///< from begin to the answer of the batch
  std::uint32_t batch = 0;      ///< appends in it
};

/// Everything that one turn of a lane or reader finished.
struct Completion {
  std::vector<AppendDone> appends;
  std::vector<std::unique_ptr<StoreCall>> calls;
  [[nodiscard]] bool empty() const { return appends.empty() && calls.empty(); }
};
/// Called by a lane or reader, on its thread, once per batch: hands over, does not work.
using CompletionSink = std::function<void(Completion)>;

/// What the service sees of the sessions behind it: lanes for writes, readers for reads. Threads
/// hold them in hy-das (workers.h), virtual time in the simulator. While
/// anything of a conversation waits for its answer, all its appends come to one lane. offer_*: one
/// thread (the loop).
class WorkPort {
 public:
  virtual ~WorkPort() = default;
  virtual void start() = 0;
  /// What cannot be queued comes back in `refused`, answered: kOverloaded with retry_after,
  /// kStoreDown while there is no session, kDraining after stop.
  virtual void offer(std::vector<AppendRequest> requests, Completion& refused) = 0;
  /// A call that writes: the lane of `hash` (of the conversation or the uid).
  virtual void offer_write(std::unique_ptr<StoreCall> call, std::uint64_t hash,
                           Completion& refused) = 0;
  virtual void offer_read(std::unique_ptr<StoreCall> call, Completion& refused) = 0;
  /// Commits and answers what is queued; new offers are refused. Any thread.
  virtual void stop() = 0;
  /// Any thread.
  [[nodiscard]] virtual std::size_t queued() const = 0;
};

}  // namespace hy::das
