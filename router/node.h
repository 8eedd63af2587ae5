#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

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

/// A whole router replica but for its thread, its admin port and its files: streams and cores on
/// one loop. The daemon and the simulator both run this. Members stand in start order; destruction
/// is the reverse.
class Node {
 public:
  /// `start` and `registry` outlive the node. `boot`: never the same in two lives; a changed one
  /// makes entries dump. `now`: of the clock that the loop follows.
  Node(const config::Start& start, Config config, obs::Registry& registry, std::uint64_t boot,
       MonoTime now);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Opens the door. Errors: kPortInUse, kUnsafeStart.
  Status open();
  /// Loop thread. Tells peers to go elsewhere.
  void goodbye();
  /// Ends all streams; the loop must be running. Not from the loop's thread.
  void shut() { server_.shutdown(); }

  [[nodiscard]] rpc::Loop& loop() { return loop_; }
  [[nodiscard]] int port() const { return server_.ports().empty() ? 0 : server_.ports().front(); }
  /// Names of those for whom this replica waits; empty = READY. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;
  /// Loop thread. {"ready":true,"total":n,"rows":[[uid,slot,entry,auth_epoch,conn_counter],…]}:
  /// live rows of entries that are not dead, 10 000 at most.
  [[nodiscard]] std::string placements_json() const;
  /// Loop thread.
  [[nodiscard]] const PlacementTable& table() const { return table_; }

 private:
  void tick();
  void on_ready_changed(bool ready);
  void remember_missing();

  const Config config_;
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
  mutable std::mutex missing_mutex_;
  std::vector<std::string> missing_;
  int ticks_ = 0;
};

}  // namespace hy::router
