#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/crypto/x25519.h"
#include "common/net/timer_wheel.h"
#include "common/obs/log.h"
#include "common/wire/inner.h"
#include "common/wire/key_notice.h"
#include "entry/metrics.h"
#include "entry/net/connection.h"
#include "entry/net/gatekeeper.h"
#include "entry/net/handoff.h"
#include "entry/net/sockets.h"
#include "entry/session/confirm_gatherer.h"
#include "entry/session/conn_table.h"
#include "entry/session/patient_line.h"

namespace hy::entry {

struct ServerKey {
  wire::KeyId id{};
  crypto::X25519KeyPair pair;
};

struct ShardOptions {
  std::uint32_t shard = 0;
  std::uint32_t connections_max = 200'000;
  std::uint64_t incarnation = 1;  ///< for trace ids
  ConnTimes times;
  WindowLimits window;
  QueueLimits queue;
  Rate frames{.per_second = 30, .burst = 60};
  std::uint16_t in_flight_max = 64;
  std::size_t waiting_commands_max = 20'000;    ///< between this thread and the hub
  std::size_t waiting_deliveries_max = 65'536;  ///< between the hub and this thread, connections
  Millis command_within{5'000};
  Millis until_ack_within{3'000};
  Millis blocked_max{30'000};
  Millis closing_max{2'000};
  Millis age_max{24 * 3'600'000};
  Millis age_spread{2 * 3'600'000};
  bool padding = true;
  std::uint32_t handshakes_per_turn = 8;
  std::uint32_t handshakes_waiting_max = 1'000;  ///< one more is closed unheard
  std::vector<ServerKey> keys;
  std::optional<wire::KeyNoticeBytes> notice;
};

/// A frame that has begun arrives within this, or at 1 KiB/s from then on
inline constexpr Millis kFrameGrace{5'000};
inline constexpr std::uint32_t kFrameBytesPerSecondMin = 1'024;

/// One I/O thread's connections. They live and die on that thread; everything is done in turns:
/// what is ready is read, decided and queued; at the end of the turn each connection with something
/// to send gets one gathered send, and what goes to the hub goes in one batch. It waits for
/// nothing: whoever owns the thread calls turn() and tick() (shard_thread.h).
class Shard {
 public:
  /// Wakes the hub's thread: what it takes is in up().
  using WakeHub = std::function<void()>;
  using Task = std::move_only_function<void()>;
  /// Runs a task on this shard's thread. Any thread.
  using Post = std::function<void(Task)>;
  /// Has soon() called on this shard's thread, once, kSoon from now.
  using CallSoon = std::function<void()>;
  /// How often tick() is due.
  static constexpr Millis kTick{100};
  /// How often soon() comes while something waits: confirmations are gathered for so long, and the
  /// lines of patient frames are looked at.
  static constexpr Millis kSoon{10};
  /// A frame that nobody waits for rides with the next one of its connection. On a quiet shard it
  /// leaves after kSoon all the same; on a busy one, where each send that is saved counts, a
  /// RECEIPT (a person sees it) after kReceiptPatience and the `ok` of a PUSH_ACK after
  /// kOkPatience.
  static constexpr Millis kReceiptPatience{50};
  static constexpr Millis kOkPatience{1'000};
  /// What a refusal for load says: come again after this.
  static constexpr Millis kOverloadedRetry{500};

  Shard(Sockets& sockets, Post post, const Clock& clock, Random& random, Gatekeeper& gatekeeper,
        Metrics& metrics, ShardOptions options, WakeHub wake_hub, CallSoon call_soon);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Its thread: takes over an accepted socket that the gatekeeper let in.
  void adopt(int socket, const IpAddress& address);
  /// The hub's thread. When this thread is far behind, deliveries are dropped and counted: those of
  /// groups from half of waiting_deliveries_max on, so that pairs have the other half.
  void give(DownBatch& batch);
  [[nodiscard]] Handoff<UpBatch>& up() { return up_shared_; }
  /// The hub's thread, each turn. While they are, commands are refused here: cheaper than there.
  void logics_are_full(bool full) { logics_full_.store(full, std::memory_order_relaxed); }

  // Its thread.
  /// GOAWAY to `count` more connections; the first call starts over from the first slot.
  void tell_to_go(std::uint32_t count, Millis wait_max, Errc code);
  /// Closes everything after what is queued went out.
  void close_all(Errc why);
  /// Takes over what may change while clients are connected; number, size and keys stay.
  void set_limits(const ShardOptions& limits);
  /// Ends the sessions that the lists no longer admit.
  void enforce_lists();
  [[nodiscard]] std::uint32_t connections() const { return table_.open_count(); }
  /// Sockets are ready, or something came from the hub, or may have.
  void turn();
  /// Commands that were read since the last call.
  [[nodiscard]] std::size_t take_commands() { return std::exchange(commands_, 0); }
  /// Time has passed.
  void tick();
  /// kSoon has passed since it was asked for.
  void soon();

 private:
  // shard.cc: life
  void end_turn();
  void close(Connection& c, Errc why);
  void close_when_sent(Connection& c, Errc why);
  void send_goaway(Connection& c, Millis wait_max, Errc code);
  Activity& activity(Connection& c);
  void release_activities();
  void hand_up();
  void take_down();
  void drop_what_is_too_much(DownBatch& batch);
  [[nodiscard]] ConnId id_of(const Connection& c) const { return table_.id_of(c); }
  [[nodiscard]] std::uint64_t tag_of(const Connection& c) const { return id_of(c).value(); }
  [[nodiscard]] std::uint32_t now_ms() const;
  void set_interest(Connection& c, bool read, bool write);

  // shard_timers.cc
  void on_timer(Connection& c);
  void arm(Connection& c, Millis from_now);
  void arm_next(Connection& c);
  [[nodiscard]] Millis age_limit(const Connection& c) const;
  bool step_window(Connection& c);
  [[nodiscard]] bool sends_too_slowly(const Connection& c) const;

  // shard_read.cc
  void on_readable(Connection& c);
  /// False: the connection is gone.
  bool consume(Connection& c, std::span<std::uint8_t> input);
  bool on_frame(Connection& c, const wire::Frame& frame);
  bool on_hello(Connection& c, const wire::Frame& frame);
  bool on_data(Connection& c, const wire::Frame& frame);
  void on_command(Connection& c, const wire::Inner& inner, bool is_login);
  bool on_push_ack(Connection& c, PushNumber number);
  void confirm(const Connection& c);
  void refuse(Connection& c, const wire::Inner& inner, Errc code, Millis retry_after);
  void run_handshakes();
  void finish_handshake(Connection& c);
  [[nodiscard]] const ServerKey* find_key(const wire::KeyId& id) const;

  // shard_write.cc
  void on_writable(Connection& c);
  void mark_dirty(Connection& c);
  void mark_patient(Connection& c, Patience patience);
  [[nodiscard]] Patience patience_with_refusal(const Connection& c, Errc code) const;
  void release_patient();
  [[nodiscard]] bool is_busy() const;
  void ask_soon();
  void flush(Connection& c);
  bool send_bytes(Connection& c, std::span<const char> bytes);
  bool seal_queue(Connection& c);
  void recover_queue(Connection& c);
  void queue_frame(Connection& c, std::uint16_t type, std::uint16_t flags, std::uint32_t request_id,
                   Bytes body, bool may_compress = false, Patience patience = Patience::kNone);

  // shard_down.cc
  void on_down(DownBatch& batch);
  void on_opened(Opened& opened);
  void on_answer(Answer& answer);
  void on_delivery(const Delivery& delivery);
  void serve_crowd();
  std::size_t deliver_to_some(const Delivery& delivery, std::span<const ConnId> conns,
                              std::size_t& budget);
  DeliverOutcome deliver(Connection& c, const Delivery& delivery);
  void on_kick(const KickOrder& kick);
  void answered(Connection& c);

  Sockets& sockets_;
  Post post_;
  const Clock& clock_;
  Random& random_;
  Gatekeeper& gatekeeper_;
  Metrics& metrics_;
  ShardOptions options_;
  WakeHub wake_hub_;
  CallSoon call_soon_;

  ConnTable<Connection> table_;
  MonoTime start_;
  net::TimerWheel wheel_;
  MonoTime now_;
  std::uint64_t traces_ = 0;
  std::uint32_t told_up_to_ = 0;
  std::size_t hub_backlog_ = 0;  // commands that the hub had not taken when this turn began
  std::size_t commands_ = 0;     // read since take_commands()
  bool leaving_ = false;
  bool more_handshakes_posted_ = false;
  bool soon_asked_ = false;
  log::Throttle too_large_{Millis{1'000}};
  log::Throttle behind_{Millis{1'000}};

  std::vector<ConnId> dirty_;
  std::atomic<bool> logics_full_{false};
  std::vector<DeliveryResult> calm_results_;  // pushes that went well; soon() hands them up
  PatientLine receipts_{kReceiptPatience};
  PatientLine oks_{kOkPatience};
  ConfirmGatherer confirms_;
  std::vector<ConnId> busy_;  // own an Activity that may be over
  std::vector<ConnId> handshakes_;
  std::vector<crypto::X25519KeyPair> spare_pairs_;
  std::vector<std::unique_ptr<Activity>> pool_;
  std::vector<std::uint32_t> fired_;
  std::vector<PushWindow::Resend> resends_;
  PushWindow::Acked acked_;

  std::vector<std::uint8_t> read_buffer_;
  const Bytes overloaded_;  // body of a refusal for load, encoded once
  Bytes send_buffer_;
  Bytes inflated_;

  UpBatch up_;
  std::vector<Command> pings_;  // until the tick
  DownBatch down_;
  std::deque<Delivery> crowd_;  // brief ones that wait for their turn
  std::size_t crowd_at_ = 0;    // of the first one: connections served
  bool crowd_posted_ = false;
  std::atomic<std::size_t> crowd_waiting_{0};  // connections
  Handoff<UpBatch> up_shared_;
  Handoff<DownBatch> down_shared_;
};

}  // namespace hy::entry
