#include "tests/sim/store/sim_workers.h"

#include <algorithm>

namespace hy::sim {

using das::Completion;
using std::chrono::nanoseconds;

/// So few that conversations go from lane to lane all the time.
constexpr std::size_t kFullFrom = 2;

/// One lane: idle, or in a turn. A turn: take, (before) the transaction, (after) the answers.
class SimWorkers::SimLane final : private das::LaneDoor {
 public:
  SimLane(SimWorkers& owner, const das::LaneOptions& options, das::Engine& engine,
          std::unique_ptr<Random> random, das::LaneObserver& observer)
      : owner_(owner),
        queue_(options.limits),
        core_(options, engine, owner.clock_, std::move(random), observer, *this,
              [this](Completion done) { done_.push_back(std::move(done)); }) {}

  void offer(std::vector<das::AppendRequest> requests, Completion& refused) {
    queue_.offer(std::move(requests), refused);
    wake();
  }
  void offer(std::unique_ptr<das::StoreCall> call, Completion& refused) {
    if (queue_.offer(std::move(call), refused)) wake();
  }
  [[nodiscard]] std::size_t queued() const { return queue_.queued(); }
  [[nodiscard]] bool is_ready() const {
    return !queue_.is_shut() && (!busy_ || owner_.clock_.now() - began_ < das::kTurnHangs);
  }

  /// Begins a turn when there is something to do, else waits until there will be.
  void wake() {
    if (busy_ || !owner_.started_) return;
    const MonoTime now = owner_.clock_.now();
    if (queue_.has_work() || core_.due() <= now) {
      begin();
      return;
    }
    if (alarm_ && *alarm_ <= core_.due()) return;
    alarm_ = core_.due();
    owner_.later(*alarm_ - now, [this, at = *alarm_] {
      if (alarm_ != at) return;
      alarm_.reset();
      wake();
    });
  }

  /// The process ends: all at once.
  void stop() {
    queue_.close();
    if (taken_) commit(nanoseconds{0});
    while (queue_.has_work()) {
      core_.begin();
      taken_ = queue_.take(core_.has_session(), owner_.clock_.now());
      commit(nanoseconds{0});
    }
    core_.end();
    busy_ = true;
    deliver();
  }

 private:
  void shut(const Error& why) override { queue_.shut(why); }
  void open() override { queue_.open(); }
  void took(std::size_t rows, nanoseconds spent) override {
    queue_.took(rows, std::max(spent, turn_));
  }

  void begin() {
    busy_ = true;
    began_ = owner_.clock_.now();
    core_.begin();
    taken_ = queue_.take(core_.has_session(), owner_.clock_.now());
    const StoreLatency& latency = owner_.latency_;
    const bool works = core_.has_session() && !taken_->empty();
    turn_ = works ? owner_.draw(latency.commit_min, latency.commit_max) : nanoseconds{0};
    if (works && latency.stall_per_million > 0 &&
        owner_.random_.below(1'000'000) < latency.stall_per_million)
      turn_ += owner_.draw(nanoseconds{0}, latency.stall_max);
    const nanoseconds before = owner_.draw(nanoseconds{0}, turn_);
    owner_.later(before, [this, before] {
      // A process that was stopped in between commits with what its transaction read before, or
      // finds that the server has given it up.
      commit(owner_.clock_.now() - began_);
      owner_.later(turn_ - before + owner_.model_.take_spent(), [this] { finish(); });
    });
  }

  void commit(nanoseconds begun_before) {
    owner_.model_.set_commit_delay(begun_before);
    core_.serve(*std::exchange(taken_, std::nullopt));
    owner_.model_.set_commit_delay(nanoseconds{0});
  }

  void finish() {
    deliver();
    busy_ = false;
    wake();
  }

  void deliver() {
    for (Completion& one : std::exchange(done_, {})) owner_.finished(std::move(one));
  }

  SimWorkers& owner_;
  das::LaneQueue queue_;
  std::vector<Completion> done_;
  std::optional<das::LaneBatch> taken_;
  std::optional<MonoTime> alarm_;
  MonoTime began_{};
  nanoseconds turn_{0};
  bool busy_ = false;
  das::LaneCore core_;
};

struct SimWorkers::SimReader {
  SimReader(das::Engine& engine, const Clock& clock, Millis backoff)
      : core(engine, clock, backoff) {}
  das::ReaderCore core;
  std::vector<std::unique_ptr<das::StoreCall>> taken;
  bool busy = false;
};

SimWorkers::SimWorkers(const das::WorkerOptions& options, const StoreLatency& latency,
                       das::Engine& engine, ModelEngine& model, const Clock& clock,
                       std::uint64_t seed, das::LaneObserver& observer, das::CompletionSink sink,
                       Schedule schedule)
    : options_(options),
      latency_(latency),
      model_(model),
      clock_(clock),
      random_(seed),
      sink_(std::move(sink)),
      router_(options.lanes, kFullFrom),
      schedule_(std::move(schedule)),
      by_lane_(options.lanes) {
  for (std::size_t i = 0; i < options.lanes; ++i) {
    das::LaneOptions lane = options.lane;
    lane.number = i;
    // So few that ids are forgotten within a run, and that a das starts in no time.
    lane.recent_ids_max = 256;
    lanes_.push_back(std::make_unique<SimLane>(
        *this, lane, engine, std::make_unique<SeededRandom>(random_.next()), observer));
  }
  for (std::size_t i = 0; i < options.readers.threads; ++i)
    readers_.push_back(std::make_unique<SimReader>(engine, clock, options.readers.backoff));
}

SimWorkers::~SimWorkers() = default;

void SimWorkers::later(nanoseconds delay, Task task) {
  schedule_(delay, [life = std::weak_ptr<int>(life_), task = std::move(task)]() mutable {
    if (!life.expired()) task();
  });
}

nanoseconds SimWorkers::draw(nanoseconds min, nanoseconds max) {
  if (max <= min) return min;
  return min + nanoseconds{random_.below(static_cast<std::uint64_t>((max - min).count()))};
}

void SimWorkers::start() {
  started_ = true;
  for (const auto& lane : lanes_) lane->wake();
}

void SimWorkers::offer(std::vector<das::AppendRequest> requests, Completion& refused) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) router_.set_ready(i, lanes_[i]->is_ready());
  for (das::AppendRequest& request : requests) {
    const std::size_t lane = router_.route(request);
    by_lane_[lane].push_back(std::move(request));
  }
  Completion not_queued;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (!by_lane_[i].empty()) lanes_[i]->offer(std::exchange(by_lane_[i], {}), not_queued);
  router_.release(router_.answered(not_queued));
  std::ranges::move(not_queued.appends, std::back_inserter(refused.appends));
}

void SimWorkers::finished(Completion completion) {
  const std::vector<std::uint32_t> groups = router_.answered(completion);
  sink_(std::move(completion));
  router_.release(groups);
}

void SimWorkers::offer_write(std::unique_ptr<das::StoreCall> call, std::uint64_t hash,
                             Completion& refused) {
  lanes_[hash % lanes_.size()]->offer(std::move(call), refused);
}

void SimWorkers::offer_read(std::unique_ptr<das::StoreCall> call, Completion& refused) {
  if (stopping_ || reads_.size() >= options_.readers.queue_calls_max) {
    call->refuse(stopping_ ? Error{Errc::kDraining, {}, {}}
                           : Error{Errc::kOverloaded, "the readers' queue is full", Millis{200}});
    refused.calls.push_back(std::move(call));
    return;
  }
  reads_.push_back(std::move(call));
  wake_reader();
}

void SimWorkers::wake_reader() {
  if (!started_) return;
  for (const auto& reader : readers_)
    if (!reader->busy && !reads_.empty()) read_turn(*reader);
}

void SimWorkers::read_turn(SimReader& reader) {
  reader.busy = true;
  const std::size_t share = 1 + reads_.size() / options_.readers.threads;
  while (!reads_.empty() &&
         reader.taken.size() < std::min(share, options_.readers.batch_calls_max)) {
    reader.taken.push_back(std::move(reads_.front()));
    reads_.pop_front();
  }
  const nanoseconds turn = draw(latency_.read_min, latency_.read_max);
  const nanoseconds before = draw(nanoseconds{0}, turn);
  later(before, [this, &reader, rest = turn - before] {
    for (const auto& call : reader.taken) reader.core.serve(*call);
    later(rest + model_.take_spent(), [this, &reader] {
      reader.busy = false;
      Completion done;
      done.calls = std::exchange(reader.taken, {});
      if (!done.empty()) sink_(std::move(done));
      wake_reader();
    });
  });
}

void SimWorkers::read_now(SimReader& reader) {
  // Calls of a turn under way may have been served; serving a read twice changes nothing.
  Completion done;
  done.calls = std::exchange(reader.taken, {});
  for (const auto& call : done.calls) reader.core.serve(*call);
  if (!done.empty()) sink_(std::move(done));
}

void SimWorkers::stop() {
  if (stopping_) return;
  stopping_ = true;
  for (const auto& lane : lanes_) lane->stop();
  for (const auto& reader : readers_) {
    read_now(*reader);
    reader->busy = true;
  }
  while (!reads_.empty() && !readers_.empty()) {
    readers_.front()->taken.push_back(std::move(reads_.front()));
    reads_.pop_front();
    read_now(*readers_.front());
  }
  // Events of turns under way find nothing left to do.
  life_ = std::make_shared<int>(0);
}

std::size_t SimWorkers::queued() const {
  std::size_t all = reads_.size();
  for (const auto& lane : lanes_) all += lane->queued();
  return all;
}

}  // namespace hy::sim
