#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "common/base/random.h"
#include "das/append/append_planner.h"
#include "das/append/commit_resolver.h"
#include "das/append/lane_fsm.h"
#include "das/lane/work_port.h"
#include "das/storage/engine.h"

namespace hy::das {

/// What a lane tells its owner; called during the lane's turn, outside its lock.
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
  /// The store's clock when the last batch was written: one of its new messages' times.
  virtual void stamped(std::int64_t store_ms) = 0;
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
  /// Also between two looks at a store that does not take what is written. It is what the store's
  /// return waits for at worst: nobody sends anything to a store that was announced to be down.
  Millis backoff_max{500};
  std::size_t recent_ids_max = 16'384;
  /// How long a busy lane may leave rows to gather (commit_pacer.h); 0: it never does.
  Millis commit_distance_max{0};
};

/// The queue in front of a lane and its door: while the lane has no session, offers are refused at
/// once with the reason. Not thread-safe.
class LaneQueue {
 public:
  explicit LaneQueue(LaneLimits limits) : fsm_(limits) {}

  /// What is not queued comes back in `refused`, answered.
  void offer(std::vector<AppendRequest> requests, Completion& refused);
  /// true: queued.
  bool offer(std::unique_ptr<StoreCall> call, Completion& refused);
  [[nodiscard]] bool has_work() const { return fsm_.has_work(); }
  /// The next batch, or with the store away everything that waits.
  LaneBatch take(bool has_session, MonoTime now) {
    return has_session ? fsm_.take(now) : fsm_.take_all();
  }
  void shut(const Error& why) { shut_ = why; }
  [[nodiscard]] bool is_shut() const { return shut_.has_value(); }
  void open() {
    if (shut_) fsm_.begin_ramp();
    shut_.reset();
  }
  void took(std::size_t rows, std::chrono::nanoseconds spent) { fsm_.took(rows, spent); }
  /// No more offers; what waits is still handed out.
  void close() { fsm_.close(); }
  [[nodiscard]] std::size_t queued() const { return fsm_.queued_appends() + fsm_.queued_calls(); }

 private:
  [[nodiscard]] Error refusal(LaneFsm::Offer offered) const;
  LaneFsm fsm_;
  std::optional<Error> shut_;  ///< no session: offers are refused with this at once
};

/// What a lane's turn does to the queue in front of it.
class LaneDoor {
 public:
  virtual ~LaneDoor() = default;
  virtual void shut(const Error& why) = 0;
  virtual void open() = 0;
  virtual void took(std::size_t rows, std::chrono::nanoseconds spent) = 0;
};

/// What one writer does in its turn with a batch and a session: commits it, hands the answers over
/// once, looks after the store. While the store is away it answers kStoreDown at once and keeps
/// trying to open a session. No thread, no lock: the driver (lane.h, or a simulator) calls begin,
/// takes a batch from the queue, calls serve, and waits for work or for due(). Blocks in the
/// session alone.
class LaneCore {
 public:
  /// engine, clock, observer, door outlive the core.
  LaneCore(LaneOptions options, Engine& engine, const Clock& clock, std::unique_ptr<Random> random,
           LaneObserver& observer, LaneDoor& door, CompletionSink sink);

  /// When the next turn is due although nothing was offered.
  [[nodiscard]] MonoTime due() const;
  /// First half of a turn: opens a session when one is missing and its time has come.
  void begin();
  [[nodiscard]] bool has_session() const { return session_ != nullptr; }
  /// Second half, with what the queue gave (perhaps nothing).
  void serve(LaneBatch batch);
  /// The last call. What is still unknown stays so: its sender's device resends the same id.
  void end();

 private:
  void append(LaneBatch& batch, Completion& done);
  bool ack_unseen(const LaneBatch& batch, std::span<const PendingAppend> pending);
  void call(std::vector<std::unique_ptr<StoreCall>>& calls, Completion& done);
  void mark_reads(std::vector<std::unique_ptr<StoreCall>>& marks);
  void open_pairs(std::vector<std::unique_ptr<StoreCall>>& pairs, Completion& done);
  void take_answers(CommitResolver::Answers answers, Completion& done);
  void refuse(LaneBatch batch, const Error& why, Completion& done);
  bool open_session();
  /// The session broke: one new one at once, then everything unresolved is run on it.
  void recover(const Error& why, Completion& done);
  void resolve(Completion& done);
  void look();
  void look_again_soon();
  /// The smallest write there is goes through: the disk has room again.
  bool can_write();
  void lose_session(const Error& why);
  void back_off();
  void note_room(bool full);
  void raise_counters(std::span<const CommittedHead> heads, std::vector<Uid>& tell);
  void deliver(Completion done);

  const LaneOptions options_;
  Engine& engine_;
  const Clock& clock_;
  std::unique_ptr<Random> random_;
  LaneObserver& observer_;
  LaneDoor& door_;
  CompletionSink sink_;
  std::unique_ptr<StoreSession> session_;
  AppendPlanner planner_;
  CommitResolver resolver_;
  Error down_{Errc::kStoreDown, "not yet reached", {}};
  MonoTime next_try_;
  MonoTime next_look_;
  Millis backoff_;
  bool full_ = false;  ///< the last batch met a full disk
};

}  // namespace hy::das
