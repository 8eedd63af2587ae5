#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/admin/admin_server.h"
#include "common/config/command_line.h"
#include "das/node.h"

namespace hy::das {

/// The composition root of hy-das: a node on the machine's clock over the configured engine, its
/// loop thread, its admin port. Members stand in start order; destruction is the reverse.
class App {
 public:
  /// `start` outlives the app.
  explicit App(const config::Start& start);
  ~App();
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
  [[nodiscard]] std::optional<Error> fatal() const { return node_ ? node_->fatal() : std::nullopt; }
  [[nodiscard]] std::vector<std::string> listeners() const;
  [[nodiscard]] int port() const { return node_ ? node_->port() : 0; }
  [[nodiscard]] std::uint16_t admin_port() const { return admin_ ? admin_->port() : 0; }
  /// What is not there yet; empty = ready. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  Status make_engine_of_config();
  Status start_admin();

  const config::Start& start_;
  obs::Registry registry_;
  Metrics metrics_;
  SystemClock clock_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Node> node_;
  std::thread thread_;
  std::atomic<bool> draining_ = false;
  std::unique_ptr<admin::AdminServer> admin_;
};

/// `hy-das --schema status|apply`: prints what is and what was done; the exit code.
int run_schema(const config::Start& start, const std::string& verb);

}  // namespace hy::das
