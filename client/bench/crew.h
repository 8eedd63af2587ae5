#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/book.h"
#include "client/bench/figures.h"
#include "client/bench/link.h"
#include "client/bench/options.h"
#include "client/bench/self_watch.h"
#include "client/bench/target.h"

namespace hy::bench {

/// What everybody used, at a whole second.
struct Sample {
  std::map<std::string, ProcessUse> processes;  ///< by name of the server's processes
  MachineUse machine;
  double generator_cpu_s = 0;  ///< workers, and the coordinator itself
};

/// One second of the run, of all workers together.
struct Second {
  std::int64_t at = 0;  ///< the whole second of the monotonic clock at its end
  Counts counts;        ///< in it
  Curves curves;
  std::uint64_t open = 0;
  std::uint64_t backlog = 0;
  double busiest_cpu_share = 0;  ///< of one core
  double longest_wait_share = 0;
  Sample sample;  ///< at its end
};

/// The worker processes of a run, and what they tell. One thread.
class Crew {
 public:
  using OnSecond = std::function<void(const Second&)>;

  Crew(const Target& target, std::uint64_t run) : target_(target), run_(run) {}
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Starts `count` workers from this very program and hands out the people,
  /// pairs together. Errors: kChildFailed, kTimedOut.
  Status start(unsigned count, const Options& options, const std::vector<std::string>& sources);
  /// To every worker; numbers under `shared` are rates that they share evenly.
  void command(Json message, const std::vector<std::string>& shared = {});
  /// Until every worker has sent the event, or `within`. Errors: kTimedOut,
  /// kChildFailed.
  Status wait_event(const std::string& event, Millis within);
  /// Until the second `at` is complete. Errors: kChildFailed.
  Status wait_second(std::int64_t at);
  /// Called for each complete second, in order.
  void on_second(OnSecond f) { on_second_ = std::move(f); }

  [[nodiscard]] std::size_t size() const { return workers_.size(); }
  [[nodiscard]] const Counts& total() const { return total_; }
  [[nodiscard]] std::uint64_t open() const;
  [[nodiscard]] std::map<std::string, std::uint64_t> errors() const;
  void forget_event(const std::string& name) { events_.erase(name); }
  [[nodiscard]] const std::vector<Json>& events(const std::string& name) { return events_[name]; }
  [[nodiscard]] Ledger ledger();
  /// A signal asked to stop: waiting ends with kTimedOut.
  void set_stop(const std::atomic<bool>* stop) { stop_ = stop; }

 private:
  struct Worker {
    pid_t pid = -1;
    std::unique_ptr<Link> link;
    Counts last;
    double cpu_s = 0;
    double wait_s = 0;
    std::int64_t at_ns = 0;
    std::uint64_t open = 0;
    std::map<std::string, std::uint64_t> errors;
    bool is_gone = false;
  };
  struct Gathering {
    Second second;
    std::size_t ticks = 0;
  };

  Status spawn();
  Status turn(MonoTime until);
  void take(Worker& w, const Json& m);
  void tick(Worker& w, const Json& m);
  Sample sample_now() const;
  void complete();

  const Target& target_;
  std::uint64_t run_;
  std::vector<Worker> workers_;
  std::map<std::string, std::vector<Json>> events_;
  std::map<std::int64_t, Gathering> gathering_;
  std::map<std::int64_t, Sample> samples_;
  std::int64_t last_sampled_ = 0;
  std::int64_t completed_ = 0;
  Counts total_;
  OnSecond on_second_;
  const std::atomic<bool>* stop_ = nullptr;
};

}  // namespace hy::bench
