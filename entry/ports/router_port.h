#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/flow/placement_digest.h"
#include "entry/ports/traffic.h"

namespace hy::entry {

/// One row as it goes to a replica; dead = the tombstone of this epoch.
struct PlacementRow {
  Uid uid;
  Slot slot = Slot::kNone;
  Epoch epoch;
  ConnId conn;
  bool dead = false;
};

struct LinkHello {
  Incarnation incarnation;
  std::uint64_t digest_key = 0;
  std::uint64_t first_op_held = 0;  ///< the oldest op that can still be sent again
};

struct LinkHeartbeat {
  Incarnation incarnation;
  std::uint64_t last_op = 0;
  std::uint64_t rows = 0;
  std::uint64_t digest_root = 0;
  bool draining = false;
};

/// The entry's streams to the router replicas of its group, by their position in the topology. All
/// calls on the loop thread and only while the stream is up; what they queue goes out in call order
/// in this turn.
class RouterPort {
 public:
  virtual ~RouterPort() = default;
  /// False: the queue is full; ops and snapshot parts wait, heartbeats and results still pass.
  [[nodiscard]] virtual bool has_room(std::uint32_t replica) const = 0;
  virtual void hello(std::uint32_t replica, const LinkHello& hello) = 0;
  virtual void ops(std::uint32_t replica, std::uint64_t after, std::uint64_t last,
                   std::span<const PlacementRow> rows) = 0;
  virtual void snapshot(std::uint32_t replica, std::span<const PlacementRow> rows, bool end,
                        std::uint64_t last_op) = 0;
  virtual void bucket_rows(std::uint32_t replica, std::uint32_t bucket,
                           std::span<const PlacementRow> rows) = 0;
  virtual void bucket_digests(
      std::uint32_t replica, std::uint64_t last_op,
      const std::array<flow::DigestBucket, flow::kDigestBuckets>& buckets) = 0;
  virtual void heartbeat(std::uint32_t replica, const LinkHeartbeat& heartbeat) = 0;
  virtual void result(std::uint32_t replica, const DeliveryResult& result) = 0;
  /// Drops the stream and dials anew; Hub::on_router_down follows.
  virtual void redial(std::uint32_t replica, const std::string& why) = 0;
};

}  // namespace hy::entry
