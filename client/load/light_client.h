#pragma once

#include <netinet/in.h>

#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "client/core/ack_patience.h"
#include "client/load/loop.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/result.h"
#include "common/crypto/keys.h"
#include "common/wire/frame_decoder.h"
#include "common/wire/inner.h"
#include "common/wire/noise_session.h"

namespace hy::load {

/// Whose fault the end of a connection was.
enum class Blame : std::uint8_t {
  kNobody,   ///< closed by the caller
  kMine,     ///< the generator ran out of descriptors, ports or memory
  kKernel,   ///< refused, reset or timed out by a kernel
  kRefused,  ///< the server said no, with a code
  kServer,   ///< the server closed without a word
  kBroken,   ///< what came is not the protocol
};
inline constexpr int kBlames = 6;
std::string_view blame_name(Blame blame);

/// A message as it came by PUSH or PULL. The views die with the call.
struct PushView {
  ConversationId conversation{};
  std::uint64_t seq = 0;
  Uid sender{};
  std::string_view id;  ///< client_msg_id, 16 bytes
  std::string_view body;
  std::uint32_t kind = 0;
  bool is_provisional = false;
};

/// Answer to SEND.
struct SendReply {
  enum class Kind : std::uint8_t { kStored, kRelayed, kRefused };
  Kind kind = Kind::kRefused;
  std::uint64_t seq = 0;
  Errc code = Errc::kOk;  ///< kRefused
  Millis retry_after{0};  ///< kRefused: when to come again; 0: the server did not say
  bool is_repeat = false;
};

class LightClient;

/// Who hears what the clients of a swarm see. One thread.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_open(LightClient& c) = 0;
  /// `number`: as given to send().
  virtual void on_reply(LightClient& c, std::uint32_t number, const SendReply& reply) = 0;
  /// By PUSH, with its push number. It is acknowledged when the turn ends, or as much later as the
  /// entry allows.
  virtual void on_push(LightClient& c, std::uint32_t push_number, const PushView& push) = 0;
  /// PUSH_ACK(number) goes out now.
  virtual void on_ack(LightClient& c, std::uint32_t push_number) = 0;
  virtual void on_receipt(LightClient& c, ConversationId conversation, std::uint64_t up_to,
                          Uid by) = 0;
  /// The server did not push everything: SYNC or PULL brings it.
  virtual void on_hint(LightClient& c) = 0;
  /// A slice of a conversation's log, ascending; `more`: ask again behind its last row.
  virtual void on_slice(LightClient& c, ConversationId conversation, std::span<const PushView> rows,
                        std::uint64_t head, bool more) = 0;
  /// The list of conversations with their heads is complete for this page.
  virtual void on_heads(LightClient& c,
                        std::span<const std::pair<ConversationId, std::uint64_t>> heads,
                        bool more) = 0;
  /// SYNC was refused: nothing is known of what there is.
  virtual void on_sync_refused(LightClient& c, Millis retry_after) = 0;
  /// The answer to ask(). kOk, or why it was refused. The view dies with the call.
  virtual void on_answer(LightClient& /*c*/, std::uint16_t /*type*/, Errc /*refused*/,
                         ByteView /*body*/) {}
  /// The connection is over; the client may connect() again from within.
  virtual void on_closed(LightClient& c, Blame blame, Errc code) = 0;
};

/// What the clients of one swarm share. One thread.
struct SwarmShared {
  Loop& loop;
  Random& random;
  Listener& listener;
  crypto::Bytes32 server_key{};
  std::uint8_t suite = 1;
  Slot slot = Slot::kDesktop;
  std::string device_prefix = "load-";  ///< device id = prefix + uid
  bool sync_at_login = true;
  /// Before the first login of each client. An installation never goes back: who uses accounts of
  /// an earlier run again begins above its counters.
  std::uint32_t conn_counter = 0;
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(256 * 1'024);  ///< all reads
  Bytes scratch{};  ///< decompressed bodies
  Bytes body{};     ///< the request being built
  /// The last refusal: under overload tens of thousands a second say the same.
  Bytes refused_body{};
  Error refused{};
};

/// One client of a load test: the real protocol over a real socket with the least that a client can
/// be: its messages live in the caller. Edge-triggered: one read per readiness, one write per turn.
class LightClient final : public Loop::Source {
 public:
  LightClient(SwarmShared& shared, Uid uid, Bytes token)
      : shared_(shared), uid_(uid), token_(std::move(token)), conn_counter_(shared.conn_counter) {}
  ~LightClient() override;

  /// Dials from the address `from` (0.0.0.0: any). Ends in on_open or on_closed.
  void connect(const sockaddr_in& to, in_addr from);
  /// SEND. number: 1 … 0x7FFFFFFF, unique per connection. id: 16 bytes. Requires is_open().
  void send(std::uint32_t number, Uid to, std::string_view id, std::string_view body);
  /// The same to a chat group.
  void send(std::uint32_t number, Gid to, std::string_view id, std::string_view body);
  static constexpr std::uint16_t kGroupCreate = 0x0401;  ///< for ask(); command.proto
  /// Any other request; one at a time.
  void ask(std::uint16_t type, std::string_view body);
  void ping();
  void pull(ConversationId conversation, std::uint64_t from, std::uint64_t to);
  void sync(std::string_view page_after);
  /// on_closed is not called.
  void close();

  [[nodiscard]] Uid uid() const { return uid_; }
  [[nodiscard]] bool is_open() const { return state_ == State::kOpen; }
  [[nodiscard]] bool is_closed() const { return state_ == State::kClosed; }
  [[nodiscard]] std::uint32_t heartbeat_ms() const { return heartbeat_ms_; }
  [[nodiscard]] std::uint32_t storm_window_ms() const { return storm_window_ms_; }
  /// Of the last login; rises by one with each.
  [[nodiscard]] std::uint32_t conn_counter() const { return conn_counter_; }
  /// Bytes that the socket did not take yet: the server, not the generator, is behind.
  [[nodiscard]] std::size_t unwritten() const { return out_.size(); }
  std::uint32_t index = 0;  ///< the swarm's own

  void on_events(std::uint32_t events) override;
  void on_turn_end() override;

 private:
  enum class State : std::uint8_t { kClosed, kConnecting, kHandshake, kLogin, kOpen };

  void start_handshake();
  void read_all(bool to_end);
  /// False: what came is not the protocol.
  bool take(std::span<std::uint8_t> input);
  bool on_frame(const wire::Frame& frame);
  bool on_inner(const wire::Inner& inner);
  bool on_login_answer(const wire::Inner& inner);
  bool on_send_answer(const wire::Inner& inner);
  bool on_push_frame(const wire::Inner& inner);
  bool on_receipts(const wire::Inner& inner);
  bool on_pull_answer(const wire::Inner& inner);
  bool on_sync_answer(const wire::Inner& inner);
  bool on_asked_answer(const wire::Inner& inner);
  /// `field`: of SendRequest, where the receiver stands.
  void send(std::uint32_t number, std::uint32_t field, std::uint64_t to, std::string_view id,
            std::string_view body);
  void login();
  void request(std::uint16_t type, std::uint32_t request_id, std::string_view body);
  void fail(Blame blame, Errc code = Errc::kOk);

  SwarmShared& shared_;
  Uid uid_;
  Bytes token_;
  std::unique_ptr<wire::NkInitiator> handshake_;
  wire::FrameDecoder decoder_;
  wire::Transport transport_;
  Bytes out_;
  int fd_ = -1;
  std::uint32_t life_ = 0;  ///< counts closes: a handler may close or dial anew
  std::uint32_t conn_counter_;
  client::AckPatience ack_patience_;
  std::uint32_t unacked_push_ = 0;  ///< highest push number to confirm
  std::uint16_t asked_ = 0;         ///< type of the request of ask() that waits; 0: none
  std::uint32_t heartbeat_ms_ = 0;
  std::uint32_t storm_window_ms_ = 0;
  Errc refused_ = Errc::kOk;
  State state_ = State::kClosed;
};

}  // namespace hy::load
