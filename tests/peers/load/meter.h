#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/peers/load/histogram.h"

namespace hy::peers {

class Swarm;

/// CLOCK_MONOTONIC in nanoseconds.
std::uint64_t now_ns();

/// The load: who sends when, what came back, and whether every message came once and in order. One
/// thread. Closed loop: a client sends again when a message of its own is done; done is "the
/// receiver has it" for the peers and "acknowledged as stored" for Hongyan.
class Meter {
 public:
  struct Settings {
    std::size_t connections = 1'000;  ///< even
    std::size_t outstanding = 4;
    std::size_t body_bytes = 100;  ///< at least 32: sender, number and time lead the body
    /// All clients are one group: `outstanding` messages of all together are under way, in turn
    /// from each, and a message is done when everybody has it. Counted are deliveries.
    bool is_group = false;
    bool has_echo = false;  ///< a group's sender gets his own message too
  };
  explicit Meter(Settings settings);
  void drive(Swarm& swarm) { swarm_ = &swarm; }

  // From the swarm.
  void ready(std::size_t client);
  void failed(std::size_t client, std::string_view why);
  void received(std::size_t client, std::string_view body);
  /// A message of `client` is done, sent `latency_ns` ago.
  void done(std::size_t client, std::uint64_t latency_ns);
  /// A message that was refused, with a time to come again. In a closed loop its client sends
  /// another one half a second later.
  void refused(std::size_t client);
  [[nodiscard]] std::size_t outstanding(std::size_t client) const {
    return clients_[client].outstanding;
  }

  /// A group's message was refused: nobody gets it.
  void group_refused(std::string_view body);

  // From the commands.
  /// Logs everybody in, at most 64 at once; false when one failed or 300 s passed.
  bool connect_all();
  /// Everybody sends one message, at most 64 under way: conversations are opened, caches filled.
  /// False when that took more than 300 s.
  bool prime();
  /// `rate` messages a second over all clients in turn; 0: closed loop, which clients enter one
  /// after the other within a second.
  void start(double rate);
  /// Sends what is due by the clock; called once a turn.
  void send_due();
  /// Stops sending and waits at most 20 s for what is under way.
  void stop();
  /// Counts and latencies since the mark before, as one line of JSON.
  std::string mark();

  [[nodiscard]] bool is_sending() const { return sending_; }
  /// True when the clock, not an answer, decides what is sent next.
  [[nodiscard]] bool waits_for_clock() const { return sending_ && (rate_ > 0 || !again_.empty()); }
  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  void send(std::size_t client, std::uint64_t intended_ns);
  void send_again();
  void received_in_group(std::size_t client, std::size_t sender, std::uint32_t number,
                         std::uint64_t intended);
  void send_to_group(std::uint64_t intended_ns);
  /// Of one message.
  [[nodiscard]] std::size_t receivers() const {
    return clients_.size() - (settings_.has_echo ? 0 : 1);
  }

  struct Client {
    std::uint32_t outstanding = 0;
    std::uint32_t sent = 0;
    std::uint32_t seen = 0;  ///< highest number received from the peer
    bool ready = false;
  };
  Settings settings_;
  Swarm* swarm_ = nullptr;
  std::vector<Client> clients_;
  /// Of a group: the highest number of each sender that a client has, sender after sender.
  std::vector<std::uint32_t> group_seen_;
  /// (sender, number) → how many have it; those on their way.
  std::map<std::pair<std::size_t, std::uint32_t>, std::size_t> under_way_;
  std::size_t next_sender_ = 0;
  Histogram latencies_;
  std::string body_;
  /// (when, who): the first messages, spread over a second, and what follows a refusal.
  std::deque<std::pair<std::uint64_t, std::size_t>> again_;
  double rate_ = 0;
  std::uint64_t began_ns_ = 0;
  std::uint64_t due_ = 0;  ///< messages of this paced run that were sent
  std::size_t turn_ = 0;   ///< whose turn it is in a paced run
  std::uint64_t logged_in_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t missing_ = 0;  ///< gaps in a sender's numbers
  std::uint64_t doubled_ = 0;  ///< a number again, or a smaller one
  bool sending_ = false;
};

}  // namespace hy::peers
