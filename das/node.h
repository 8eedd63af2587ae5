#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/rpc/loop.h"
#include "common/rpc/stream.h"
#include "das/append/store_health.h"
#include "das/lane/lane_core.h"
#include "das/lane/store_watch.h"
#include "das/metrics.h"
#include "das/rpc/logic_service.h"

namespace hy::das {

struct NodeOptions {
  std::string name;       ///< "das-a"
  std::size_t lanes = 1;  ///< of the work port
  rpc::ServerOptions server;
  /// guarantees.md §7: the store counts as down after 2 s of failures of one lane.
  Millis down_after{2'000};
};

/// A whole das but for its files, its threads, its admin port and its signals: streams, service,
/// work port, and the judgement whether the store is up. The daemon and the simulator both run
/// this. Members stand in start order; destruction is the reverse.
class Node final : private LaneObserver {
 public:
  static constexpr char kMethod[] = "/hy.das.v1.LogicStream/Data";
  /// Makes the port: threads in the daemon, virtual time in the simulator. It must hand all
  /// completions to the sink, from any thread.
  using PortMaker = std::function<std::unique_ptr<WorkPort>(LaneObserver&, CompletionSink)>;
  /// The store says something that a person must mend; called once, on a lane's thread.
  using FatalSink = std::function<void(const Error&)>;

  /// engine, clock, metrics outlive the node.
  Node(NodeOptions options, Engine& engine, const Clock& clock, Metrics& metrics,
       const PortMaker& make_port, FatalSink on_fatal);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Looks at the store before anything is served. A store that cannot be reached is no error; one
  /// that cannot keep the promise is (Engine::start).
  Status prepare();
  /// Starts the port, then opens the door. The loop runs already, or runs next on this thread.
  /// Errors: kPortInUse, kUnsafeStart.
  Status open();
  /// Refuses new work, commits and answers what was taken, ends the streams. The loop must be
  /// running. Not from the loop's thread.
  void drain();

  [[nodiscard]] rpc::Loop& loop() { return loop_; }
  [[nodiscard]] int port() const { return server_.ports().empty() ? 0 : server_.ports().front(); }
  [[nodiscard]] std::size_t queued() const { return port_->queued(); }
  [[nodiscard]] const StoreState& state() const { return state_; }
  /// Loop thread.
  [[nodiscard]] const LogicService& service() const { return *service_; }
  /// Told by the store only after the start: the process must end with this. Any thread.
  [[nodiscard]] std::optional<Error> fatal() const;
  /// Why the store is down; nullopt: it is up. Any thread.
  [[nodiscard]] std::optional<Error> store_down() const;

 private:
  // LaneObserver: on the lanes' threads.
  void lane_works(std::size_t lane) override;
  void lane_failed(std::size_t lane, const Error& why) override;
  void batch_done(std::size_t rows, bool fast, std::size_t repeats, std::size_t conflicts,
                  std::chrono::nanoseconds spent) override;
  void waited(std::chrono::nanoseconds in_queue) override { metrics_.lane_waited(in_queue); }
  void stamped(std::int64_t store_ms) override { state_.readings.note(store_ms); }
  void resolved(std::size_t unknown) override;
  Status look(std::size_t lane, StoreSession& session) override;

  void judge();
  void end_with(const Error& why);

  const NodeOptions options_;
  Engine& engine_;
  const Clock& clock_;
  Metrics& metrics_;
  const FatalSink on_fatal_;
  StoreState state_;
  StoreWatch watch_;
  rpc::Loop loop_;
  StoreHealth health_;  ///< loop thread
  std::unique_ptr<WorkPort> port_;
  std::unique_ptr<LogicService> service_;
  rpc::Server server_;
  std::atomic<bool> was_up_ = false;
  bool schema_read_ = false;  ///< lane 0's thread
  mutable std::mutex told_mutex_;
  Error told_{Errc::kStoreDown, "not yet reached", {}};  ///< why the store is down; kOk while up
  std::optional<Error> fatal_;
};

}  // namespace hy::das
