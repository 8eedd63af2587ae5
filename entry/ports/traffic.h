#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"

/// What passes between an entry's connections (I/O threads) and its hub (the rpc loop). Both
/// directions are vectors that are handed over once per turn; order within a vector is kept.
namespace hy::entry {

/// Inner types that an entry acts on. Numbers of proto/hy/client/v1/command.proto.
namespace inner_type {
inline constexpr std::uint16_t kLogin = 0x0001;
inline constexpr std::uint16_t kLogout = 0x0002;
inline constexpr std::uint16_t kPing = 0x0003;
inline constexpr std::uint16_t kPushAck = 0x0102;
inline constexpr std::uint16_t kPush = 0x4001;
inline constexpr std::uint16_t kReceipt = 0x4002;
inline constexpr std::uint16_t kKicked = 0x4003;
inline constexpr std::uint16_t kSyncHint = 0x4004;
inline constexpr std::uint16_t kGoAway = 0x4005;
inline constexpr std::uint16_t kAnswerBit = 0x8000;
inline constexpr std::uint16_t kNotificationBit = 0x4000;
}  // namespace inner_type

/// An authenticated (uid, slot) on a connection, as logic made it at login. `grant` proves it to
/// any logic; the entry cannot make one.
struct Session {
  Uid uid;
  Slot slot = Slot::kNone;
  Epoch epoch;
  std::int64_t grant_expires_s = 0;
  std::array<std::uint8_t, 16> grant{};
};

// ---- up: connections -> hub ----

/// One client command, body unparsed.
struct Command {
  ConnId conn;
  std::optional<Session> session;  ///< absent before login
  std::uint16_t type = 0;
  std::uint32_t request_id = 0;
  Bytes body;
  MonoTime deadline;
  TraceId trace;
  bool dyed = false;
  bool is_second_try = false;  ///< a logic that did not answer may have done it
  std::string peer_ip;         ///< LOGIN only
};

/// A device confirmed one push.
struct Confirm {
  ConnId conn;
  Uid uid;
  Slot slot = Slot::kNone;
  ConversationId conversation;
  Seq seq;  ///< 0: provisional, client_msg_id says which
  Uid sender;
  ClientMsgId client_msg_id;
  TraceId trace;
};

/// A connection ended. Sent for every connection that sent a LOGIN.
struct Closed {
  ConnId conn;
  std::optional<Session> session;  ///< only after login
  Errc why = Errc::kOk;            ///< kOk: the client left
};

/// Where the result of a delivery goes back to: one stream's life of one router replica.
struct DeliveryRef {
  std::uint32_t replica = 0;
  std::uint32_t stream = 0;
  std::uint64_t id = 0;  ///< 0: no result wanted
};

/// Values of hy.router.v1.DeliverResult.
enum class DeliverOutcome : std::uint8_t { kWritten = 1, kQueued = 2, kGone = 3, kAcked = 5 };

struct DeliveryResult {
  DeliveryRef ref;
  ConnId conn;  ///< 0: `count` connections of a brief delivery
  DeliverOutcome outcome = DeliverOutcome::kGone;
  std::uint32_t count = 1;
};

struct UpBatch {
  std::vector<Command> commands;
  std::vector<Confirm> confirms;
  std::vector<Closed> closed;
  std::vector<DeliveryResult> results;
  [[nodiscard]] bool empty() const {
    return commands.empty() && confirms.empty() && closed.empty() && results.empty();
  }
  void clear() {
    commands.clear();
    confirms.clear();
    closed.clear();
    results.clear();
  }
};

// ---- down: hub -> connections of one I/O thread ----

/// The answer to one command, ready to send.
struct Answer {
  ConnId conn;
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t request_id = 0;
  Bytes body;
  Errc refused = Errc::kOk;  ///< for metrics
  bool by_entry = false;     ///< refused by this entry, not by logic
  bool close = false;        ///< close after sending
  Errc close_why = Errc::kOk;
  bool no_compress = false;
  std::optional<Session> renewed;  ///< with a fresh grant
};

/// A login that is registered: the connection is open from now on.
struct Opened {
  Session session;
  Millis heartbeat{0};
  Answer answer;
};

/// One notification for one or many connections; the body is shared by all of them.
struct PushPayload {
  std::uint16_t type = 0;
  Bytes body;
  ConversationId conversation;
  Seq seq;
  Uid sender;
  ClientMsgId client_msg_id;  ///< provisional pushes
  TraceId trace;
  bool no_receipt = false;  ///< its confirmation ends here
};

struct Delivery {
  DeliveryRef ref;
  std::shared_ptr<const PushPayload> payload;
  std::vector<ConnId> conns;
  bool numbered = false;
  bool until_ack = false;
  bool ephemeral = false;
  bool brief = false;  ///< results are counted, but for who is gone
  MonoTime deadline;
};

/// Ends a session if its epoch is below the given one.
struct KickOrder {
  ConnId conn;
  Epoch below;
  Errc code = Errc::kKicked;
  std::string reason;
};

/// What the hub wants done, in the order in which it decided. Deliveries come after answers, so a
/// connection is open before its first push is judged.
struct DownBatch {
  std::vector<Opened> opened;
  std::vector<Answer> answers;
  std::vector<Delivery> deliveries;
  std::size_t deliveries_to = 0;  ///< connections that they are for, all together
  std::vector<KickOrder> kicks;
  void add(Delivery delivery) {
    deliveries_to += delivery.conns.size();
    deliveries.push_back(std::move(delivery));
  }
  [[nodiscard]] bool empty() const {
    return opened.empty() && answers.empty() && deliveries.empty() && kicks.empty();
  }
  void clear() {
    opened.clear();
    answers.clear();
    deliveries.clear();
    deliveries_to = 0;
    kicks.clear();
  }
};

/// The I/O thread that owns a connection: the top six bits of its slot index.
inline constexpr std::uint32_t kShardBits = 6;
inline constexpr std::uint32_t kShardsMax = 1U << kShardBits;
inline constexpr std::uint32_t kSlotsPerShardMax = 1U << (32 - kShardBits);

[[nodiscard]] constexpr ConnId make_conn_id(std::uint32_t shard, std::uint32_t index,
                                            std::uint32_t generation) {
  const std::uint32_t high = (shard << (32 - kShardBits)) | index;
  return ConnId{(std::uint64_t{high} << 32) | generation};
}
[[nodiscard]] constexpr std::uint32_t conn_shard(ConnId conn) {
  return static_cast<std::uint32_t>(conn.value() >> (64 - kShardBits));
}
[[nodiscard]] constexpr std::uint32_t conn_index(ConnId conn) {
  return static_cast<std::uint32_t>(conn.value() >> 32) & (kSlotsPerShardMax - 1);
}
[[nodiscard]] constexpr std::uint32_t conn_generation(ConnId conn) {
  return static_cast<std::uint32_t>(conn.value());
}

}  // namespace hy::entry
