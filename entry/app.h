#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "common/admin/admin_server.h"
#include "common/base/clock.h"
#include "common/config/command_line.h"
#include "common/crypto/system_random.h"
#include "common/net/io_threads.h"
#include "common/net/listener.h"
#include "common/obs/metrics.h"
#include "entry/config.h"
#include "entry/net/access_files.h"
#include "entry/net/shard_thread.h"
#include "entry/node.h"
#include "entry/turn_guest.h"

namespace hy::entry {

/// The composition root of hy-entry: a node on the machine's clock, I/O threads for its
/// connections, one thread for its loop, listeners, lists, admin port. Members stand in start
/// order; destruction is the reverse.
class App final : private ShardThreads {
 public:
  App(const config::Start& start, Config config);
  ~App() override;
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Errors: kPortInUse, kConfigUnreadable, kConfigSyntax, kLimitTooLow. Listens last.
  Status start();
  /// Takes over the live limits. The main thread.
  void reload(const config::Values& values);
  /// Refuses new clients, tells the others to go elsewhere, waits within the configured bound,
  /// closes the rest and takes leave of the inner tiers. A set token ends the waiting at once.
  void drain(const std::stop_token& hurry);
  [[nodiscard]] std::vector<std::string> listeners() const;
  [[nodiscard]] std::vector<std::string> peers() const;
  /// Who is missing for /readyz. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;
  /// Another process took this entry's name: the exit code says so.
  [[nodiscard]] bool name_was_taken() const { return name_taken_; }

 private:
  Sockets& sockets(std::uint32_t shard) override { return shard_threads_[shard]->sockets(); }
  void post(std::uint32_t shard, Shard::Task task) override {
    shard_threads_[shard]->post(std::move(task));
  }
  void call_soon(std::uint32_t shard) override { shard_threads_[shard]->call_soon(); }

  Status start_admin();
  Status start_listeners();
  void on_accept(net::Accepted accepted);
  void on_name_taken();
  void wait_for_leavers(const std::stop_token& hurry);
  void barrier();
  void stop();
  [[nodiscard]] std::string inflight_json();
  [[nodiscard]] std::string placements_json();
  std::string on_loop(std::function<std::string()> ask);

  const config::Start& start_;
  Config config_;
  obs::Registry registry_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  net::IoThreads io_;
  std::vector<std::unique_ptr<ShardThread>> shard_threads_;  ///< one for each I/O thread
  Node node_;
  AccessFiles lists_;
  std::optional<TurnGuest> guest_;  ///< where there is one I/O thread
  std::thread loop_thread_;
  std::vector<net::Listener> listeners_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> name_taken_{false};
  bool stopped_ = false;
  std::unique_ptr<admin::AdminServer> admin_;
};

}  // namespace hy::entry
