#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/core/group_receipts.h"
#include "client/core/inbox.h"
#include "client/core/link_fsm.h"
#include "client/core/outbox.h"
#include "client/core/read_offers.h"
#include "client/core/receipt_watch.h"
#include "client/core/sync.h"
#include "client/core/turn.h"

namespace hy::client {

struct DeviceSettings {
  LinkSettings link;
  OutboxSettings outbox;
  InboxSettings inbox;
  SyncSettings sync;
  Millis answer_within{10'000};      ///< SYNC, PULL, READ: then asked again
  std::size_t given_up_max = 256;    ///< requests whose late answer would still be taken
  Millis up_to_date_within{10'000};  ///< kSyncing ends after this even with an open hole
};

/// Hears what a device and its server say to each other, in the clear: for tests and measurements.
/// Called inside the device's turn, before anything is on disk.
class DeviceTap {
 public:
  virtual ~DeviceTap() = default;
  virtual void asked(MonoTime now, std::uint16_t type, std::uint32_t request_id, ByteView body) = 0;
  /// A frame after login; PUSH carries its number as request_id.
  virtual void heard(MonoTime now, const wire::Inner& inner) = 0;
  virtual void logged_in(MonoTime now, const LoginAnswered& answer) = 0;
};

/// Sees every turn of a device too, as its driver carries it out.
class TurnObserver : public DeviceTap {
 public:
  /// The turn's writes are on disk; its bytes have not left yet.
  virtual void committed(MonoTime now, const Turn& turn, const std::vector<RowFate>& fates) = 0;
  /// Its bytes have left; the app hears of it next.
  virtual void told(MonoTime now, const Turn& turn, const std::vector<RowFate>& fates) = 0;
};

/// One device of one person, whole: link, outbox, inbox, sync. No I/O, no clock, no thread.
///
/// A driver makes a Turn, passes events to the methods, calls finish() once, then does what the
/// turn says, in the turn's order. `now` never goes back. After a failed transaction the driver
/// makes a new Device from the store. The app, the CLI, load testers and a simulator run this
/// class.
class Device final : private LinkUser {
 public:
  /// random: cryptographic outside of tests; it makes message ids and keys. It outlives the device.
  Device(DeviceSettings settings, Snapshot snapshot, Random& random, MonoTime now,
         std::int64_t wall_ms);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  void login(Turn& turn, MonoTime now, Identity identity);
  void logout(Turn& turn, MonoTime now);
  /// Closes without LOGOUT: the process ends, the session may be resumed.
  void close(Turn& turn, MonoTime now);
  void drop_connection(Turn& turn, MonoTime now);

  /// Into the outbox. Errors: kNotLoggedIn (never logged in: who sends?), kSelfSend, kBodyTooLarge,
  /// kStoreFull.
  Result<ClientMsgId> submit(Turn& turn, MonoTime now, std::int64_t wall_ms, Uid to,
                             std::uint32_t kind, Bytes body);
  /// To a group; whether this person is in it the server says. The same errors, but kSelfSend.
  Result<ClientMsgId> submit(Turn& turn, MonoTime now, std::int64_t wall_ms, Gid to,
                             std::uint32_t kind, Bytes body);
  Status retry(Turn& turn, MonoTime now, const ClientMsgId& id) {
    return outbox_.retry(turn, now, id);
  }
  Status drop(Turn& turn, const ClientMsgId& id) { return outbox_.drop(turn, id); }

  /// An idempotent request of the app; ends in Answered{token}. Waits for a connection, is asked
  /// again on the next one, and ends with kDeadlineExceeded after `within`.
  void request(MonoTime now, std::uint64_t token, std::uint16_t type, Bytes body, Millis within);
  /// Own read mark; sent until the server confirmed it.
  void mark_read(MonoTime now, ConversationId conversation, Seq seq);
  /// SYNC now; UpToDate comes when it is done and the holes are filled.
  void sync_now(MonoTime now);

  void connected(Turn& turn, MonoTime now, AttemptId attempt) {
    link_.connected(turn, now, attempt);
  }
  void connect_failed(Turn& turn, MonoTime now, AttemptId attempt, const std::string& why) {
    link_.connect_failed(turn, now, attempt, why);
  }
  void closed(Turn& turn, MonoTime now, AttemptId attempt, const std::string& why) {
    link_.closed(turn, now, attempt, why);
  }
  void received(Turn& turn, MonoTime now, AttemptId attempt, std::span<std::uint8_t> bytes) {
    link_.received(turn, now, attempt, bytes);
  }
  void tick(Turn& turn, MonoTime now);
  /// The end of a turn: what is due goes out, rows and marks become writes.
  void finish(Turn& turn, MonoTime now);
  [[nodiscard]] MonoTime wake_at() const;

  [[nodiscard]] const DeviceRecord& record() const { return device_; }
  [[nodiscard]] const LinkFsm& link() const { return link_; }
  [[nodiscard]] const Outbox& outbox() const { return outbox_; }
  [[nodiscard]] const Inbox& inbox() const { return inbox_; }
  [[nodiscard]] const GroupReceipts& group_receipts() const { return group_receipts_; }
  /// nullptr: nobody listens. It outlives the device.
  void set_tap(DeviceTap* tap) { tap_ = tap; }
  [[nodiscard]] bool is_up_to_date() const { return sync_.is_up_to_date() && !inbox_.has_holes(); }

 private:
  enum class For : std::uint8_t { kSend, kSync, kPull, kRead, kApp };
  struct Pending {
    For what = For::kApp;
    ClientMsgId id{};
    PullOrder pull{};
    ConversationId conversation{};
    std::uint64_t token = 0;
    bool is_given_up = false;  ///< not answered in time; a late answer is taken if it still fits
  };
  struct AppRequest {
    std::uint16_t type;
    Bytes body;
    MonoTime deadline;
  };

  Result<ClientMsgId> queue(Turn& turn, MonoTime now, std::int64_t wall_ms, OutboxRecord record);
  Status on_login(Turn& turn, MonoTime now, const LoginAnswered& answer) override;
  Errc on_frame(Turn& turn, MonoTime now, const wire::Inner& inner) override;
  void on_down(Turn& turn, MonoTime now) override;

  std::uint32_t ask(MonoTime now, std::uint16_t type, ByteView body, Pending pending);
  /// The answer to a request that was given up, and nothing that helps now.
  [[nodiscard]] bool is_too_late(const wire::Inner& inner) const;
  /// A SEND of this message waits for its answer.
  [[nodiscard]] bool is_asked(const ClientMsgId& id) const;
  Errc on_answer(Turn& turn, MonoTime now, const wire::Inner& inner);
  Errc answered(Turn& turn, MonoTime now, const Pending& pending, ByteView body);
  Errc answered_send(Turn& turn, MonoTime now, const ClientMsgId& id, ByteView body);
  Errc answered_sync(Turn& turn, MonoTime now, ByteView body);
  void refused(Turn& turn, MonoTime now, const Pending& pending, const wire::Inner& inner);
  void not_answered(Turn& turn, MonoTime now, const Pending& pending);
  void give_up(std::map<std::uint32_t, Pending>::iterator at);
  Errc on_push(Turn& turn, MonoTime now, const wire::Inner& inner);
  Errc on_receipts(Turn& turn, MonoTime now, ByteView body);
  /// An own message got its seq.
  void note_stored(Turn& turn, ConversationId conversation, Seq seq, const ClientMsgId& id);
  /// The id of the own message at exactly the row's seq, if it is known.
  ClientMsgId note_receipt(Turn& turn, const ReceiptRow& row);
  void place_rows(Turn& turn, MonoTime now);
  void send_due(Turn& turn, MonoTime now);
  void ask_due(Turn& turn, MonoTime now);
  void send_reads(MonoTime now);
  void expire_requests(Turn& turn, MonoTime now);
  void check_up_to_date(Turn& turn, MonoTime now);
  void send_ack(Turn& turn, MonoTime now);

  DeviceSettings settings_;
  Random& random_;
  DeviceRecord device_;
  LinkFsm link_;
  Outbox outbox_;
  Inbox inbox_;
  AckPatience ack_patience_;
  Sync sync_;
  ReceiptWatch receipts_;
  GroupReceipts group_receipts_;
  std::uint32_t next_request_ = 1;
  std::map<std::uint32_t, Pending> pending_;
  std::deque<std::pair<MonoTime, std::uint32_t>> deadlines_;  ///< ascending: one time-out for all
  std::deque<std::uint32_t> given_up_;                        ///< oldest first
  std::map<std::uint64_t, AppRequest> app_requests_;
  ReadOffers reads_;
  MonoTime logged_in_at_{};
  bool asked_to_sync_ = false;
  DeviceTap* tap_ = nullptr;
};

}  // namespace hy::client
