#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/core/codec.h"
#include "client/core/reconnect.h"
#include "client/core/turn.h"
#include "common/base/random.h"
#include "common/wire/frame_decoder.h"
#include "common/wire/inner.h"
#include "common/wire/noise_session.h"

namespace hy::client {

struct LinkSettings {
  std::vector<std::string> entries;
  Bytes server_key;  ///< 32 bytes, pinned
  std::uint8_t suite = 1;
  Slot slot = Slot::kDesktop;
  std::string device_name;
  Millis connect_within{5'000};
  Millis handshake_within{5'000};
  Millis login_within{10'000};
  Millis race_gap{250};
  std::uint32_t race_max = 3;
  Millis heartbeat_default{60'000};  ///< when the login gives none
  Millis heartbeat_min{500};
  Millis heartbeat_max = std::chrono::minutes(10);
  Millis probe_within{
      5'000};  ///< a PING sent on suspicion brings a byte within this, or the link is dead
  ReconnectSettings reconnect;
};

/// Who the person is, for LOGIN.
struct Identity {
  std::string name;
  Uid uid{};
  Secret password;
  Secret token;
};

/// What the link tells the device that owns it.
class LinkUser {
 public:
  virtual ~LinkUser() = default;
  /// LOGIN was accepted. An error stops the link for good with that code.
  virtual Status on_login(Turn& turn, MonoTime now, const LoginAnswered& answer) = 0;
  /// One frame after login. kOk, or the code to close with. `inner` lives for the call.
  virtual Errc on_frame(Turn& turn, MonoTime now, const wire::Inner& inner) = 0;
  /// The session is over: nothing that was asked on it will be answered.
  virtual void on_down(Turn& turn, MonoTime now) = 0;
};

/// One device's way to the cluster: find, race, handshake, login, heartbeat, move, back off.
///
/// Guaranteed: from every state a next step has a time (wake_at) or waits for a socket event that
/// has a deadline; the codes that say "do not reconnect" end in kStopped; conn_counter is among the
/// turn's writes before each Connect of the same turn.
class LinkFsm {
 public:
  LinkFsm(LinkSettings settings, LinkUser& user, DeviceRecord& device, Random& random);

  /// Logs in, or again with another identity. Connects at once.
  void start(Turn& turn, MonoTime now, Identity identity);
  /// LOGOUT when logged in, then idle.
  void stop(Turn& turn, MonoTime now, const std::string& why, bool say_logout);
  /// The person or the app wants a new connection now.
  void drop(Turn& turn, MonoTime now, const std::string& why);

  void connected(Turn& turn, MonoTime now, AttemptId attempt);
  void connect_failed(Turn& turn, MonoTime now, AttemptId attempt, const std::string& why);
  void closed(Turn& turn, MonoTime now, AttemptId attempt, const std::string& why);
  /// Bytes of the socket; decrypted in place.
  void received(Turn& turn, MonoTime now, AttemptId attempt, std::span<std::uint8_t> bytes);
  void tick(Turn& turn, MonoTime now);
  [[nodiscard]] MonoTime wake_at() const;

  /// Seals one frame into the turn's next SendBytes. Only while is_open().
  void send(MonoTime now, std::uint16_t type, std::uint32_t request_id, ByteView body);
  /// Sealed, and not flushed yet: one more frame costs no write of its own.
  [[nodiscard]] bool has_unsent() const { return !out_.empty(); }
  /// Moves what was sealed into the turn. Call once at the end of a turn.
  void flush(Turn& turn);
  /// Suspicion that nobody is there any more: a PING, and a deadline for any byte.
  void probe(MonoTime now);
  /// The outbox or a PONG moved: the peer does more than keep the socket.
  void progressed(MonoTime now) { progress_at_ = now; }
  /// The device has synced: kSyncing becomes kOnline.
  void synced(Turn& turn);
  void goaway(Turn& turn, MonoTime now, const GoAwayRow& row);
  /// KICKED or a refusal that speaks of the connection: by the code's retry rule.
  void ended_by_server(Turn& turn, MonoTime now, const Error& error);

  [[nodiscard]] bool is_open() const { return live_ != nullptr && live_->phase == Phase::kOpen; }
  [[nodiscard]] LinkState state() const { return state_; }
  [[nodiscard]] std::string entry() const { return is_open() ? live_->address : std::string{}; }
  [[nodiscard]] Millis heartbeat() const { return heartbeat_; }

 private:
  enum class Phase : std::uint8_t { kHandshake, kLogin, kOpen };
  struct Racer {
    AttemptId attempt;
    std::string address;
  };
  struct Live {
    AttemptId attempt;
    std::string address;
    Phase phase = Phase::kHandshake;
    MonoTime deadline = kNever;  ///< of handshake and login
    std::unique_ptr<wire::NkInitiator> handshake;
    wire::Transport transport;
    wire::FrameDecoder decoder;
    Bytes scratch;
    MonoTime heard{};
    MonoTime ping_at = kNever;
    MonoTime pinged = kNever;  ///< the oldest PING without a PONG
    MonoTime probe_deadline = kNever;
    std::uint32_t login_id = 0;
    bool has_retried_counter = false;
    bool used_token = false;
  };

  void set_state(Turn& turn, LinkState state, const std::string& why);
  void find(Turn& turn, MonoTime now);
  void race_next(Turn& turn, MonoTime now);
  void close_all(Turn& turn);
  void begin_handshake(Turn& turn, MonoTime now);
  Status read_frame(Turn& turn, MonoTime now, const wire::Frame& frame);
  Status read_handshake(MonoTime now, const wire::Frame& frame);
  Status read_inner(Turn& turn, MonoTime now, const wire::Frame& frame);
  void send_login(MonoTime now);
  Status login_answered(Turn& turn, MonoTime now, const wire::Inner& inner);
  Status login_refused(Turn& turn, MonoTime now, const wire::Inner& inner);
  void opened(Turn& turn, MonoTime now, const LoginAnswered& answer);
  void tick_open(Turn& turn, MonoTime now);
  void raise_counter(Turn& turn, std::uint32_t counter);
  /// Ends the live connection or the race and waits for the next try.
  void lost(Turn& turn, MonoTime now, const Error& why);
  void stop_for_good(Turn& turn, const Error& why);
  void end_first_login(Turn& turn, const Status& status);
  [[nodiscard]] bool has_identity() const;

  LinkSettings settings_;
  LinkUser& user_;
  DeviceRecord& device_;
  Random& random_;
  Reconnect reconnect_;
  Identity identity_;
  LinkState state_ = LinkState::kIdle;
  bool has_session_token_ = false;  ///< device_.token is of this process's password login
  bool token_failed_ = false;
  bool first_login_pending_ = false;
  AttemptId last_attempt_{};
  std::vector<std::string> race_left_;  ///< addresses not yet tried, best last
  std::vector<Racer> racers_;
  MonoTime race_next_at_ = kNever;
  MonoTime race_deadline_ = kNever;
  std::size_t race_size_ = 0;
  std::unique_ptr<Live> live_;
  MonoTime next_try_ = kNever;
  MonoTime move_at_ = kNever;
  std::vector<std::string> prefer_;
  std::string avoid_;
  Millis heartbeat_{60'000};
  Millis storm_window_{0};
  MonoTime progress_at_{};
  std::uint32_t next_login_id_ = 1;
  AttemptId out_attempt_{};
  Bytes out_;
};

}  // namespace hy::client
