#pragma once

#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "client/load/light_client.h"
#include "common/flat/flat_map.h"

namespace hy::bench {

class Line;

/// Who writes to whom: pairs of numbers below `people`, each in `peers` pairs, none twice. One
/// peer: 2k and 2k + 1. More: the rounds of a tournament (circle method). Requires an even number
/// of people above `peers`. Pure.
std::vector<std::pair<std::uint32_t, std::uint32_t>> pair_up(std::uint32_t people,
                                                             std::uint32_t peers);

/// One person's side of one conversation, and the person's connection as that side sees it: its own
/// push numbers from 1, its own heads. A person with several peers has a seat for each, on one
/// connection. One thread.
class Seat {
 public:
  Seat(Line& line, std::uint32_t index, std::uint32_t first_number, std::uint32_t last_number)
      : index(index), first_number(first_number), last_number(last_number), line_(&line) {}

  std::uint32_t index;         ///< 2b and 2b + 1 are the two sides of book b
  std::uint32_t first_number;  ///< of its messages; no other seat of the connection has it …
  std::uint32_t last_number;   ///< … up to this one

  [[nodiscard]] Line& line() const { return *line_; }
  /// The one that stands for the connection itself: dials, pings, is counted.
  [[nodiscard]] bool is_first() const;
  [[nodiscard]] Uid uid() const;
  [[nodiscard]] bool is_open() const;
  [[nodiscard]] bool is_closed() const;
  [[nodiscard]] std::uint32_t heartbeat_ms() const;
  [[nodiscard]] std::uint32_t storm_window_ms() const;
  [[nodiscard]] std::uint32_t conn_counter() const;
  void connect(const sockaddr_in& to, in_addr from);
  void send(std::uint32_t number, Uid to, std::string_view id, std::string_view body);
  void ping();
  void close();
  /// One PULL of a connection is under way at a time.
  void pull(ConversationId conversation, std::uint64_t from, std::uint64_t to);
  /// One SYNC serves all seats that asked before it began.
  void sync(std::string_view page_after);

 private:
  friend class Line;
  friend class Lines;
  Line* line_;
  std::uint32_t pushes_ = 0;  ///< on this connection
  std::uint64_t head_ = 0;    ///< of its conversation, as the SYNC under way told
  bool asks_ = false;         ///< for a SYNC that has yet to begin
  bool awaits_ = false;       ///< the one that is under way
};

/// One person's connection. One thread.
class Line {
 public:
  Line(load::SwarmShared& shared, Uid uid, Bytes token) : client(shared, uid, std::move(token)) {}

  load::LightClient client;
  std::vector<Seat*> seats;
  // The swarm's own.
  std::uint32_t unanswered = 0;  ///< messages of all seats
  std::uint64_t draws = 0;       ///< of peers, in the closed loop
  std::size_t flooding = 0;      ///< seats before this one have nothing left to flood
  bool has_to_wait = false;      ///< closed loop: refused, and told when to come again

 private:
  friend class Lines;
  friend class Seat;
  struct Push {
    std::uint32_t number;  ///< of the connection
    std::uint32_t of_seat;
    Seat* seat;
  };
  struct Ask {
    Seat* seat;
    ConversationId conversation;
    std::uint64_t from;
    std::uint64_t to;
  };
  void begin_sync();
  void next_pull();

  std::deque<Push> unacked_;
  std::deque<Ask> asks_;
  std::uint32_t last_push_ = 0;
  bool is_pulling_ = false;
  bool is_syncing_ = false;
};

/// Who hears what the seats see: load::Listener, by seat.
class SeatListener {
 public:
  virtual ~SeatListener() = default;
  virtual void on_open(Seat& s) = 0;
  virtual void on_reply(Seat& s, std::uint32_t number, const load::SendReply& reply) = 0;
  virtual void on_push(Seat& s, std::uint32_t push_number, const load::PushView& push) = 0;
  virtual void on_ack(Seat& s, std::uint32_t push_number) = 0;
  virtual void on_receipt(Seat& s, ConversationId conversation, std::uint64_t up_to, Uid by) = 0;
  virtual void on_hint(Seat& s) = 0;
  virtual void on_slice(Seat& s, ConversationId conversation, std::span<const load::PushView> rows,
                        std::uint64_t head, bool more) = 0;
  virtual void on_heads(Seat& s, std::span<const std::pair<ConversationId, std::uint64_t>> heads,
                        bool more) = 0;
  virtual void on_sync_refused(Seat& s, Millis retry_after) = 0;
  virtual void on_closed(Seat& s, load::Blame blame, Errc code) = 0;
};

/// The connections of a swarm. What comes on one goes to the seat whose conversation it names, with
/// push numbers counted anew for each, so that a conversation is judged by itself. A person with
/// one peer has one seat, and everything passes through as it is. One thread.
class Lines final : public load::Listener {
 public:
  explicit Lines(SeatListener& to) : to_(to) {}
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// Once, before anything is dialled. Requires people as pair_up.
  void fill(load::SwarmShared& shared, std::vector<std::pair<Uid, Bytes>> people,
            std::uint32_t peers);
  [[nodiscard]] std::deque<Line>& all() { return lines_; }
  [[nodiscard]] std::size_t seats() const { return seats_.size(); }
  Seat& seat(std::size_t i) { return seats_[i]; }

  void on_open(load::LightClient& c) override;
  void on_reply(load::LightClient& c, std::uint32_t number, const load::SendReply& reply) override;
  void on_push(load::LightClient& c, std::uint32_t n, const load::PushView& push) override;
  void on_ack(load::LightClient& c, std::uint32_t n) override;
  void on_receipt(load::LightClient& c, ConversationId conversation, std::uint64_t up_to,
                  Uid by) override;
  void on_hint(load::LightClient& c) override;
  void on_slice(load::LightClient& c, ConversationId conversation,
                std::span<const load::PushView> rows, std::uint64_t head, bool more) override;
  void on_heads(load::LightClient& c,
                std::span<const std::pair<ConversationId, std::uint64_t>> heads,
                bool more) override;
  void on_sync_refused(load::LightClient& c, Millis retry_after) override;
  void on_closed(load::LightClient& c, load::Blame blame, Errc code) override;

 private:
  Line& line_of(const load::LightClient& c) { return lines_[c.index]; }
  [[nodiscard]] ConversationId conversation_of(const Seat& s) const;
  /// nullptr: a conversation that none of this connection's seats is in.
  Seat* seat_of(const Line& line, ConversationId conversation);

  SeatListener& to_;
  std::deque<Line> lines_;                        // a LightClient does not move
  std::vector<Seat> seats_;                       // filled once
  FlatMap<ConversationId, std::uint32_t> books_;  ///< of people with several peers
  unsigned number_bits_ = 31;                     ///< of a message within its seat
};

}  // namespace hy::bench
