#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "common/flat/small_vector.h"
#include "logic/ports/types.h"

namespace hy::logic {

struct Target {
  Uid uid{};
  std::uint32_t slots = 0;  ///< bit mask 1 << slot; 0 = all
};
/// A pair has two.
using Targets = SmallVector<Target, 2>;
/// One notification for the devices of a few people.
struct Delivery {
  std::uint32_t type = 0;  ///< inner type of the notification
  Bytes body{};            ///< client message, ready to send
  ConversationId conversation{};
  Seq seq{};
  Uid sender{};
  std::optional<ClientMsgId> client_msg_id{};
  Targets targets{};
  /// Many people at once, on all slots unless `targets` names them too: one list for all messages
  /// of a group as long as nobody comes or goes. Results are counted then (DeliverResults).
  std::shared_ptr<const std::vector<Uid>> everyone{};
  bool no_receipt = false;  ///< PUSH_ACK ends at the entry
  bool numbered = false;    ///< takes a push number and waits for PUSH_ACK
  bool until_ack = false;   ///< a second result `acked` is wanted
  MonoTime deadline{};
  TraceId trace{};
};

/// Numbers of hy.router.v1.DeliverResult.
enum class DeliverResult : std::uint8_t {
  kNone = 0,
  kWritten = 1,
  kQueued = 2,
  kGone = 3,
  kUnknown = 4,
  kAcked = 5,
};
/// Of a delivery to everyone only kUnknown names a person. The rest has uid 0 and a count; kNone
/// with it says how many results there will be, those beside it included.
struct TargetResult {
  Uid uid{};
  std::uint32_t slot = 0;  ///< 0: the whole target
  DeliverResult result = DeliverResult::kNone;
  std::uint64_t count = 1;
};

struct KickOrder {
  Uid uid{};
  Slot slot = Slot::kNone;  ///< kNone: all slots
  std::uint32_t below_auth_epoch = 0;
  std::uint32_t below_conn_counter = 0;
  Errc code = Errc::kKicked;
  std::string reason{};
};

/// The router replicas of this group, numbered 0 .. replicas()-1. Fire and forget: results come to
/// the deliverer. Thread: loop.
class RouterPort {
 public:
  virtual ~RouterPort() = default;
  [[nodiscard]] virtual std::size_t replicas() const = 0;
  /// A stream is open and has room.
  [[nodiscard]] virtual bool is_up(std::size_t replica) const = 0;
  /// Up, and the replica said READY: its "gone" counts.
  [[nodiscard]] virtual bool is_ready(std::size_t replica) const = 0;
  /// Precondition: is_up(replica). id 0: no result wanted. `targets`, and `everyone` of the
  /// delivery if with_everyone, are who is meant.
  virtual void deliver(std::size_t replica, std::uint64_t id, const Delivery& delivery,
                       std::span<const Target> targets, bool with_everyone, Millis remaining) = 0;
  /// To every replica that is up; idempotent, fenced by the epoch.
  virtual void kick(const KickOrder& order) = 0;
};

}  // namespace hy::logic
