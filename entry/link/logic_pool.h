#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/flat/flat_map.h"
#include "entry/ports/logic_port.h"

namespace hy::entry {

struct LogicLimits {
  /// Ten thousand people with one command each: a third of a second of one logic on two cores. What
  /// waits longer than logic can bear is refused there, by its queueing time.
  std::uint32_t in_flight_per_peer_max = 10'000;
  /// Bodies of those commands. A command more may go beyond it, one that comes then is refused.
  std::size_t in_flight_bytes_per_peer_max = std::size_t{32} << 20U;
};

/// What a refusal of a command's second forwarding says truthfully: where `code` says that nothing
/// was done, kOutcomeUnknown, since the logic that was lost may have done it.
[[nodiscard]] Errc truth_of_second_try(Errc code);

/// Commands on their way to logic. A session's commands go to one logic, chosen by rendezvous hash
/// of its connection and kept as long as anything of it is open, so that they stay in order. When a
/// stream is lost its open commands are tried once more elsewhere, in order: every client write has
/// an id made by the client, so any of them may be repeated. No clock; loop thread.
class LogicPool {
 public:
  /// Why a command ends without an answer of logic.
  using Refuse = std::function<void(const Command&, Errc)>;

  LogicPool(LogicPort& port, std::uint32_t logics, LogicLimits limits, Refuse refuse);

  void on_up(std::uint32_t logic);
  void on_down(std::uint32_t logic, MonoTime now);
  [[nodiscard]] bool is_up(std::uint32_t logic) const { return peers_[logic].up; }
  [[nodiscard]] std::uint32_t up_count() const;

  /// Forwards, or refuses at once.
  void submit(Command command, MonoTime now);
  /// The command that an answer of `logic` belongs to; nullopt: nobody waits for it any more.
  std::optional<Command> take(std::uint32_t logic, std::uint64_t id);
  /// Confirmations and closings go to the connection's logic; dropped when there is none (both are
  /// hints).
  void confirm(const Confirm& confirm);
  /// Open commands of the connection are forgotten without a word.
  void closed(const Closed& closed);
  /// Refuses what has been open for too long.
  void expire(MonoTime now);

  [[nodiscard]] std::size_t open() const { return open_count_; }
  /// Each logic that is up has as much as it may: one command more would be refused.
  [[nodiscard]] bool is_full() const;
  struct OpenCommand {
    std::uint16_t type = 0;
    std::uint32_t logic = 0;
    std::uint32_t tries = 0;
    Millis remaining{0};
  };
  /// The oldest ones, for people.
  [[nodiscard]] std::vector<OpenCommand> list(MonoTime now, std::size_t max) const;

 private:
  struct Peer {
    bool up = false;
    std::uint32_t open = 0;
    std::size_t bytes = 0;  ///< of their bodies
  };
  struct Open {
    Command command;
    std::uint32_t logic = 0;
    std::uint32_t tries = 0;
    bool done = true;
  };
  struct Sticky {
    std::uint32_t logic = 0;
    std::uint32_t open = 0;
  };

  [[nodiscard]] std::optional<std::uint32_t> choose(ConnId conn) const;
  [[nodiscard]] std::optional<std::uint32_t> logic_of(ConnId conn) const;
  void send(std::uint64_t id, Open& open, MonoTime now);
  Open* find(std::uint64_t id);
  void finish(Open& open);
  void refuse_open(Open& open, Errc code);
  [[nodiscard]] bool is_full(const Peer& peer) const;

  LogicPort& port_;
  LogicLimits limits_;
  Refuse refuse_;
  std::vector<Peer> peers_;
  std::deque<Open> requests_;  // requests_[i] has id first_id_ + i
  std::uint64_t first_id_ = 1;
  std::size_t open_count_ = 0;
  FlatMap<ConnId, Sticky> sticky_;
};

}  // namespace hy::entry
