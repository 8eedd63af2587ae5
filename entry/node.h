#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/config/command_line.h"
#include "common/obs/metrics.h"
#include "common/rpc/loop.h"
#include "entry/config.h"
#include "entry/metrics.h"
#include "entry/net/gatekeeper.h"
#include "entry/net/shard.h"
#include "entry/rpc/logic_client.h"
#include "entry/rpc/router_client.h"

namespace hy::entry {

/// The threads that connections live on, as a node needs them: one per shard.
class ShardThreads {
 public:
  virtual ~ShardThreads() = default;
  virtual Sockets& sockets(std::uint32_t shard) = 0;
  /// Any thread.
  virtual void post(std::uint32_t shard, Shard::Task task) = 0;
  /// The shard's thread: has Shard::soon() called once, Shard::kSoon from now.
  virtual void call_soon(std::uint32_t shard) = 0;
};

/// A whole entry but for its threads, listeners, admin port and files: shards with the connections,
/// and one loop with the streams and the hub. The daemon and the simulator both run this. Members
/// stand in start order; destruction is the reverse.
class Node {
 public:
  /// All references outlive the node. config.hub.incarnation and config.shard.incarnation are the
  /// start's wall time.
  Node(const config::Start& start, Config config, const Clock& clock, Random& random,
       obs::Registry& registry, ShardThreads& threads);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Dials logics and routers; `name_taken`, on the loop: a second process has this entry's name.
  void open(std::function<void()> name_taken);
  /// A client connected. kOk: its socket belongs to a shard now; otherwise it is still the
  /// caller's. Any one thread.
  Errc adopt(int socket, const IpAddress& address);
  /// Loop thread: the last thing said before close().
  void goodbye(Errc code, const std::string& detail);
  /// Ends all streams; the loop must be running. Not from the loop's thread.
  void close();
  /// Takes over the live limits. Any thread.
  void reload(const Config& config);
  void on_all_shards(const std::function<void(Shard&)>& run);

  [[nodiscard]] rpc::Loop& loop() { return loop_; }
  [[nodiscard]] Gatekeeper& gatekeeper() { return gatekeeper_; }
  [[nodiscard]] Metrics& metrics() { return metrics_; }
  [[nodiscard]] Hub& hub() { return hub_; }  ///< loop thread
  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(shards_.size()); }
  [[nodiscard]] Shard& shard(std::uint32_t index) { return *shards_[index]; }
  /// Who is missing for /readyz. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;
  [[nodiscard]] std::vector<std::string> peers() const;
  /// Loop thread.
  [[nodiscard]] std::string inflight_json();
  /// Loop thread. {"total":n,"rows":[[uid,slot,entry,auth_epoch,conn_counter],…]}, 10 000 at most.
  [[nodiscard]] std::string placements_json();

 private:
  void take_up(std::uint32_t shard);
  void end_turn();
  void publish();

  const config::Start& start_;
  ShardThreads& threads_;
  const Clock& clock_;
  Metrics metrics_;
  Gatekeeper gatekeeper_;
  rpc::Loop loop_;
  LogicClient logics_;
  RouterClient routers_;
  Hub hub_;
  std::vector<std::unique_ptr<Shard>> shards_;
  UpBatch up_;
  std::size_t next_shard_ = 0;
};

}  // namespace hy::entry
