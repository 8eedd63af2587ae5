#include "entry/metrics.h"

#include <string>
#include <utility>

namespace hy::entry {
namespace {

struct NamedType {
  std::uint16_t type;
  std::string_view name;
};

// Names of proto/hy/client/v1/command.proto; answers count under their command.
constexpr NamedType kTypes[] = {
    {0x0001, "login"},     {0x0002, "logout"},  {0x0003, "ping"},          {0x0101, "send"},
    {0x0102, "push_ack"},  {0x0103, "read"},    {0x0104, "message_state"}, {0x0201, "sync"},
    {0x0202, "pull"},      {0x0203, "history"}, {0x0204, "recents"},       {0x0301, "user_lookup"},
    {0x0302, "block"},     {0x4001, "push"},    {0x4002, "receipt"},       {0x4003, "kicked"},
    {0x4004, "sync_hint"}, {0x4005, "goaway"},  {0x4006, "read_mark"},     {0x4007, "store_back"},
};

// Codes that an entry gives by itself; what logic refuses is counted by logic.
constexpr Errc kRefusals[] = {
    Errc::kRateLimited, Errc::kTooManyInFlight,  Errc::kAlreadyLoggedIn,    Errc::kUnavailable,
    Errc::kOverloaded,  Errc::kDeadlineExceeded, Errc::kStaleEpoch,         Errc::kDraining,
    Errc::kDenied,      Errc::kConnectRate,      Errc::kTooManyConnections,
};
constexpr Errc kClosings[] = {
    Errc::kOk,
    Errc::kBadMagic,
    Errc::kBadVersion,
    Errc::kWrongState,
    Errc::kFrameTooLarge,
    Errc::kBadFrame,
    Errc::kHandshakeFailed,
    Errc::kUnknownServerKey,
    Errc::kUnsupportedSuite,
    Errc::kHandshakeTimeout,
    Errc::kLoginTimeout,
    Errc::kBadCompression,
    Errc::kSilentPeer,
    Errc::kNotLoggedIn,
    Errc::kConnectionTooOld,
    Errc::kKicked,
    Errc::kStaleSession,
    Errc::kDraining,
    Errc::kDenied,
    Errc::kUnreachable,
    Errc::kSlowReader,
};
constexpr Errc kLogins[] = {Errc::kOk,          Errc::kTokenExpired,    Errc::kTokenForged,
                            Errc::kRevoked,     Errc::kPasswordWrong,   Errc::kLoginLocked,
                            Errc::kStaleEpoch,  Errc::kAuthUnavailable, Errc::kUnavailable,
                            Errc::kRateLimited, Errc::kDenied,          Errc::kOverloaded};

std::span<const Errc> codes_of(std::string_view metric) {
  if (metric == "hy_entry_logins_total") return kLogins;
  if (metric == "hy_entry_closed_total") return kClosings;
  return kRefusals;
}

constexpr std::uint16_t kAnswerBit = 0x8000;

}  // namespace

Metrics::Codes::Codes(obs::Registry& registry, std::string_view name, std::string_view help) {
  const std::string label = name == "hy_entry_logins_total" ? "result" : "code";
  for (const Errc code : codes_of(name)) {
    counters[std::to_underlying(code)] =
        &registry.counter(name, help, {{label, std::string(error_info(code).name)}});
  }
  other = &registry.counter(name, help, {{label, "other"}});
}

void Metrics::Codes::count(Errc code) {
  const auto at = counters.find(std::to_underlying(code));
  (at == counters.end() ? other : at->second)->add();
}

Metrics::Frames::Frames(obs::Registry& registry, std::string_view dir) {
  static constexpr std::string_view kName = "hy_entry_frames_total";
  static constexpr std::string_view kHelp =
      "Inner frames by direction and command. `other` that grows: clients newer than this entry, "
      "or somebody probing.";
  for (const NamedType& type : kTypes) {
    counters[type.type] = &registry.counter(
        kName, kHelp, {{"dir", std::string(dir)}, {"command", std::string(type.name)}});
  }
  other = &registry.counter(kName, kHelp, {{"dir", std::string(dir)}, {"command", "other"}});
}

void Metrics::Frames::count(std::uint16_t type) {
  const auto at = counters.find(static_cast<std::uint16_t>(type & ~kAnswerBit));
  (at == counters.end() ? other : at->second)->add();
}

namespace {
constexpr std::string_view kConnectionsHelp =
    "Open connections by state. Many unauthenticated ones for long: somebody connects and stays "
    "silent; look at hy_entry_closed_total.";
}  // namespace

Metrics::Metrics(obs::Registry& r)
    : unauthenticated_(
          r.gauge("hy_entry_connections", kConnectionsHelp, {{"state", "unauthenticated"}})),
      open_(r.gauge("hy_entry_connections", kConnectionsHelp, {{"state", "open"}})),
      draining_(r.gauge("hy_entry_connections", kConnectionsHelp, {{"state", "draining"}})),
      connections_limit_(r.gauge("hy_entry_connections_limit",
                                 "How many connections this entry takes. Near it: add an entry or "
                                 "raise entry.max_connections and the descriptor limit.")),
      refused_(r, "hy_entry_refused_total",
               "Connections and commands that the entry itself refused, by code. Each code is "
               "explained by `hy explain`."),
      closed_(r, "hy_entry_closed_total",
              "Connections closed, by reason; ok = the client left. slow_reader, unreachable and "
              "silent_peer that grow together: the network, or a client release."),
      logins_(r, "hy_entry_logins_total",
              "Logins by result. A jump of ok: reconnect storm. A jump of anything else: look at "
              "logic's log."),
      frames_in_(r, "in"),
      frames_out_(r, "out"),
      handshake_seconds_(r.histogram(
          "hy_entry_handshake_seconds",
          "From accept to the finished channel. Above 1 s: the entry is short of CPU.")),
      push_resent_(r.counter("hy_entry_push_resent_total",
                             "Pushes sent again because no PUSH_ACK came. More than 1 % of "
                             "pushes: devices are slow to store.")),
      push_window_(r.gauge("hy_entry_push_window_frames",
                           "Pushes that devices have not confirmed, all connections together.")),
      unreachable_(
          r.counter("hy_entry_unreachable_total",
                    "Devices given up after the last resend. They sync when they return.")),
      sync_hints_(r.counter("hy_entry_sync_hints_total",
                            "Full queues or windows replaced by one SYNC_HINT. Growing: slow "
                            "readers; look at hy_entry_slow_readers.")),
      deliveries_dropped_(r.counter(
          "hy_entry_deliveries_dropped_total",
          "Deliveries that met an I/O thread far behind. Not zero: the entry is out of CPU; SYNC "
          "brings the messages.")),
      slow_readers_(r.gauge("hy_entry_slow_readers",
                            "Connections whose socket takes no more bytes now. Above 1 % for 10 "
                            "minutes: network trouble.")),
      bytes_in_(r.counter("hy_entry_in_bytes_total", "Bytes read from clients.")),
      bytes_out_(r.counter("hy_entry_out_bytes_total", "Bytes written to clients.")),
      send_calls_(r.counter("hy_entry_send_calls_total",
                            "System calls that wrote to clients: frames out divided by this is "
                            "how well writes are gathered.")),
      lists_ok_(r.counter("hy_entry_access_reloads_total",
                          "Reloads of the access lists. bad: the old lists stay in force; see the "
                          "log.",
                          {{"result", "ok"}})),
      lists_bad_(r.counter("hy_entry_access_reloads_total",
                           "Reloads of the access lists. bad: the old lists stay in force; see "
                           "the log.",
                           {{"result", "bad"}})),
      drain_active_(r.gauge("hy_drain_active", "1 while this daemon empties itself.")),
      guest_active_(r.gauge("hy_entry_guest_active",
                            "1 while the I/O thread runs the turns of the stream loop too.")),
      placements_(r.gauge("hy_entry_placements",
                          "Sessions that this entry has registered with the routers. Differs for "
                          "long from open connections: look at the router links.")),
      in_flight_(r.gauge("hy_entry_in_flight",
                         "Commands at logic. Near 2,000 for each logic: logic is too slow.")),
      live_replicas_(r.gauge("hy_entry_router_links",
                             "Router replicas that follow this entry. 0: pushes become polls; are "
                             "the routers up?",
                             {{"state", "live"}})),
      live_logics_(r.gauge("hy_entry_logic_links",
                           "Logics that this entry reaches. 0: every command is refused.",
                           {{"state", "up"}})),
      unplaced_(r.gauge("hy_entry_unplaced",
                        "1 while no router replica has followed this entry for five seconds.")),
      dumps_(r.counter("hy_entry_router_dumps_total",
                       "Complete dumps of sessions to a router replica. More than one a replica's "
                       "start: the link loses its place; look at the network.")),
      displaced_(r.counter("hy_entry_displaced_total",
                           "Sessions replaced by a newer login on this same entry.")),
      partial_(r.counter("hy_entry_logins_partial_total",
                         "Logins answered before every router replica knew them. Growing: a "
                         "replica is down or slow.")),
      late_replies_(r.counter("hy_entry_late_replies_total",
                              "Answers of logic that nobody waited for any more. Growing: logic "
                              "answers later than entry.command_within.")) {
  r.gauge_fn("hy_drain_remaining", "Clients still connected while draining.", [this] {
    return drain_active_.value() != 0 ? static_cast<double>(connections()) : 0.0;
  });
}

void Metrics::closed(bool was_open, bool was_told, Errc why) {
  (was_open ? open_ : unauthenticated_).sub(1);
  if (was_told) draining_.sub(1);
  closed_.count(why);
}

void Metrics::hub(const HubView& view) {
  const auto set = [](obs::Gauge& gauge, std::uint64_t value) {
    gauge.set(static_cast<std::int64_t>(value));
  };
  set(placements_, view.placements);
  set(in_flight_, view.in_flight);
  set(live_replicas_, view.live_replicas);
  set(live_logics_, view.live_logics);
  set(unplaced_, view.unplaced);
  dumps_.add(view.dumps - last_.dumps);
  displaced_.add(view.displaced - last_.displaced);
  partial_.add(view.partial - last_.partial);
  late_replies_.add(view.late_replies - last_.late_replies);
  last_ = view;
}

void Metrics::refused_connect(Errc code) {
  refused_.count(code);
}
void Metrics::refused_command(Errc code) {
  refused_.count(code);
}
void Metrics::frame_in(std::uint16_t type) {
  frames_in_.count(type);
}
void Metrics::frame_out(std::uint16_t type) {
  frames_out_.count(type);
}
void Metrics::login(Errc result) {
  logins_.count(result);
}

}  // namespace hy::entry
