#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/admin/admin_server.h"
#include "common/config/command_line.h"
#include "common/rpc/loop.h"
#include "common/rpc/stream.h"
#include "das/append/store_health.h"
#include "das/lane/store_watch.h"
#include "das/lane/workers.h"
#include "das/metrics.h"
#include "das/rpc/logic_service.h"

namespace hy::das {

/// The composition root of hy-das: one loop thread carries the streams, lanes and readers carry the
/// store. Members stand in start order; destruction is the reverse.
class App final : private LaneObserver {
 public:
  /// `start` outlives the app.
  explicit App(const config::Start& start);
  ~App() override;
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// A store that cannot be reached is no error: das starts as store down and goes on trying.
  /// Errors: kPortInUse, kUnsafeStart, kConfig…; a store that cannot keep the promise
  /// (Engine::start).
  Status start();
  /// Refuses new work, commits and answers what was taken, ends the streams. Any thread; again:
  /// nothing.
  void drain();
  /// Told by the store only after the start: the process must end with this.
  [[nodiscard]] std::optional<Error> fatal() const;
  [[nodiscard]] std::vector<std::string> listeners() const;
  [[nodiscard]] int port() const { return server_.ports().empty() ? 0 : server_.ports().front(); }
  [[nodiscard]] std::uint16_t admin_port() const { return admin_ ? admin_->port() : 0; }
  /// What is not there yet; empty = ready. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  // LaneObserver: on the lanes' threads.
  void lane_works(std::size_t lane) override;
  void lane_failed(std::size_t lane, const Error& why) override;
  void batch_done(std::size_t rows, bool fast, std::size_t repeats, std::size_t conflicts,
                  std::chrono::nanoseconds spent) override;
  void waited(std::chrono::nanoseconds in_queue) override { metrics_.lane_waited(in_queue); }
  void resolved(std::size_t unknown) override;
  Status look(std::size_t lane, StoreSession& session) override;

  Status start_engine();
  Status start_admin();
  void judge();
  void end_with(const Error& why);

  const config::Start& start_;
  obs::Registry registry_;
  Metrics metrics_;
  SystemClock clock_;
  StoreState state_;
  StoreWatch watch_;
  std::unique_ptr<Engine> engine_;
  rpc::Loop loop_;
  std::unique_ptr<StoreHealth> health_;  ///< loop thread
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<LogicService> service_;
  rpc::Server server_;
  std::thread thread_;
  std::atomic<bool> was_up_ = false;
  std::atomic<bool> draining_ = false;
  bool schema_read_ = false;  ///< lane 0's thread
  mutable std::mutex told_mutex_;
  Error told_{Errc::kStoreDown, "not yet reached", {}};  ///< why the store is down; kOk while up
  std::optional<Error> fatal_;
  std::unique_ptr<admin::AdminServer> admin_;
};

/// `hy-das --schema status|apply`: prints what is and what was done; the exit code.
int run_schema(const config::Start& start, const std::string& verb);

}  // namespace hy::das
