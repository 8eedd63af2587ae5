#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "common/base/random.h"
#include "das/append/append_planner.h"
#include "das/append/commit_resolver.h"
#include "das/append/lane_fsm.h"
#include "das/storage/engine.h"

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
/// Called on the lane's or reader's thread, once per batch: hands over, does not work.
using CompletionSink = std::function<void(Completion)>;

/// What a lane tells its owner; called on the lane's thread, outside its lock.
class LaneObserver {
 public:
  virtual ~LaneObserver() = default;
  /// The lane writes (again).
  virtual void lane_works(std::size_t lane) = 0;
  /// It cannot: every try, not only the first.
  virtual void lane_failed(std::size_t lane, const Error& why) = 0;
  /// A batch of appends was committed or refused.
  virtual void batch_done(std::size_t rows, bool fast, std::size_t repeats, std::size_t conflicts,
                          std::chrono::nanoseconds spent) = 0;
  virtual void waited(std::chrono::nanoseconds in_queue) = 0;
  virtual void resolved(std::size_t unknown) = 0;
  /// On each new session, and then about every `look_period`, idle or not: the place to read the
  /// store's facts and to write the beat. An error counts as a failure of the lane.
  virtual Status look(std::size_t lane, StoreSession& session) = 0;
};

struct LaneOptions {
  std::size_t number = 0;
  LaneLimits limits;
  Millis look_period{3'000};  ///< also keeps the connection alive (its wait_timeout is 10 s)
  Millis backoff_min{50};     ///< between two tries to open a session, full jitter
  Millis backoff_max{2'000};
  std::size_t recent_ids_max = 16'384;
};

/// One writer: a thread with one session. Takes what has gathered, commits it, hands the answers
/// over once, takes the next. While the store is away it answers kStoreDown at once and keeps
/// trying to open a session. Appends of one conversation always come to the same lane, so their
/// order is the order of offer.
class Lane {
 public:
  /// engine, clock, observer outlive the lane.
  Lane(LaneOptions options, Engine& engine, const Clock& clock, std::unique_ptr<Random> random,
       LaneObserver& observer, CompletionSink sink);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void start();
  /// Any thread. What is not queued comes back in `refused`, answered: kOverloaded with
  /// retry_after, kStoreDown while there is no session, kDraining after stop.
  void offer(std::vector<AppendRequest> requests, Completion& refused);
  void offer(std::unique_ptr<StoreCall> call, Completion& refused);
  /// Commits what is queued, answers it, ends the thread. Blocks; new offers are refused.
  void stop();
  [[nodiscard]] std::size_t queued() const;

 private:
  void run();
  void serve(LaneBatch batch);
  void append(LaneBatch& batch, Completion& done);
  void call(std::vector<std::unique_ptr<StoreCall>>& calls, Completion& done);
  void mark_reads(std::vector<std::unique_ptr<StoreCall>>& marks);
  void take_answers(CommitResolver::Answers answers, Completion& done);
  void refuse(LaneBatch batch, const Error& why, Completion& done);
  bool open_session();
  /// The session broke: one new one at once, then everything unresolved is run on it.
  void recover(const Error& why, Completion& done);
  void look();
  void lose_session(const Error& why);
  void back_off();
  void note_room(bool full);
  [[nodiscard]] Error refusal(LaneFsm::Offer offered) const;
  void deliver(Completion done);

  const LaneOptions options_;
  Engine& engine_;
  const Clock& clock_;
  std::unique_ptr<Random> random_;
  LaneObserver& observer_;
  CompletionSink sink_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  LaneFsm fsm_;
  std::optional<Error> shut_;  ///< no session: offers are refused with this at once
  bool stopping_ = false;

  // The lane's thread alone.
  std::unique_ptr<StoreSession> session_;
  AppendPlanner planner_;
  CommitResolver resolver_;
  Error down_{Errc::kStoreDown, "not yet reached", {}};
  MonoTime next_try_;
  MonoTime next_look_;
  Millis backoff_;
  bool full_ = false;  ///< the last batch met a full disk
  std::thread thread_;
};

}  // namespace hy::das
