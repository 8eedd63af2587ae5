#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/admin/admin_server.h"
#include "common/config/command_line.h"
#include "common/obs/metrics.h"
#include "common/rpc/loop.h"
#include "common/rpc/stream.h"
#include "router/config.h"
#include "router/deliver/deliver_fanout.h"
#include "router/metrics.h"
#include "router/rpc/entry_service.h"
#include "router/rpc/logic_service.h"

namespace hy::router {

/// The composition root of hy-router: one loop thread carries the streams and the cores. Members
/// stand in start order; destruction is the reverse.
class App {
 public:
  App(const config::Start& start, Config config);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Errors: kPortInUse, kUnsafeStart, kConfigUnreadable.
  Status start();
  /// Says goodbye, ends the streams within a second, ends the loop. Any thread; again: nothing.
  void drain();
  [[nodiscard]] std::vector<std::string> listeners() const;
  [[nodiscard]] int port() const { return server_.ports().empty() ? 0 : server_.ports().front(); }
  [[nodiscard]] std::uint16_t admin_port() const { return admin_ ? admin_->port() : 0; }
  /// Names of those for whom this replica waits; empty = READY. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  Status start_admin();
  void tick();
  void on_ready_changed(bool ready);
  void remember_missing();

  const config::Start& start_;
  const Config config_;
  const std::uint64_t boot_;  // a changed one makes entries dump
  obs::Registry registry_;
  Metrics metrics_;
  RouterStats stats_;
  rpc::Loop loop_;
  PlacementTable table_;
  LeaseTable leases_;
  EntryService entries_;
  LogicService logics_;
  RouterLink link_;
  DeliverFanout fanout_;
  rpc::Server server_;
  std::thread thread_;
  mutable std::mutex missing_mutex_;
  std::vector<std::string> missing_;
  std::atomic<bool> draining_ = false;
  int ticks_ = 0;
  std::unique_ptr<admin::AdminServer> admin_;
};

}  // namespace hy::router
