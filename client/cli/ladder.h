#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/sdk/hongyan.hpp"

/// The six-packet ladder: one message as the packets that carried it, in milliseconds from the
/// moment its sender called send. No I/O, no clock.
namespace hy::cli {

/// One line of a ladder.
struct Rung {
  char kind;           ///< 'R' request, 'A' acknowledgement, 'N' notification, ' ' something else
  bool is_outgoing;    ///< from the person to the server
  std::string who;     ///< at whose device
  std::string packet;  ///< "SEND", "STORED", "PUSH" …
  std::string note;    ///< "seq 3", "n 7 seq 3", "delivered bob"
  std::int64_t at_us;  ///< since the first SEND
  int place;           ///< 1 … 6 for the six packets, 0 for the lines between
};

/// What became of one message so far.
class Ladder {
 public:
  Ladder(ClientMsgId id, std::string sender) : id_(id), sender_(std::move(sender)) {}
  [[nodiscard]] const ClientMsgId& id() const { return id_; }
  [[nodiscard]] const std::string& sender() const { return sender_; }
  [[nodiscard]] Seq seq() const { return seq_; }
  [[nodiscard]] ConversationId conversation() const { return conversation_; }
  /// All six packets were seen.
  [[nodiscard]] bool is_complete() const;
  /// Microseconds from SEND to the first of: STORED (2), RECEIPT (6) …; nullopt: not seen.
  [[nodiscard]] std::optional<std::int64_t> time_of(int place) const;
  [[nodiscard]] bool was_relayed() const { return was_relayed_; }
  /// The six packets in their order; with other lines among them, everything by time.
  [[nodiscard]] std::vector<Rung> rungs() const;

 private:
  friend class LadderBook;
  void add(Rung rung);
  [[nodiscard]] bool has(int place) const { return time_of(place).has_value(); }

  ClientMsgId id_;
  std::string sender_;
  ConversationId conversation_{};
  Seq seq_{};
  std::optional<std::int64_t> start_us_;
  bool was_relayed_ = false;
  std::string receiver_;
  std::uint32_t push_number_ = 0;
  std::vector<Rung> rungs_;
};

/// Puts the events of several devices together into ladders. Keeps the last `ladders_max` messages.
class LadderBook {
 public:
  explicit LadderBook(std::size_t ladders_max = 512) : ladders_max_(ladders_max) {}
  /// `name_of`: who is behind a uid in a receipt.
  void name(Uid uid, std::string who) { names_[uid.value()] = std::move(who); }
  void add(const std::string& who, const LadderEvent& event);
  /// nullptr: unknown, or forgotten.
  [[nodiscard]] const Ladder* find(const ClientMsgId& id) const;
  [[nodiscard]] const Ladder* latest() const {
    return order_.empty() ? nullptr : find(order_.back());
  }

 private:
  Ladder& open(const ClientMsgId& id, const std::string& sender);
  void add_sender_side(const std::string& who, const LadderEvent& event);
  void add_push(const std::string& who, const LadderEvent& event);
  void add_cumulative(const std::string& who, const LadderEvent& event);
  void add_receipt(const std::string& who, const LadderEvent& event);

  std::size_t ladders_max_;
  std::map<std::uint64_t, std::string> names_;
  std::map<ClientMsgId, Ladder> ladders_;
  std::deque<ClientMsgId> order_;
};

/// "R alice SEND      9f2c…           0.0 ms"
std::string rung_text(const Rung& rung, int name_width = 5);
/// "alice R▶ SEND      9f2c…         0.0 ms", for the screen.
std::string rung_on_screen(const Rung& rung, int name_width = 5);
/// "9f2c…": enough of an id to recognise it.
std::string short_id(const ClientMsgId& id);

}  // namespace hy::cli
