#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "entry/link/logic_pool.h"
#include "entry/link/router_link.h"

namespace hy::entry {

/// What logic answered to one command.
struct LogicReply {
  std::uint64_t id = 0;
  Answer answer;                          ///< conn and request_id are taken from the command
  std::optional<Session> session_opened;  ///< LOGIN: register this first. PING: a fresh grant
  Millis heartbeat{0};
};

/// KICK and SUPERSEDED of a router replica.
struct RouterKick {
  ConnId conn{};  ///< 0: by (uid, slot)
  Uid uid{};
  Slot slot = Slot::kNone;
  Epoch below{};
  Errc code = Errc::kKicked;
  std::string reason{};
};

/// What a router replica wants delivered, for all I/O threads together.
struct RouterForward {
  std::uint64_t id = 0;
  std::shared_ptr<const PushPayload> payload;
  std::vector<ConnId> conns;
  bool numbered = false;
  bool until_ack = false;
  bool ephemeral = false;
  bool brief = false;
  Millis remaining{0};
};

struct HubOptions {
  std::uint32_t shards = 1;
  std::uint32_t logics = 1;
  std::uint32_t replicas = 1;
  Incarnation incarnation{1};
  Millis register_within{300};  ///< then LOGIN_ACK says registration_partial
  /// A PING waits so long for others: alone, each would wake every thread of three tiers twice (330
  /// us of CPU; in a batch of forty 20 us). 0: none waits.
  Millis pings_wait{250};
  std::size_t pings_max = 256;  ///< as many go on at once
  LogicLimits logic;
  LinkTimes link;
};

/// Plain counts; the loop thread writes, one reader copies them under its own rules.
struct HubCounts {
  std::uint64_t logins_ok = 0;
  std::uint64_t logins_partial = 0;
  std::uint64_t logins_stale = 0;
  std::uint64_t displaced = 0;
  std::uint64_t late_replies = 0;
  std::uint64_t refused_unavailable = 0;
  std::uint64_t refused_overloaded = 0;
  std::uint64_t refused_deadline = 0;
};

/// The middle of an entry: sessions of all connections, their registration with the routers, and
/// the two-way traffic between connections and the inner tiers. It knows streams and connections by
/// number only. No I/O, no clock; everything on the loop thread.
class Hub {
 public:
  Hub(LogicPort& logic_port, RouterPort& router_port, Random& random, HubOptions options);

  /// Traffic of one I/O thread, in its order.
  void on_connections(UpBatch& batch, MonoTime now);

  void on_logic_up(std::uint32_t logic) { logics_.on_up(logic); }
  void on_logic_down(std::uint32_t logic, MonoTime now) { logics_.on_down(logic, now); }
  void on_reply(std::uint32_t logic, LogicReply reply, MonoTime now);

  void on_router_up(std::uint32_t replica, MonoTime now) { routers_.on_up(replica, now); }
  void on_router_down(std::uint32_t replica, MonoTime now);
  RouterLink::Verdict on_router_news(std::uint32_t replica, const RouterNews& news, MonoTime now);
  void on_kick(const RouterKick& kick);
  void on_forward(std::uint32_t replica, RouterForward forward, MonoTime now);

  /// Every 20 ms or so.
  void step(MonoTime now);
  /// At the end of each turn: ops go out, finished registrations open.
  void end_turn(MonoTime now);
  void set_draining(bool draining) { draining_ = draining; }

  /// What is to be handed to each I/O thread; the driver takes and clears it once a turn.
  [[nodiscard]] std::vector<DownBatch>& down() { return down_; }

  [[nodiscard]] const RouterLink& routers() const { return routers_; }
  [[nodiscard]] const LogicPool& logics() const { return logics_; }
  [[nodiscard]] const HubCounts& counts() const { return counts_; }
  [[nodiscard]] std::size_t registering() const { return registering_.size(); }

 private:
  struct Registering {
    std::uint64_t op = 0;
    MonoTime deadline;
    Opened opened;
    bool cancelled = false;
  };

  void open_session(const Command& command, LogicReply reply, MonoTime now);
  void refuse(const Command& command, Errc code);
  static void say_what_is_known(Answer& answer);
  void refuse_stale(ConnId conn, std::uint32_t request_id, std::uint32_t counter);
  void on_closed(const Closed& closed);
  void on_command(Command command, MonoTime now);
  void send_pings(MonoTime now);
  void finish_registrations(MonoTime now);
  DownBatch& shard_of(ConnId conn) { return down_[conn_shard(conn) % down_.size()]; }

  HubOptions options_;
  RouterLink routers_;
  LogicPool logics_;
  std::vector<DownBatch> down_;
  std::deque<Registering> registering_;  // ascending ops and deadlines
  std::vector<Command> pings_;
  MonoTime pings_since_;
  HubCounts counts_;
  bool draining_ = false;
};

}  // namespace hy::entry
