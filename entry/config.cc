#include "entry/config.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/wire/server_key.h"

namespace hy::entry {
namespace {

using config::Apply;
using config::Kind;
using config::Property;

constexpr std::array kProperties = {
    Property{.key = "entry.admin",
             .kind = Kind::kText,
             .fallback = "",
             .sentence = "Address of the admin HTTP server; empty = listen port + 1 on 127.0.0.1, "
                         "\"off\" = none."},
    Property{.key = "entry.listen",
             .kind = Kind::kAddressList,
             .fallback = "",
             .sentence = "Where clients connect; empty = the address of this entry in the "
                         "topology."},
    Property{.key = "entry.noise_key",
             .kind = Kind::kSecret,
             .sentence = "Private X25519 key that clients pin the public half of.",
             .required = true,
             .hex_bytes = 32},
    Property{.key = "entry.noise_key_previous",
             .kind = Kind::kSecret,
             .sentence = "Key of the last rotation, for clients that have not learnt the new one.",
             .hex_bytes = 32},
    Property{.key = "entry.noise_key_next",
             .kind = Kind::kSecret,
             .sentence = "Key of the next rotation, for clients that have learnt it already.",
             .hex_bytes = 32},
    Property{.key = "entry.key_notice",
             .kind = Kind::kPath,
             .fallback = "",
             .sentence = "File with the signed KEY_NOTICE (148 bytes) for clients that name an "
                         "unknown key; empty = they are closed."},
    Property{.key = "entry.io_threads",
             .kind = Kind::kInteger,
             .fallback = "1",
             .min = "1",
             .max = "32",
             .sentence = "Threads that hold connections; more than one pays above two cores."},
    Property{.key = "entry.max_connections",
             .kind = Kind::kInteger,
             .fallback = "200k",
             .min = "1",
             .max = "10M",
             .apply = Apply::kLive,
             .sentence = "Connections held at most; never more than descriptors allow."},
    Property{.key = "entry.unauthenticated_max",
             .kind = Kind::kInteger,
             .fallback = "20k",
             .min = "1",
             .max = "1M",
             .apply = Apply::kLive,
             .sentence = "Connections that have not logged in, all together."},
    Property{.key = "entry.unauthenticated_per_ip",
             .kind = Kind::kInteger,
             .fallback = "32",
             .min = "1",
             .max = "1M",
             .apply = Apply::kLive,
             .sentence = "Connections of one address (IPv6: /64) that have not logged in."},
    Property{.key = "entry.logged_in_per_ip",
             .kind = Kind::kInteger,
             .fallback = "5000",
             .min = "1",
             .max = "10M",
             .apply = Apply::kLive,
             .sentence = "Logged-in connections of one address; carriers put many people behind "
                         "one."},
    Property{.key = "entry.connect_rate",
             .kind = Kind::kRate,
             .fallback = "20/s burst 50",
             .apply = Apply::kLive,
             .sentence = "New connections of one address."},
    Property{.key = "entry.frame_rate",
             .kind = Kind::kRate,
             .fallback = "30/s burst 60",
             .apply = Apply::kLive,
             .sentence = "Commands of one connection; above it they are refused with a code."},
    Property{.key = "entry.in_flight",
             .kind = Kind::kInteger,
             .fallback = "64",
             .min = "1",
             .max = "10000",
             .apply = Apply::kLive,
             .sentence = "Unanswered commands of one connection; above it nothing more is read."},
    Property{.key = "entry.first_frame",
             .kind = Kind::kDuration,
             .fallback = "5s",
             .min = "100ms",
             .max = "1m",
             .apply = Apply::kLive,
             .sentence = "Time from accept to the finished handshake; a silent socket is closed."},
    Property{.key = "entry.login_within",
             .kind = Kind::kDuration,
             .fallback = "10s",
             .min = "500ms",
             .max = "2m",
             .apply = Apply::kLive,
             .sentence = "Time from accept to the finished login."},
    Property{.key = "entry.command_within",
             .kind = Kind::kDuration,
             .fallback = "5s",
             .min = "100ms",
             .max = "1m",
             .apply = Apply::kLive,
             .sentence = "Time that a command has inside; what remains is passed on."},
    Property{.key = "entry.register_within",
             .kind = Kind::kDuration,
             .fallback = "300ms",
             .min = "10ms",
             .max = "5s",
             .sentence = "How long a login waits for router replicas to confirm it."},
    Property{.key = "entry.push_window.frames",
             .kind = Kind::kInteger,
             .fallback = "256",
             .min = "1",
             .max = "65536",
             .apply = Apply::kLive,
             .sentence = "Pushes of one connection that are not confirmed; above it one SYNC_HINT "
                         "stands for all."},
    Property{.key = "entry.push_window.bytes",
             .kind = Kind::kSize,
             .fallback = "1MiB",
             .min = "64KiB",
             .max = "64MiB",
             .apply = Apply::kLive,
             .sentence = "Bytes of those pushes."},
    Property{.key = "entry.push_window.tries",
             .kind = Kind::kInteger,
             .fallback = "3",
             .min = "1",
             .max = "10",
             .apply = Apply::kLive,
             .sentence = "Resends of an unconfirmed push before the device counts as "
                         "unreachable."},
    Property{.key = "entry.push_window.resend_min",
             .kind = Kind::kDuration,
             .fallback = "1s",
             .min = "50ms",
             .max = "1m",
             .apply = Apply::kLive,
             .sentence = "Shortest wait before a resend; else four round trips of the "
                         "connection."},
    Property{.key = "entry.push_window.resend_first",
             .kind = Kind::kDuration,
             .fallback = "2s",
             .min = "50ms",
             .max = "1m",
             .apply = Apply::kLive,
             .sentence = "Wait before a resend while no round trip was measured."},
    Property{.key = "entry.push_window.ack_within",
             .kind = Kind::kDuration,
             .fallback = "100ms",
             .min = "0ms",
             .max = "1s",
             .apply = Apply::kLive,
             .sentence = "How long a device may keep a PUSH_ACK for company while messages stream "
                         "in; at most a quarter of the resend waits, 0: not at all."},
    Property{.key = "entry.queue.frames",
             .kind = Kind::kInteger,
             .fallback = "256",
             .min = "8",
             .max = "65536",
             .apply = Apply::kLive,
             .sentence = "Frames that wait for one socket; pushes above it become one SYNC_HINT."},
    Property{.key = "entry.queue.bytes",
             .kind = Kind::kSize,
             .fallback = "1MiB",
             .min = "64KiB",
             .max = "64MiB",
             .apply = Apply::kLive,
             .sentence = "Bytes of those frames."},
    Property{.key = "entry.blocked_max",
             .kind = Kind::kDuration,
             .fallback = "30s",
             .min = "1s",
             .max = "10m",
             .apply = Apply::kLive,
             .sentence = "A client that reads nothing for so long is closed."},
    Property{.key = "entry.age_max",
             .kind = Kind::kDuration,
             .fallback = "24h",
             .min = "1m",
             .max = "7d",
             .apply = Apply::kLive,
             .sentence = "Age at which a connection is asked to reconnect, give or take a "
                         "twelfth."},
    Property{.key = "entry.padding",
             .kind = Kind::kBool,
             .fallback = "true",
             .apply = Apply::kLive,
             .sentence = "Pads frames up to 1 KiB to a few sizes, so that their length tells "
                         "little."},
    Property{.key = "entry.handshakes_per_turn",
             .kind = Kind::kInteger,
             .fallback = "8",
             .min = "1",
             .max = "1000",
             .apply = Apply::kLive,
             .sentence = "Handshakes computed between two looks at connections that are logged "
                         "in."},
    Property{.key = "entry.handshakes_waiting",
             .kind = Kind::kInteger,
             .fallback = "1000",
             .min = "1",
             .max = "100k",
             .apply = Apply::kLive,
             .sentence = "Handshakes of one thread that wait for their turn; one more is closed "
                         "before any key is computed."},
    Property{.key = "entry.allow",
             .kind = Kind::kPath,
             .fallback = "",
             .sentence = "File of addresses, prefixes and users that alone may connect; read "
                         "again when it changes."},
    Property{.key = "entry.deny",
             .kind = Kind::kPath,
             .fallback = "",
             .sentence = "File of addresses, prefixes and users that may not connect; wins over "
                         "allow."},
    Property{.key = "entry.drain.spread",
             .kind = Kind::kDuration,
             .fallback = "5s",
             .min = "0s",
             .max = "10m",
             .sentence = "Clients of a draining entry leave at random moments inside this."},
    Property{.key = "entry.drain.flush",
             .kind = Kind::kDuration,
             .fallback = "2s",
             .min = "100ms",
             .max = "1m",
             .sentence = "Time after the spread for those who are late."},
};

Rate rate_of(const config::Rate& in) {
  return {.per_second = in.per_second(), .burst = static_cast<double>(in.burst)};
}

std::uint32_t number(const config::Values& v, std::string_view key) {
  return static_cast<std::uint32_t>(v.integer(key));
}

Result<std::vector<ServerKey>> read_keys(const config::Values& v) {
  std::vector<ServerKey> out;
  for (const std::string_view key :
       {"entry.noise_key", "entry.noise_key_previous", "entry.noise_key_next"}) {
    const Secret& secret = v.secret(key);
    if (secret.empty()) continue;
    const auto bytes = as_bytes(secret.reveal()).first<32>();
    auto pair = crypto::X25519KeyPair::from_private(bytes);
    const wire::KeyId id = wire::key_id(pair.public_key());
    out.push_back({.id = id, .pair = std::move(pair)});
  }
  if (out.empty()) return fail(Errc::kConfigMissing, "entry.noise_key");
  return out;
}

Result<std::optional<wire::KeyNoticeBytes>> read_notice(const std::string& path) {
  if (path.empty()) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::kConfigUnreadable, path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  wire::KeyNoticeBytes out{};
  if (text.size() != out.size()) {
    return fail(Errc::kConfigWrongType, path + " has " + std::to_string(text.size()) +
                                            " bytes, a KEY_NOTICE has " +
                                            std::to_string(out.size()));
  }
  std::ranges::copy(as_bytes(text), out.begin());
  return out;
}

void read_limits(const config::Values& v, Config& out) {
  out.gate.unauthenticated_max = number(v, "entry.unauthenticated_max");
  out.gate.unauthenticated_per_peer_max = number(v, "entry.unauthenticated_per_ip");
  out.gate.logged_in_per_peer_max = number(v, "entry.logged_in_per_ip");
  out.gate.connects_per_peer = rate_of(v.rate("entry.connect_rate"));
  ShardOptions& shard = out.shard;
  shard.frames = rate_of(v.rate("entry.frame_rate"));
  shard.in_flight_max = static_cast<std::uint16_t>(v.integer("entry.in_flight"));
  shard.times = {.handshake_within = v.duration("entry.first_frame"),
                 .login_within = v.duration("entry.login_within")};
  shard.command_within = v.duration("entry.command_within");
  shard.window.frames_max = number(v, "entry.push_window.frames");
  shard.window.bytes_max = static_cast<std::uint32_t>(v.bytes("entry.push_window.bytes"));
  shard.window.resends_max = number(v, "entry.push_window.tries");
  shard.window.resend_min = v.duration("entry.push_window.resend_min");
  shard.window.resend_first = v.duration("entry.push_window.resend_first");
  shard.window.ack_within = v.duration("entry.push_window.ack_within");
  shard.queue = {.frames_max = number(v, "entry.queue.frames"),
                 .bytes_max = static_cast<std::uint32_t>(v.bytes("entry.queue.bytes"))};
  shard.blocked_max = v.duration("entry.blocked_max");
  shard.age_max = v.duration("entry.age_max");
  shard.age_spread = shard.age_max / 12;
  shard.padding = v.flag("entry.padding");
  shard.handshakes_per_turn = number(v, "entry.handshakes_per_turn");
  shard.handshakes_waiting_max = number(v, "entry.handshakes_waiting");
}

}  // namespace

std::span<const Property> properties() {
  return kProperties;
}

config::DaemonSpec daemon_spec() {
  return {.role = config::Role::kEntry,
          .sentence = "Holds client connections: encryption, limits, pushes and their resends.",
          .properties = kProperties};
}

void read_live(const config::Values& values, Config& config) {
  config.max_connections_asked = number(values, "entry.max_connections");
  config.gate.connections_max = std::min(config.max_connections_asked, config.connections_that_fit);
  read_limits(values, config);
}

Result<Config> read_config(const config::Start& start, std::uint64_t descriptors) {
  const config::Values& v = start.values;
  Config out;
  out.listen = v.list("entry.listen");
  if (out.listen.empty()) out.listen.push_back(start.address);
  out.io_threads = number(v, "entry.io_threads");
  out.connections_that_fit =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(descriptors, kSlotsPerShardMax));
  if (out.connections_that_fit == 0) {
    return fail(Errc::kLimitTooLow, "no descriptor is left for a connection");
  }
  read_live(v, out);
  out.shard.connections_max = out.connections_that_fit;
  HY_TRY(out.shard.keys, read_keys(v));
  HY_TRY(out.shard.notice, read_notice(v.text("entry.key_notice")));
  out.hub.shards = out.io_threads;
  out.hub.logics = static_cast<std::uint32_t>(start.peers(config::Role::kLogic).size());
  out.hub.replicas = static_cast<std::uint32_t>(start.peers(config::Role::kRouter).size());
  out.hub.register_within = v.duration("entry.register_within");
  out.drain = {.spread = v.duration("entry.drain.spread"),
               .flush = v.duration("entry.drain.flush"),
               .told_per_step = 2'000};
  out.allow_list = v.text("entry.allow");
  out.deny_list = v.text("entry.deny");
  out.tls = {v.text("tls.ca"), v.text("tls.certificate"), v.text("tls.key")};
  return out;
}

}  // namespace hy::entry
