#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/admin/admin_server.h"
#include "common/config/command_line.h"
#include "common/obs/metrics.h"
#include "router/node.h"

namespace hy::router {

/// The composition root of hy-router: a node on the machine's clock, its loop thread, its admin
/// port. Members stand in start order; destruction is the reverse.
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
  [[nodiscard]] int port() const { return node_.port(); }
  [[nodiscard]] std::uint16_t admin_port() const { return admin_ ? admin_->port() : 0; }
  /// Names of those for whom this replica waits; empty = READY. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  Status start_admin();
  std::string placements_json();

  const config::Start& start_;
  const std::string listen_;
  obs::Registry registry_;
  Node node_;
  std::thread thread_;
  std::atomic<bool> draining_ = false;
  std::unique_ptr<admin::AdminServer> admin_;
};

}  // namespace hy::router
