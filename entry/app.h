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
#include "common/rpc/loop.h"
#include "entry/config.h"
#include "entry/link/hub.h"
#include "entry/metrics.h"
#include "entry/net/access_files.h"
#include "entry/net/gatekeeper.h"
#include "entry/net/shard.h"
#include "entry/rpc/logic_client.h"
#include "entry/rpc/router_client.h"

namespace hy::entry {

/// The composition root of hy-entry: I/O threads with the connections, one loop thread with the
/// streams and the hub. Members stand in start order; destruction is the reverse.
class App {
 public:
  App(const config::Start& start, Config config);
  ~App();
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
  Status start_admin();
  Status start_listeners();
  void start_loop();
  void on_accept(net::Tcp::socket socket);
  void take_up(std::size_t shard);
  void end_turn();
  void publish();
  void on_name_taken();
  void wait_for_leavers(const std::stop_token& hurry);
  void on_all_shards(const std::function<void(Shard&)>& run);
  void barrier();
  void stop();
  [[nodiscard]] std::string inflight_json();

  const config::Start& start_;
  Config config_;
  obs::Registry registry_;
  Metrics metrics_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  Gatekeeper gatekeeper_;
  net::IoThreads io_;
  rpc::Loop loop_;
  LogicClient logics_;
  RouterClient routers_;
  Hub hub_;
  std::vector<std::unique_ptr<Shard>> shards_;
  AccessFiles lists_;
  UpBatch up_;
  std::thread loop_thread_;
  std::vector<net::Listener> listeners_;
  std::size_t next_shard_ = 0;
  std::atomic<bool> draining_{false};
  std::atomic<bool> name_taken_{false};
  bool stopped_ = false;
  std::unique_ptr<admin::AdminServer> admin_;
};

}  // namespace hy::entry
