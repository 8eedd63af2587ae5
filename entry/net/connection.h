#pragma once

#include <cstdint>
#include <memory>

#include "common/base/bytes.h"
#include "common/wire/frame_decoder.h"
#include "common/wire/noise_session.h"
#include "entry/ports/traffic.h"
#include "entry/session/conn_fsm.h"
#include "entry/session/ip_address.h"
#include "entry/session/outbound_queue.h"
#include "entry/session/push_window.h"
#include "entry/session/rate_meter.h"

namespace hy::crypto {
class X25519KeyPair;
}

namespace hy::entry {

/// What a connection owns only while something is under way: an unfinished frame, a handshake,
/// frames that wait, pushes that wait for their acknowledgement. Pooled per I/O thread.
struct Activity {
  wire::FrameDecoder decoder{};
  std::uint32_t frame_since_ms = 0;                   ///< when the unfinished frame began
  Bytes prologue{};                                   ///< HELLO, until the handshake is over
  const wire::ChannelSuite* suite = nullptr;          ///< named by HELLO
  const crypto::X25519KeyPair* server_key = nullptr;  ///< named by HELLO
  Bytes handshake{};                                  ///< HANDSHAKE_1, until its turn comes
  OutboundQueue queue{};
  std::unique_ptr<PushWindow> window{};
  Bytes unsent{};  ///< sealed, and not taken by the socket
  std::size_t unsent_at = 0;
  Bytes unread{};  ///< read, and held back because too much is in flight

  [[nodiscard]] bool is_over() const {
    return decoder.tail_bytes() == 0 && suite == nullptr && queue.empty() && !queue.is_hinting() &&
           !window && unsent.empty() && unread.empty();
  }
};

/// What waits for company in a connection's queue: nothing, the `ok` of a PUSH_ACK, a RECEIPT.
enum class Patience : std::uint8_t { kNone, kOk, kReceipt };

/// One client connection: all that an idle one costs.
struct Connection {
  std::uint32_t generation = 0;
  std::uint32_t index = 0;
  int fd = -1;
  ConnFsm fsm{};
  bool used = false;
  bool dirty : 1 = false;          ///< in the list of connections to flush at the end of the turn
  bool blocked : 1 = false;        ///< the socket took less than was offered
  bool closing : 1 = false;        ///< closes when the queue is out
  bool told_to_go : 1 = false;     ///< GOAWAY was sent
  bool reading : 1 = true;         ///< readiness to read is asked for
  bool seen_login : 1 = false;     ///< the hub has heard of this connection
  bool active_listed : 1 = false;  ///< in the list of activities to look at
  Patience patience = Patience::kNone;  ///< in which line of connections to flush later
  std::uint16_t patient_since = 0;      ///< when what waits for company came: low bits of its ms
  wire::Transport transport{};
  Session session{};
  IpAddress address{};
  std::uint32_t accepted_ms = 0;
  std::uint32_t heard_ms = 0;
  std::uint32_t heartbeat_ms = 0;
  std::uint32_t since_ms = 0;  ///< blocked or closing since
  std::uint32_t due_ms = 0;    ///< when its timer fires
  PushNumber next_push{1};
  RoundTrip round_trip{};
  RateMeter frames{};
  Errc close_why = Errc::kOk;
  std::uint16_t in_flight = 0;
  std::unique_ptr<Activity> activity{};

  void reset() {
    const std::uint32_t kept_generation = generation;
    const std::uint32_t kept_index = index;
    *this = Connection{};
    generation = kept_generation;
    index = kept_index;
  }
};
static_assert(sizeof(Connection) <= 240, "user-space cost of an idle connection");

}  // namespace hy::entry
