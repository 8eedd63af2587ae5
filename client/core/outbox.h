#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "client/core/turn.h"
#include "common/base/random.h"
#include "common/flat/flat_map.h"

namespace hy::client {

struct OutboxSettings {
  std::uint32_t window_per_conversation = 32;  ///< sends without an answer yet
  std::uint32_t window_total = 48;             ///< below the entry's 64 in flight per connection
  std::uint32_t items_max = 100'000;           ///< beyond: submit gives kStoreFull
  Millis resend_min{1'000};
  Millis resend_max{30'000};
  Millis resend_for = std::chrono::hours(72);  ///< then kUnsure
  Millis gap_wait{200};  ///< a GAP makes the predecessor due after full jitter of this, doubling
};

/// One SEND to put on the wire.
struct SendOrder {
  ClientMsgId id;
  ConversationId conversation;
  Uid to;
  std::uint32_t kind;
  Bytes body;
  std::optional<ClientMsgId> after;  ///< predecessor that is not known as stored
  std::uint32_t try_number;
  MonoTime submitted;  ///< when the app called send; only with try 1 of this process
};

/// A SEND_ACK, taken apart.
struct SendOutcome {
  bool stored = false;  ///< else RELAYED
  Seq seq{};
  std::int64_t server_ms = 0;
  bool repeat = false;
  Millis recheck_after{0};
};

/// What a person wrote and the server has not stored: the last replica of each message.
///
/// Guaranteed: an item leaves by STORED, or because the person drops it, and by nothing else. Per
/// conversation sends leave in the person's order, each naming its predecessor until that one is
/// STORED. Not guaranteed: that the server gets an item once; it recognises the id.
///
/// Naive resending (each item by its own timer) breaks the order after a loss: m2 would arrive
/// before m1 and be refused with GAP for ever. Here a GAP makes the predecessor due, and a
/// successor goes out again only behind it.
class Outbox {
 public:
  explicit Outbox(OutboxSettings settings)
      : settings_(settings), window_now_(settings.window_per_conversation) {}

  /// Takes over what the store kept. wall_ms: now, to tell each item's age.
  void load(std::vector<OutboxRecord> items, MonoTime now, std::int64_t wall_ms);

  /// A new item at the end of its conversation. kStoreFull: items_max. kConflict: the id is known.
  Status submit(Turn& turn, MonoTime now, OutboxRecord record);
  /// Sends a refused or unsure item again, at the end of its conversation. kMessageNotFound.
  Status retry(Turn& turn, MonoTime now, const ClientMsgId& id);
  /// The person throws it away. kMessageNotFound.
  Status drop(Turn& turn, const ClientMsgId& id);

  /// A connection is logged in: everything not stored is due, in order.
  void connected(MonoTime now);
  /// The connection is gone: answers of what was in flight will not come.
  void disconnected();

  /// What is due now, in order; each counts as sent. Empty while disconnected.
  std::vector<SendOrder> take_due(Turn& turn, MonoTime now, Random& random);

  /// SEND_ACK for `id`. Returns the item when it was STORED just now (its row goes to the inbox);
  /// nullptr otherwise, also for an id that is not here (a repeat).
  std::unique_ptr<OutboxRecord> answered(Turn& turn, MonoTime now, const ClientMsgId& id,
                                         const SendOutcome& outcome, Random& random);
  /// REFUSED for `id`.
  void refused(Turn& turn, MonoTime now, const ClientMsgId& id, Errc code, Millis retry_after,
               Random& random);
  /// The server says that its store works again: what was only RELAYED is due.
  void store_is_back(MonoTime now);
  /// The message was seen in the log (PULL, PUSH): as good as STORED. Same return.
  std::unique_ptr<OutboxRecord> seen_in_log(Turn& turn, MonoTime now, const ClientMsgId& id,
                                            Seq seq);

  /// When take_due or expire could have something to do. kNever: nothing waits.
  [[nodiscard]] MonoTime wake_at() const;
  /// Turns items older than resend_for into kUnsure.
  void expire(Turn& turn, MonoTime now);

  [[nodiscard]] bool has(const ClientMsgId& id) const { return where_.contains(id); }
  [[nodiscard]] std::size_t size() const { return where_.size(); }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  /// When the oldest send without any answer went out; kNever: none. For the link's watchdog.
  [[nodiscard]] MonoTime oldest_unanswered() const;
  /// All items, in the person's order.
  [[nodiscard]] std::vector<OutboxRecord> items() const;

 private:
  struct Item {
    OutboxRecord record;
    MonoTime expires = kNever;
    MonoTime due{};  ///< may be sent from here on
    MonoTime sent{};
    MonoTime submitted{};  ///< zero: written by an earlier process
    std::uint32_t tries = 0;
    std::uint32_t gaps = 0;      ///< GAPs in a row
    std::uint32_t refusals = 0;  ///< refusals in a row that may pass
    bool in_flight = false;
    bool behind = false;  ///< was GAPped: goes out only right behind its predecessor
  };
  struct Line {
    std::deque<Item> items;  ///< alive ones (queued, relayed), in order
    MonoTime paused_until{};
    std::uint32_t in_flight = 0;
  };
  Line* line_of(const ClientMsgId& id);
  std::deque<Item>::iterator find(Line& line, const ClientMsgId& id);
  std::unique_ptr<OutboxRecord> take_stored(Turn& turn, MonoTime now, const ClientMsgId& id,
                                            Seq seq);
  static bool may_follow(const Item& before);
  void land(Line& line, Item& item);
  void set_aside(Turn& turn, MonoTime now, Line& line, std::deque<Item>::iterator item, Step step,
                 Errc code);
  void gap(Line& line, std::deque<Item>::iterator item, MonoTime now, Random& random);
  void take_line(Line& line, MonoTime now, Random& random, std::vector<SendOrder>& out, Turn& turn);

  OutboxSettings settings_;
  std::uint32_t window_now_;                     ///< 1 .. settings_.window_per_conversation
  std::map<ConversationId, Line> lines_;         // ordered: the same seed gives the same run
  std::map<std::uint64_t, OutboxRecord> aside_;  ///< refused and unsure, by order
  FlatMap<ClientMsgId, ConversationId> where_;
  FlatMap<ClientMsgId, std::uint64_t> aside_order_;
  std::size_t in_flight_ = 0;
  MonoTime paused_until_{};
  MonoTime store_back_at_{};  ///< when the server last said so
  std::uint64_t next_order_ = 1;
  bool is_connected_ = false;
};

}  // namespace hy::client
